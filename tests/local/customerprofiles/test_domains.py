"""What the stand-in's operations do, seen through boto3."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api import state_manager

from local.customerprofiles import customerprofiles_backends
from local.customerprofiles.models import RULE_BASED_MATCHING, Domain

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient

    from .conftest import ClientMaker

NAME = "amazon-connect-shop"
ARN = f"arn:aws:profile:us-east-1:{DEFAULT_ACCOUNT_ID}:domains/{NAME}"
KEY = f"arn:aws:kms:us-east-1:{DEFAULT_ACCOUNT_ID}:key/one"
INSTANCE = f"arn:aws:connect:us-east-1:{DEFAULT_ACCOUNT_ID}:instance/one"
QUEUE = f"https://sqs.us-east-1.amazonaws.com/{DEFAULT_ACCOUNT_ID}/letters"


def create(client: CustomerProfilesClient, **properties: Any) -> Any:
    return client.create_domain(**{"DomainName": NAME, "DefaultExpirationDays": 366, **properties})


def get(client: CustomerProfilesClient, name: str = NAME) -> dict[str, Any]:
    return {key: value for key, value in client.get_domain(DomainName=name).items() if key != "ResponseMetadata"}


def contents(client: CustomerProfilesClient) -> tuple[list[str], list[str], list[str]]:
    """The contents of the domain that Stats do not count."""
    integrations = client.list_integrations(DomainName=NAME, IncludeHidden=True)["Items"]
    object_types = client.list_profile_object_types(DomainName=NAME)["Items"]
    domain_object_types = client.list_domain_object_types(DomainName=NAME)["Items"]
    return (
        [item["Uri"] for item in integrations],
        [item["ObjectTypeName"] for item in object_types],
        [item["ObjectTypeName"] for item in domain_object_types],
    )


def model_of(name: str = NAME) -> Domain:
    return customerprofiles_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].domains[name]


def assert_refused(error: pytest.ExceptionInfo[ClientError], code: str, status: int, message: str) -> None:
    response = error.value.response
    assert response["Error"]["Code"] == code
    assert message in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == code


def test_a_domain_is_reported_as_it_was_created(client: CustomerProfilesClient) -> None:
    properties = {
        "DefaultExpirationDays": 30,
        "DefaultEncryptionKey": KEY,
        "DeadLetterQueueUrl": QUEUE,
        "Matching": {
            "Enabled": True,
            "JobSchedule": {"DayOfTheWeek": "MONDAY", "Time": "03:30"},
            "AutoMerging": {
                "Enabled": True,
                "Consolidation": {"MatchingAttributesList": [["EmailAddress", "LastName"], ["PhoneNumber"]]},
                "ConflictResolution": {"ConflictResolvingModel": "SOURCE", "SourceName": "crm"},
                "MinAllowedConfidenceScoreForMerging": 0.5,
            },
            "ExportingConfig": {"S3Exporting": {"S3BucketName": "matches", "S3KeyName": "a/b"}},
        },
        "Tags": {"team": "crm", "empty": ""},
    }
    created = create(client, **properties)
    domain = get(client)
    assert properties.items() <= domain.items()
    assert domain["DomainName"] == NAME
    assert domain["CreatedAt"] == domain["LastUpdatedAt"] == created["CreatedAt"]


def test_stats_and_tags_are_reported_when_there_is_nothing_to_report(client: CustomerProfilesClient) -> None:
    create(client)
    domain = get(client)
    assert domain["Tags"] == {}
    assert domain["Stats"] == {"ProfileCount": 0, "MeteringProfileCount": 0, "ObjectCount": 0, "TotalSize": 0}


def test_a_name_in_use_is_refused_and_the_domain_left_as_it_was(client: CustomerProfilesClient) -> None:
    create(client)
    before = get(client)
    with pytest.raises(client.exceptions.BadRequestException) as error:
        create(client, DefaultExpirationDays=1)
    assert_refused(error, "BadRequestException", 400, f"Domain {NAME} already exists")
    assert get(client) == before


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_domain", {"DomainName": NAME}),
        ("update_domain", {"DomainName": NAME}),
        ("delete_domain", {"DomainName": NAME}),
        ("create_profile", {"DomainName": NAME}),
        ("list_integrations", {"DomainName": NAME}),
        ("list_profile_object_types", {"DomainName": NAME}),
        ("list_domain_object_types", {"DomainName": NAME}),
        ("put_integration", {"DomainName": NAME, "Uri": "arn:x"}),
        ("put_profile_object_type", {"DomainName": NAME, "ObjectTypeName": "Order", "Description": "x"}),
        ("put_domain_object_type", {"DomainName": NAME, "ObjectTypeName": "Item", "Fields": {}}),
        ("put_profile_object", {"DomainName": NAME, "ObjectTypeName": "Order", "Object": "{}"}),
        ("tag_resource", {"resourceArn": ARN, "tags": {"a": "b"}}),
        ("untag_resource", {"resourceArn": ARN, "tagKeys": ["a"]}),
        ("list_tags_for_resource", {"resourceArn": ARN}),
    ],
)
def test_an_absent_domain_is_not_found(
    client: CustomerProfilesClient, operation: str, arguments: dict[str, Any]
) -> None:
    create(client, DomainName="another")
    with pytest.raises(client.exceptions.ResourceNotFoundException) as error:
        getattr(client, operation)(**arguments)
    assert_refused(error, "ResourceNotFoundException", 404, NAME)


def test_one_of_many_simultaneous_creates_succeeds(client: CustomerProfilesClient) -> None:
    def created(days: int) -> bool:
        try:
            create(client, DefaultExpirationDays=days)
        except client.exceptions.BadRequestException:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(created, range(1, 41))) == 1


def test_an_absent_domain_is_named_with_the_account(client: CustomerProfilesClient) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException) as error:
        client.get_domain(DomainName=NAME)
    message = f"Domain {NAME} is not found in account {DEFAULT_ACCOUNT_ID}"
    assert_refused(error, "ResourceNotFoundException", 404, message)


class TestUpdate:
    def test_it_changes_what_is_sent_and_nothing_else(self, client: CustomerProfilesClient) -> None:
        create(client, DefaultEncryptionKey=KEY, DeadLetterQueueUrl=QUEUE, Tags={"team": "crm"})
        before = get(client)
        client.update_domain(DomainName=NAME, DefaultExpirationDays=1)
        after = get(client)
        assert after["LastUpdatedAt"] > before["LastUpdatedAt"]
        assert after == {**before, "DefaultExpirationDays": 1, "LastUpdatedAt": after["LastUpdatedAt"]}

    def test_each_is_later_than_the_one_before(self, client: CustomerProfilesClient) -> None:
        create(client)
        times = [get(client)["LastUpdatedAt"]]
        for _ in range(3):
            for _ in range(10):  # faster than a request could be, several in one millisecond
                model_of().update({})
            times.append(get(client)["LastUpdatedAt"])
        differences = [later - earlier for earlier, later in pairwise(times)]
        assert all(difference >= timedelta(milliseconds=10) for difference in differences)

    def test_a_structure_is_replaced_as_a_whole(self, client: CustomerProfilesClient) -> None:
        exporting = {"S3Exporting": {"S3BucketName": "matches"}}
        create(client, Matching={"Enabled": False, "ExportingConfig": exporting})
        client.update_domain(DomainName=NAME, Matching={"Enabled": False})
        assert get(client)["Matching"] == {"Enabled": False}

    @pytest.mark.parametrize(("name", "value"), [("DefaultEncryptionKey", KEY), ("DeadLetterQueueUrl", QUEUE)])
    def test_an_empty_string_clears_the_value(self, client: CustomerProfilesClient, name: str, value: str) -> None:
        create(client, **{name: value})
        change: Any = {name: ""}
        response = client.update_domain(DomainName=NAME, **change)
        assert name not in response
        assert name not in get(client)

    def test_tags_are_left_to_tag_resource(self, client: CustomerProfilesClient) -> None:
        create(client, Tags={"team": "crm"})
        client.update_domain(DomainName=NAME, Tags={"other": "x"})
        assert get(client)["Tags"] == {"team": "crm"}


class TestDelete:
    def test_it_deletes_everything_in_the_domain(self, client: CustomerProfilesClient) -> None:
        create(client, DataStore={"Enabled": True})
        client.create_profile(DomainName=NAME)
        client.put_integration(DomainName=NAME, Uri=INSTANCE, ObjectTypeName="CTR")
        client.put_profile_object_type(DomainName=NAME, ObjectTypeName="Order", Description="x")
        client.put_domain_object_type(DomainName=NAME, ObjectTypeName="Item", Fields={})
        client.delete_domain(DomainName=NAME)
        create(client)
        assert get(client)["Stats"]["ProfileCount"] == 0
        assert contents(client) == ([], [], [])

    def test_every_domain_has_a_service_linked_role_of_its_own(self, client: CustomerProfilesClient) -> None:
        roles = []
        for _ in range(2):
            create(client)
            roles.append(model_of().service_linked_role)
            client.delete_domain(DomainName=NAME)
        assert all(role.startswith("AWSServiceRoleForProfile_") for role in roles)
        assert roles[0] != roles[1]


class TestContents:
    def test_a_new_domain_has_none(self, client: CustomerProfilesClient) -> None:
        create(client)
        assert contents(client) == ([], [], [])

    def test_an_integration_is_listed_as_it_was_put(self, client: CustomerProfilesClient) -> None:
        create(client)
        put = client.put_integration(DomainName=NAME, Uri=INSTANCE, ObjectTypeName="CTR", Tags={"a": "b"})
        [item] = client.list_integrations(DomainName=NAME)["Items"]
        assert item == {key: value for key, value in put.items() if key != "ResponseMetadata"}
        assert (item["DomainName"], item["Uri"], item["ObjectTypeName"]) == (NAME, INSTANCE, "CTR")
        assert (item["Scope"], item["Tags"]) == ("PROFILE", {"a": "b"})

    def test_an_integration_without_a_uri_is_refused(self, client: CustomerProfilesClient) -> None:
        create(client)
        with pytest.raises(client.exceptions.BadRequestException, match="Uri"):
            client.put_integration(DomainName=NAME, ObjectTypeName="CTR")

    def test_a_hidden_integration_is_listed_only_when_asked_for(self, client: CustomerProfilesClient) -> None:
        create(client)
        model_of().put_integration(INSTANCE, hidden=True, ObjectTypeName="CTR")
        assert client.list_integrations(DomainName=NAME)["Items"] == []
        assert client.list_integrations(DomainName=NAME, IncludeHidden=False)["Items"] == []
        assert contents(client) == ([INSTANCE], [], [])

    def test_object_types_are_listed(self, client: CustomerProfilesClient) -> None:
        create(client, DataStore={"Enabled": True})
        put = client.put_profile_object_type(DomainName=NAME, ObjectTypeName="Order", Description="x", SourcePriority=1)
        client.put_domain_object_type(DomainName=NAME, ObjectTypeName="Item", Fields={})
        assert put["SourcePriority"] == 1
        assert contents(client) == ([], ["Order"], ["Item"])

    def test_a_domain_object_type_needs_a_data_store(self, client: CustomerProfilesClient) -> None:
        create(client)
        with pytest.raises(client.exceptions.BadRequestException, match="data store"):
            client.put_domain_object_type(DomainName=NAME, ObjectTypeName="Item", Fields={})

    def test_a_second_put_replaces_the_first(self, client: CustomerProfilesClient) -> None:
        create(client)
        for description in ("first", "second"):
            client.put_profile_object_type(DomainName=NAME, ObjectTypeName="Order", Description=description)
        [item] = client.list_profile_object_types(DomainName=NAME)["Items"]
        assert item["Description"] == "second"

    def test_an_object_shows_in_the_stats(self, client: CustomerProfilesClient) -> None:
        create(client)
        client.put_profile_object_type(DomainName=NAME, ObjectTypeName="Order", Description="x")
        client.put_profile_object(DomainName=NAME, ObjectTypeName="Order", Object='{"id": 1}')
        assert get(client)["Stats"] == {"ProfileCount": 0, "MeteringProfileCount": 0, "ObjectCount": 1, "TotalSize": 9}

    def test_an_object_needs_its_type(self, client: CustomerProfilesClient) -> None:
        create(client)
        with pytest.raises(client.exceptions.ResourceNotFoundException, match="Order"):
            client.put_profile_object(DomainName=NAME, ObjectTypeName="Order", Object="{}")

    @pytest.mark.parametrize(
        ("operation", "fill", "key"),
        [
            ("list_integrations", Domain.put_integration, "Uri"),
            ("list_profile_object_types", Domain.put_object_type, "ObjectTypeName"),
            ("list_domain_object_types", Domain.put_domain_object_type, "ObjectTypeName"),
        ],
    )
    def test_they_are_listed_in_pages(
        self, client: CustomerProfilesClient, operation: str, fill: Callable[[Domain, str], object], key: str
    ) -> None:
        create(client)
        for name in "abc":
            fill(model_of(), name)
        first = getattr(client, operation)(DomainName=NAME, MaxResults=2)
        second = getattr(client, operation)(DomainName=NAME, NextToken=first["NextToken"])
        assert [item[key] for item in first["Items"] + second["Items"]] == ["a", "b", "c"]
        assert "NextToken" not in second


def test_customer_data_shows_in_the_stats(client: CustomerProfilesClient) -> None:
    create(client)
    assert client.create_profile(DomainName=NAME, FirstName="Ada")["ProfileId"]
    model_of().object_count = 7
    model_of().total_size = 4096
    stats = get(client)["Stats"]
    assert stats == {"ProfileCount": 1, "MeteringProfileCount": 1, "ObjectCount": 7, "TotalSize": 4096}


class TestDefaults:
    def test_matching_runs_on_saturday_by_default(self, client: CustomerProfilesClient) -> None:
        create(client, Matching={"Enabled": True})
        assert get(client)["Matching"]["JobSchedule"] == {"DayOfTheWeek": "SATURDAY", "Time": "00:00"}

    def test_matching_that_is_off_has_no_schedule(self, client: CustomerProfilesClient) -> None:
        create(client, Matching={"Enabled": False})
        assert get(client)["Matching"] == {"Enabled": False}

    @pytest.mark.parametrize(
        ("data_store", "enabled"), [({"Enabled": True}, True), ({"Enabled": False}, False), ({}, False)]
    )
    def test_a_data_store_tells_its_readiness_when_it_is_on(
        self, client: CustomerProfilesClient, data_store: dict[str, bool], enabled: bool
    ) -> None:
        created = create(client, DataStore=data_store)
        assert created["DataStore"]["Enabled"] is enabled
        assert ("Readiness" in created["DataStore"]) is enabled
        assert get(client)["DataStore"] == created["DataStore"]

    def test_settings_that_were_never_configured_are_not_reported(self, client: CustomerProfilesClient) -> None:
        create(client, DefaultEncryptionKey="")
        reported = {"DomainName", "DefaultExpirationDays", "CreatedAt", "LastUpdatedAt", "Stats", "Tags"}
        assert set(get(client)) == reported


class TestRuleBasedMatching:
    def test_a_new_domain_skips_pending(self, client: CustomerProfilesClient) -> None:
        created = create(client, RuleBasedMatching={"Enabled": True})
        assert created["RuleBasedMatching"] == {"Enabled": True, "Status": "IN_PROGRESS"}

    def test_an_existing_domain_waits(self, client: CustomerProfilesClient) -> None:
        create(client)
        client.update_domain(DomainName=NAME, RuleBasedMatching={"Enabled": True})
        assert get(client)["RuleBasedMatching"]["Status"] == "PENDING"

    @pytest.mark.parametrize("change", [{"Enabled": False}, {"Enabled": True}])
    def test_while_in_progress_an_update_with_it_is_refused_completely(
        self, client: CustomerProfilesClient, change: dict[str, bool]
    ) -> None:
        create(client, RuleBasedMatching={"Enabled": True})
        model_of().rule_based_matching_status = "IN_PROGRESS"
        before = get(client)
        with pytest.raises(client.exceptions.BadRequestException) as error:
            client.update_domain(DomainName=NAME, DefaultExpirationDays=1, RuleBasedMatching=change)  # type: ignore[arg-type]
        assert_refused(error, "BadRequestException", 400, "IN_PROGRESS")
        assert get(client) == before

    def test_a_domain_made_with_it_may_change_it_at_once(self, client: CustomerProfilesClient) -> None:
        create(client, RuleBasedMatching={"Enabled": True})
        client.update_domain(DomainName=NAME, RuleBasedMatching={"Enabled": True, "MaxAllowedRuleLevelForMatching": 2})
        assert get(client)["RuleBasedMatching"]["MaxAllowedRuleLevelForMatching"] == 2

    def test_while_in_progress_the_rest_can_be_changed(self, client: CustomerProfilesClient) -> None:
        create(client, RuleBasedMatching={"Enabled": True})
        model_of().rule_based_matching_status = "IN_PROGRESS"
        client.update_domain(DomainName=NAME, DefaultExpirationDays=1)
        assert get(client)["RuleBasedMatching"]["Status"] == "IN_PROGRESS"

    def test_a_test_sets_the_status(self, client: CustomerProfilesClient) -> None:
        create(client, RuleBasedMatching={"Enabled": True})
        model_of().rule_based_matching_status = "ACTIVE"
        assert get(client)["RuleBasedMatching"]["Status"] == "ACTIVE"
        client.update_domain(DomainName=NAME, RuleBasedMatching={"Enabled": True})
        assert get(client)["RuleBasedMatching"]["Status"] == "ACTIVE"
        client.update_domain(DomainName=NAME, RuleBasedMatching={"Enabled": True, "MaxAllowedRuleLevelForMatching": 2})
        assert get(client)["RuleBasedMatching"]["Status"] == "PENDING"

    def test_switched_off_it_has_no_status(self, client: CustomerProfilesClient) -> None:
        create(client, RuleBasedMatching={"Enabled": True})
        model_of().rule_based_matching_status = "ACTIVE"
        client.update_domain(DomainName=NAME, RuleBasedMatching={"Enabled": False})
        assert get(client)["RuleBasedMatching"] == {"Enabled": False}
        with pytest.raises(ValueError, match="not enabled"):
            model_of().rule_based_matching_status = "ACTIVE"

    def test_moto_advances_the_status(self, client: CustomerProfilesClient) -> None:
        create(client)
        client.update_domain(DomainName=NAME, RuleBasedMatching={"Enabled": True})
        state_manager.set_transition(RULE_BASED_MATCHING, {"progression": "manual", "times": 1})
        try:
            assert [get(client)["RuleBasedMatching"]["Status"] for _ in range(3)] == ["IN_PROGRESS", "ACTIVE", "ACTIVE"]
        finally:
            state_manager.unset_transition(RULE_BASED_MATCHING)


class TestTags:
    def test_tagging_merges_and_untagging_removes(self, client: CustomerProfilesClient) -> None:
        create(client, Tags={"kept": "1", "changed": "1"})
        client.tag_resource(resourceArn=ARN, tags={"changed": "2", "new": "", "cloudformation:stack-id": "x"})
        expected = {"kept": "1", "changed": "2", "new": "", "cloudformation:stack-id": "x"}
        assert client.list_tags_for_resource(resourceArn=ARN)["tags"] == get(client)["Tags"] == expected
        client.untag_resource(resourceArn=ARN, tagKeys=["new", "never", "cloudformation:stack-id"])
        assert get(client)["Tags"] == {"kept": "1", "changed": "2"}

    def test_there_are_fifty_at_most(self, client: CustomerProfilesClient) -> None:
        create(client, Tags={f"tag{number}": "" for number in range(50)})
        client.tag_resource(resourceArn=ARN, tags={"tag0": "changed"})
        with pytest.raises(client.exceptions.BadRequestException, match="50"):
            client.tag_resource(resourceArn=ARN, tags={"one-more": ""})
        assert len(get(client)["Tags"]) == 50

    def test_cloudformations_own_tags_do_not_count(self, client: CustomerProfilesClient) -> None:
        create(client, Tags={f"tag{number}": "" for number in range(49)})
        own = {f"aws:cloudformation:{name}": "x" for name in ("stack-name", "stack-id", "logical-id")}
        model_of().tags |= own
        client.tag_resource(resourceArn=ARN, tags={"the-fiftieth": ""})
        assert get(client)["Tags"].items() >= own.items()
        with pytest.raises(client.exceptions.BadRequestException, match="50"):
            client.tag_resource(resourceArn=ARN, tags={"one-more": ""})

    def test_cloudformations_own_tags_cannot_be_set_or_removed(self, unchecked_client: CustomerProfilesClient) -> None:
        create(unchecked_client)
        model_of().tags["aws:cloudformation:stack-name"] = "x"
        with pytest.raises(unchecked_client.exceptions.BadRequestException, match="aws:"):
            unchecked_client.tag_resource(resourceArn=ARN, tags={"aws:cloudformation:stack-name": "y"})
        with pytest.raises(unchecked_client.exceptions.BadRequestException, match="aws:"):
            unchecked_client.untag_resource(resourceArn=ARN, tagKeys=["aws:cloudformation:stack-name"])
        assert model_of().tags == {"aws:cloudformation:stack-name": "x"}

    @pytest.mark.parametrize(
        "arn",
        [ARN.replace("us-east-1", "eu-central-1"), ARN.replace(DEFAULT_ACCOUNT_ID, "1" * 12), f"{ARN}/object-types/x"],
    )
    def test_an_arn_must_match_exactly(self, client: CustomerProfilesClient, arn: str) -> None:
        create(client)
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.list_tags_for_resource(resourceArn=arn)

    def test_they_are_in_the_resource_groups_tagging_api(self, client: CustomerProfilesClient) -> None:
        create(client, Tags={"team": "crm"})
        tagging = boto3.client("resourcegroupstaggingapi", region_name="us-east-1")
        [resource] = tagging.get_resources(ResourceTypeFilters=["profile"])["ResourceTagMappingList"]
        assert resource == {"ResourceARN": ARN, "Tags": [{"Key": "team", "Value": "crm"}]}


class TestList:
    def test_pages_hold_every_domain_once_in_order(self, client: CustomerProfilesClient) -> None:
        names = [f"domain-{number:03}" for number in range(105)]
        for name in reversed(names):
            create(client, DomainName=name, Tags={"name": name})
        pages = [client.list_domains()]
        pages.append(client.list_domains(NextToken=pages[0]["NextToken"]))
        assert [len(page["Items"]) for page in pages] == [100, 5]
        assert "NextToken" not in pages[1]
        items = [item for page in pages for item in page["Items"]]
        assert [(item["DomainName"], item["Tags"]) for item in items] == [(name, {"name": name}) for name in names]

    def test_a_listing_goes_on_when_a_domain_is_deleted_meanwhile(self, client: CustomerProfilesClient) -> None:
        for name in "abcd":
            create(client, DomainName=name)
        first = client.list_domains(MaxResults=2)
        for name in "bc":
            client.delete_domain(DomainName=name)
        rest = client.list_domains(MaxResults=2, NextToken=first["NextToken"])
        assert [item["DomainName"] for item in rest["Items"]] == ["d"]

    @pytest.mark.parametrize("token", ["x", "e30=", "W10=", "é"])
    def test_an_invalid_token_is_refused(self, client: CustomerProfilesClient, token: str) -> None:
        with pytest.raises(client.exceptions.BadRequestException, match="NextToken"):
            client.list_domains(NextToken=token)


def test_regions_and_accounts_are_apart(make_client: ClientMaker) -> None:
    sts = boto3.client("sts", region_name="us-east-1")
    role = sts.assume_role(RoleArn="arn:aws:iam::111111111111:role/other", RoleSessionName="test")["Credentials"]
    elsewhere = [
        make_client(region="eu-central-1"),
        make_client(aws_access_key_id=role["AccessKeyId"], aws_secret_access_key=role["SecretAccessKey"]),
    ]
    create(make_client())
    for client in elsewhere:
        assert client.list_domains()["Items"] == []
        create(client)
