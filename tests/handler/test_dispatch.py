"""Dispatch with crhelper: every event is answered once. TestGaps has each default of crhelper that is not used."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from crhelper import CfnResource

from handler import app
from handler.answer import AnswerNotTakenError
from handler.dispatch import CustomResource, Handler, Invocation, Outcome
from handler.domains import ApiError
from handler.event import Event
from tests.handler.cloudformation import Context, Function, Mailbox, another_environment, event
from tests.handler.faults import Clock, Wire

PROJECT = Path(__file__).resolve().parents[2]
PROPERTIES = {"DomainName": "customers", "DefaultExpirationDays": 30}


def returns_its_name(event: Event, invocation: Invocation) -> Outcome:
    return Outcome("customers")


def resource_with(handler: Handler = returns_its_name) -> CustomResource:
    """A custom resource with one handler for all its events."""
    resource = CustomResource()
    for register in (resource.create, resource.update, resource.delete):
        register(handler)
    return resource


@pytest.fixture
def context(clock: Clock) -> Context:
    return Context(clock)


def sent(request_type: str, mailbox: Mailbox, **changes: Any) -> dict[str, Any]:
    physical_id = None if request_type == "Create" else "customers"
    made = event(request_type, PROPERTIES, physical_id=physical_id, response_url=mailbox.url())
    return {**made, **changes}


def the_answer(mailbox: Mailbox) -> dict[str, Any]:
    (put,) = mailbox.puts
    return put.answer


class TestThePin:
    """For another version of crhelper, review its two files and the tests below."""

    def test_the_version_is_the_one_that_was_reviewed(self) -> None:
        assert importlib.metadata.version("crhelper") == "2.0.12"

    @pytest.mark.parametrize("lock", ["handler/requirements.txt", "requirements/test.txt"])
    def test_the_locks_have_that_version(self, lock: str) -> None:
        assert re.search(r"^crhelper==2\.0\.12( |$)", (PROJECT / lock).read_text(), re.MULTILINE)


def test_crhelper_dispatches_every_event(mailbox: Mailbox, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatched = []
    dispatch = CfnResource.__call__

    def observed(resource: CfnResource, event: dict[str, Any], context: Any) -> None:
        dispatched.append(event["RequestType"])
        dispatch(resource, event, context)

    monkeypatch.setattr(CfnResource, "__call__", observed)
    for request_type in ("Create", "Update", "Delete"):
        resource_with()(sent(request_type, mailbox), context)

    assert dispatched == ["Create", "Update", "Delete"]


class TestGaps:
    """What crhelper 2.0.12 does by default and this function does not. test_deadline.py tests its timer."""

    def test_its_three_clients_are_not_created(self) -> None:
        assert clients_made_by("import handler.app") == ["customer-profiles"]

    @pytest.mark.parametrize("value", [None, "true"])
    def test_the_environment_variables_do_not_change(self, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_SAM_LOCAL", raising=False)
        if value:
            monkeypatch.setenv("AWS_SAM_LOCAL", value)

        CustomResource()

        assert os.environ.get("AWS_SAM_LOCAL") == value

    def test_an_event_creates_no_client(
        self, function: Function, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(boto3, "client", lambda *_, **__: pytest.fail("another client"))

        assert function.invoke(sent("Create", mailbox)).answer["Status"] == "SUCCESS"

    def test_a_delete_does_not_sleep_before_it_answers(self, mailbox: Mailbox, context: Context) -> None:
        started = time.monotonic()

        resource_with()(sent("Delete", mailbox), context)

        assert the_answer(mailbox)["Status"] == "SUCCESS"
        assert time.monotonic() - started < 60, "crhelper sleeps for two minutes"

    @pytest.mark.parametrize("status", [400, 403, 500])
    def test_an_answer_counts_as_sent_only_after_it_was_accepted(
        self, status: int, mailbox: Mailbox, context: Context
    ) -> None:
        mailbox.first.append(status)

        resource_with()(sent("Create", mailbox), context)

        assert [put.status for put in mailbox.puts] == [status, 200]

    def test_a_failing_put_is_not_retried_for_ever(self, function: Function, mailbox: Mailbox, clock: Clock) -> None:
        mailbox.first += [500] * 1000
        start = clock.now

        delivery = function.invoke(sent("Create", mailbox), seconds=60)

        assert type(delivery.error).__name__ == "AnswerNotTakenError", "Lambda runs the event again, and it is settled"
        assert clock.now - start < 60
        mailbox.first.clear()

    def test_a_reason_keeps_its_beginning_and_far_more_than_240_characters(
        self, mailbox: Mailbox, context: Context
    ) -> None:
        def fails(event: Event, invocation: Invocation) -> Outcome:
            raise ApiError("The beginning. " + "x" * 1000 + " The end.", unsettled=False)

        resource_with(fails)(sent("Create", mailbox), context)

        reason = the_answer(mailbox)["Reason"]
        assert reason.startswith("The beginning.")
        assert reason.endswith("The end.")

    def test_the_answer_has_at_most_4096_bytes(self, mailbox: Mailbox, context: Context) -> None:
        def fails(event: Event, invocation: Invocation) -> Outcome:
            raise ApiError("é" * 5000, unsettled=False)

        resource_with(fails)(sent("Create", mailbox), context)

        assert 3000 < len(mailbox.puts[0].body) <= 4096

    def test_crhelper_logs_neither_the_url_nor_the_properties(
        self, mailbox: Mailbox, context: Context, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, "crhelper")
        secret = sent("Create", mailbox, ResponseURL=mailbox.url("its-signature"))
        secret["ResourceProperties"]["Tags"] = {"password": "a NoEcho parameter"}

        resource_with()(secret, context)

        assert any(record.name.startswith("crhelper") for record in caplog.records), (
            "it does log, and this test sees it"
        )
        assert "its-signature" not in caplog.text
        assert "NoEcho parameter" not in caplog.text

    def test_the_root_logger_keeps_its_level_and_its_formatters(
        self, mailbox: Mailbox, context: Context, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO + 1)
        formatters = [handler.formatter for handler in logging.root.handlers]

        resource_with()(sent("Create", mailbox), context)

        assert logging.root.level == logging.INFO + 1
        assert [handler.formatter for handler in logging.root.handlers] == formatters

    def test_the_loggers_of_boto_keep_following_the_root_logger(self, mailbox: Mailbox, context: Context) -> None:
        resource_with()(sent("Create", mailbox), context)

        for name in ("boto3", "botocore", "urllib3"):
            assert logging.getLogger(name).level == logging.NOTSET

    def test_crhelper_does_not_log_an_error_a_second_time(
        self, mailbox: Mailbox, context: Context, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fails(event: Event, invocation: Invocation) -> Outcome:
            raise KeyError("a bug")

        resource_with(fails)(sent("Create", mailbox), context)

        assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == [
            "CustomerProfilesDomain"
        ]

    def test_no_second_thread_waits_for_the_deadline(self, mailbox: Mailbox, context: Context) -> None:
        before = set(threading.enumerate())  # pytest has a timer of its own
        threads: list[threading.Thread] = []

        def looks(event: Event, invocation: Invocation) -> Outcome:
            threads.extend(thread for thread in threading.enumerate() if isinstance(thread, threading.Timer))
            return Outcome("customers")

        resource_with(looks)(sent("Create", mailbox), context)

        assert not set(threads) - before

    def test_an_unpaired_surrogate_does_not_lose_the_stack_id_or_request_id(
        self, mailbox: Mailbox, context: Context
    ) -> None:
        def fails(event: Event, invocation: Invocation) -> Outcome:
            raise ApiError("\ud800", unsettled=False)

        asked = sent("Update", mailbox)
        resource_with(fails)(asked, context)

        answer = the_answer(mailbox)
        assert (answer["Reason"], answer["StackId"]) == ("\ud800", asked["StackId"])
        assert (answer["RequestId"], answer["PhysicalResourceId"]) == (asked["RequestId"], "customers")

    def test_the_answer_goes_out_over_plain_http_too(self, mailbox: Mailbox, context: Context) -> None:
        asked = sent("Create", mailbox)
        assert asked["ResponseURL"].startswith("http://")

        resource_with()(asked, context)

        assert the_answer(mailbox)["Status"] == "SUCCESS"

    def test_a_failed_event_gets_no_physical_id_that_could_be_a_domain_name(
        self, mailbox: Mailbox, context: Context
    ) -> None:
        def fails(event: Event, invocation: Invocation) -> Outcome:
            raise ValueError("a bug")

        for request_type in ("Create", "Update", "Delete"):
            mailbox.puts.clear()
            asked = sent(request_type, mailbox)
            asked.pop("PhysicalResourceId", None)

            resource_with(fails)(asked, context)

            assert the_answer(mailbox)["PhysicalResourceId"] == f"create-failed:{asked['RequestId']}"


class TestEveryEventIsAnswered:
    @pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
    def test_a_bug_in_a_handler_is_answered_failed(self, request_type: str, mailbox: Mailbox, context: Context) -> None:
        def fails(event: Event, invocation: Invocation) -> Outcome:
            raise KeyError("a bug")

        returned = resource_with(fails)(sent(request_type, mailbox), context)

        answer = the_answer(mailbox)
        assert returned == answer
        assert answer["Status"] == "FAILED"
        assert "KeyError: 'a bug'" in answer["Reason"]
        assert "log" in answer["Reason"]

    def test_an_infinite_recursion_is_answered_failed(self, mailbox: Mailbox, context: Context) -> None:
        def fails(event: Event, invocation: Invocation) -> Outcome:
            return fails(event, invocation)

        resource_with(fails)(sent("Create", mailbox), context)

        assert "RecursionError" in the_answer(mailbox)["Reason"]

    @pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
    def test_after_an_error_at_the_start_every_event_is_answered(
        self, request_type: str, mailbox: Mailbox, context: Context
    ) -> None:
        resource = resource_with(lambda event, invocation: pytest.fail("the handler ran"))
        resource.init_failure(RuntimeError("no credentials"))

        for _ in range(2):
            mailbox.puts.clear()
            asked = sent(request_type, mailbox)
            resource(asked, context)

            answer = the_answer(mailbox)
            assert answer["Status"] == "FAILED"
            assert "no credentials" in answer["Reason"]
            expected = f"create-failed:{asked['RequestId']}" if request_type == "Create" else "customers"
            assert answer["PhysicalResourceId"] == expected

    def test_after_an_error_at_the_start_the_delete_after_a_create_that_made_nothing_succeeds(
        self, mailbox: Mailbox, context: Context
    ) -> None:
        resource = resource_with(lambda event, invocation: pytest.fail("the handler ran"))
        resource.init_failure(RuntimeError("no credentials"))

        resource(sent("Delete", mailbox, PhysicalResourceId="create-made-nothing:1"), context)

        answer = the_answer(mailbox)
        assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", "create-made-nothing:1")

    def test_without_a_client_every_event_is_answered(
        self, mailbox: Mailbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: Any, **__: Any) -> Any:
            raise RuntimeError("there is no region")

        monkeypatch.setattr(boto3, "client", fails)
        no_client: Any = None
        module = another_environment(no_client)

        delivery = Function(clock, mailbox, module).invoke(sent("Create", mailbox))

        assert delivery.answer["Status"] == "FAILED"
        assert "there is no region" in delivery.answer["Reason"]

    FIELDS = ("RequestType", "RequestId", "StackId", "LogicalResourceId")

    @pytest.mark.parametrize("field", FIELDS)
    @pytest.mark.parametrize("value", [None, "", 7, [], {}, "Poll", "create_func", "\ud800"])
    def test_an_event_with_a_field_that_is_missing_empty_or_of_the_wrong_type(
        self, field: str, value: Any, mailbox: Mailbox, context: Context
    ) -> None:
        asked = sent("Create", mailbox, **{field: value})
        if value is None:
            del asked[field]
        resource = resource_with()

        returned = resource(asked, context)

        answer = the_answer(mailbox)
        assert returned == answer
        is_well_formed = field != "RequestType" and isinstance(value, str) and value
        assert answer["Status"] == ("SUCCESS" if is_well_formed else "FAILED")
        assert is_well_formed or field in answer["Reason"]
        assert answer["PhysicalResourceId"]
        for kept in set(self.FIELDS[1:]) - {field}:
            assert answer[kept] == asked[kept]

    @pytest.mark.parametrize("field", ["ResourceProperties", "OldResourceProperties", "PhysicalResourceId"])
    @pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
    def test_an_event_with_other_fields_of_any_type(
        self, request_type: str, field: str, wire: Wire, mailbox: Mailbox, clock: Clock
    ) -> None:
        values: list[Any] = [None, "", 7, [], {}, "text", ["list"], {"DomainName": ["x"]}, {"ServiceTimeout": {}}]
        for value in values:
            mailbox.puts.clear()
            asked = {**sent(request_type, mailbox), "OldResourceProperties": PROPERTIES, field: value}
            if value is None:
                del asked[field]

            returned = app.lambda_handler(asked, Context(clock))

            answer = the_answer(mailbox)
            assert returned == answer
            assert answer["Status"] in ("SUCCESS", "FAILED")
            assert answer["PhysicalResourceId"]
            assert "error of its own" not in answer["Reason"], value

    @pytest.mark.parametrize("url", [None, "", "http://pre-signed-S3-url-for-response"])
    def test_no_response_url_is_an_error_and_nothing_is_done(
        self, url: str | None, wire: Wire, clock: Clock, mailbox: Mailbox
    ) -> None:
        with pytest.raises(ValueError, match="ResponseURL"):
            app.lambda_handler(sent("Create", mailbox, ResponseURL=url), Context(clock))

        assert wire.attempts == []

    def test_without_response_url_sam_local_shows_the_answer(
        self, mailbox: Mailbox, context: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SAM_LOCAL", "true")
        asked = sent("Create", mailbox)
        del asked["ResponseURL"]

        returned = resource_with()(asked, context)

        assert (returned["Status"], returned["PhysicalResourceId"]) == ("SUCCESS", "customers")
        assert mailbox.puts == []

    def test_with_response_url_sam_local_answers_as_lambda_does(
        self, mailbox: Mailbox, context: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SAM_LOCAL", "true")

        returned = resource_with()(sent("Create", mailbox), context)

        assert returned == the_answer(mailbox)

    @pytest.mark.parametrize("url", ["...", "https://", "http://no-such-host", 7])
    @pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
    def test_a_response_url_that_cannot_be_one_is_given_up_at_once_with_the_answer_in_the_error(
        self, request_type: str, url: Any, mailbox: Mailbox, context: Context, clock: Clock
    ) -> None:
        def fails(event: Event, invocation: Invocation) -> Outcome:
            raise ApiError("The domain is gone", unsettled=False)

        with pytest.raises(AnswerNotTakenError, match="FAILED The domain is gone"):
            resource_with(fails)(sent(request_type, mailbox, ResponseURL=url), context)

        assert clock.pauses == []

    @pytest.mark.parametrize("url", ["...", "https://", "http://pre-signed-S3-url-for-response", 7])
    def test_run_locally_the_answer_is_returned_although_the_response_url_cannot_be_one(
        self, url: Any, mailbox: Mailbox, context: Context, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SAM_LOCAL", "true")

        returned = resource_with()(sent("Create", mailbox, ResponseURL=url), context)

        assert (returned["Status"], returned["PhysicalResourceId"]) == ("SUCCESS", "customers")
        assert clock.pauses == []

    def test_run_locally_the_answer_is_returned_after_seconds_if_nobody_accepts_it(
        self, mailbox: Mailbox, context: Context, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SAM_LOCAL", "true")
        mailbox.first += [404] * 1000
        start = clock.now

        returned = resource_with()(sent("Create", mailbox), context)

        assert returned["Status"] == "SUCCESS"
        assert clock.now - start < 11
        mailbox.first.clear()

    def test_an_answer_contains_nothing_of_the_previous_event(self, mailbox: Mailbox, context: Context) -> None:
        resource = CustomResource()

        @resource.create
        def create(event: Event, invocation: Invocation) -> Outcome:
            return Outcome("first", {"Output": "of the first"})

        @resource.update
        def update(event: Event, invocation: Invocation) -> Outcome:
            raise ApiError("the second's error", unsettled=False)

        @resource.delete
        def delete(event: Event, invocation: Invocation) -> Outcome:
            return Outcome(event.physical_id)

        answers = [resource(sent(each, mailbox), context) for each in ("Create", "Update", "Delete")]

        assert [answer["Data"] for answer in answers] == [{"Output": "of the first"}, {}, {}]
        assert [answer["Reason"] for answer in answers] == ["", "the second's error", ""]
        assert [answer["PhysicalResourceId"] for answer in answers] == ["first", "customers", "customers"]

    def test_a_failed_event_gets_no_data(self, mailbox: Mailbox, context: Context) -> None:
        resource = CustomResource()

        @resource.create
        def create(event: Event, invocation: Invocation) -> Outcome:
            return Outcome("customers", {"Output": "of another event"})

        @resource.update
        def update(event: Event, invocation: Invocation) -> Outcome:
            raise ApiError("failed", unsettled=False)

        resource(sent("Create", mailbox), context)
        mailbox.puts.clear()

        resource(sent("Update", mailbox), context)

        assert the_answer(mailbox)["Data"] == {}


COUNT_CLIENTS = """
import json, boto3, botocore.session
made, create = [], botocore.session.Session.create_client
def create_client(self, name, *arguments, **more):
    made.append(name)
    return create(self, name, *arguments, **more)
botocore.session.Session.create_client = create_client
{code}
print(json.dumps(made))
"""


def clients_made_by(code: str) -> list[str]:
    """The services for which a new Python process creates clients while it runs this code."""
    command = [sys.executable, "-c", COUNT_CLIENTS.format(code=code)]
    environment = {name: value for name, value in os.environ.items() if name != "AWS_SAM_LOCAL"}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    made: list[str] = json.loads(done.stdout)
    return made
