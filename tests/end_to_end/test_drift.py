"""Drift of deployed stacks: the output of the command and its exit status."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.model import OperationModel

from handler.claims import LOGICAL_ID, OWNERSHIP_KEYS, STACK_ID
from local.engine import ACCOUNT, PROJECT, PROVIDER_STACK, REGION, Engine
from local.policies import listed
from tests.end_to_end.stack import Stack, domain_resource
from tools.drift.__main__ import compared, main
from tools.drift.account import Account
from tools.drift.report import Verdict, verdict

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient

pytestmark = pytest.mark.end_to_end

NO_DRIFT, DRIFT, COULD_NOT_TELL = 0, 1, 2
SECRET = "a-secret-word"

# One tag for each intrinsic function: the template's value, and the resolved value.
TAGS: dict[str, tuple[Any, str]] = {
    "Ref-parameter": ({"Ref": "Environment"}, "prod"),
    "Ref-pseudo-parameter": ({"Ref": "AWS::Region"}, REGION),
    "Ref-resource": ({"Ref": "Queue"}, "QUEUE URL"),
    "Sub": ({"Fn::Sub": "${Environment}-${AWS::AccountId}-${!Literal}"}, f"prod-{ACCOUNT}-${{Literal}}"),
    "Sub-with-variables": ({"Fn::Sub": ["${It}!", {"It": {"Ref": "Environment"}}]}, "prod!"),
    "Join": ({"Fn::Join": ["+", ["a", {"Ref": "Environment"}]]}, "a+prod"),
    "If": ({"Fn::If": ["IsProduction", "yes", "no"]}, "yes"),
    "If-else": ({"Fn::If": ["IsAnywhereElse", "yes", "no"]}, "no"),
    "FindInMap": ({"Fn::FindInMap": ["Regions", {"Ref": "AWS::Region"}, "City"]}, "Frankfurt"),
    "Select": ({"Fn::Select": [1, {"Ref": "Teams"}]}, "sales"),
    "Split": ({"Fn::Join": ["/", {"Fn::Split": [",", "x,y"]}]}, "x/y"),
    "GetAtt-in-an-output": ({"Fn::GetAtt": ["Queue", "Arn"]}, "QUEUE ARN"),
    "ImportValue": ({"Fn::ImportValue": {"Fn::Sub": f"{PROVIDER_STACK}-${{Output}}"}}, "SERVICE TOKEN"),
    "SSM-parameter": ("{{resolve:ssm:/drift/team:1}}", "from-ssm"),
}
UNKNOWN_TAGS: dict[str, Any] = {
    "NoEcho": {"Ref": "Secret"},
    "NoEcho-inside": {"Fn::Sub": "it is ${Secret}"},
    "GetAtt-of-nothing-shown": {"Fn::GetAtt": ["Queue", "QueueName"]},
}


def template(name: str) -> dict[str, Any]:
    tags = {key: value for key, (value, _) in TAGS.items()} | UNKNOWN_TAGS
    tags["NoValue"] = {"Fn::If": ["IsProduction", {"Ref": "AWS::NoValue"}, "there"]}
    days = {"Fn::FindInMap": ["Regions", {"Ref": "AWS::Region"}, "Days"]}
    is_production = {"Fn::Equals": [{"Ref": "Environment"}, "prod"]}
    elsewhere = {"Fn::And": [{"Condition": "IsProduction"}, {"Fn::Not": [{"Condition": "IsProduction"}]}]}
    domain = domain_resource({"DomainName": name, "DefaultExpirationDays": days, "Tags": tags})
    return {
        "Parameters": {
            "Environment": {"Type": "String"},
            "Output": {"Type": "String", "Default": "ServiceToken"},
            "Teams": {"Type": "CommaDelimitedList", "Default": "marketing, sales"},
            "Secret": {"Type": "String", "NoEcho": True},
        },
        "Mappings": {
            "Regions": {REGION: {"City": "Frankfurt", "Days": 90}, "us-east-1": {"City": "Ashburn", "Days": 30}}
        },
        "Conditions": {"IsProduction": is_production, "IsAnywhereElse": elsewhere},
        "Resources": {"Domain": domain, "Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"QueueArn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}}},
    }


class Drift:
    """The command, as `python -m tools.drift` runs it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """The exit status, and what it printed."""
        self._capsys.readouterr()
        status = main(arguments)
        printed = self._capsys.readouterr()
        return status, printed.out + printed.err

    def differences(self, stack_name: str) -> tuple[int, dict[str, tuple[Any, Any]]]:
        """The exit status, and the template's and the live value by path."""
        status, printed = self("--stack", stack_name, "--json")
        (stack,) = json.loads(printed)["stacks"]
        (domain,) = stack["domains"]
        return status, {found["path"]: (found["template"], found["live"]) for found in domain["differences"]}


