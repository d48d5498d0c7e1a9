"""The deadline: every event is answered before the function's time is up, whatever it is waiting for, and only once."""

from __future__ import annotations

import contextlib
import math
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import boto3
import pytest

from handler.attempts import Attempts
from handler.calls import _CONFIG
from handler.deadline import Deadline, DeadlineReached, Timer, seconds_to_work
from handler.dispatch import CustomResource, Handler, Invocation, Outcome
from handler.domains import ApiError, Domains
from handler.event import Event
from tests.handler.cloudformation import Context, Mailbox, event
from tests.handler.faults import REGION, Clock

PROPERTIES = {"DomainName": "customers", "DefaultExpirationDays": 30}
SOON = 0.05  # seconds
HANGS = 60  # seconds; only a failing test waits so long


def hang(*_: Any) -> Outcome:
    """Wait until the deadline interrupts."""
    threading.Event().wait(HANGS)
    return Outcome("customers")


def hang_with_timer(seconds: float) -> None:
    """On a slow machine the timer may end before the call, so that both have to be within `pytest.raises`."""
    with Timer(seconds):
        hang()


def hang_again_after_the_first_exception() -> None:
    with Timer(SOON):
        with contextlib.suppress(DeadlineReached):
            hang()
        hang()


def resource_with(handler: Handler) -> CustomResource:
    resource = CustomResource()
    for register in (resource.create, resource.update, resource.delete):
        register(handler)
    return resource


def sent(request_type: str, mailbox: Mailbox, **properties: Any) -> dict[str, Any]:
    physical_id = None if request_type == "Create" else "customers"
    return event(request_type, PROPERTIES | properties, physical_id=physical_id, response_url=mailbox.url())


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Restore pytest's own time limit after each test, since the tests change the timer."""
    handler, (left, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    yield
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, left)


@pytest.fixture
def soon(clock: Clock) -> Context:
    """A context with so little time that the deadline is reached immediately."""
    return Context(clock, SOON)


class TestTimer:
    @pytest.mark.parametrize("seconds", [SOON, 0.0, -5.0])
    def test_it_interrupts_a_call_that_hangs(self, seconds: float) -> None:
        with pytest.raises(DeadlineReached):
            hang_with_timer(seconds)

    def test_it_raises_again_a_second_later_if_the_first_exception_is_dropped(self) -> None:
        with pytest.raises(DeadlineReached):
            hang_again_after_the_first_exception()

    def test_it_raises_nothing_after_it_is_cancelled(self) -> None:
        with Timer(300) as timer:
            timer.cancel()

        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        signal.raise_signal(signal.SIGALRM)  # one that was on its way already

    def test_no_library_treats_it_as_a_failed_attempt(self) -> None:
        assert not issubclass(DeadlineReached, Exception)

    def test_it_interrupts_an_api_call_and_names_it(self, clock: Clock) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(HANGS)
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            client = boto3.client("customer-profiles", region_name=REGION, endpoint_url=url, config=_CONFIG)

            def interrupt_once_the_call_has_arrived() -> None:
                with silent.accept()[0] as connection:
                    connection.recv(1)
                    signal.pthread_kill(main_thread, signal.SIGALRM)
                    is_over.wait(HANGS)

            main_thread = threading.get_ident()
            is_over = threading.Event()
            interrupting = threading.Thread(target=interrupt_once_the_call_has_arrived, daemon=True)
            interrupting.start()

            with pytest.raises(DeadlineReached) as reached, Timer(300):
                Domains(client, "123456789012", Attempts(), Deadline(290)).find("customers")

            is_over.set()
            interrupting.join()
        assert re.fullmatch(r"GetDomain of domain customers, for \d+ s", reached.value.waiting_for)
        assert clock.pauses == [], "the call was retried"


