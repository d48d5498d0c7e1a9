"""Every example in examples/ is deployed unchanged on the local engine, and does what its comments say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cfnlint.decode import cfn_yaml

from local.authorization import EnginePolicies
from local.customerprofiles.access import ServiceRequest
from local.engine import ACCOUNT, ENVIRONMENTS, PROJECT, REGION, Engine, StackEvent

pytestmark = pytest.mark.end_to_end

EXAMPLES = PROJECT / "examples"


class Stack:
    """A stack made from an example."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = f"example-{uuid4()}"

    def deploy(self, template: str | Mapping[str, object], parameters: Mapping[str, str] | None = None) -> None:
        events = list(self.engine.deploy(self.name, template, parameters))
        assert not failures(events)

    def delete(self) -> None:
        assert not failures(list(self.engine.delete(self.name)))

    def outputs(self) -> dict[str, str]:
        return self.engine.outputs(self.name)

    def physical_id(self, logical_id: str) -> str:
        resource = self.engine.cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return resource["StackResourceDetail"]["PhysicalResourceId"]


@pytest.fixture
def stack(engine: Engine) -> Iterator[Stack]:
    stack = Stack(engine)
    yield stack
    if engine.status(stack.name):
        stack.delete()
    client = engine.customer_profiles
    for item in client.list_domains()["Items"]:  # what an example retains
        client.delete_domain(DomainName=item["DomainName"])


def failures(events: list[StackEvent]) -> dict[str, str]:
    return {event.logical_id: event.reason for event in events if event.failed}


def source(name: str) -> str:
    return (EXAMPLES / name).read_text()


def protected(template: str, value: str) -> str:
    days = "DefaultExpirationDays: 366\n"
    assert days in template
    return template.replace(days, f"{days}      DeletionProtection: {value}\n")


def domain_names(engine: Engine) -> set[str]:
    return {item["DomainName"] for item in engine.customer_profiles.list_domains()["Items"]}


def aws(engine: Engine, service: str) -> Any:
    return engine.client(service)


def test_minimal_creates_a_domain(engine: Engine, stack: Stack) -> None:
    stack.deploy(source("minimal.yaml"))

    assert stack.outputs()["DomainName"] == "amazon-connect-shop"
    assert domain_names(engine) == {"amazon-connect-shop"}


def test_identity_resolution_is_set_up_with_the_key_the_queue_and_the_bucket(engine: Engine, stack: Stack) -> None:
    stack.deploy(source("identity-resolution.yaml"))

    domain = engine.customer_profiles.get_domain(DomainName="amazon-connect-shop")
    assert domain["DefaultEncryptionKey"].endswith(f":{ACCOUNT}:key/{stack.physical_id('Key')}")
    assert domain["DeadLetterQueueUrl"] == stack.outputs()["DeadLetters"]
    matching, by_rules = domain["Matching"], domain["RuleBasedMatching"]
    assert matching["Enabled"]
    assert matching["JobSchedule"] == {"DayOfTheWeek": "SUNDAY", "Time": "03:00"}
    assert matching["AutoMerging"]["MinAllowedConfidenceScoreForMerging"] == 0.9
    assert by_rules["Enabled"]
    assert by_rules["MatchingRules"][0] == {"Rule": ["AccountNumber"]}
    buckets = [feature["ExportingConfig"]["S3Exporting"]["S3BucketName"] for feature in (matching, by_rules)]
    assert buckets == [stack.outputs()["Exports"]] * 2


def test_identity_resolution_allows_customer_profiles_only_for_its_own_domain(engine: Engine, stack: Stack) -> None:
    stack.deploy(source("identity-resolution.yaml"))

    outputs, policies = stack.outputs(), EnginePolicies(engine.endpoint_url)
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{stack.physical_id('Key')}"
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{outputs['DeadLetters'].rpartition('/')[2]}"
    needed = [
        *(("kms:CreateGrant", key), ("kms:Decrypt", key), ("kms:GenerateDataKey", key)),
        *(("sqs:SendMessage", queue), ("s3:PutObject", f"arn:aws:s3:::{outputs['Exports']}/matching/1")),
    ]
    domain = outputs["DomainArn"]
    other_domain, other_account = f"{domain}-2", domain.replace(ACCOUNT, "999999999999")
    for action, resource in needed:
        assert policies.allow(ServiceRequest(action, resource, domain, ACCOUNT))
        assert not policies.allow(ServiceRequest(action, resource, other_domain, ACCOUNT))
        assert not policies.allow(ServiceRequest(action, resource, other_account, "999999999999"))
        assert not policies.allow(ServiceRequest(action, resource, domain, "999999999999"))
    for action, resource in [("kms:PutKeyPolicy", key), ("sqs:ReceiveMessage", queue), ("s3:GetObject", needed[-1][1])]:
        assert not policies.allow(ServiceRequest(action, resource, domain, ACCOUNT))


