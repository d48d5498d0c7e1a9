"""By default the provider's template creates nothing that costs money or grants further permissions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any
from uuid import uuid4

import pytest
from cfnlint.decode import decode

from local.engine import ACCOUNT, PROJECT, PROVIDER_STACK, REGION, Engine, EngineError
from tests.end_to_end.stack import failures

pytestmark = pytest.mark.end_to_end

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0d6b9a2e-0000-4000-8000-000000000000"
EVERYTHING = {
    "KeyArns": KEY,
    "PropagateStackTags": "true",
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:operations",
    "Dashboard": "true",
    "Tracing": "Active",
    "SubnetIds": "subnet-0aaaaaaaaaaaaaaaa,subnet-0bbbbbbbbbbbbbbbb",
    "SecurityGroupIds": "sg-0cccccccccccccccc",
}


@dataclass(frozen=True)
class Provider:
    """A deployed provider, and AWS clients to inspect it."""

    engine: Engine
    name: str

    @property
    def outputs(self) -> dict[str, str]:
        return self.engine.outputs(self.name)

    def aws(self, service: str) -> Any:
        return self.engine.client(service)

    def statements(self) -> list[dict[str, Any]]:
        """All that the function's role is allowed."""
        iam, role = self.aws("iam"), self.outputs["RoleArn"].rpartition("/")[2]
        policies = [
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        return [statement for policy in policies for statement in policy["Statement"]]

    def alarms(self) -> list[dict[str, Any]]:
        alarms = self.aws("cloudwatch").describe_alarms()["MetricAlarms"]
        return [alarm for alarm in alarms if self.name in alarm["AlarmName"]]

    def dashboards(self) -> list[str]:
        entries = self.aws("cloudwatch").list_dashboards()["DashboardEntries"]
        return [entry["DashboardName"] for entry in entries if entry["DashboardName"].startswith(self.name)]

    def metrics(self) -> list[dict[str, Any]]:
        """What the function has published, in the embedded metric format."""
        pages = self.engine.logs.get_paginator("filter_log_events").paginate(logGroupName=self.outputs["LogGroup"])
        lines = [event["message"] for page in pages for event in page["events"]]
        return [json.loads(line) for line in lines if line.startswith('{"_aws"')]


@pytest.fixture(scope="module")
def provider(engine: Engine) -> Provider:
    """The provider with the default parameters."""
    return Provider(engine, PROVIDER_STACK)


@pytest.fixture(scope="module")
def provider_with_everything(engine: Engine) -> Iterator[Provider]:
    """A second provider, with all parameters set."""
    name = "provider-with-everything"
    deploy(engine, name, EVERYTHING)
    yield Provider(engine, name)
    list(engine.delete(name))


def deploy(engine: Engine, name: str, parameters: Mapping[str, str]) -> None:
    engine.sam(
        "deploy",
        *("--config-file", str(PROJECT / "samconfig.toml")),
        *("--template-file", str(engine.directory / "build/template.yaml")),
        *("--stack-name", name),
        "--parameter-overrides",
        *(f"{key}={value}" for key, value in {**parameters, "CustomerProfilesEndpoint": engine.stand_in_url}.items()),
    )


def actions(statements: list[dict[str, Any]]) -> set[str]:
    listed = [statement["Action"] for statement in statements]
    return {action for item in listed for action in ([item] if isinstance(item, str) else item)}


def domain(provider: Provider, properties: Mapping[str, Any]) -> dict[str, Any]:
    """A template with a domain that the provider makes."""
    properties = {"ServiceToken": provider.outputs["ServiceToken"], **properties}
    return {"Resources": {"Domain": {"Type": "Custom::CustomerProfilesDomain", "Properties": properties}}}


def test_with_the_defaults_nothing_costs_money_while_idle(provider: Provider) -> None:
    assert provider.alarms() == []
    assert provider.dashboards() == []


def test_the_function_is_in_a_vpc_only_if_the_parameters_name_subnets_and_security_groups() -> None:
    """Read from the template, since the local engine keeps no VpcConfig of a function."""
    template, _ = decode(PROJECT / "template.yaml")

    in_vpc = {name: {"Fn::Split": [",", {"Ref": name}]} for name in ("SubnetIds", "SecurityGroupIds")}
    expected = {"Fn::If": ["HasVpc", in_vpc, {"Ref": "AWS::NoValue"}]}
    assert template["Resources"]["Function"]["Properties"]["VpcConfig"] == expected
    assert template["Parameters"]["SubnetIds"]["Default"] == ""


@pytest.mark.parametrize("only", ["SubnetIds", "SecurityGroupIds"])
def test_subnets_without_security_groups_or_the_reverse_are_refused_at_once(engine: Engine, only: str) -> None:
    with pytest.raises(EngineError, match="SubnetIds and SecurityGroupIds belong together"):
        deploy(engine, "provider-with-half-a-network", {only: EVERYTHING[only]})


def test_network_interfaces_are_made_in_the_named_subnets_and_security_groups_only(
    provider_with_everything: Provider,
) -> None:
    allowed = [
        resource
        for statement in provider_with_everything.statements()
        if statement["Effect"] == "Allow" and "ec2:CreateNetworkInterface" in statement["Action"]
        for resource in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    ]

    assert sorted(allowed) == [
        "arn:aws:ec2:*:*:security-group/sg-0cccccccccccccccc",
        "arn:aws:ec2:*:*:subnet/subnet-0aaaaaaaaaaaaaaaa",
        "arn:aws:ec2:*:*:subnet/subnet-0bbbbbbbbbbbbbbbb",
        f"arn:aws:ec2:{REGION}:{ACCOUNT}:network-interface/*",
    ]


def test_the_functions_own_code_may_not_use_the_permissions_that_lambda_needs_for_the_vpc(
    provider_with_everything: Provider,
) -> None:
    statements = [item for item in provider_with_everything.statements() if "ec2:" in str(item["Action"])]

    [denied] = [item for item in statements if item["Effect"] == "Deny"]
    function = provider_with_everything.outputs["ServiceToken"]
    assert fnmatch(function, denied["Condition"]["ArnLike"]["lambda:SourceFunctionArn"])
    for action in actions([item for item in statements if item["Effect"] == "Allow"]):
        assert fnmatch(action, denied["Action"])


def test_an_event_that_was_not_answered_ends_in_an_encrypted_queue(provider: Provider) -> None:
    config = provider.aws("lambda").get_function_event_invoke_config(
        FunctionName=provider.outputs["ServiceToken"], Qualifier="$LATEST"
    )
    queue = provider.aws("sqs").get_queue_attributes(
        QueueUrl=provider.outputs["UnansweredEvents"], AttributeNames=["QueueArn", "SqsManagedSseEnabled"]
    )["Attributes"]

    assert config["MaximumRetryAttempts"] == 2
    assert config["MaximumEventAgeInSeconds"] == 3600 - 300  # what CloudFormation waits, less the function's time
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == queue["QueueArn"]
    assert queue["SqsManagedSseEnabled"] == "true"


def test_alarms_for_errors_throttles_failures_and_the_queue_notify_the_topic(
    provider_with_everything: Provider,
) -> None:
    alarms = provider_with_everything.alarms()

    assert {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms} == {
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("CustomerProfilesDomain", "FAILED"),
    }
    for alarm in alarms:
        assert alarm["AlarmActions"] == [EVERYTHING["AlarmTopicArn"]]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_the_alarm_on_failures_watches_a_metric_that_a_failure_publishes(
    engine: Engine, provider_with_everything: Provider
) -> None:
    events = list(engine.deploy(f"stack-{uuid4()}", domain(provider_with_everything, {"DomainName": "no days"})))
    assert failures(events)["Domain"]

    alarm = next(alarm for alarm in provider_with_everything.alarms() if alarm["MetricName"] == "FAILED")
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    published = provider_with_everything.metrics()[-1]
    description = published["_aws"]["CloudWatchMetrics"][0]
    assert description["Namespace"] == alarm["Namespace"]
    assert list(dimensions) in description["Dimensions"]
    assert published.items() >= {"FAILED": [1.0], **dimensions}.items()


def test_the_dashboard_is_json_and_searches_for_metrics_that_the_function_publishes(
    engine: Engine, provider_with_everything: Provider
) -> None:
    [name] = provider_with_everything.dashboards()
    body = json.loads(provider_with_everything.aws("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])

    expressions = [
        metric[0]["expression"]
        for widget in body["widgets"]
        for metric in widget["properties"].get("metrics", [])
        if isinstance(metric[0], dict)
    ]
    assert len(expressions) == 3
    for expression in expressions:
        assert "{CustomerProfilesDomain,RequestType,service}" in expression
        assert f'service="{provider_with_everything.name}"' in expression


def test_a_stacks_tags_are_set_on_its_domain_if_the_parameter_says_so(
    engine: Engine, provider_with_everything: Provider
) -> None:
    name, client = f"domain-{uuid4()}", engine.cloudformation
    properties = {"DomainName": name, "DefaultExpirationDays": 30, "Tags": {"Team": "crm"}}
    client.create_stack(
        StackName=name,
        TemplateBody=json.dumps(domain(provider_with_everything, properties)),
        Tags=[{"Key": "Team", "Value": "platform"}, {"Key": "CostCentre", "Value": "4711"}],
    )
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    tags = engine.customer_profiles.get_domain(DomainName=name)["Tags"]
    assert tags.items() >= {"Team": "crm", "CostCentre": "4711"}.items()
    list(engine.delete(name))
