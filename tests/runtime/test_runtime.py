"""In Lambda's own runtime: the deadline, answers that are refused, and environments that handle many events."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from local.artifact import Artifact
from local.runtime import Runtime
from tests.handler.cloudformation import Mailbox, event
from tests.runtime.api import Api

SECONDS = 6  # the function's timeout here; a fifth of it must be enough for the answer, even on a slow machine
PROPERTIES = {"DomainName": "customers", "DefaultExpirationDays": 30}

Start = Callable[..., AbstractContextManager[Runtime]]


@pytest.fixture
def start(project: Artifact, api: Api) -> Start:
    """Starts an execution environment, with further environment variables as keyword arguments."""

    def start(seconds: int = SECONDS, **environment: str) -> Runtime:
        variables = {"AWS_ENDPOINT_URL_CUSTOMER_PROFILES": api.url, **environment}
        return Runtime(project.folder, project.handler, environment=variables, seconds=seconds)

    return start


@pytest.fixture
def runtime(start: Start) -> Iterator[Runtime]:
    with start() as runtime:
        yield runtime


def deliver(runtime: Runtime, mailbox: Mailbox, sent: dict[str, Any]) -> dict[str, Any]:
    """Invoke the function. Returns its answer, after checking that there is only one and that it was returned, too."""
    sent = {**sent, "ResponseURL": mailbox.url()}
    returned = runtime.invoke(sent)
    answers = mailbox.taken(sent["RequestId"])
    assert answers == [returned], runtime.log
    (put,) = (put for put in mailbox.puts if put.status == 200 and put.answer["RequestId"] == sent["RequestId"])
    assert sent["ResponseURL"].endswith(put.path), "an answer in another event's place"
    assert [answers[0][key] for key in ("StackId", "LogicalResourceId")] == [
        sent[key] for key in ("StackId", "LogicalResourceId")
    ]
    return answers[0]


def delete_of(create: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The Delete that CloudFormation sends after that answer to a Create."""
    return event("Delete", create["ResourceProperties"], physical_id=answer["PhysicalResourceId"])


class TestACreateDomainThatHangsPastTheDeadline:
    @pytest.fixture
    def create(self) -> dict[str, Any]:
        return event("Create", PROPERTIES)

    def test_is_answered_failed_before_the_timeout_and_is_carried_out_late(
        self, create: dict[str, Any], runtime: Runtime, api: Api, mailbox: Mailbox
    ) -> None:
        held = api.hold("CreateDomain")

        answer = deliver(runtime, mailbox, create)

        assert answer["Status"] == "FAILED"
        assert "CreateDomain of domain customers" in answer["Reason"]
        assert answer["PhysicalResourceId"] == f"create-unsettled:{create['RequestId']}"
        assert "timed out" not in runtime.log, "Lambda ended the function"

        held.come_through()
        assert "customers" in api.domains
        assert deliver(runtime, mailbox, delete_of(create, answer))["Status"] == "SUCCESS"
        assert not api.domains, "an orphan"
        assert len(mailbox.puts) == 2

    def test_leaves_no_domain_if_the_delete_arrives_before_it_is_carried_out(
        self, create: dict[str, Any], runtime: Runtime, api: Api, mailbox: Mailbox
    ) -> None:
        held = api.hold("CreateDomain")
        answer = deliver(runtime, mailbox, create)
        api.after("GetDomain", held.come_through)

        deleted = deliver(runtime, mailbox, delete_of(create, answer))

        assert deleted["Status"] == "SUCCESS"
        # On a slow machine it looks once more before it deletes.
        calls = [call for call, _ in itertools.groupby(call for call in api.calls if not call.startswith("List"))]
        assert calls == ["CreateDomain", "GetDomain", "DeleteDomain"]
        assert not api.domains, "an orphan"


def test_an_answer_that_is_refused_three_times_is_accepted_once(runtime: Runtime, api: Api, mailbox: Mailbox) -> None:
    mailbox.first += [503, 400, 0]

    answer = deliver(runtime, mailbox, event("Create", PROPERTIES))

    assert answer["Status"] == "SUCCESS"
    assert [put.status for put in mailbox.puts] == [503, 400, 0, 200]
    assert len({put.body for put in mailbox.puts}) == 1
    assert api.calls == ["CreateDomain"]