def test_identity_resolution_allows_the_provider_to_use_its_key_as_the_parameter_key_arns_does() -> None:
    def allowed(statements: list[dict[str, Any]]) -> set[str]:
        return {json.dumps((statement["Action"], statement["Condition"])) for statement in statements}

    provider = cfn_yaml.load(str(PROJECT / "template.yaml"))["Resources"]["Role"]["Properties"]["Policies"]
    by_parameter = next(policy["Fn::If"][1] for policy in provider if policy.get("Fn::If", [""])[0] == "HasKeys")
    key = cfn_yaml.load(str(EXAMPLES / "identity-resolution.yaml"))["Resources"]["Key"]["Properties"]["KeyPolicy"]
    to_provider = [each for each in key["Statement"] if "Fn::ImportValue" in each["Principal"].get("AWS", {})]
    assert allowed(to_provider) == allowed(by_parameter["PolicyDocument"]["Statement"])


def test_identity_resolution_keeps_queue_and_bucket_encrypted_and_the_bucket_private(
    engine: Engine, stack: Stack
) -> None:
    stack.deploy(source("identity-resolution.yaml"))

    bucket, s3 = stack.outputs()["Exports"], aws(engine, "s3")
    access = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert len(access) == 4
    assert all(access.values())
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    queue = aws(engine, "sqs").get_queue_attributes(
        QueueUrl=stack.outputs()["DeadLetters"], AttributeNames=["SqsManagedSseEnabled"]
    )
    assert queue["Attributes"]["SqsManagedSseEnabled"] == "true"


