"""The stand-in refuses requests that the API's model does not allow, and names the member."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.utils import camelcase_to_underscores, get_service_model

from local.customerprofiles.request import JSON_TYPES
from local.customerprofiles.responses import CustomerProfilesResponse

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient

NAME = "amazon-connect-shop"
ARN = f"arn:aws:profile:us-east-1:{DEFAULT_ACCOUNT_ID}:domains/{NAME}"
ATTRIBUTES = "Matching.AutoMerging.Consolidation.MatchingAttributesList"


def matching(**members: Any) -> dict[str, Any]:
    return {"Matching": {"Enabled": True, **members}}


def merging(**members: Any) -> dict[str, Any]:
    return matching(AutoMerging={"Enabled": True, **members})


def attributes(attribute_lists: Any) -> dict[str, Any]:
    return merging(Consolidation={"MatchingAttributesList": attribute_lists})


def exporting(**members: Any) -> dict[str, Any]:
    return matching(ExportingConfig={"S3Exporting": {"S3BucketName": "matches", **members}})


def schedule(**members: Any) -> dict[str, Any]:
    return matching(JobSchedule={"DayOfTheWeek": "MONDAY", "Time": "03:30", **members})


# id: members of the request, path and requirement in the answer
REFUSED = {
    "type of an integer: text": ({"DefaultExpirationDays": "30"}, "DefaultExpirationDays", "of type integer"),
    "type of an integer: fraction": ({"DefaultExpirationDays": 30.0}, "DefaultExpirationDays", "of type integer"),
    "type of an integer: boolean": ({"DefaultExpirationDays": True}, "DefaultExpirationDays", "of type integer"),
    "type of a string": ({"DeadLetterQueueUrl": 1}, "DeadLetterQueueUrl", "of type string"),
    "type of a boolean: text": (matching(Enabled="true"), "Matching.Enabled", "of type boolean"),
    "type of a boolean: number": (matching(Enabled=1), "Matching.Enabled", "of type boolean"),
    "type of a double: text": (
        merging(MinAllowedConfidenceScoreForMerging="0.5"),
        "Matching.AutoMerging.MinAllowedConfidenceScoreForMerging",
        "of type double",
    ),
    "type of a double: not a number": (
        merging(MinAllowedConfidenceScoreForMerging=float("nan")),
        "Matching.AutoMerging.MinAllowedConfidenceScoreForMerging",
        "of type double",
    ),
    "type of a structure": ({"Matching": [True]}, "Matching", "of type structure"),
    "type of a list": (attributes({"a": "b"}), ATTRIBUTES, "of type list"),
    "type of a map": ({"Tags": [{"Key": "a", "Value": "b"}]}, "Tags", "of type map"),
    "required at the top": ({"DefaultExpirationDays": None}, "DefaultExpirationDays", "not be null"),
    "required below": ({"Matching": {}}, "Matching.Enabled", "not be null"),
    "null in a list": (attributes([[None]]), f"{ATTRIBUTES}[0][0]", "not be null"),
    "null in a map": ({"Tags": {"a": None}}, "Tags.a", "not be null"),
    "enum": (schedule(DayOfTheWeek="Monday"), "Matching.JobSchedule.DayOfTheWeek", "enum value set: [SUNDAY, "),
    "pattern": (schedule(Time="24:00"), "Matching.JobSchedule.Time", "regular expression pattern: ^([0-9]|"),
    "pattern, to the very end": (
        exporting(S3BucketName="matches\n"),
        "Matching.ExportingConfig.S3Exporting.S3BucketName",
        "regular expression pattern",
    ),
    "pattern without anchors, from the very beginning": (
        exporting(S3KeyName="\na"),
        "Matching.ExportingConfig.S3Exporting.S3KeyName",
        "regular expression pattern",
    ),
    "pattern in a path": ({"DomainName": "cust/omers"}, "DomainName", "regular expression pattern"),
    "other scripts' letters in a path": ({"DomainName": "kündün"}, "DomainName", "regular expression pattern"),
    "length in a path": ({"DomainName": "a" * 65}, "DomainName", "length less than or equal to 64"),
    "least length": (attributes([["a", ""]]), f"{ATTRIBUTES}[0][1]", "length greater than or equal to 1"),
    "greatest length": (
        {"DefaultEncryptionKey": "k" * 256},
        "DefaultEncryptionKey",
        "length less than or equal to 255",
    ),
    "least value": ({"DefaultExpirationDays": 0}, "DefaultExpirationDays", "value greater than or equal to 1"),
    "greatest value": (
        {"DefaultExpirationDays": 1099},
        "DefaultExpirationDays",
        "value less than or equal to 1098",
    ),
    "range of a double": (
        merging(MinAllowedConfidenceScoreForMerging=1.01),
        "Matching.AutoMerging.MinAllowedConfidenceScoreForMerging",
        "value less than or equal to 1",
    ),
    "least count of a list": (attributes([[]]), f"{ATTRIBUTES}[0]", "length greater than or equal to 1"),
    "greatest count of a list": (attributes([["a"]] * 11), ATTRIBUTES, "length less than or equal to 10"),
    "least count of a map": ({"Tags": {}}, "Tags", "length greater than or equal to 1"),
    "greatest count of a map": (
        {"Tags": {f"t{n}": "" for n in range(51)}},
        "Tags",
        "length less than or equal to 50",
    ),
    "pattern of a map's keys": ({"Tags": {"aws:team": "crm"}}, "Tags", "regular expression pattern: ^(?!aws:)"),
    "length of a map's keys": ({"Tags": {"t" * 129: ""}}, "Tags", "length less than or equal to 128"),
    "length of a map's values": ({"Tags": {"team": "v" * 257}}, "Tags.team", "length less than or equal to 256"),
}


@pytest.mark.parametrize(("request_members", "path", "requirement"), REFUSED.values(), ids=REFUSED)
def test_create_domain_refuses(
    unchecked_client: CustomerProfilesClient, request_members: dict[str, Any], path: str, requirement: str
) -> None:
    request: dict[str, Any] = {"DomainName": NAME, "DefaultExpirationDays": 366, **request_members}
    send_body(unchecked_client, json.dumps(request).encode())
    with pytest.raises(unchecked_client.exceptions.BadRequestException) as error:
        unchecked_client.create_domain(DomainName=request["DomainName"], DefaultExpirationDays=366)
    assert f" at '{path}' failed to satisfy constraint: " in str(error.value)
    assert requirement in str(error.value)
    assert unchecked_client.list_domains()["Items"] == []


@pytest.mark.parametrize(
    ("operation", "arguments", "path"),
    [
        ("list_domains", {"MaxResults": 0}, "MaxResults"),
        ("list_domains", {"MaxResults": 101}, "MaxResults"),
        ("list_domains", {"MaxResults": "ten"}, "MaxResults"),
        ("list_domains", {"MaxResults": "9" * 5000}, "MaxResults"),
        ("list_domains", {"NextToken": ""}, "NextToken"),
        ("tag_resource", {"resourceArn": "arn:aws:sqs:us-east-1", "tags": {"a": "b"}}, "resourceArn"),
        ("tag_resource", {"resourceArn": f"x{ARN}", "tags": {"a": "b"}}, "resourceArn"),
        ("tag_resource", {"resourceArn": ARN}, "tags"),
        ("untag_resource", {"resourceArn": ARN}, "tagKeys"),
        ("untag_resource", {"resourceArn": ARN, "tagKeys": ["aws:x"]}, "tagKeys[0]"),
        ("untag_resource", {"resourceArn": ARN, "tagKeys": ["a"] * 51}, "tagKeys"),
        ("update_domain", {"DomainName": NAME, "RuleBasedMatching": {}}, "RuleBasedMatching.Enabled"),
        ("create_profile", {"DomainName": NAME, "Address": {"City": ""}}, "Address.City"),
    ],
)
def test_other_operations_refuse(
    unchecked_client: CustomerProfilesClient, operation: str, arguments: dict[str, Any], path: str
) -> None:
    with pytest.raises(unchecked_client.exceptions.BadRequestException) as error:
        getattr(unchecked_client, operation)(**arguments)
    assert f" at '{path}' failed to satisfy constraint: " in str(error.value)


def test_every_problem_is_named_at_once(unchecked_client: CustomerProfilesClient) -> None:
    with pytest.raises(unchecked_client.exceptions.BadRequestException) as error:
        unchecked_client.create_domain(DomainName="a b", DefaultExpirationDays=0, Matching={})  # type: ignore[typeddict-item]
    assert "3 validation errors detected: " in str(error.value)
    assert all(
        f"at '{path}'" in str(error.value) for path in ("DomainName", "DefaultExpirationDays", "Matching.Enabled")
    )


def test_values_at_the_bounds_are_taken(client: CustomerProfilesClient) -> None:
    for name, days, score in (("a", 1, 0), ("b" * 64, 1098, 1.0)):
        request = merging(MinAllowedConfidenceScoreForMerging=score)
        client.create_domain(DomainName=name, DefaultExpirationDays=days, Tags={"t" * 128: "v" * 256}, **request)
        assert client.get_domain(DomainName=name)["DefaultExpirationDays"] == days


def test_members_that_the_model_does_not_know_are_ignored(client: CustomerProfilesClient) -> None:
    send_body(
        client,
        b'{"DefaultExpirationDays": 9, "Unknown": 1, "Matching": {"Enabled": false, "Unknown": 2}, "Tags": null}',
    )
    assert client.create_domain(DomainName=NAME, DefaultExpirationDays=366)["DefaultExpirationDays"] == 9
    assert client.get_domain(DomainName=NAME)["Matching"] == {"Enabled": False}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(client: CustomerProfilesClient, body: bytes) -> None:
    send_body(client, body)
    with pytest.raises(client.exceptions.BadRequestException, match="body"):
        client.create_domain(DomainName=NAME, DefaultExpirationDays=366)


def test_an_operation_that_the_stand_in_lacks_says_so(client: CustomerProfilesClient) -> None:
    with pytest.raises(NotImplementedError, match="list_event_streams"):
        client.list_event_streams(DomainName=NAME)


OPERATIONS = [
    operation
    for operation in get_service_model("customer-profiles").operation_names
    if hasattr(CustomerProfilesResponse, camelcase_to_underscores(operation))
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_model_has_no_kind_of_input_that_the_stand_in_does_not_read(operation: str) -> None:
    input_shape = get_service_model("customer-profiles").operation_model(operation).input_shape
    assert isinstance(input_shape, StructureShape)
    assert "payload" not in input_shape.serialization
    for member in input_shape.members.values():
        assert member.serialization.get("location", "body") in {"uri", "querystring", "body"}
    for shape in shapes_within(input_shape):
        assert shape.type_name in JSON_TYPES
        assert set(shape.metadata) <= {"required", "min", "max", "pattern", "enum", "sensitive", "deprecated"}


def shapes_within(shape: Shape) -> Iterator[Shape]:
    yield shape
    if isinstance(shape, StructureShape):
        for member in shape.members.values():
            yield from shapes_within(member)
    elif isinstance(shape, ListShape):
        yield from shapes_within(shape.member)
    elif isinstance(shape, MapShape):
        yield from shapes_within(shape.key)
        yield from shapes_within(shape.value)


def send_body(client: CustomerProfilesClient, body: bytes) -> None:
    """Let the client send `body` with CreateDomain, whatever it was asked to send."""

    def replace(request: AWSRequest, **_: object) -> None:
        request.data = body

    client.meta.events.register("before-sign.customer-profiles.CreateDomain", replace)