def test_a_warm_environment_keeps_nothing_of_the_previous_event(runtime: Runtime, api: Api, mailbox: Mailbox) -> None:
    handled: list[dict[str, Any]] = []

    def handle(sent: dict[str, Any], status: str, physical_id: str, *reasons: str) -> None:
        handled.append(sent)
        answer = deliver(runtime, mailbox, sent)
        assert (answer["Status"], answer["PhysicalResourceId"]) == (status, physical_id), answer
        assert all(reason in answer["Reason"] for reason in reasons) if reasons else answer["Reason"] == ""
        is_made = status == "SUCCESS" and sent["RequestType"] != "Delete"
        assert answer["Data"].get("DomainName") == (physical_id if is_made else None)
        assert bool(answer["Data"]) == is_made

    for number in range(5):
        name, logical_id = f"domain-{number}", f"Domain{number}"
        asked = {"DomainName": name, "DefaultExpirationDays": 30, "DeletionProtection": "true"}
        of_this = functools.partial(event, logical_id=logical_id, physical_id=name)

        handle(event("Create", asked, logical_id=logical_id), "SUCCESS", name)
        wrong = event("Create", {"DomainName": name, "DefaultExpirationDays": "many"}, logical_id="Wrong")
        # The event has no date, so it may be a retry: nothing proves that no earlier delivery has made anything.
        handle(wrong, "FAILED", f"create-failed:{wrong['RequestId']}", "DefaultExpirationDays")
        foreign = event("Create", asked, logical_id="Another")
        handle(foreign, "FAILED", f"create-failed:{foreign['RequestId']}", "already exists", logical_id)
        handle(of_this("Update", {**asked, "Tags": {"n": str(number)}}, asked), "SUCCESS", name)
        if number == 2:
            api.hold("GetDomain")
            handle(of_this("Update", asked, asked), "FAILED", name, "GetDomain", "time was up")
        handle(of_this("Update", {**asked, "Tags": {"": ""}}, asked), "FAILED", name, "Tags")
        api.domains[name].profile_count = 7
        handle(of_this("Delete", asked), "FAILED", name, "7 profiles")
        handle(of_this("Delete", {**asked, "DeletionProtection": "false"}), "SUCCESS", name)

    assert not api.domains
    assert len(mailbox.puts) == len(handled), "an answer nobody asked for"
    lines = [json.loads(line) for line in runtime.log.splitlines() if line.startswith("{")]
    for sent in handled:
        of_sent = [line for line in lines if line.get("correlation_id") == sent["RequestId"]]
        assert [line["message"] for line in of_sent].count("event") == 1
        assert [line["message"] for line in of_sent].count("answer") == 1
        for key, expected in {
            "request_type": sent["RequestType"],
            "logical_id": sent["LogicalResourceId"],
            "stack_id": sent["StackId"],
            "domain_name": sent["ResourceProperties"]["DomainName"],
        }.items():
            assert {line[key] for line in of_sent} == {expected}
        assert len({line["aws_request_id"] for line in of_sent}) == 1
        assert all(("outcome" in line) == (line["message"] == "answer") for line in of_sent)
    outcomes = [line for line in lines if "_aws" in line]
    assert len(outcomes) == len(handled)
    assert {len(line.get("SUCCESS", [])) + len(line.get("FAILED", [])) for line in outcomes} == {1}
    assert "Traceback" not in runtime.log


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_no_library_logs_the_response_urls_signature(log_format: str, start: Start, api: Api, mailbox: Mailbox) -> None:
    levels = {"POWERTOOLS_LOG_LEVEL": "DEBUG", "AWS_LAMBDA_LOG_LEVEL": "DEBUG", "AWS_LAMBDA_LOG_FORMAT": log_format}
    nobody_listens = "http://127.0.0.1:9/answers?X-Amz-Signature=its-signature"
    with start(seconds=4, **levels, POWERTOOLS_DEBUG="true") as runtime:
        mailbox.first.append(500)
        deliver(runtime, mailbox, event("Create", PROPERTIES))
        deliver(runtime, mailbox, event("Create", {"DomainName": "customers"}))
        error = runtime.invoke(event("Delete", PROPERTIES, physical_id="customers", response_url=nobody_listens))

        assert error["errorType"] == "AnswerNotTakenError", "Lambda would not run the event again"
        assert '"CreateDomain"' in runtime.log
        assert "DEBUG" in runtime.log, "the log isn't at the level of debugging"
        for secret in ("its-signature", "X-Amz-Signature"):
            assert secret not in runtime.log
            assert secret not in json.dumps(error)
