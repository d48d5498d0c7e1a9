"""The translation of properties into the API's arguments. All mistakes are reported together, each with its path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from botocore.model import ListShape, Shape, StructureShape
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.claims import LOGICAL_ID, OWNERSHIP_KEYS, REQUEST_ID, STACK_ID
from handler.properties import (
    Desired,
    InvalidPropertiesError,
    default_of,
    is_domain_name,
    translate,
    translate_leniently,
    with_more_tags,
)
from tests.handler.strategies import (
    Mistake,
    as_cloudformation_writes,
    as_native_tags,
    create_domain_shape,
    domains,
    json_values,
    mistakes,
)

SHAPE = create_domain_shape()
SERVICE_TOKEN = "arn:aws:lambda:eu-west-1:123456789012:function:provider"
LEAST = {"DomainName": "customers", "DefaultExpirationDays": "366"}


def problems_of(properties: Any) -> list[str]:
    with pytest.raises(InvalidPropertiesError) as caught:
        translate(properties, SHAPE)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return str(caught.value).splitlines()


def request_of(desired: Desired) -> dict[str, Any]:
    return {"DomainName": desired.name, **desired.settings, "Tags": desired.tags}


# Generated inputs: valid requests, requests with a mistake, arbitrary values


@given(domains(), st.data(), st.booleans())
def test_a_valid_request_written_as_strings_translates_back_to_itself(
    request: dict[str, Any], data: st.DataObject, native_tags: bool
) -> None:
    properties = {"ServiceToken": SERVICE_TOKEN, **data.draw(as_cloudformation_writes(request))}
    if native_tags and "Tags" in request:
        properties["Tags"] = as_native_tags(request["Tags"])
    desired = translate(properties, SHAPE)
    assert request_of(desired) == {"Tags": {}, **request}
    assert repr(desired.settings) == repr({name: request[name] for name in properties if name in desired.settings})


@given(mistakes())
def test_a_mistake_is_reported_at_its_path_and_nothing_else_is(mistake: Mistake) -> None:
    with pytest.raises(InvalidPropertiesError) as caught:
        translate(mistake.properties, SHAPE)
    assert {problem.path for problem in caught.value.problems} == {mistake.path}


@given(st.lists(mistakes().filter(lambda mistake: len(mistake.path) > 1), min_size=2, max_size=4))
@settings(max_examples=50)
def test_several_mistakes_are_reported_at_once(several: list[Mistake]) -> None:
    by_property = {str(mistake.path[0]): mistake for mistake in several}
    with pytest.raises(InvalidPropertiesError) as caught:
        translate({**LEAST, **{name: each.properties[name] for name, each in by_property.items()}}, SHAPE)
    assert {problem.path for problem in caught.value.problems} == {mistake.path for mistake in by_property.values()}


@given(json_values | st.dictionaries(st.sampled_from([*SHAPE.members, "AdoptExisting", "ServiceToken"]), json_values))
def test_no_input_makes_the_translation_raise_anything_but_its_own_error(properties: Any) -> None:
    with pytest.raises(InvalidPropertiesError):  # each lacks a required property, or has it wrong
        translate(properties, SHAPE)
    assert isinstance(translate_leniently(properties, SHAPE), Desired)
    is_domain_name(properties, SHAPE)


@given(mistakes())
@settings(max_examples=50)
def test_what_is_right_beside_a_mistake_survives_for_the_comparison_with_the_old_properties(mistake: Mistake) -> None:
    old = request_of(translate_leniently(mistake.properties, SHAPE))
    right = {name: value for name, value in mistake.properties.items() if name != mistake.path[0]}
    assert {name: old[name] for name in right} == {
        name: value for name, value in request_of(translate_leniently(right, SHAPE)).items() if name in right
    }


# The table of hard cases


HARD_CASES: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"DomainName": "customers\n"},
        [
            r"DomainName: 'customers\n' does not match ^[a-zA-Z0-9_-]+$; "
            "there are spaces or line breaks around it: write 'customers'"
        ],
    ),
    ({"DomainName": "{}"}, ["DomainName: '{}' does not match ^[a-zA-Z0-9_-]+$; not allowed in it: '{' '}'"]),
    ({"DomainName": ""}, ["DomainName: '' has 0 characters; 1 to 64 is allowed"]),
    (
        {"DomainName": "ab.cdefghij k,l;m:n!o?p"},
        [
            "DomainName: 'ab.cdefghij k,l;m:n!o?p' does not match ^[a-zA-Z0-9_-]+$; "
            "not allowed in it: '.' ' ' ',' ';' ':' '!' '?'"
        ],
    ),
    (
        {"DomainName": "%s{0} {name}" * 9},
        [
            "DomainName: '" + ("%s{0} {name}" * 9)[:64] + "…' has 108 characters; 1 to 64 is allowed",
            "DomainName: '" + ("%s{0} {name}" * 9)[:64] + "…' does not match ^[a-zA-Z0-9_-]+$; "
            "not allowed in it: '%' '{' '}' ' '",
        ],
    ),
    (
        {"DefaultExpirationDays": "30 days"},
        ["DefaultExpirationDays: must be a whole number, not '30 days'; write 30"],
    ),
    ({"DefaultExpirationDays": "1099"}, ["DefaultExpirationDays: is 1099; 1 to 1098 is allowed"]),
    (
        {"ExpirationDays": "30"},
        ["ExpirationDays: is not a property here; did you mean DefaultExpirationDays?"],
    ),
    (
        {"Matching": {"Enable": "true"}},
        [
            "Matching.Enable: is not a property here; did you mean Enabled?",
        ],
    ),
    ({"Matching": ["Enabled"]}, ["Matching: must be a map of properties, not a list"]),
    ({"Matching": "true"}, ["Matching: must be a map of properties, not 'true'; write Enabled: true inside it"]),
    (
        {"Matching": {"Enabled": "yes", "JobSchedule": {"DayOfTheWeek": "Sun", "Time": "24:00"}}},
        [
            "Matching.Enabled: must be true or false, not 'yes'; write true",
            "Matching.JobSchedule.DayOfTheWeek: 'Sun' is not one of SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, "
            "FRIDAY, SATURDAY; did you mean SUNDAY?",
            "Matching.JobSchedule.Time: '24:00' does not match ^([0-9]|0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]$",
        ],
    ),
    (
        {
            "Matching": {
                "Enabled": "true",
                "AutoMerging": {
                    "Enabled": "true",
                    "Consolidation": {"MatchingAttributesList": [["Email", ""], "Phone"]},
                    "MinAllowedConfidenceScoreForMerging": "1e999",
                },
            }
        },
        [
            "Matching.AutoMerging.Consolidation.MatchingAttributesList[0][1]: '' has 0 characters; 1 to 255 is allowed",
            "Matching.AutoMerging.Consolidation.MatchingAttributesList[1]: must be a list, not 'Phone'; write [Phone]",
            "Matching.AutoMerging.MinAllowedConfidenceScoreForMerging: must be a finite number, not '1e999'",
        ],
    ),
    (
        {"RuleBasedMatching": {"Enabled": "true", "ConflictResolution": {"ConflictResolvingModel": "SOURCE"}}},
        [
            "RuleBasedMatching.ConflictResolution.SourceName: is missing; ConflictResolvingModel: SOURCE needs it",
        ],
    ),
    ({"AdoptExisting": "yes"}, ["AdoptExisting: must be true or false, not 'yes'; write true"]),
    ({"DeletionProtection": 1}, ["DeletionProtection: must be true or false, not 1; write true"]),
    ({"Adoptexisting": "true"}, ["Adoptexisting: is not a property here; did you mean AdoptExisting?"]),
    ({"DataStore": None}, ["DataStore: must be a map of properties, not null"]),
]


@pytest.mark.parametrize(("changes", "lines"), HARD_CASES, ids=[lines[0] for _, lines in HARD_CASES])
def test_a_hard_case_is_explained(changes: dict[str, Any], lines: list[str]) -> None:
    assert problems_of({**LEAST, **changes}) == lines


def test_what_is_missing_is_named_by_its_full_path() -> None:
    assert problems_of({"ServiceToken": SERVICE_TOKEN}) == [
        "DomainName: is missing; it is required",
        "DefaultExpirationDays: is missing; it is required",
    ]
    exporting = {"Enabled": "true", "ExportingConfig": {"S3Exporting": {}}}
    assert problems_of({**LEAST, "RuleBasedMatching": exporting}) == [
        "RuleBasedMatching.ExportingConfig.S3Exporting.S3BucketName: is missing; it is required"
    ]


@pytest.mark.parametrize("properties", [None, "", [], [LEAST], 3, True])
def test_properties_that_are_not_a_map_are_one_problem(properties: Any) -> None:
    (line,) = problems_of(properties)
    assert line.startswith("Properties: must be a map of properties, not ")


@pytest.mark.parametrize("name", ["DefaultEncryptionKey", "DeadLetterQueueUrl"])
def test_an_empty_key_or_queue_means_none_and_is_taken(name: str) -> None:
    assert translate({**LEAST, name: ""}, SHAPE).settings[name] == ""


def test_what_cloudformation_adds_is_ignored() -> None:
    added = {"ServiceToken": SERVICE_TOKEN, "ServiceTimeout": "300"}
    assert translate({**LEAST, **added}, SHAPE) == translate(LEAST, SHAPE)


@pytest.mark.parametrize(("written", "value"), [("true", True), ("False", False), ("TRUE", True), (True, True)])
def test_the_resource_s_own_properties_are_read_like_the_api_s(written: Any, value: bool) -> None:
    desired = translate({**LEAST, "AdoptExisting": written, "DeletionProtection": written}, SHAPE)
    assert (desired.adopt_existing, desired.deletion_protection) == (value, value)
    assert not {"AdoptExisting", "DeletionProtection"} & desired.settings.keys()


def test_the_resource_s_own_properties_are_off_unless_asked_for() -> None:
    desired = translate(LEAST, SHAPE)
    assert (desired.adopt_existing, desired.deletion_protection) == (False, None)


def test_a_deletion_protection_that_can_not_be_read_counts_as_true() -> None:
    assert translate_leniently({**LEAST, "DeletionProtection": "ture"}, SHAPE).deletion_protection is True


@pytest.mark.parametrize("value", ["customers", "a", "x" * 64, "Customers_2-b"])
def test_a_domain_name_is_recognised(value: str) -> None:
    assert is_domain_name(value, SHAPE)


@pytest.mark.parametrize("value", ["", "x" * 65, "create-failed:1", "customers\n", None, 3, ["customers"]])
def test_what_can_not_be_a_domain_name_is_recognised(value: Any) -> None:
    assert not is_domain_name(value, SHAPE)


def test_each_property_that_can_be_put_back_has_a_default() -> None:
    defaults = {name: default_of(name, SHAPE) for name in SHAPE.members}
    assert {name: default for name, default in defaults.items() if default is not None} == {
        "DefaultEncryptionKey": "",
        "DeadLetterQueueUrl": "",
        "Matching": {"Enabled": False},
        "RuleBasedMatching": {"Enabled": False},
        "DataStore": {"Enabled": False},
    }


# Tags, in both forms


def tags(count: int) -> dict[str, str]:
    return {f"key{index}": f"value {index}" for index in range(count)}


@pytest.mark.parametrize("form", [dict, as_native_tags], ids=["map", "list"])
def test_tags_in_either_form_become_the_same(form: Any) -> None:
    assert translate({**LEAST, "Tags": form(tags(47))}, SHAPE).tags == tags(47)
    assert translate({**LEAST, "Tags": form({})}, SHAPE).tags == {}


@pytest.mark.parametrize("form", [dict, as_native_tags], ids=["map", "list"])
def test_the_limit_of_tags_is_the_one_that_the_user_has(form: Any) -> None:
    assert problems_of({**LEAST, "Tags": form(tags(48))}) == [
        "Tags: has 48 tags; at most 47 are possible beside the resource's own"
    ]


@pytest.mark.parametrize("key", [*sorted(OWNERSHIP_KEYS), f"{STACK_ID}.1", f"{REQUEST_ID}.12"])
def test_the_resource_s_own_tags_can_not_be_set(key: str) -> None:
    what = "is a tag that the resource keeps for itself; choose another key"
    assert problems_of({**LEAST, "Tags": {key: "x"}}) == [f"Tags.{key}: {what}"]
    assert problems_of({**LEAST, "Tags": as_native_tags({"a": "b", key: "x"})}) == [f"Tags[1].Key: {what}"]


KEPT_BY_AWS = "; AWS keeps keys that begin with aws: for itself: write 'owner'"


TAG_MISTAKES: list[tuple[Any, list[str]]] = [
    (
        [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}],
        ["Tags[2].Key: names the tag 'a' a second time"],
    ),
    ({"aws:owner": "x"}, ["Tags.aws:owner: 'aws:owner' does not match ^(?!aws:)[a-zA-Z+-=._:/]+$" + KEPT_BY_AWS]),
    (
        [{"Key": "aws:owner", "Value": "x"}],
        ["Tags[0].Key: 'aws:owner' does not match ^(?!aws:)[a-zA-Z+-=._:/]+$" + KEPT_BY_AWS],
    ),
    (
        {"two words": "x"},
        ["Tags['two words']: 'two words' does not match ^(?!aws:)[a-zA-Z+-=._:/]+$; not allowed in it: ' '"],
    ),
    ({"a": 1}, ["Tags.a: must be text, not 1"]),
    ({"a": {"b": "c"}}, ["Tags.a: must be text, not a map"]),
    ({"a": "x" * 257}, ["Tags.a: '" + "x" * 64 + "…' has 257 characters; at most 256 is allowed"]),
    ([{"Key": "a", "Value": 1}], ["Tags[0].Value: must be text, not 1"]),
    ([{"Key": "a"}], ["Tags[0].Value: is missing; it is required"]),
    (
        [{"key": "a", "value": "b"}],
        [
            "Tags[0].key: is not a property here; did you mean Key?",
            "Tags[0].value: is not a property here; did you mean Value?",
        ],
    ),
    (
        [{"Key": "a", "Value": "b", "PropagateAtLaunch": "true"}],
        ["Tags[0].PropagateAtLaunch: is not a property here"],
    ),
    (["a=b"], ["Tags[0]: must be a map of properties, not 'a=b'"]),
    ("a=b", ["Tags: must be a map of tags, or a list of Key and Value, not 'a=b'"]),
    (None, ["Tags: must be a map of tags, or a list of Key and Value, not null"]),
]


@pytest.mark.parametrize(("tags", "lines"), TAG_MISTAKES, ids=[lines[0] for _, lines in TAG_MISTAKES])
def test_a_mistake_in_tags_is_explained(tags: Any, lines: list[str]) -> None:
    assert problems_of({**LEAST, "Tags": tags}) == lines


def test_tags_of_a_stack_are_taken_as_far_as_the_api_takes_them() -> None:
    of_stack = {"team": "data", "two words": "x", "aws:cloudformation:stack-name": "x", STACK_ID: "x"}
    assert with_more_tags(Desired("customers"), of_stack, SHAPE).tags == {"team": "data"}
    own = translate({**LEAST, "Tags": {"team": "own"}}, SHAPE)
    desired = with_more_tags(own, {"team": "stack", "cost": "1"}, SHAPE)
    assert desired.tags == {"team": "own", "cost": "1"}


def test_tags_of_a_stack_are_taken_as_far_as_there_is_room_beside_the_resource_s_own() -> None:
    own = translate({**LEAST, "Tags": tags(45)}, SHAPE)
    desired = with_more_tags(own, {"a": "1", "b": "2", "c": "3"}, SHAPE)
    assert desired.tags == {**tags(45), "a": "1", "b": "2"}


def test_the_resource_keeps_three_tags_for_itself() -> None:
    assert sorted(OWNERSHIP_KEYS) == sorted((STACK_ID, LOGICAL_ID, REQUEST_ID))


# Templates of AWS::CustomerProfiles::Domain

# What the native type's documentation shows: the one example of its page, with a queue given as an ARN, and the
# properties of each of its property types (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/).
NATIVE_TEMPLATES = {
    "the example of the documentation": """
        DomainName: SomeDomain
        DefaultEncryptionKey: arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0
        DeadLetterQueueUrl: arn:aws:sqs:eu-west-1:123456789012:failed-records
        DefaultExpirationDays: 6
        """,
    "every property type": """
        DomainName: SomeDomain
        DefaultExpirationDays: 366
        DataStore: {Enabled: true}
        Matching:
          Enabled: true
          JobSchedule: {DayOfTheWeek: FRIDAY, Time: "22:30"}
          AutoMerging:
            Enabled: true
            MinAllowedConfidenceScoreForMerging: 0.75
            ConflictResolution: {ConflictResolvingModel: SOURCE, SourceName: CRM-Account}
            Consolidation:
              MatchingAttributesList:
                - [EmailAddress, LastName]
                - [PhoneNumber]
          ExportingConfig:
            S3Exporting: {S3BucketName: some-bucket, S3KeyName: matches/}
        RuleBasedMatching:
          Enabled: true
          MatchingRules:
            - Rule: [AccountNumber]
            - Rule: [Email.EmailAddress, LastName]
          MaxAllowedRuleLevelForMatching: 2
          MaxAllowedRuleLevelForMerging: 1
          AttributeTypesSelector:
            AttributeMatchingModel: MANY_TO_MANY
            Address: [Address, ShippingAddress]
            EmailAddress: [EmailAddress]
            PhoneNumber: [PhoneNumber, MobilePhoneNumber]
          ConflictResolution: {ConflictResolvingModel: RECENCY}
          ExportingConfig:
            S3Exporting: {S3BucketName: some-bucket}
        Tags:
          - {Key: team, Value: marketing}
          - {Key: cost-centre, Value: "4711"}
        """,
}


@pytest.mark.parametrize("template", NATIVE_TEMPLATES.values(), ids=NATIVE_TEMPLATES)
@given(st.data())
@settings(max_examples=10)
def test_a_template_of_the_native_type_works_when_only_type_and_service_token_change(
    template: str, data: st.DataObject
) -> None:
    native = yaml.safe_load(template)
    properties = data.draw(as_cloudformation_writes(native))
    desired = request_of(translate({"ServiceToken": SERVICE_TOKEN, **properties}, SHAPE))
    assert as_native_tags(desired.pop("Tags")) == native.pop("Tags", [])
    assert desired == native


def test_whatever_the_native_type_s_own_schema_takes_is_taken() -> None:
    # The schema that CloudFormation publishes for the type, as cfn-lint brings it along.
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::CustomerProfiles::Domain").schema
    read_only = set(schema["readOnlyProperties"])
    # Tags have a form of their own, and tests above.
    native = {**schema, "properties": {k: v for k, v in schema["properties"].items() if k != "Tags"}}
    seen = list(_narrower_than_native(schema, native, SHAPE, "", read_only))
    assert [mismatch for mismatch in seen if mismatch] == []
    assert len(seen) > 30


TYPES = {
    "object": {"structure"},
    "array": {"list"},
    "string": {"string"},
    "boolean": {"boolean"},
    "integer": {"integer", "long"},
    "number": {"integer", "long", "float", "double"},
}


def _narrower_than_native(
    root: dict[str, Any], native: dict[str, Any], shape: Shape, path: str, read_only: set[str]
) -> Iterator[str | None]:
    """For each property of the native type: in what the API's shape takes less, None if in nothing."""
    if "$ref" in native:
        native = root["definitions"][native["$ref"].removeprefix("#/definitions/")]
    if shape.type_name not in TYPES[native.get("type", "object")]:
        yield f"{path}: {shape.type_name} instead of {native['type']}"
        return
    metadata = shape.metadata
    least = native.get("minimum", native.get("minLength", native.get("minItems", 0)))
    most = native.get("maximum", native.get("maxLength", native.get("maxItems", float("inf"))))
    is_narrower = metadata.get("min", least) > least or metadata.get("max", most) < most
    is_narrower |= not set(native.get("enum", ())) <= set(metadata.get("enum", native.get("enum", ())))
    is_narrower |= metadata.get("pattern") not in (None, ".*", native.get("pattern"))
    yield f"{path}: {metadata} is narrower than {native}" if is_narrower else None
    if isinstance(shape, ListShape):
        yield from _narrower_than_native(root, native["items"], shape.member, f"{path}/*", read_only)
    elif isinstance(shape, StructureShape):
        assert set(shape.required_members) <= set(native.get("required", ())), path
        for name, member in native["properties"].items():
            at = f"{path}/{name}"
            if f"/properties{at}" in read_only:
                continue
            if name in shape.members:
                yield from _narrower_than_native(root, member, shape.members[name], at, read_only)
            else:
                yield f"{at} is unknown"
