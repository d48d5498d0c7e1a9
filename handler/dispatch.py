"""Between the events and their handlers: crhelper dispatches by request type and captures errors.

Its timer and its delivery are replaced in _Crhelper. tests/handler/test_dispatch.py has every reason, as a test.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from crhelper import FAILED, SUCCESS, CfnResource

from handler import answer, failures, telemetry
from handler.attempts import Attempts
from handler.deadline import DeadlineReached, Timer
from handler.event import Event, read
from handler.invocation import Handler, Invocation, Outcome, deadline_in, invocation_of, seconds_remaining
from handler.telemetry import logger

__all__ = ["CustomResource", "Handler", "Invocation", "Outcome"]

_LOCAL = "AWS_SAM_LOCAL"  # the environment variable that `sam local invoke` sets
_LOCAL_SECONDS = 10.0  # for the delivery to a ResponseURL that a developer may have made up

# It would log errors a second time, without the keys that say whose event they are about.
logging.getLogger("crhelper").setLevel(logging.CRITICAL)


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

        Raises ValueError for an event without ResponseURL, AnswerNotTakenError for an answer that could not be
        delivered. Run locally it raises neither.
        """
        started, url, is_local = time.monotonic(), event.get("ResponseURL"), bool(os.environ.get(_LOCAL))
        if not url and not is_local:
            raise ValueError("An event without ResponseURL isn't CloudFormation's")
        request = read(event)
        telemetry.begin(request, getattr(context, "aws_request_id", ""))
        invocation = invocation_of(request, context)
        told = self._crhelper.answer_to(request, invocation, context)
        sent = answer.fitted(told, getattr(context, "log_stream_name", ""))
        left = seconds_remaining(context)
        try:
            if url:
                answer.deliver(url, sent, deadline_in(min(left, _LOCAL_SECONDS) if is_local else left, context))
        except answer.AnswerNotTakenError as error:
            if not is_local:
                raise
            logger.warning(str(error))
        finally:
            bug = None if failures.is_expected(self._crhelper.error) else self._crhelper.error
            seconds, throttled = time.monotonic() - started, invocation.attempts.throttled
            telemetry.end(request, told, seconds, throttled=throttled, bug=bug)
        return sent


class _Crhelper(CfnResource):
    """crhelper, with its timer and its delivery replaced; `error` is what the last event failed with."""

    error: BaseException | None = None

    def __init__(self) -> None:
        with _run_locally():
            super().__init__(
                log_level=logging.root.level,  # type: ignore[arg-type]  # the root logger keeps its level
                boto_level="NOTSET",  # as do boto's
                sleep_on_delete=0,  # else a Delete sleeps for up to two minutes before it is answered
            )

    def answer_to(self, event: Event, invocation: Invocation, context: Any) -> dict[str, Any]:
        """Dispatch one event. Returns the answer."""
        self.Status, self.Reason, self.Data = FAILED, "", {}
        self._request, self._invocation, self.error = event, invocation, None
        timer = Timer(invocation.deadline.seconds_left())
        try:
            with timer:
                if refused := failures.malformed(event):
                    self._fail(refused)
                else:
                    self(_without_secrets(event), context)
        except DeadlineReached as reached:
            timer.cancel()  # it may have interrupted its own end
            self._fail(reached)
        if self.Status == SUCCESS:
            return answer.succeeded(event, self.PhysicalResourceId, self.Data)
        return answer.failed(event, self.generate_physical_id(None), self.Reason)

    def calling(self, handler: Handler) -> Callable[..., str]:
        """Return a function as crhelper calls it, which calls the handler."""

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
        return failures.physical_id(self._request, self.error, self._invocation)

    def _fail(self, error: BaseException) -> None:
        self.error = error
        self.Status, self.Reason = FAILED, failures.reason(error, self._invocation.attempts)

    def _set_timeout(self) -> None:
        """Replaced by Timer: crhelper's answers beside the handler, which goes on, and with an empty physical id."""

    def _send(self, status: str | None = None, reason: str = "", send_response: Any = None) -> None:
        """Replaced by answer.py: crhelper takes any HTTP status for success, retries without end and cuts reasons."""
        if status:
            self.Status, self.Reason = status, reason


@contextmanager
def _run_locally() -> Iterator[None]:
    """Look as if `sam local` ran the function: crhelper then makes no boto3 clients for a polling that isn't used."""
    is_local = _LOCAL in os.environ
    os.environ.setdefault(_LOCAL, "true")
    try:
        yield
    finally:
        if not is_local:
            del os.environ[_LOCAL]


def _without_secrets(event: Event) -> dict[str, str]:
    """The event as crhelper needs it, without ResponseURL and properties, since it logs the event when debugging."""
    return {
        "RequestType": event.request_type,
        "ResponseURL": "",
        "StackId": event.stack_id,
        "RequestId": event.request_id,
        "LogicalResourceId": event.logical_id,
    }
