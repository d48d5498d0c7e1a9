"""Between the events and their handlers: crhelper, with its gaps closed.

crhelper dispatches by request type, captures errors and keeps the deadline. Each method here closes a gap of version
2.0.12, its last; tests/handler/test_dispatch.py fails when the version moves.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from crhelper import FAILED, SUCCESS, CfnResource

from handler import answer, telemetry
from handler.deadline import Alarm, DeadlineReached, margin
from handler.decision import RefusedError
from handler.domains import ApiError
from handler.event import REQUEST_TYPES, Aftermath, Event, failed_create_id, read
from handler.properties import InvalidPropertiesError
from handler.telemetry import logger


class CustomResource(CfnResource):
    """Answers every event once: with what its handler did, with its error, or with the deadline's.

    A handler takes the Event and Lambda's context, puts the outputs into `Data`, and returns the physical id.
    """

    def __init__(self) -> None:
        """Take over crhelper's state, but not its constructor.

        That one makes three boto3 clients at every cold start, for a polling that isn't used here, and sets level and
        formatter of the root logger, where Powertools has its own.
        """
        self._create_func = self._update_func = self._delete_func = None
        self._poll_create_func = self._poll_update_func = self._poll_delete_func = None
        self._init_failed: Exception | None = None
        self._timer: Alarm | threading.Timer | None = None
        self._answer: dict[str, Any] = {}
        self._sleep_on_delete = 0  # else every Delete waits up to two minutes before it answers
        self._sam_local = os.environ.get("AWS_SAM_LOCAL")
        self._one_answer = threading.Lock()

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:  # type: ignore[override]
        """Handle one event. Returns the answer, for `sam local invoke` to show.

        Raises ValueError for an event that nobody waits for an answer to, and AnswerNotTakenError.
        """
        started = time.monotonic()
        self._url = event.get("ResponseURL")
        if not self._url and not self._sam_local:
            raise ValueError("An event without ResponseURL isn't CloudFormation's")
        self._request, self._context, self._answer = read(event), context, {}
        try:
            # crhelper gets neither the URL nor the properties: it logs its event, at the level of debugging.
            super().__call__(_for_crhelper(self._request), context)
        except DeadlineReached as reached:  # no Exception, so it comes through all that is between here and the call
            self._fail(reached)
            self._send()
        try:
            self._deliver()
        finally:
            telemetry.end(self._request, self._answer, time.monotonic() - started)
        return self._answer

    def init_failure(self, error: Exception) -> None:
        """Answer every event with this error, which kept the function from starting."""
        self._init_failed = error
        logger.exception("the function could not start")

    def generate_physical_id(self, event: Any) -> str:
        """Only a Create that failed has no physical id. It gets one that no domain can have."""
        return failed_create_id(self._request.request_id, Aftermath.SOMETHING)

    def _log_setup(self, event: Any, context: Any) -> None:
        telemetry.begin(self._request, getattr(context, "aws_request_id", ""))

    def _get_func(self) -> Callable[[Event, Any], str]:
        event = self._request
        if event.request_type in REQUEST_TYPES and event.request_id and event.stack_id and event.logical_id:
            return super()._get_func()  # type: ignore[no-any-return,misc]
        return _refuse_malformed

    def _poll_enabled(self) -> None:
        """No polling: the API makes and deletes a domain while one waits."""

    def _wrap_function(self, func: Callable[[Event, Any], str]) -> None:
        try:
            self.PhysicalResourceId = func(self._request, self._context)
        except Exception as error:
            self._fail(error)
        finally:
            if self._timer:
                self._timer.cancel()  # from here on nothing may interrupt the answer

    def _fail(self, error: BaseException) -> None:
        self.Status, self.Reason = FAILED, str(error)
        unsettled = getattr(error, "unsettled", False)
        if isinstance(error, DeadlineReached):
            self.Reason, unsettled = f"The function's time was up while it was waiting for {error.waiting_for}", True
        elif not isinstance(error, (InvalidPropertiesError, RefusedError, ApiError)):
            self.Reason = f"The function met an error of its own, {type(error).__name__}: {error}. Its log has more"
            logger.error("an error of the function's own", exc_info=error)
        logger.error(self.Reason)  # all of it: the answer has room for 4,096 bytes
        event = self._request
        is_known = event.request_type != "Create" and event.physical_id
        self.PhysicalResourceId = (
            event.physical_id
            if is_known
            else failed_create_id(event.request_id, Aftermath.UNSETTLED if unsettled else Aftermath.SOMETHING)
        )

    def _set_timeout(self) -> None:
        left = min(self._context.get_remaining_time_in_millis() / 1000, self._request.service_timeout)
        if threading.current_thread() is threading.main_thread():
            self._timer = Alarm(left - margin(left))
        else:  # where no signal arrives; Lambda itself runs the function in the main thread
            self._timer = threading.Timer(left - margin(left), self._timeout)
            self._timer.start()

    def _timeout(self) -> None:
        self._fail(DeadlineReached())
        self._send()
        self._deliver()

    def _send(self, status: str | None = None, reason: str = "", send_response: Any = None) -> None:
        """Write the answer; only the first one counts."""
        if status:  # crhelper's way of reporting an error of its own
            self._fail(RuntimeError(reason))
        event = self._request
        with self._one_answer:
            self._answer = self._answer or answer.fitted(
                {
                    "Status": self.Status,
                    "Reason": self.Reason,
                    "PhysicalResourceId": self.PhysicalResourceId,
                    "StackId": event.stack_id,
                    "RequestId": event.request_id,
                    "LogicalResourceId": event.logical_id,
                    "NoEcho": False,
                    "Data": self.Data if self.Status == SUCCESS else {},
                },
                getattr(self._context, "log_stream_name", ""),
            )

    def _deliver(self) -> None:
        with self._one_answer:
            url, self._url = self._url, None
        if url:
            answer.deliver(url, self._answer, lambda: self._context.get_remaining_time_in_millis() / 1000)


def _for_crhelper(event: Event) -> dict[str, str]:
    known = {"PhysicalResourceId": event.physical_id} if event.physical_id else {}
    return {
        "RequestType": event.request_type,
        "ResponseURL": "",
        "StackId": event.stack_id,
        "RequestId": event.request_id,
        "LogicalResourceId": event.logical_id,
        **known,
    }


def _refuse_malformed(event: Event, context: Any) -> str:
    raise RefusedError(
        "This is not a request of CloudFormation: it needs a RequestType of Create, Update or Delete, "
        "a RequestId, a StackId and a LogicalResourceId"
    )
