"""The function's role allows every call that the function makes, and nothing else.

The policies come from template.yaml as `sam build` leaves it. The local engine's CloudFormation resolves them for each
combination of the parameters that change them; local/permissions.py says what has to be allowed.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from cfnlint.decode import cfn_yaml

from handler.build_artifact import OPERATIONS
from local.engine import ACCOUNT, REGION, Engine
from local.permissions import PERMISSIONS, Permission
from local.policies import Decision, Request, decide, listed, statements

pytestmark = pytest.mark.end_to_end

KEYS = [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}" for name in ("first", "second")]
# The parameters that change the policies: the default, and another value.
DEFAULTS = {
    **{"KeyArns": "", "PropagateStackTags": "false", "AskCloudFormation": "true", "Tracing": "PassThrough"},
    **{"SubnetIds": "", "SecurityGroupIds": ""},
}
CHANGES = {
    "with keys": {"KeyArns": ",".join(KEYS)},
    "with stack tags": {"PropagateStackTags": "true"},
    "without asking": {"AskCloudFormation": "false"},
    "traced": {"Tracing": "Active"},
    "in a VPC": {"SubnetIds": "subnet-0a,subnet-0b", "SecurityGroupIds": "sg-0c"},
}
COMBINATIONS = [names for count in range(len(CHANGES) + 1) for names in itertools.combinations(CHANGES, count)]


# What the role's policies refer to.
TYPES = ("AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::SQS::Queue")


@dataclass(frozen=True)
class Role:
    """The function's role as it is for some parameters, and what the placeholders of the table stand for."""

    parameters: Mapping[str, str]
    policies: list[Mapping[str, Any]]
    values: Mapping[str, str]

    def needed(self) -> list[Permission]:
        return [row for row in PERMISSIONS if row.needed(self.parameters)]

    def decision(self, row: Permission, **instead: str) -> Decision:
        values = {**self.values, **instead}
        context = {key: value.format(**values) for key, value in row.context.items()}
        return decide(self.policies, Request(row.action, row.resource.format(**values), context))