def test_identity_resolution_and_its_resources_stay_after_the_stack_is_deleted(engine: Engine, stack: Stack) -> None:
    stack.deploy(source("identity-resolution.yaml"))
    outputs, key = stack.outputs(), stack.physical_id("Key")

    stack.delete()

    assert domain_names(engine) == {"amazon-connect-shop"}
    assert aws(engine, "kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert aws(engine, "sqs").get_queue_attributes(QueueUrl=outputs["DeadLetters"], AttributeNames=["Policy"])
    assert aws(engine, "s3").get_bucket_policy(Bucket=outputs["Exports"])


def test_a_protected_domain_with_data_stays_until_it_is_deleted_by_hand(engine: Engine, stack: Stack) -> None:
    stack.deploy(protected(source("minimal.yaml"), "true"))
    engine.customer_profiles.create_profile(DomainName="amazon-connect-shop", FirstName="Ada")

    refused = failures(list(engine.delete(stack.name)))
    assert "holds 1 profiles and 0 objects" in refused["Domain"]
    assert domain_names(engine) == {"amazon-connect-shop"}

    # CloudFormation updates no stack that it failed to delete.
    engine.customer_profiles.delete_domain(DomainName="amazon-connect-shop")
    stack.delete()


def test_a_protected_domain_with_data_is_deleted_once_the_template_allows_it(engine: Engine, stack: Stack) -> None:
    stack.deploy(protected(source("minimal.yaml"), "true"))
    engine.customer_profiles.create_profile(DomainName="amazon-connect-shop", FirstName="Ada")

    stack.deploy(protected(source("minimal.yaml"), "false"))
    stack.delete()

    assert domain_names(engine) == set()


def test_adopt_takes_over_a_domain_and_keeps_it_after_the_stack_is_deleted(engine: Engine, stack: Stack) -> None:
    client, name = engine.customer_profiles, "amazon-connect-my-instance"
    client.create_domain(DomainName=name, DefaultExpirationDays=90, Tags={"MadeBy": "website"})
    client.create_profile(DomainName=name, FirstName="Ada")
    before = client.get_domain(DomainName=name)

    stack.deploy(source("adopt.yaml"))

    adopted = client.get_domain(DomainName=name)
    assert adopted["CreatedAt"] == before["CreatedAt"]
    assert adopted["DefaultExpirationDays"] == 366
    assert adopted["Tags"].items() >= {("MadeBy", "website"), ("Team", "crm")}
    assert stack.outputs()["ProfileCount"] == "1"

    stack.delete()

    assert client.get_domain(DomainName=name)["Stats"]["ProfileCount"] == 1


def test_other_resources_get_the_outputs(engine: Engine, stack: Stack) -> None:
    stack.deploy(without_native_types(source("outputs.yaml")))

    outputs = stack.outputs()
    parameter = aws(engine, "ssm").get_parameter(Name="/customer-profiles/loyalty/domain-name")["Parameter"]
    role = aws(engine, "iam").get_role_policy(RoleName=stack.physical_id("ReaderRole"), PolicyName="ReadDomain")
    exports = {export["Name"]: export["Value"] for export in engine.cloudformation.list_exports()["Exports"]}
    assert (
        parameter["Value"] == outputs["DomainName"] == exports[f"{stack.name}-DomainName"] == "amazon-connect-loyalty"
    )
    assert role["PolicyDocument"]["Statement"][0]["Resource"] == [outputs["DomainArn"], f"{outputs['DomainArn']}/*"]
    assert outputs["Usage"] == "0 profiles and 0 objects in 0 bytes"


def test_many_domains_match_the_list_and_keep_the_data_of_removed_entries(engine: Engine, stack: Stack) -> None:
    template = source("many-domains.yaml")

    stack.deploy(template)
    assert domain_names(engine) == brands("alpine", "coastal", "urban")
    assert stack.outputs()["DomainArncoastal"].endswith(":domains/amazon-connect-coastal")

    stack.deploy(template, {"Brands": "alpine,urban,river"})
    assert domain_names(engine) == {
        "amazon-connect-alpine",
        "amazon-connect-coastal",
        "amazon-connect-urban",
        "amazon-connect-river",
    }
    assert "DomainArncoastal" not in stack.outputs()


def test_terraforms_stack_creates_the_domain_named_by_its_parameter(engine: Engine, stack: Stack) -> None:
    stack.deploy(source("terraform/domain.yaml"), {"DomainName": "amazon-connect-web-shop"})

    assert stack.outputs()["DomainName"] == "amazon-connect-web-shop"
    assert domain_names(engine) == {"amazon-connect-web-shop"}


@pytest.mark.skipif(not shutil.which("node"), reason="the CDK needs node on the PATH")
@pytest.mark.skipif(not (ENVIRONMENTS / "cdk/.complete").exists(), reason="make .venv/cdk/.complete was not run")
def test_the_cdk_app_is_synthesised_and_its_stack_creates_the_domain(
    engine: Engine, stack: Stack, tmp_path: Path
) -> None:
    subprocess.run(
        [ENVIRONMENTS / "cdk/bin/python", EXAMPLES / "cdk/app.py"],
        check=True,
        env=os.environ | {"CDK_OUTDIR": str(tmp_path), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1"},
        timeout=300,
    )
    # What `cdk bootstrap` leaves in an account.
    aws(engine, "ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")

    stack.deploy((tmp_path / "WebShopCustomerProfiles.template.json").read_text())

    assert stack.outputs()["DomainName"] == "amazon-connect-web-shop"
    assert engine.customer_profiles.get_domain(DomainName="amazon-connect-web-shop")["Matching"]["Enabled"]


def test_every_example_is_tested() -> None:
    tried = Path(__file__).read_text()
    found = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*") if path.suffix in (".yaml", ".py")}
    assert [name for name in found if f'"{name}"' not in tried] == []


def brands(*names: str) -> set[str]:
    return {f"amazon-connect-{name}" for name in names}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def without_native_types(template: str) -> dict[str, Any]:
    """The template without AWS::CustomerProfiles::*, which the local engine can't deploy; cfn-lint checks them."""
    parsed = json.loads(json.dumps(cfn_yaml.loads(template)))
    native = [name for name, item in parsed["Resources"].items() if item["Type"].startswith("AWS::CustomerProfiles::")]
    assert native
    for name in native:
        del parsed["Resources"][name]
    return dict(parsed)
