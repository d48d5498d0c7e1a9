"""The handlers of an event: crhelper calls the one for its request type and captures the handler's error.

What crhelper does otherwise than this resource needs is replaced here and nowhere else: its timer, its delivery and its
physical ids. tests/handler/test_dispatch.py has every reason, as a test.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from crhelper import FAILED, SUCCESS, CfnResource

from handler import answer, failures
from handler.deadline import DeadlineReached, Timer
from handler.event import Event
from handler.invocation import Handler, Invocation

SAM_LOCAL = "AWS_SAM_LOCAL"  # the environment variable that `sam local invoke` sets

# It would log errors a second time, without the keys that say whose event they are about.
logging.getLogger("crhelper").setLevel(logging.CRITICAL)


class Handlers(CfnResource):
    """Registers handlers with crhelper's decorators: `handlers.create(handlers.calling(handler))`.

    `error` is what the last event failed with.
    """

    error: BaseException | None = None

    def __init__(self) -> None:
        is_local = SAM_LOCAL in os.environ
        os.environ.setdefault(SAM_LOCAL, "true")  # else crhelper makes three clients for a polling that isn't used
        super().__init__(
            log_level=logging.root.level,  # type: ignore[arg-type]  # the root logger keeps its level
            boto_level="NOTSET",  # as do boto's
            sleep_on_delete=0,  # else a Delete sleeps for up to two minutes before it is answered
        )
        if not is_local:
            del os.environ[SAM_LOCAL]

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

    def answer_to(self, event: Event, invocation: Invocation, context: Any) -> dict[str, Any]:
        """Have an event handled until its deadline. Returns the answer."""
        self._request, self._invocation, self.error = event, invocation, None
        # An API that is out of reach, and a function that cannot start, must not keep a stack from rolling back.
        if event.is_delete and event.made_nothing:
            return answer.succeeded(event, event.physical_id, {})
        # crhelper logs what it gets when debugging, so it gets neither the ResponseURL nor the properties.
        needed = {
            "RequestType": event.request_type,
            "ResponseURL": "",
            "StackId": event.stack_id,
            "RequestId": event.request_id,
            "LogicalResourceId": event.logical_id,
        }
        timer = Timer(invocation.deadline.seconds_left())
        try:
            with timer:
                if refused := failures.malformed(event):
                    self._fail(refused)
                else:
                    self(needed, context)
        except DeadlineReached as reached:
            timer.cancel()  # it may have interrupted its own end
            self._fail(reached)
        if self.Status == SUCCESS:
            return answer.succeeded(event, self.PhysicalResourceId, self.Data)
        return answer.failed(event, self.generate_physical_id(None), self.Reason)

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