class TestDeadline:
    def test_the_seconds_that_are_left_follow_the_clock_and_become_negative(self) -> None:
        now = 100.0
        deadline = Deadline(30, clock=lambda: now)

        assert deadline.seconds_left() == 30
        now = 140.0
        assert deadline.seconds_left() == -10

    @pytest.mark.parametrize(
        ("remaining", "service_timeout", "age", "expected"),
        [
            pytest.param(300, 3600, 0, 290, id="ten seconds are kept for the answer"),
            pytest.param(10, 3600, 0, 8, id="of a short time one fifth is kept for the answer"),
            pytest.param(300, 20, 0, 16, id="CloudFormation waits for less time than the function has"),
            pytest.param(300, 20, 5, 12, id="of the time that CloudFormation waits some has passed"),
            pytest.param(300, 20, -3, 16, id="a clock that is behind gives no extra time"),
            pytest.param(300, 20, math.inf, 16, id="an event of unknown age counts as new"),
            pytest.param(300, 20, 3600, 290, id="CloudFormation waits no longer, so the function takes its own time"),
        ],
    )
    def test_the_time_that_the_function_may_use(
        self, remaining: float, service_timeout: float, age: float, expected: float
    ) -> None:
        assert seconds_to_work(remaining, service_timeout, age) == expected

    def test_a_handler_gets_the_time_that_is_left(self, mailbox: Mailbox, clock: Clock) -> None:
        seen = []

        def asks(event: Event, invocation: Invocation) -> Outcome:
            seen.append(invocation.deadline.seconds_left())
            clock.now += 100
            seen.append(invocation.deadline.seconds_left())
            return Outcome("customers")

        resource_with(asks)(sent("Create", mailbox), Context(clock, 300))

        assert seen == [290, 190]


class TestAnswer:
    @pytest.mark.parametrize(
        ("request_type", "physical_id"),
        [("Create", "create-unsettled:{RequestId}"), ("Update", "customers"), ("Delete", "customers")],
    )
    def test_a_handler_that_hangs_is_answered_failed_with_the_right_physical_id(
        self, request_type: str, physical_id: str, mailbox: Mailbox, soon: Context
    ) -> None:
        asked = sent(request_type, mailbox)

        returned = resource_with(hang)(asked, soon)

        assert mailbox.taken() == [returned]
        assert (returned["Status"], returned["Data"]) == ("FAILED", {})
        assert "time was up" in returned["Reason"]
        assert returned["PhysicalResourceId"] == physical_id.format(**asked)

    def test_the_reason_names_the_call_that_was_running(self, mailbox: Mailbox, clock: Clock) -> None:
        def calls(event: Event, invocation: Invocation) -> Outcome:
            try:
                signal.raise_signal(signal.SIGALRM)
                return hang()
            except DeadlineReached as reached:
                reached.waiting_for = "CreateDomain of domain customers, for 290 s"
                raise

        returned = resource_with(calls)(sent("Create", mailbox), Context(clock))

        assert returned["Reason"].endswith("waiting for CreateDomain of domain customers, for 290 s")

    def test_the_deadline_is_answered_even_while_an_error_message_is_written(
        self, mailbox: Mailbox, clock: Clock
    ) -> None:
        class Slow(Exception):
            def __str__(self) -> str:
                signal.raise_signal(signal.SIGALRM)
                return str(hang())

        def fails(event: Event, invocation: Invocation) -> Outcome:
            raise Slow

        asked = sent("Create", mailbox)
        returned = resource_with(fails)(asked, Context(clock))

        assert mailbox.taken() == [returned]
        assert returned["PhysicalResourceId"] == f"create-unsettled:{asked['RequestId']}"

    def test_the_time_left_is_enough_for_an_answer_that_is_refused_at_first(
        self, mailbox: Mailbox, clock: Clock
    ) -> None:
        context = Context(clock)

        def hangs(event: Event, invocation: Invocation) -> Outcome:
            clock.now += invocation.deadline.seconds_left()
            raise DeadlineReached

        mailbox.first += [500] * 3

        returned = resource_with(hangs)(sent("Create", mailbox), context)

        assert mailbox.taken() == [returned]
        assert context.get_remaining_time_in_millis() > 0

    def test_a_shorter_service_timeout_is_respected(self, mailbox: Mailbox, clock: Clock) -> None:
        seconds_left: list[float] = []

        def hangs(event: Event, invocation: Invocation) -> Outcome:
            seconds_left.append(signal.getitimer(signal.ITIMER_REAL)[0])
            signal.raise_signal(signal.SIGALRM)
            return hang()

        returned = resource_with(hangs)(sent("Create", mailbox, ServiceTimeout=100), Context(clock, 300))

        assert 0 < seconds_left[0] <= 90
        assert returned["Status"] == "FAILED"

    @pytest.mark.parametrize("timeout", ["", "soon", "-1", "1.5", "9" * 5000, None, [], {}])
    def test_a_service_timeout_that_is_not_a_number_is_ignored(self, timeout: Any) -> None:
        properties = {**PROPERTIES, "ServiceTimeout": timeout}
        read = Event("Create", "1", "stack", "Domain", "", properties, {})

        assert read.service_timeout == 3600


