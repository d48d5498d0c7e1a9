"""The built artifact in Lambda's own runtime: it contains everything that any event needs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local import api_calls, events
from local.artifact import PROJECT, Artifact
from local.endpoints import Endpoints
from local.runtime import SAM_PYTHON, Runtime

FULL = {
    "DefaultEncryptionKey": "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000",
    "DeadLetterQueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/queue",
    "Matching": {"Enabled": "true", "JobSchedule": {"DayOfTheWeek": "SUNDAY", "Time": "03:00"}},
    "RuleBasedMatching": {"Enabled": "false"},
    "Tags": [{"Key": "team", "Value": "a"}],
    "AdoptExisting": "true",
    "DeletionProtection": "true",
}


@pytest.fixture
def runtime(project: Artifact, endpoints: Endpoints) -> Iterator[Runtime]:
    endpoints.limit({})
    with Runtime(project.folder, project.handler, environment=endpoints.environment) as runtime:
        yield runtime


def test_every_kind_of_event_succeeds_within_its_limit_of_calls(project: Artifact, endpoints: Endpoints) -> None:
    for counted in api_calls.count(project, endpoints, SAM_PYTHON):
        assert len(counted.made) <= counted.budget, f"{counted.event}: {', '.join(counted.made)}"


def test_the_reduced_model_translates_every_property(runtime: Runtime, endpoints: Endpoints) -> None:
    returned = runtime.invoke(events.create(endpoints.response_url, "full", **FULL))

    assert returned["Status"] == "SUCCESS", returned
    assert endpoints.seen().calls == {"CreateDomain": 1}


def test_wrong_properties_are_refused_with_a_reason_and_without_a_call(runtime: Runtime, endpoints: Endpoints) -> None:
    event = events.create(endpoints.response_url, "wrong", DefaultExpirationDays="9999", Maching={"Enabled": "true"})

    runtime.invoke(event)

    seen = endpoints.seen()
    answer, _ = seen.answers[event["RequestId"]]
    assert answer["Status"] == "FAILED"
    assert "DefaultExpirationDays" in answer["Reason"]
    assert "Matching" in answer["Reason"]
    assert not seen.calls


def test_api_errors_and_throttling_are_answered(runtime: Runtime, endpoints: Endpoints) -> None:
    endpoints.limit({})
    endpoints.throttle(2)
    made = [events.create(endpoints.response_url, f"domain-{number}") for number in range(4)]
    stranger = {**events.create(endpoints.response_url, "domain-0"), "LogicalResourceId": "Another"}

    for event in [*made, stranger]:
        runtime.invoke(event)

    seen = endpoints.seen()
    assert [seen.answers[event["RequestId"]][0]["Status"] for event in made] == ["SUCCESS"] * 4
    assert seen.throttled == 2
    assert "already exists" in seen.answers[stranger["RequestId"]][0]["Reason"]


def test_an_event_that_meets_the_deadline_is_answered(project: Artifact, endpoints: Endpoints, silent_api: str) -> None:
    environment = {**endpoints.environment, "AWS_ENDPOINT_URL_CUSTOMER_PROFILES": silent_api}
    event = events.create(endpoints.response_url, "late")

    with Runtime(project.folder, project.handler, environment=environment, seconds=8) as runtime:
        runtime.invoke(event)

    answer, _ = endpoints.seen().answers[event["RequestId"]]
    assert answer["Status"] == "FAILED"
    assert "CreateDomain" in answer["Reason"]


def test_a_refused_answer_is_sent_again(runtime: Runtime, endpoints: Endpoints) -> None:
    event = events.create(endpoints.response_url, "refused")
    endpoints.refuse_answers(3)

    runtime.invoke(event)

    seen = endpoints.seen()
    assert seen.refused == 3
    assert seen.answers[event["RequestId"]][0]["Status"] == "SUCCESS"


def test_a_warm_environment_keeps_no_data_of_the_previous_event(runtime: Runtime, endpoints: Endpoints) -> None:
    refused = events.create(endpoints.response_url, "first", DefaultExpirationDays="many", Tags={"team": "a"})
    made = events.create(endpoints.response_url, "second")

    for event in [refused, made] * 10:
        runtime.invoke(event)

    answers = endpoints.seen().answers
    assert "DefaultExpirationDays" in answers[refused["RequestId"]][0]["Reason"]
    assert answers[refused["RequestId"]][0]["Data"] == {}
    answer, _ = answers[made["RequestId"]]
    assert (answer["Status"], answer["Reason"], answer["PhysicalResourceId"]) == ("SUCCESS", "", "second")
    logged = [json.loads(line) for line in runtime.log.splitlines() if line.startswith("{")]
    of_made = [line for line in logged if line.get("correlation_id") == made["RequestId"]]
    assert {line["domain_name"] for line in of_made} == {"second"}


def test_the_response_url_is_not_logged_at_any_level(project: Artifact, endpoints: Endpoints) -> None:
    endpoints.limit({})
    environment = {**endpoints.environment, "POWERTOOLS_LOG_LEVEL": "DEBUG", "POWERTOOLS_DEBUG": "true"}

    with Runtime(project.folder, project.handler, environment=environment) as runtime:
        runtime.invoke(events.create(endpoints.response_url, "secret"))

        assert "CreateDomain" in runtime.log
        assert "X-Amz-Signature" not in runtime.log


def test_the_tags_of_a_stack_are_set_on_the_domain(project: Artifact, endpoints: Endpoints, stand_in: str) -> None:
    """With PropagateStackTags the function has a second client, for a service with another protocol."""
    client: Any = boto3.client("cloudformation", endpoint_url=stand_in, region_name="eu-central-1")
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    tags = [{"Key": "cost-centre", "Value": "42"}]
    stack = client.create_stack(StackName="stack", TemplateBody=template, Tags=tags)["StackId"]
    environment = {
        "AWS_ENDPOINT_URL_CUSTOMER_PROFILES": stand_in,
        "AWS_ENDPOINT_URL_CLOUDFORMATION": stand_in,
        "PROPAGATE_STACK_TAGS": "true",
    }
    event = {**events.create(endpoints.response_url, "tagged"), "StackId": stack}

    with Runtime(project.folder, project.handler, environment={**endpoints.environment, **environment}) as runtime:
        returned = runtime.invoke(event)

    assert returned["Status"] == "SUCCESS", returned
    api: Any = boto3.client("customer-profiles", endpoint_url=stand_in, region_name="eu-central-1")
    assert api.get_domain(DomainName="tagged")["Tags"]["cost-centre"] == "42"


@pytest.fixture
def stand_in() -> Iterator[str]:
    """The stand-in for Customer Profiles, and moto's CloudFormation."""
    command = [sys.executable, "-m", "local.server", "--port", "0"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@pytest.fixture
def silent_api() -> Iterator[str]:
    """An API that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
