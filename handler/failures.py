"""What a failed event is answered with: a reason that says what to do, and a physical id."""

from __future__ import annotations

from handler.attempts import Attempts
from handler.deadline import DeadlineReached
from handler.decision import RefusedError
from handler.domains import ApiError
from handler.event import REQUEST_TYPES, Aftermath, Event, failed_create_id
from handler.properties import InvalidPropertiesError


def is_expected(error: BaseException) -> bool:
    """Whether the error says by itself what happened; any other one is a bug of the function's."""
    return isinstance(error, (InvalidPropertiesError, RefusedError, ApiError, DeadlineReached))


def malformed(event: Event) -> RefusedError | None:
    """Why the event can't come from CloudFormation; None if it can."""
    if event.request_type in REQUEST_TYPES and event.request_id and event.stack_id and event.logical_id:
        return None
    return RefusedError(
        "This is not a request of CloudFormation: it needs a RequestType of Create, Update or Delete, "
        "a RequestId, a StackId and a LogicalResourceId"
    )


def reason(error: BaseException, attempts: Attempts) -> str:
    """The error in words, for the answer and for the log."""
    if isinstance(error, DeadlineReached):
        text = f"The function's time was up while it was waiting for {error.waiting_for}"
        return f"{text}. {_before(attempts)}" if attempts.last_error else text
    if is_expected(error):
        return str(error)
    return f"The function met an error of its own, {type(error).__name__}: {error}. Its log has more"


def _before(attempts: Attempts) -> str:
    throttled = f"The API throttled {attempts.throttled} times. " if attempts.throttled else ""
    return f"{throttled}Its last error: {attempts.last_error}"


def physical_id(event: Event, error: BaseException | None, attempts: Attempts, *, is_young: bool) -> str:
    """The physical id of the answer to a failed event.

    CloudFormation sends it back with the Delete that follows. A failed Create gets one that no domain can have, and
    that says what may be left. `is_young`: no earlier delivery of the event can have got further than this one.
    """
    if event.physical_id and not event.is_create:
        return event.physical_id
    return failed_create_id(event.request_id, aftermath(error, attempts, is_young=is_young))


def aftermath(error: BaseException | None, attempts: Attempts, *, is_young: bool) -> Aftermath:
    """What a failed Create can have left; `error` is None if the function could not start."""
    if isinstance(error, InvalidPropertiesError):
        return Aftermath.NOTHING  # no call is made before the properties are right, in no delivery of the event
    # The deadline can interrupt an attempt before its result is noted.
    if isinstance(error, DeadlineReached) or attempts.may_still_act or getattr(error, "unsettled", False):
        return Aftermath.UNSETTLED
    return Aftermath.SOMETHING