class TestTheTimerEnds:
    """A timer that still runs would interrupt the next event."""

    def test_at_the_end_of_an_event_that_succeeds_fails_or_hangs(self, mailbox: Mailbox, clock: Clock) -> None:
        def returns(event: Event, invocation: Invocation) -> Outcome:
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 0, "there is no timer while the handler runs"
            return Outcome("customers")

        def fails(event: Event, invocation: Invocation) -> Outcome:
            raise ApiError("failed", unsettled=False)

        malformed = {**sent("Create", mailbox), "RequestType": "Poll"}
        for handler, asked, seconds in (
            (returns, sent("Create", mailbox), 300.0),
            (fails, sent("Delete", mailbox), 300.0),
            (hang, sent("Update", mailbox), SOON),
            (returns, malformed, 300.0),
        ):
            resource_with(handler)(asked, Context(clock, seconds))

            assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)

    def test_before_the_answer_is_sent(self, mailbox: Mailbox, clock: Clock) -> None:
        """Nothing may interrupt the delivery, since half an answer is useless."""
        mailbox.first.append(500)
        clock.on_sleep.append(lambda: armed.append(signal.getitimer(signal.ITIMER_REAL)))
        armed: list[tuple[float, float]] = []

        resource_with(lambda event, invocation: Outcome("customers"))(sent("Create", mailbox), Context(clock))

        assert armed == [(0, 0)]

    def test_when_the_deadline_interrupts_the_end_of_the_event(self, mailbox: Mailbox, clock: Clock) -> None:
        def interrupt_once(frame: FrameType, kind: str, argument: object) -> None:
            if kind == "call" and frame.f_code is Timer.cancel.__code__:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGALRM)

        def returns(event: Event, invocation: Invocation) -> Outcome:
            sys.setprofile(interrupt_once)
            return Outcome("customers")

        asked = sent("Create", mailbox)

        returned = resource_with(returns)(asked, Context(clock))

        assert mailbox.taken() == [returned]
        assert returned["PhysicalResourceId"] == f"create-unsettled:{asked['RequestId']}"
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)

    def test_the_execution_environment_handles_further_events_after_a_deadline(
        self, mailbox: Mailbox, clock: Clock
    ) -> None:
        resource = CustomResource()
        resource.create(hang)
        resource.update(lambda event, invocation: Outcome("customers"))

        statuses = [
            resource(sent(request_type, mailbox), Context(clock, SOON if request_type == "Create" else 300))["Status"]
            for request_type in ("Create", "Update", "Create", "Update")
        ]

        assert statuses == ["FAILED", "SUCCESS"] * 2
        assert len(mailbox.puts) == 4
