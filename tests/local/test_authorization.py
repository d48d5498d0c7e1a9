"""The stand-in refuses what the deployed function's role does not allow, with AWS's messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local.authorization import Session, access_key_of, decide_on_key
from local.customerprofiles import access
from local.customerprofiles.access import ActionRequest, AllowEverything
from local.customerprofiles.models import CustomerProfilesBackend
from local.engine import ACCOUNT, REGION, Engine
from local.permissions import PERMISSIONS
from local.policies import Decision, Request
from local.registration import register

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient

POLICIES = ("OwnDomains", "MakeServiceLinkedRole")

ROLE = f"arn:aws:iam::{ACCOUNT}:role/function"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def everything_for(principal: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"}]}


@pytest.mark.parametrize(
    ("key_policy", "by_the_role", "expected"),
    [
        (everything_for(ROLE), Decision.NOT_ALLOWED, Decision.ALLOWED),
        (everything_for(ROLE), Decision.DENIED, Decision.DENIED),
        (everything_for(ROOT), Decision.ALLOWED, Decision.ALLOWED),
        (everything_for(ROOT), Decision.NOT_ALLOWED, Decision.NOT_ALLOWED),
        (everything_for("arn:aws:iam::999999999999:root"), Decision.ALLOWED, Decision.NOT_ALLOWED),
    ],
    ids=[
        "the key's policy names the role",
        "the role's policy denies it",
        "the key's policy names the account, and the role may use keys",
        "the key's policy names the account, and the role may not use keys",
        "the key's policy names another account",
    ],
)
def test_who_may_use_a_key(key_policy: dict[str, Any], by_the_role: Decision, expected: Decision) -> None:
    asked = Request("kms:CreateGrant", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1")
    assert decide_on_key([key_policy], by_the_role, asked, ROLE) is expected


@pytest.fixture
def session(engine: Engine) -> Session:
    """The credentials of the deployed function."""
    function = engine.client("lambda").get_function(FunctionName=engine.outputs(engine.provider_stack)["ServiceToken"])
    configuration = function["Configuration"]
    return Session(configuration["FunctionName"], configuration["FunctionArn"], configuration["Role"])


@pytest.fixture
def as_function(engine: Engine, session: Session) -> CustomerProfilesClient:
    """The API as the function calls it. The stand-in does not check signatures, so any secret will do."""
    key = access_key_of(session.function_arn, session.role_arn)
    return boto3.client(
        "customer-profiles", endpoint_url=engine.stand_in_url, aws_access_key_id=key, aws_secret_access_key="any"
    )


@pytest.fixture
def take_away(engine: Engine, session: Session) -> Iterator[Callable[[str], None]]:
    """Takes an action out of the role's policies. They are as before when the test ends."""
    iam = engine.client("iam")
    documents = {
        name: iam.get_role_policy(RoleName=session.role, PolicyName=name)["PolicyDocument"] for name in POLICIES
    }

    def put(documents: dict[str, Any]) -> None:
        for name, document in documents.items():
            iam.put_role_policy(RoleName=session.role, PolicyName=name, PolicyDocument=json.dumps(document))

    def take(action: str) -> None:
        put(json.loads(json.dumps(documents).replace(f'"{action}"', '"profile:None"')))

    yield take
    put(documents)


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """A domain's name. A domain of that name is removed when the test ends."""
    name = f"amazon-connect-{uuid4()}"
    yield name
    if name in {item["DomainName"] for item in engine.customer_profiles.list_domains()["Items"]}:
        engine.customer_profiles.delete_domain(DomainName=name)


# How the function uses each action of the table.
USES: dict[str, Callable[[CustomerProfilesClient, str, str], object]] = {
    "profile:CreateDomain": lambda api, name, _: api.create_domain(DomainName=name, DefaultExpirationDays=1),
    "profile:TagResource": lambda api, _, arn: api.tag_resource(resourceArn=arn, tags={"Team": "crm"}),
    "profile:UntagResource": lambda api, _, arn: api.untag_resource(resourceArn=arn, tagKeys=["Team"]),
    "profile:GetDomain": lambda api, name, _: api.get_domain(DomainName=name),
    "profile:UpdateDomain": lambda api, name, _: api.update_domain(DomainName=name, DefaultExpirationDays=2),
    "profile:DeleteDomain": lambda api, name, _: api.delete_domain(DomainName=name),
    "profile:ListIntegrations": lambda api, name, _: api.list_integrations(DomainName=name),
    "profile:ListProfileObjectTypes": lambda api, name, _: api.list_profile_object_types(DomainName=name),
    "profile:ListDomainObjectTypes": lambda api, name, _: api.list_domain_object_types(DomainName=name),
}