@pytest.fixture
def drift(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Drift:
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CUSTOMER_PROFILES", engine.stand_in_url)
    return Drift(capsys)


@pytest.fixture
def with_functions(engine: Engine, name: str) -> Iterator[str]:
    """The name of a stack with every function in its template."""
    stack_name = f"stack-{uuid4()}"
    engine.client("ssm").put_parameter(Name="/drift/team", Value="from-ssm", Type="String", Overwrite=True)
    events = list(engine.deploy(stack_name, template(name), {"Environment": "prod", "Secret": SECRET}))
    assert events[-1].status == "CREATE_COMPLETE", events
    yield stack_name
    list(engine.delete(stack_name))


@pytest.fixture
def simple(stack: Stack, name: str) -> Stack:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366, "Tags": {"Team": "crm"}})
    return stack


def test_an_unchanged_stack_has_no_drift_whichever_functions_its_template_uses(
    drift: Drift, with_functions: str
) -> None:
    assert drift.differences(with_functions) == (NO_DRIFT, {})


def test_unknown_values_are_listed_and_no_secret_is_printed(drift: Drift, with_functions: str) -> None:
    status, printed = drift("--stack", with_functions)

    assert status == NO_DRIFT
    for key in UNKNOWN_TAGS:
        assert f"not known: Tags.{key}: " in printed
    assert SECRET not in printed


def test_every_function_is_resolved_to_cloudformations_value(
    drift: Drift, with_functions: str, name: str, api: CustomerProfilesClient
) -> None:
    before = api.get_domain(DomainName=name)["Tags"]
    by_hand = dict.fromkeys([*TAGS, *UNKNOWN_TAGS], "by hand")
    api.tag_resource(resourceArn=domain_arn(name), tags=by_hand)
    api.update_domain(DomainName=name, DefaultExpirationDays=30)

    status, found = drift.differences(with_functions)

    assert status == DRIFT
    assert found == {
        "DefaultExpirationDays": (90, 30),
        **{f"Tags.{key}": (before[key], "by hand") for key in TAGS},
    }
    written = {key: value for key, (_, value) in TAGS.items() if not value.isupper()}
    assert {key: before[key] for key in written} == written
    assert before.keys() >= TAGS.keys() | UNKNOWN_TAGS.keys()
    assert "NoValue" not in before


def test_a_change_by_hand_is_drift_until_an_update_corrects_it(
    drift: Drift, simple: Stack, name: str, api: CustomerProfilesClient
) -> None:
    assert drift.differences(simple.name) == (NO_DRIFT, {})
    api.update_domain(DomainName=name, DefaultExpirationDays=30)
    assert drift.differences(simple.name) == (DRIFT, {"DefaultExpirationDays": (366, 30)})

    simple.deploy({"DomainName": name, "DefaultExpirationDays": 366, "Tags": {"Team": "crm", "Checked": "today"}})

    assert drift.differences(simple.name) == (NO_DRIFT, {})


