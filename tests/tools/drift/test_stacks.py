"""The values that intrinsic functions can refer to, read from CloudFormation and other services (moto's)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tools.drift import stacks
from tools.drift.account import Account, CannotTellError
from tools.drift.resolve import Unknown, resolve
from tools.drift.stacks import Stack

SECRET = "a-secret-word"


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def create(name: str, template: Mapping[str, Any], **parameters: str) -> None:
    boto3.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )


def read(name: str, **described: Any) -> Stack:
    """Read a stack; `described` replaces what DescribeStacks says, where moto says it otherwise than CloudFormation."""
    account = Account(boto3.Session())
    (description,) = account.stacks(name)
    description.update(described)  # type: ignore[typeddict-item]
    return stacks.read(account, description, account.resources(description["StackId"]))


QUEUE = {"Type": "AWS::SQS::Queue"}
KEY = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": []}}}


def resolved(stack: Stack, node: Any) -> Any:
    return resolve(node, stack.scope)


def test_parameters_have_their_values_and_a_list_is_a_list() -> None:
    parameters = {"Name": {"Type": "String"}, "Names": {"Type": "CommaDelimitedList"}}
    create("crm", {"Parameters": parameters, "Resources": {"Queue": QUEUE}}, Name="shop", Names="a, b")

    given = {"Name": "shop", "Names": "a, b"}
    described = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    stack = read("crm", Parameters=described)

    assert resolved(stack, {"Ref": "Name"}) == "shop"
    assert resolved(stack, {"Ref": "Names"}) == ["a", "b"]


def test_a_parameter_of_an_ssm_type_has_the_value_that_it_had_at_the_deployment() -> None:
    boto3.client("ssm").put_parameter(Name="/team", Value="newer", Type="String")
    parameters = {"Team": {"Type": "AWS::SSM::Parameter::Value<String>"}}
    create("crm", {"Parameters": parameters, "Resources": {"Queue": QUEUE}}, Team="/team")

    described = [{"ParameterKey": "Team", "ParameterValue": "/team", "ResolvedValue": "crm"}]
    assert resolved(read("crm", Parameters=described), {"Ref": "Team"}) == "crm"


@pytest.mark.parametrize("no_echo", [True, "true", "True"])
def test_a_no_echo_parameter_is_unknown(no_echo: Any) -> None:
    parameters = {"Secret": {"Type": "String", "NoEcho": no_echo}}
    create("crm", {"Parameters": parameters, "Resources": {"Queue": QUEUE}}, Secret=SECRET)

    assert resolved(read("crm"), {"Ref": "Secret"}) == Unknown("parameter Secret is NoEcho")


def test_pseudo_parameters_are_those_of_the_stack() -> None:
    create("crm", {"Resources": {"Queue": QUEUE}})
    stack = read("crm")

    names = ("AccountId", "Partition", "Region", "StackName", "URLSuffix")
    found = [resolved(stack, {"Ref": f"AWS::{name}"}) for name in names]

    assert found == ["123456789012", "aws", "eu-central-1", "crm", "amazonaws.com"]
    assert resolved(stack, {"Ref": "AWS::StackId"}) == stack.stack_id


def test_a_resource_has_its_physical_id_and_the_attributes_that_follow_from_it() -> None:
    create("crm", {"Resources": {"Queue": QUEUE, "Key": KEY}})
    stack = read("crm")

    (url,) = boto3.client("sqs").list_queues()["QueueUrls"]
    (key,) = boto3.client("kms").list_keys()["Keys"]
    assert resolved(stack, {"Ref": "Queue"}) == url
    assert resolved(stack, {"Fn::GetAtt": ["Queue", "QueueUrl"]}) == url
    assert resolved(stack, {"Fn::GetAtt": ["Key", "Arn"]}) == key["KeyArn"]


@pytest.mark.parametrize("written", [["Queue", "Arn"], "Queue.Arn"], ids=["list", "text"])
def test_an_attribute_is_known_if_an_output_shows_it(written: Any) -> None:
    output = {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}}
    create("shown", {"Resources": {"Queue": QUEUE}, "Outputs": {"Arn": output}})
    create("hidden", {"Resources": {"Queue": QUEUE}})

    assert resolved(read("shown"), {"Fn::GetAtt": written}).startswith("arn:aws:sqs:")
    assert isinstance(resolved(read("hidden"), {"Fn::GetAtt": written}), Unknown)


def test_an_imported_value_is_that_of_the_export_and_without_one_it_is_a_failure() -> None:
    output = {"Value": "30", "Export": {"Name": "days"}}
    create("exporter", {"Resources": {"Queue": QUEUE}, "Outputs": {"Days": output}})
    create("crm", {"Resources": {"Queue": QUEUE}})
    stack = read("crm")

    assert resolved(stack, {"Fn::ImportValue": "days"}) == "30"
    assert resolved(stack, {"Fn::ImportValue": "none"}) == Unknown("no stack exports none", failed=True)


def test_an_ssm_parameter_is_read_a_secure_one_is_not_and_one_that_is_gone_is_a_failure() -> None:
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name="/team", Value="crm", Type="String")
    ssm.put_parameter(Name="/secret", Value=SECRET, Type="SecureString")
    create("crm", {"Resources": {"Queue": QUEUE}})
    stack = read("crm")

    assert resolved(stack, "{{resolve:ssm:/team:1}}") == "crm"
    assert resolved(stack, "{{resolve:ssm:/secret}}") == Unknown("SSM parameter /secret is a SecureString")
    gone = resolved(stack, "{{resolve:ssm:/gone}}")
    assert isinstance(gone, Unknown)
    assert gone.failed


def test_a_stack_that_is_being_changed_can_not_be_compared() -> None:
    create("crm", {"Resources": {"Queue": QUEUE}})
    for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"):
        with pytest.raises(CannotTellError, match=status):
            read("crm", StackStatus=status)


def test_a_refused_call_is_reported_with_its_own_message() -> None:
    with pytest.raises(CannotTellError, match="no-such-stack"):
        Account(boto3.Session()).stacks("no-such-stack")


@pytest.mark.parametrize(("given", "passes_on"), [("true", True), ("false", False)])
def test_the_providers_stack_tells_whether_it_propagates_stack_tags(given: str, passes_on: bool) -> None:
    parameters = {"PropagateStackTags": {"Type": "String"}}
    token = "arn:aws:lambda:eu-central-1:123456789012:function:provider"
    output = {"Value": token, "Export": {"Name": "provider-ServiceToken"}}
    template = {"Parameters": parameters, "Resources": {"Queue": QUEUE}, "Outputs": {"ServiceToken": output}}
    create("provider", template, PropagateStackTags=given)

    account = Account(boto3.Session())

    assert account.passes_stack_tags_on(token) is passes_on
    assert account.passes_stack_tags_on(f"{token}-of-somebody-else") is None
