"""The stand-in checks policies, and refuses with AWS's messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID

from local.customerprofiles.access import (
    ActionRequest,
    AllowEverything,
    Credentials,
    Decision,
    ServiceRequest,
)
from local.customerprofiles.models import CustomerProfilesBackend

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient

    from .conftest import ClientMaker

NAME = "amazon-connect-shop"
ARN = f"arn:aws:profile:us-east-1:{DEFAULT_ACCOUNT_ID}:domains/{NAME}"
KEY = f"arn:aws:kms:us-east-1:{DEFAULT_ACCOUNT_ID}:key/one"
QUEUE = f"https://sqs.us-east-1.amazonaws.com/{DEFAULT_ACCOUNT_ID}/letters"
PRINCIPAL = f"arn:aws:sts::{DEFAULT_ACCOUNT_ID}:assumed-role/provider/function"


class Policies:
    """Refuses the given actions, and records all questions."""

    def __init__(self, refused: Mapping[str, Decision] | None = None, shut: Sequence[str] = ()) -> None:
        self.refused = refused or {}
        self.shut = shut
        self.actions: list[ActionRequest] = []
        self.service_requests: list[ServiceRequest] = []

    def principal(self, credentials: Credentials) -> str:
        return PRINCIPAL

    def decide(self, request: ActionRequest) -> Decision:
        self.actions.append(request)
        return self.refused.get(request.action, Decision.ALLOWED)

    def allow(self, request: ServiceRequest) -> bool:
        self.service_requests.append(request)
        return request.action not in self.shut


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Policies], Policies]:
    def install(policies: Policies) -> Policies:
        monkeypatch.setattr(CustomerProfilesBackend, "authorizer", policies)
        monkeypatch.setattr(CustomerProfilesBackend, "resource_policies", policies)
        return policies

    return install


Install = Callable[[Policies], Policies]


def create(client: CustomerProfilesClient, **properties: Any) -> Any:
    return client.create_domain(**{"DomainName": NAME, "DefaultExpirationDays": 366, **properties})


def exporting_to(bucket: str, **key: str) -> dict[str, Any]:
    return {"Enabled": True, "ExportingConfig": {"S3Exporting": {"S3BucketName": bucket, **key}}}


def test_everything_is_allowed_without_policies() -> None:
    assert isinstance(CustomerProfilesBackend.authorizer, AllowEverything)
    assert isinstance(CustomerProfilesBackend.resource_policies, AllowEverything)


@pytest.mark.parametrize(
    ("decision", "because"),
    [
        (Decision.NOT_ALLOWED, "because no identity-based policy allows the profile:CreateDomain action"),
        (Decision.DENIED, "with an explicit deny in an identity-based policy"),
    ],
)
def test_a_refused_caller_gets_the_message_of_aws(
    client: CustomerProfilesClient, install: Install, decision: Decision, because: str
) -> None:
    policies = install(Policies({"profile:CreateDomain": decision}))
    with pytest.raises(ClientError) as error:
        create(client)
    response = error.value.response
    assert response["Error"]["Code"] == "AccessDeniedException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert response["Error"]["Message"] == (
        f"User: {PRINCIPAL} is not authorized to perform: profile:CreateDomain on resource: {ARN} {because}"
    )
    policies.refused = {}
    assert client.list_domains()["Items"] == []


def test_the_caller_is_identified_by_the_credentials_of_the_request(make_client: ClientMaker, install: Install) -> None:
    policies = install(Policies())
    make_client(
        aws_access_key_id="ASIAFUNCTION", aws_secret_access_key="secret", aws_session_token="token"
    ).list_domains()
    make_client(aws_access_key_id="local", aws_secret_access_key="secret").list_domains()
    assert [request.credentials for request in policies.actions] == [
        Credentials("ASIAFUNCTION", "token"),
        Credentials("local", None),
    ]


@pytest.mark.parametrize(
    ("operation", "arguments", "resource"),
    [
        ("list_domains", {}, "*"),
        ("get_domain", {"DomainName": NAME}, ARN),
        ("update_domain", {"DomainName": NAME}, ARN),
        ("delete_domain", {"DomainName": NAME}, ARN),
        ("create_profile", {"DomainName": NAME}, ARN),
        ("tag_resource", {"resourceArn": ARN, "tags": {"a": "b"}}, ARN),
        ("untag_resource", {"resourceArn": ARN, "tagKeys": ["a"]}, ARN),
        ("list_tags_for_resource", {"resourceArn": ARN}, ARN),
    ],
)
def test_the_caller_needs_the_operations_own_action_on_the_domain(
    client: CustomerProfilesClient, install: Install, operation: str, arguments: dict[str, Any], resource: str
) -> None:
    create(client)
    policies = install(Policies())
    getattr(client, operation)(**arguments)
    action = "profile:" + "".join(word.capitalize() for word in operation.split("_"))
    assert [(request.action, request.resource) for request in policies.actions] == [(action, resource)]


def test_a_refused_caller_learns_nothing_about_mistakes_or_absent_domains(
    unchecked_client: CustomerProfilesClient, install: Install
) -> None:
    denied = Decision.NOT_ALLOWED
    install(Policies({"profile:CreateDomain": denied, "profile:GetDomain": denied, "profile:TagResource": denied}))
    with pytest.raises(unchecked_client.exceptions.AccessDeniedException):
        unchecked_client.create_domain(DomainName="a b", DefaultExpirationDays=0)
    with pytest.raises(unchecked_client.exceptions.AccessDeniedException):
        unchecked_client.get_domain(DomainName="absent")
    with pytest.raises(unchecked_client.exceptions.AccessDeniedException):
        unchecked_client.tag_resource(resourceArn="arn:aws:sqs", tags={})


def test_tags_are_condition_keys_of_the_request_and_of_the_domain(
    client: CustomerProfilesClient, install: Install
) -> None:
    policies = install(Policies())
    create(client, Tags={"team": "crm"})
    client.tag_resource(resourceArn=ARN, tags={"stage": "test"})
    client.untag_resource(resourceArn=ARN, tagKeys=["team"])
    asked = {request.action: request.context for request in reversed(policies.actions)}
    assert asked["profile:CreateDomain"] == {"aws:RequestTag/team": "crm", "aws:TagKeys": ["team"]}
    assert policies.actions[-2].context == {
        "aws:ResourceTag/team": "crm",
        "aws:RequestTag/stage": "test",
        "aws:TagKeys": ["stage"],
    }
    assert policies.actions[-1].context == {
        "aws:ResourceTag/team": "crm",
        "aws:ResourceTag/stage": "test",
        "aws:TagKeys": ["team"],
    }


class TestActionsThatTheServicePerformsForItsCaller:
    def test_a_new_domain_needs_a_service_linked_role(self, client: CustomerProfilesClient, install: Install) -> None:
        policies = install(Policies())
        create(client)
        request = policies.actions[-1]
        assert request.action == "iam:CreateServiceLinkedRole"
        assert request.context == {"iam:AWSServiceName": "profile.amazonaws.com"}
        role = (
            f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/aws-service-role/profile.amazonaws.com/AWSServiceRoleForProfile_"
        )
        assert request.resource.startswith(role)

    @pytest.mark.parametrize("action", ["iam:CreateServiceLinkedRole", "profile:TagResource"])
    def test_without_the_permission_there_is_no_domain(
        self, client: CustomerProfilesClient, install: Install, action: str
    ) -> None:
        install(Policies({action: Decision.NOT_ALLOWED}))
        with pytest.raises(client.exceptions.AccessDeniedException, match=f"not authorized to perform: {action} on"):
            create(client, Tags={"team": "crm"})
        assert client.list_domains()["Items"] == []

    def test_a_domain_without_tags_needs_no_permission_to_tag(
        self, client: CustomerProfilesClient, install: Install
    ) -> None:
        install(Policies({"profile:TagResource": Decision.NOT_ALLOWED}))
        create(client)

    def test_the_caller_grants_the_service_the_use_of_a_key(
        self, client: CustomerProfilesClient, install: Install
    ) -> None:
        policies = install(Policies())
        create(client, DefaultEncryptionKey=KEY)
        request = next(request for request in policies.actions if request.action == "kms:CreateGrant")
        assert request.resource == KEY
        assert request.context == {
            "kms:ViaService": "profile.us-east-1.amazonaws.com",
            "kms:GrantIsForAWSResource": "true",
        }

    @pytest.mark.parametrize(
        ("key", "arn"),
        [
            ("one", KEY),
            ("alias/profiles", f"arn:aws:kms:us-east-1:{DEFAULT_ACCOUNT_ID}:alias/profiles"),
        ],
    )
    def test_a_key_id_or_alias_is_checked_as_an_arn(
        self, client: CustomerProfilesClient, install: Install, key: str, arn: str
    ) -> None:
        policies = install(Policies())
        create(client, DefaultEncryptionKey=key)
        assert [request.resource for request in policies.actions if request.action == "kms:CreateGrant"] == [arn]

    def test_an_update_needs_it_for_a_new_key_only(self, client: CustomerProfilesClient, install: Install) -> None:
        create(client, DefaultEncryptionKey=KEY)
        install(Policies({"kms:CreateGrant": Decision.NOT_ALLOWED}))
        client.update_domain(DomainName=NAME, DefaultEncryptionKey=KEY)
        client.update_domain(DomainName=NAME, DefaultEncryptionKey="")
        with pytest.raises(client.exceptions.BadRequestException, match="Failed to grant access to key"):
            client.update_domain(DomainName=NAME, DefaultEncryptionKey=KEY)


class TestKeysQueuesAndBucketsThatDoNotAllowTheService:
    @pytest.mark.parametrize(
        ("action", "properties", "message"),
        [
            ("kms:CreateGrant", {"DefaultEncryptionKey": KEY}, "Failed to grant access to key"),
            ("kms:Decrypt", {"DefaultEncryptionKey": KEY}, "Failed to grant access to key"),
            ("kms:GenerateDataKey", {"DefaultEncryptionKey": KEY}, "Failed to grant access to key"),
            ("sqs:SendMessage", {"DeadLetterQueueUrl": QUEUE}, "error queue"),
            ("s3:PutObject", {"Matching": exporting_to("matches")}, "S3 bucket matches"),
            ("s3:PutObject", {"RuleBasedMatching": exporting_to("rules")}, "S3 bucket rules"),
        ],
    )
    def test_they_are_refused_at_create_and_at_update(
        self,
        client: CustomerProfilesClient,
        install: Install,
        action: str,
        properties: dict[str, Any],
        message: str,
    ) -> None:
        policies = install(Policies(shut=[action]))
        with pytest.raises(client.exceptions.BadRequestException, match=message):
            create(client, **properties)
        assert client.list_domains()["Items"] == []

        create(client)
        before = client.get_domain(DomainName=NAME)
        with pytest.raises(client.exceptions.BadRequestException, match=message):
            client.update_domain(DomainName=NAME, DefaultExpirationDays=1, **properties)
        assert client.get_domain(DomainName=NAME)["LastUpdatedAt"] == before["LastUpdatedAt"]

        policies.shut = []
        client.update_domain(DomainName=NAME, **properties)

    def test_the_service_asks_on_behalf_of_the_domain(self, client: CustomerProfilesClient, install: Install) -> None:
        policies = install(Policies())
        create(
            client, DefaultEncryptionKey=KEY, DeadLetterQueueUrl=QUEUE, Matching=exporting_to("matches", S3KeyName="a")
        )
        asked = {(request.action, request.resource) for request in policies.service_requests}
        assert asked == {
            ("kms:CreateGrant", KEY),
            ("kms:Decrypt", KEY),
            ("kms:GenerateDataKey", KEY),
            ("sqs:SendMessage", f"arn:aws:sqs:us-east-1:{DEFAULT_ACCOUNT_ID}:letters"),
            ("s3:PutObject", "arn:aws:s3:::matches/a"),
        }
        sources = {(request.source_arn, request.source_account) for request in policies.service_requests}
        assert sources == {(ARN, DEFAULT_ACCOUNT_ID)}

    def test_a_queue_of_another_account_is_refused(self, client: CustomerProfilesClient) -> None:
        with pytest.raises(
            client.exceptions.BadRequestException, match="Error queue URL does not belong to your account ID"
        ):
            create(client, DeadLetterQueueUrl="https://sqs.us-east-1.amazonaws.com/999999999999/letters")
