"""Between the events and their handlers: crhelper dispatches by request type and captures errors.

Its timer and its delivery are replaced in the class _Crhelper. tests/handler/test_dispatch.py shows why, test by test.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from crhelper import FAILED, SUCCESS, CfnResource

from handler import answer, failures, telemetry
from handler.attempts import Attempts
from handler.deadline import Deadline, DeadlineReached, Timer, seconds_to_work
from handler.event import OLD, Event, read
from handler.telemetry import logger

# It would log errors a second time, without a word on whose event they are about.
logging.getLogger("crhelper").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Invocation:
    """What a handler needs beside the event: the function's account, the time that is left, a count of the attempts."""

    account: str
    deadline: Deadline
    attempts: Attempts


@dataclass(frozen=True)
class Outcome:
    """What a handler has to say: the resource's physical id, and its attributes for Fn::GetAtt."""

    physical_id: str
    outputs: Mapping[str, str | int | float] = field(default_factory=dict)


Handler = Callable[[Event, Invocation], Outcome]


class CustomResource:
    """Answers every event once: with what its handler returned, with its error, or with the deadline's.

    resource = CustomResource()

    @resource.create
    def create(event: Event, invocation: Invocation) -> Outcome: ...
    """

    def __init__(self) -> None:
        self._crhelper = _Crhelper()

    def create(self, handler: Handler) -> Handler:
        """Register the handler of Create events."""
        self._crhelper.create(self._crhelper.calling(handler))
        return handler

    def update(self, handler: Handler) -> Handler:
        """Register the handler of Update events."""
        self._crhelper.update(self._crhelper.calling(handler))
        return handler

    def delete(self, handler: Handler) -> Handler:
        """Register the handler of Delete events."""
        self._crhelper.delete(self._crhelper.calling(handler))
        return handler

    def init_failure(self, error: Exception) -> None:
        """Answer every event with this error, which kept the function from starting."""
        logger.error("the function could not start", exc_info=error)
        self._crhelper.init_failure(RuntimeError(failures.reason(error, Attempts())))

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Handle one event. Returns the answer, for `sam local invoke` to show.

        Raises ValueError for an event that nobody waits for an answer to, and AnswerNotTakenError.
        """
        started, url, request = time.monotonic(), event.get("ResponseURL"), read(event)
        if not url and not os.environ.get("AWS_SAM_LOCAL"):
            raise ValueError("An event without ResponseURL isn't CloudFormation's")
        telemetry.begin(request, getattr(context, "aws_request_id", ""))
        said = self._crhelper.handle(request, context)
        sent = answer.fitted(said, getattr(context, "log_stream_name", ""))
        try:
            if url:
                answer.deliver(url, sent, lambda: context.get_remaining_time_in_millis() / 1000)
        finally:
            telemetry.end(request, sent, time.monotonic() - started)
        return sent


class _Crhelper(CfnResource):
    """crhelper, with its timer and its delivery replaced."""

    def __init__(self) -> None:
        with _as_if_run_locally():
            # The root logger and boto's keep their levels, and no Delete sleeps before it is answered.
            super().__init__(
                log_level=logging.root.level,  # type: ignore[arg-type]  # it is for setLevel
                boto_level="NOTSET",
                sleep_on_delete=0,
            )

    def handle(self, event: Event, context: Any) -> dict[str, Any]:
        """Dispatch one event. Returns the answer."""
        self._request, self._invocation = event, _invocation(event, context)
        self._error: BaseException | None = None
        self._is_young = event.age(time.time()) < OLD
        self.Status, self.Reason, self.Data = FAILED, "", {}
        timer = Timer(self._invocation.deadline.seconds_left())
        try:
            with timer:
                if refused := failures.malformed(event):
                    self._fail(refused)
                else:
                    self(_without_secrets(event), context)
        except DeadlineReached as reached:
            timer.cancel()  # it may have interrupted its own end
            self._fail(reached)
        ids = {"StackId": event.stack_id, "RequestId": event.request_id, "LogicalResourceId": event.logical_id}
        if self.Status == SUCCESS:
            physical_id, data = self.PhysicalResourceId, self.Data
        else:
            physical_id, data = self.generate_physical_id(None), {}
        told = {"Status": self.Status, "Reason": self.Reason, "PhysicalResourceId": physical_id}
        return {**told, **ids, "NoEcho": False, "Data": data}

    def calling(self, handler: Handler) -> Callable[..., str]:
        """Return a function as crhelper calls them."""

        def call(*_: Any) -> str:
            try:
                outcome = handler(self._request, self._invocation)
            except Exception as error:
                self._fail(error)
                raise RuntimeError(self.Reason) from error  # crhelper captures it
            self.Data.update(outcome.outputs)
            return outcome.physical_id

        return call

    def generate_physical_id(self, event: Any) -> str:
        """Make the physical id of a failed event; crhelper's own could be a domain's name."""
        return failures.physical_id(self._request, self._error, self._invocation.attempts, is_young=self._is_young)

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self.Status, self.Reason = FAILED, failures.reason(error, self._invocation.attempts)
        logger.error(self.Reason, exc_info=None if failures.is_expected(error) else error)

    def _set_timeout(self) -> None:
        """Replaced by Timer: crhelper's answers beside the handler, which goes on, and with an empty physical id."""

    def _send(self, status: str | None = None, reason: str = "", send_response: Any = None) -> None:
        """Replaced by answer.py: crhelper takes any HTTP status for success, retries without end and cuts reasons."""
        if status:
            self.Status, self.Reason = status, reason


def _invocation(event: Event, context: Any) -> Invocation:
    def remaining() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000

    seconds = seconds_to_work(remaining(), event.service_timeout, event.age(time.time()))
    return Invocation(_account(event, context), Deadline(seconds, clock=lambda: -remaining()), Attempts())


@contextmanager
def _as_if_run_locally() -> Iterator[None]:
    """crhelper makes three boto3 clients for a polling that isn't used here, but not when it is run by SAM locally."""
    before = dict(os.environ)
    os.environ["AWS_SAM_LOCAL"] = "true"
    try:
        yield
    finally:
        if "AWS_SAM_LOCAL" not in before:
            del os.environ["AWS_SAM_LOCAL"]


def _without_secrets(event: Event) -> dict[str, str]:
    """The event without its URL and its properties: crhelper logs it when debugging."""
    return {
        "RequestType": event.request_type,
        "ResponseURL": "",
        "StackId": event.stack_id,
        "RequestId": event.request_id,
        "LogicalResourceId": event.logical_id,
    }


def _account(event: Event, context: Any) -> str:
    """The function's own account, where its domains are; the stack's if the function has no ARN."""
    for arn in (getattr(context, "invoked_function_arn", ""), event.stack_id):
        parts = str(arn).split(":")
        if len(parts) > 4:
            return parts[4]
    return ""