@pytest.fixture(scope="module")
def template(engine: Engine) -> dict[str, Any]:
    """The part of the built template that makes the role."""
    built = json.loads(json.dumps(cfn_yaml.load(str(engine.directory / "build/template.yaml"))))
    return {
        "Parameters": built["Parameters"],
        "Conditions": built["Conditions"],
        "Resources": {name: item for name, item in built["Resources"].items() if item["Type"] in TYPES},
        "Outputs": {
            "LogGroup": {"Value": {"Fn::GetAtt": "LogGroup.Arn"}},
            "Queue": {"Value": {"Fn::GetAtt": "UnansweredEvents.Arn"}},
            "Role": {"Value": {"Ref": "Role"}},
        },
    }


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda names: ", ".join(names) or "defaults")
def role(engine: Engine, template: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[Role]:
    name, parameters = f"role-{uuid4()}", dict(DEFAULTS)
    for change in request.param:
        parameters.update(CHANGES[change])
    assert [event.reason for event in engine.deploy(name, template, parameters) if event.failed] == []
    outputs = engine.outputs(name)
    values = {
        **{"partition": "aws", "region": REGION, "account": ACCOUNT, "service": "profile.amazonaws.com"},
        **{"domain": "customers", "stack": "customers/0b7e", "suffix": "1a2b3c", "stream": "2026/11/25/[$LATEST]0f"},
        **{"key": KEYS[0], "interface": "eni-0d", "subnet": "subnet-0b", "security_group": "sg-0c"},
        "log_group": outputs["LogGroup"].removesuffix(":*"),
        "queue": outputs["Queue"],
    }
    yield Role(parameters, role_policies(engine, outputs["Role"]), values)
    list(engine.delete(name))


def role_policies(engine: Engine, role: str) -> list[Mapping[str, Any]]:
    details = engine.client("iam").get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    [found] = [item for item in details if item["RoleName"] == role]
    assert found["AttachedManagedPolicies"] == []
    return [policy["PolicyDocument"] for policy in found["RolePolicyList"]]


def test_everything_that_is_needed_is_allowed(role: Role) -> None:
    assert [row.action for row in role.needed() if role.decision(row) is not Decision.ALLOWED] == []


def test_every_key_that_is_named_can_be_used(role: Role) -> None:
    rows = [row for row in role.needed() if "key" in row.single_values()]

    assert bool(rows) == bool(role.parameters["KeyArns"])
    assert [row.action for row in rows if role.decision(row, key=KEYS[1]) is not Decision.ALLOWED] == []


def test_every_action_that_is_allowed_is_needed(role: Role) -> None:
    allowed = {
        action
        for policy in role.policies
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    }

    assert allowed == {row.action for row in role.needed()}


def test_no_action_of_a_policy_can_be_removed(role: Role) -> None:
    for position, policy in enumerate(role.policies):
        for taken, less in policies_with_one_action_less(policy):
            reduced = replace(role, policies=[*role.policies[:position], less, *role.policies[position + 1 :]])
            missing = {row.action for row in role.needed() if reduced.decision(row) is not Decision.ALLOWED}
            assert missing == {taken}


def test_nothing_is_allowed_on_resources_of_others(role: Role) -> None:
    too_broad = [
        (row.action, placeholder)
        for row in role.needed()
        for placeholder in row.single_values()
        if role.decision(row, **{placeholder: somebody_elses(role.values[placeholder])}) is Decision.ALLOWED
    ]

    assert too_broad == []


def test_nothing_is_allowed_without_the_condition_that_narrows_it(role: Role) -> None:
    too_broad = [
        (row.action, key)
        for row in role.needed()
        for key in row.context
        for context in ({**row.context, key: "somebody-elses"}, without(row.context, key))
        if role.decision(replace(row, context=context)) is Decision.ALLOWED
    ]

    assert too_broad == []


def test_nothing_is_allowed_on_another_type_of_resource(role: Role) -> None:
    others = [replace(row, resource=re.sub(":[a-z-]+/", ":other/", row.resource, count=1)) for row in role.needed()]
    changed = [other for other, row in zip(others, role.needed(), strict=True) if other.resource != row.resource]
    too_broad = [row.action for row in changed if role.decision(row) is Decision.ALLOWED]

    assert too_broad == []


def test_the_functions_own_code_may_not_use_what_lambda_needs_for_the_vpc(role: Role) -> None:
    own_code = {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:provider-Function-1"}
    rows = [row for row in role.needed() if row.action.startswith("ec2:")]

    assert bool(rows) == bool(role.parameters["SubnetIds"])
    assert [row.action for row in rows if role.decision(replace(row, context=own_code)) is not Decision.DENIED] == []


def test_each_policy_exists_for_some_combination(template: dict[str, Any]) -> None:
    policies = template["Resources"]["Role"]["Properties"]["Policies"]
    conditions = {policy["Fn::If"][0] for policy in policies if "Fn::If" in policy}

    assert conditions == {"HasKeys", "AsksCloudFormation", "ReadsStacks", "HasVpc", "HasTracing"}


def test_the_table_has_every_operation_that_the_function_calls() -> None:
    called = {
        *(f"profile:{operation}" for operation in OPERATIONS["customer-profiles"]),
        *(f"cloudformation:{operation}" for operation in OPERATIONS["cloudformation"]),
    }

    assert {row.action for row in PERMISSIONS if row.action.startswith(("profile:", "cloudformation:"))} == called


def test_every_row_names_its_documentation() -> None:
    assert [row.action for row in PERMISSIONS if not row.source.startswith("https://")] == []


def policies_with_one_action_less(policy: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The policy without each action that it allows, and that action."""
    for position, statement in enumerate(policy["Statement"]):
        for action in listed(statement["Action"]) if statement["Effect"] == "Allow" else []:
            rest = {**statement, "Action": [other for other in listed(statement["Action"]) if other != action]}
            before, after = policy["Statement"][:position], policy["Statement"][position + 1 :]
            yield action, {**policy, "Statement": [*before, rest, *after]}


def somebody_elses(value: str) -> str:
    return value.replace(ACCOUNT, "999999999999") if ACCOUNT in value else f"{value}-2"


def without(context: Mapping[str, str], key: str) -> dict[str, str]:
    return {name: value for name, value in context.items() if name != key}
