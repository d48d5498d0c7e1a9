"""Between Lambda and the handlers: has an event handled, and has the answer delivered and logged."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from handler import answer, failures, telemetry
from handler.attempts import Attempts
from handler.event import read
from handler.handlers import SAM_LOCAL, Handlers
from handler.invocation import Handler, Invocation, Outcome, deadline_in, invocation_of, seconds_remaining
from handler.telemetry import logger

__all__ = ["CustomResource", "Handler", "Invocation", "Outcome"]

# Of https://docs.aws.amazon.com/lambda/latest/dg/services-cloudformation.html and Lambda's test event "cloudformation".
_PLACEHOLDER = "pre-signed-s3-url-for-response"
_LOCAL_SECONDS = 10.0  # for the delivery to a ResponseURL that a developer may have made up


class CustomResource:
    """Answers every event once: with what its handler returned, with its error, or with the deadline's.

    resource = CustomResource()

    @resource.create
    def create(event: Event, invocation: Invocation) -> Outcome: ...
    """

    def __init__(self) -> None:
        with suppress(Exception):  # what is wrong with them must not keep the function from starting
            answer.certificates()
        self._handlers = Handlers()

    def create(self, handler: Handler) -> Handler:
        """Register the handler of Create events."""
        self._handlers.create(self._handlers.calling(handler))
        return handler

    def update(self, handler: Handler) -> Handler:
        """Register the handler of Update events."""
        self._handlers.update(self._handlers.calling(handler))
        return handler

    def delete(self, handler: Handler) -> Handler:
        """Register the handler of Delete events."""
        self._handlers.delete(self._handlers.calling(handler))
        return handler

    def init_failure(self, error: Exception) -> None:
        """Answer every event with this error, which kept the function from starting."""
        logger.error("the function could not start", exc_info=error)
        self._handlers.init_failure(RuntimeError(failures.reason(error, Attempts())))

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Handle one event. Returns the answer, for `sam local invoke` to show.

        Raises ValueError for an event without a usable ResponseURL, AnswerNotTakenError for an answer that could not be
        delivered. Run locally it raises neither.
        """
        started, url = time.monotonic(), event.get("ResponseURL")
        if not (_is_usable(url) or _is_local()):
            raise ValueError("An event without a ResponseURL that can be used isn't CloudFormation's")
        request = read(event)
        telemetry.begin(request, getattr(context, "aws_request_id", ""))
        invocation = invocation_of(request, context)
        told = self._handlers.answer_to(request, invocation, context)
        sent = answer.fitted(told, getattr(context, "log_stream_name", ""))
        try:
            if url:
                _deliver(url, sent, context)
        finally:
            bug = None if failures.is_expected(self._handlers.error) else self._handlers.error
            seconds, throttled = time.monotonic() - started, invocation.attempts.throttled
            telemetry.end(request, told, seconds, throttled=throttled, bug=bug)
        return sent


def _is_usable(url: Any) -> bool:
    """Whether an answer can be sent there: it is no placeholder, as in the test event that Lambda's console offers."""
    return bool(url) and _PLACEHOLDER not in str(url).lower()


def _is_local() -> bool:
    return bool(os.environ.get(SAM_LOCAL))


def _deliver(url: Any, sent: Mapping[str, Any], context: Any) -> None:
    """Send the answer. Run locally it is tried for some seconds, and a failure is logged only."""
    seconds = min(seconds_remaining(context), _LOCAL_SECONDS if _is_local() else math.inf)
    try:
        answer.deliver(url, sent, deadline_in(seconds, context))
    except answer.AnswerNotTakenError as error:
        if not _is_local():
            raise
        logger.warning(str(error))
