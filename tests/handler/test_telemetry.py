"""The log and the metrics: each log line is a JSON object with the keys of its event, and alarms use the metrics."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from handler import app, domains
from handler.telemetry import logger
from tests.handler.cloudformation import Context, Function, Mailbox, event
from tests.handler.faults import Clock, Fault, Wire, faults_of_the_api, once

MODEL = botocore.session.get_session().get_service_model("customer-profiles")
THROTTLED, SERVER_ERROR = (
    next(fault for fault in faults_of_the_api(MODEL) if fault.name == name)
    for name in ("ThrottlingException", "InternalServerException")
)
PROPERTIES = {"DomainName": "customers", "DefaultExpirationDays": 30}

# What every line has; correlation_id is CloudFormation's RequestId.
KEYS = {"request_type", "correlation_id", "stack_id", "logical_id", "physical_id", "domain_name"}


class Log:
    """What one environment has written."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.stream = io.StringIO()

    def read(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The log lines since the last call, and the metrics."""
        written = [*self.stream.getvalue().splitlines(), *self._capsys.readouterr().out.splitlines()]
        self.stream.seek(0)
        self.stream.truncate()
        lines = [json.loads(line) for line in written]
        return [line for line in lines if "_aws" not in line], [line for line in lines if "_aws" in line]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Log]:
    log = Log(capsys)
    handler: Any = logger.registered_handler
    before = handler.setStream(log.stream)
    capsys.readouterr()
    yield log
    handler.setStream(before)


@pytest.fixture
def wire(stand_in: None, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The wire of a client made as the function makes it."""
    client = domains.connect()
    wire = Wire(clock)
    wire.attach(client)
    monkeypatch.setattr(app, "_client", client)
    return wire


@pytest.fixture
def function(wire: Wire, clock: Clock, mailbox: Mailbox) -> Function:
    return Function(clock, mailbox)


def sent(request_type: str, mailbox: Mailbox, new: Any = PROPERTIES, old: Any = None, **more: str) -> dict[str, Any]:
    physical_id = None if request_type == "Create" else "customers"
    return event(request_type, new, old, physical_id=physical_id, response_url=mailbox.url(), **more)


class TestLines:
    def test_the_event_each_change_and_the_answer_have_one_line_each(
        self, function: Function, mailbox: Mailbox, log: Log
    ) -> None:
        name = "amazon-connect-customers"  # for any other name there is advice in the log, too
        made = {"DomainName": name, "DefaultExpirationDays": 30}
        untagged = {"DomainName": name, "DefaultExpirationDays": 60}
        changed = {**untagged, "Tags": {"team": "crm"}}
        messages = []
        for asked in (
            sent("Create", mailbox, made),
            sent("Update", mailbox, made, made),
            sent("Update", mailbox, changed, made),
            sent("Update", mailbox, untagged, changed),
            sent("Delete", mailbox, untagged),
        ):
            if asked["RequestType"] != "Create":
                asked["PhysicalResourceId"] = name
            assert function.invoke(asked).answer["Status"] == "SUCCESS"
            messages.append([line["message"] for line in log.read()[0]])

        assert messages == [
            ["event", "CreateDomain", "answer"],
            ["event", "answer"],
            ["event", "TagResource", "UpdateDomain", "answer"],
            ["event", "UntagResource", "answer"],
            ["event", "DeleteDomain", "answer"],
        ]

    def test_at_the_level_debug_each_call_has_a_line_with_its_result(
        self, function: Function, wire: Wire, mailbox: Mailbox, log: Log
    ) -> None:
        logger.setLevel("DEBUG")
        wire.begin(once(THROTTLED, 0))
        try:
            function.invoke(sent("Create", mailbox))
        finally:
            logger.setLevel("INFO")

        calls = [(line["call"], line["result"]) for line in log.read()[0] if line["message"] == "call"]
        assert calls == [
            ("CreateDomain of domain customers", "refused"),
            ("CreateDomain of domain customers", "done"),
        ]

    def test_every_line_names_the_event_and_its_resource(
        self, function: Function, wire: Wire, mailbox: Mailbox, log: Log
    ) -> None:
        wire.begin(once(SERVER_ERROR, 0))
        made = sent("Create", mailbox)
        # An answer that is refused, an error after which it looks, and one of the function's: all have lines.
        mailbox.first.append(500)

        for asked in (made, sent("Update", mailbox, {"DomainName": "customers"}), sent("Delete", mailbox)):
            function.invoke(asked)

            lines, _ = log.read()
            assert len(lines) >= 2
            for line in lines:
                assert line.keys() >= KEYS, line
                assert line["request_type"] == asked["RequestType"]
                assert line["correlation_id"] == asked["RequestId"]
                assert (line["stack_id"], line["logical_id"]) == (asked["StackId"], asked["LogicalResourceId"])
                assert line["domain_name"] == "customers"
                assert line["physical_id"] == ("customers" if asked is not made or line["message"] == "answer" else "")

    def test_the_answers_line_has_its_outcome_and_duration(
        self, function: Function, mailbox: Mailbox, log: Log
    ) -> None:
        function.invoke(sent("Create", mailbox))
        function.invoke(sent("Update", mailbox, {"DomainName": "customers"}))

        answers = [line for line in log.read()[0] if line["message"] == "answer"]
        assert [line["outcome"] for line in answers] == ["SUCCESS", "FAILED"]
        assert all(isinstance(line["duration_ms"], int) and 0 <= line["duration_ms"] < 5000 for line in answers)

    def test_the_whole_reason_is_logged_although_the_answer_has_no_room_for_it(
        self, function: Function, mailbox: Mailbox, log: Log
    ) -> None:
        wrong = {**PROPERTIES, **{f"Unknown{number:04}": "x" for number in range(300)}}

        answer = function.invoke(sent("Create", mailbox, wrong)).answer

        assert "Unknown0299" not in answer["Reason"]
        (line,) = (line for line in log.read()[0] if line["level"] == "ERROR")
        assert line["message"] == "answer"
        assert "Unknown0299" in line["reason"]

    def test_a_bug_of_the_function_is_logged_with_its_traceback(
        self, function: Function, mailbox: Mailbox, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: Any) -> None:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(app, "translate", fails)

        function.invoke(sent("Create", mailbox))

        (line,) = (line for line in log.read()[0] if line["level"] == "ERROR")
        assert line["message"] == "answer"
        assert "ZeroDivisionError" in line["reason"]
        assert "in fails" in line["exception"]

    def test_a_mistake_of_the_users_is_logged_without_a_traceback(
        self, function: Function, mailbox: Mailbox, log: Log
    ) -> None:
        function.invoke(sent("Create", mailbox, {"DomainName": "customers"}))

        assert "Traceback" not in json.dumps(log.read()[0])

    def test_the_values_of_properties_are_not_logged_with_the_event(
        self, function: Function, mailbox: Mailbox, log: Log
    ) -> None:
        """Any of them may come from a NoEcho parameter."""
        function.invoke(sent("Create", mailbox, {**PROPERTIES, "Tags": {"team": "a-secret"}}))

        lines, _ = log.read()
        assert lines[0]["properties"] == ["DefaultExpirationDays", "DomainName", "ServiceToken", "Tags"]
        assert "a-secret" not in json.dumps(lines)

    @pytest.mark.parametrize("properties", [{}, {"DomainName": ["x"]}, {"DomainName": "\ud800"}, "text", None, ["x"]])
    def test_a_malformed_event_is_logged_too(
        self, properties: Any, clock: Clock, mailbox: Mailbox, wire: Wire, log: Log
    ) -> None:
        app.lambda_handler({**sent("Create", mailbox), "ResourceProperties": properties}, Context(clock))

        lines, metrics = log.read()
        assert [line["message"] for line in lines] == ["event", "answer"]
        assert all(line.keys() >= KEYS for line in lines)
        assert "None" not in [line["domain_name"] for line in lines], "that could be a domain's name"
        assert len(metrics) == 1

    def test_log_lines_contain_nothing_of_the_previous_event(
        self, function: Function, mailbox: Mailbox, log: Log
    ) -> None:
        first = sent("Create", mailbox, {"DomainName": "first", "DefaultExpirationDays": 30}, logical_id="First")
        function.invoke(first)
        log.read()

        second = sent("Delete", mailbox, logical_id="Second")
        function.invoke(second)

        lines, metrics = log.read()
        for trace in (first["RequestId"], "First", '"first"', "Create"):
            assert trace not in json.dumps([lines, metrics])
        assert all("outcome" not in line and "duration_ms" not in line for line in lines if line["message"] != "answer")


class TestMetrics:
    def test_outcomes_are_counted_by_request_type_and_in_total(
        self, function: Function, mailbox: Mailbox, log: Log
    ) -> None:
        for asked in (sent("Create", mailbox), sent("Create", mailbox, logical_id="Another"), sent("Delete", mailbox)):
            function.invoke(asked)

        _, metrics = log.read()
        assert [(line["RequestType"], outcome_of(line)) for line in metrics] == [
            ("Create", "SUCCESS"),
            ("Create", "FAILED"),
            ("Delete", "SUCCESS"),
        ]
        for line in metrics:
            assert dimension_sets(line) == [["RequestType", "service"], ["service"]]
            assert line["service"] == "CustomerProfilesDomain"
            assert line["Duration"][0] >= 0
            assert units(line) == {outcome_of(line): "Count", "Duration": "Milliseconds"}

    def test_a_malformed_event_is_counted_as_unknown(
        self, clock: Clock, mailbox: Mailbox, wire: Wire, log: Log
    ) -> None:
        app.lambda_handler({**sent("Create", mailbox), "RequestType": "x" * 2000}, Context(clock))

        _, (line,) = log.read()
        assert (line["RequestType"], outcome_of(line)) == ("Unknown", "FAILED")

    @pytest.mark.parametrize("attempts", [1, 150])
    def test_throttled_attempts_are_counted_with_both_sets_of_dimensions(
        self, attempts: int, function: Function, wire: Wire, mailbox: Mailbox, log: Log
    ) -> None:
        wire.begin(throttled(attempts))

        function.invoke(sent("Create", mailbox))

        _, metrics = log.read()
        counted = [line for line in metrics if "ThrottledAttempts" in line]
        assert sum(sum(line["ThrottledAttempts"]) for line in counted) == attempts
        for line in counted:
            assert dimension_sets(line) == [["RequestType", "service"], ["service"]]
            assert units(line)["ThrottledAttempts"] == "Count"

    def test_attempts_that_failed_otherwise_are_not_counted_as_throttled(
        self, function: Function, wire: Wire, mailbox: Mailbox, log: Log
    ) -> None:
        wire.begin(once(SERVER_ERROR, 0))

        function.invoke(sent("Create", mailbox))

        assert "ThrottledAttempts" not in log.read()[1][0]

    def test_metrics_contain_nothing_of_the_previous_event(
        self, function: Function, wire: Wire, mailbox: Mailbox, log: Log
    ) -> None:
        wire.begin(throttled(3))
        function.invoke(sent("Create", mailbox))
        log.read()

        function.invoke(sent("Delete", mailbox))

        _, (line,) = log.read()
        assert "ThrottledAttempts" not in line
        assert len(line["SUCCESS"]) == len(line["Duration"]) == 1

    def test_an_answer_that_was_not_accepted_is_counted_too(
        self, function: Function, mailbox: Mailbox, log: Log
    ) -> None:
        mailbox.first += [500] * 1000

        delivery = function.invoke(sent("Create", mailbox), seconds=20)

        assert delivery.error is not None
        lines, metrics = log.read()
        assert len(metrics) == 1
        assert "answer not taken" in json.dumps(lines)
        mailbox.first.clear()


def throttled(attempts: int) -> Any:
    def trouble(attempt: int, operation: str) -> Fault | None:
        return THROTTLED if attempt < attempts else None

    return trouble


def outcome_of(line: dict[str, Any]) -> str:
    (outcome,) = line.keys() & {"SUCCESS", "FAILED"}
    assert line[outcome] == [1]
    return str(outcome)


def dimension_sets(line: dict[str, Any]) -> list[list[str]]:
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    return [sorted(names) for names in metrics["Dimensions"]]


def units(line: dict[str, Any]) -> dict[str, str]:
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: metric["Unit"] for metric in metrics["Metrics"]}