def test_a_tag_of_the_template_that_was_removed_is_drift(
    drift: Drift, simple: Stack, name: str, api: CustomerProfilesClient
) -> None:
    api.untag_resource(resourceArn=domain_arn(name), tagKeys=["Team"])

    assert drift.differences(simple.name) == (DRIFT, {"Tags.Team": ("crm", None)})


def test_ownership_tags_that_were_removed_are_drift(
    drift: Drift, simple: Stack, name: str, api: CustomerProfilesClient
) -> None:
    api.untag_resource(resourceArn=domain_arn(name), tagKeys=sorted(OWNERSHIP_KEYS))

    status, found = drift.differences(simple.name)

    assert status == DRIFT
    assert found.keys() == {f"Tags.{key}" for key in OWNERSHIP_KEYS}
    assert found[f"Tags.{LOGICAL_ID}"] == ("Domain", None)


def test_a_deleted_domain_is_drift(drift: Drift, simple: Stack, name: str, api: CustomerProfilesClient) -> None:
    api.delete_domain(DomainName=name)

    status, printed = drift("--stack", simple.name)

    assert status == DRIFT
    assert "the domain is gone" in printed


def test_a_domain_of_another_owner_is_drift_and_the_owner_is_named(
    drift: Drift, simple: Stack, name: str, api: CustomerProfilesClient
) -> None:
    stack_id = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/theirs/{uuid4()}"
    api.tag_resource(resourceArn=domain_arn(name), tags={STACK_ID: stack_id, LOGICAL_ID: "Theirs"})

    status, printed = drift("--stack", simple.name)

    assert status == DRIFT
    assert "Theirs of stack theirs" in printed
    assert "the domain is another's" in printed


def test_a_domain_that_another_stack_took_over_is_drift_of_its_first_stack(
    drift: Drift, simple: Stack, other_stack: Stack, name: str
) -> None:
    other_stack.deploy({"DomainName": name, "DefaultExpirationDays": 366, "AdoptExisting": True})

    status, printed = drift("--stack", simple.name)

    assert status == DRIFT
    assert other_stack.name in printed


def test_all_compares_exactly_the_stacks_with_a_domain(
    drift: Drift, simple: Stack, other_stack: Stack, name: str
) -> None:
    other_stack.deploy({"DomainName": f"{name}-2", "DefaultExpirationDays": 366})

    status, printed = drift("--all", "--provider-stack", PROVIDER_STACK, "--json")

    assert status == NO_DRIFT
    names = {stack["stack"] for stack in json.loads(printed)["stacks"]}
    assert {simple.name, other_stack.name} <= names
    assert PROVIDER_STACK not in names


def test_the_documented_policy_allows_exactly_the_calls_of_the_command(drift: Drift, with_functions: str) -> None:
    (text,) = re.findall(r"```json\n(.*?)```", (PROJECT / "docs/drift.md").read_text(), re.DOTALL)
    allowed = [action for statement in json.loads(text)["Statement"] for action in listed(statement["Action"])]
    called = set()

    def note(model: OperationModel, **_: Any) -> None:
        called.add(f"{model.service_model.signing_name}:{model.name}")

    session = boto3.Session()
    session.events.register("before-call", note)
    account = Account(session)
    reports = list(compared(account, with_functions, account.provider_function(PROVIDER_STACK)))

    assert verdict(reports) is Verdict.NO_DRIFT
    assert called == set(allowed)


def test_the_command_finds_out_whether_the_provider_propagates_stack_tags(engine: Engine, drift: Drift) -> None:
    token = engine.outputs(PROVIDER_STACK)["ServiceToken"]

    assert Account(boto3.Session()).passes_stack_tags_on(token) is False


def test_a_stack_that_does_not_exist_cannot_be_compared(drift: Drift) -> None:
    status, printed = drift("--stack", "no-such-stack")

    assert status == COULD_NOT_TELL
    assert "no-such-stack" in printed


def domain_arn(name: str) -> str:
    return f"arn:aws:profile:{REGION}:{ACCOUNT}:domains/{name}"