def test_every_action_of_the_table_on_domains_is_tried() -> None:
    assert USES.keys() == {row.action for row in PERMISSIONS if row.action.startswith("profile:")}


class Recorder(AllowEverything):
    """Allows everything, and records all questions."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def decide(self, request: ActionRequest) -> access.Decision:
        self.asked.add(request.action)
        return super().decide(request)


def test_the_stand_in_asks_for_every_action_of_the_table_that_aws_is_known_to_ask_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(CustomerProfilesBackend, "authorizer", recorder)
    register()
    with mock_aws():
        api = boto3.Session().client("customer-profiles")
        key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
        api.create_domain(DomainName="customers", DefaultExpirationDays=1, Tags={"a": "b"}, DefaultEncryptionKey=key)
        uses = [use for action, use in USES.items() if action not in ("profile:CreateDomain", "profile:DeleteDomain")]
        for use in (*uses, USES["profile:DeleteDomain"]):
            use(api, "customers", f"arn:aws:profile:{REGION}:{ACCOUNT}:domains/customers")

    on_behalf = {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}  # whether AWS asks for these is not known
    expected = {row.action for row in PERMISSIONS if row.action.startswith(("profile:", "iam:", "kms:"))}
    assert recorder.asked == expected - on_behalf


@pytest.mark.end_to_end
@pytest.mark.parametrize("action", USES)
def test_the_function_may_not_do_what_its_role_no_longer_allows(
    engine: Engine,
    session: Session,
    as_function: CustomerProfilesClient,
    take_away: Callable[[str], None],
    name: str,
    action: str,
) -> None:
    if action != "profile:CreateDomain":
        engine.customer_profiles.create_domain(DomainName=name, DefaultExpirationDays=1, Tags={"Team": "sales"})
    arn = f"arn:aws:profile:{REGION}:{ACCOUNT}:domains/{name}"

    take_away(action)
    with pytest.raises(ClientError) as refused:
        USES[action](as_function, name, arn)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert refused.value.response["Error"]["Message"].startswith(
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{session.role}/{session.function}"
        f" is not authorized to perform: {action} on resource: {arn}"
    )


@pytest.mark.end_to_end
@pytest.mark.parametrize("action", USES)
def test_the_function_may_do_what_its_role_allows(
    engine: Engine, as_function: CustomerProfilesClient, name: str, action: str
) -> None:
    if action != "profile:CreateDomain":
        engine.customer_profiles.create_domain(DomainName=name, DefaultExpirationDays=1, Tags={"Team": "sales"})

    USES[action](as_function, name, f"arn:aws:profile:{REGION}:{ACCOUNT}:domains/{name}")


@pytest.mark.end_to_end
@pytest.mark.parametrize("action", ["iam:CreateServiceLinkedRole", "profile:TagResource"])
def test_a_new_domain_needs_the_actions_that_create_domain_depends_on(
    as_function: CustomerProfilesClient, take_away: Callable[[str], None], name: str, action: str
) -> None:
    take_away(action)
    with pytest.raises(ClientError, match=f"is not authorized to perform: {action}"):
        as_function.create_domain(DomainName=name, DefaultExpirationDays=1, Tags={"Team": "crm"})


@pytest.mark.end_to_end
def test_other_callers_than_the_function_and_the_administrator_may_do_nothing(engine: Engine) -> None:
    stranger = boto3.client(
        "customer-profiles",
        endpoint_url=engine.stand_in_url,
        aws_access_key_id="ASIA0000000000000000",
        aws_secret_access_key="any",
    )
    with pytest.raises(stranger.exceptions.AccessDeniedException):
        stranger.get_domain(DomainName="customers")
