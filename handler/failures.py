"""What a failed event is answered with: a reason that says what to do, and a physical id."""

from __future__ import annotations

from handler.attempts import Attempts
from handler.deadline import DeadlineReached
from handler.domains import ApiError
from handler.event import OLD, REQUEST_TYPES, Aftermath, Event, failed_create_id
from handler.invocation import Invocation
from handler.plans import RefusedError
from handler.properties import InvalidPropertiesError


def is_expected(error: BaseException | None) -> bool:
    """Whether there is no error, or one whose own text says what happened. Any other one is a bug of the function's."""
    return error is None or isinstance(error, (InvalidPropertiesError, RefusedError, ApiError, DeadlineReached))


def malformed(event: Event) -> RefusedError | None:
    """Why the event can't come from CloudFormation; None if it can."""
    has_ids = event.request_id and event.stack_id and event.logical_id and (event.physical_id or event.is_create)
    if event.request_type in REQUEST_TYPES and has_ids:
        return None
    return RefusedError(
        "This is not a request of CloudFormation: it needs a RequestType of Create, Update or Delete, "
        "a RequestId, a StackId and a LogicalResourceId, and but for a Create a PhysicalResourceId"
    )


def reason(error: BaseException, attempts: Attempts) -> str:
    """The error in words, for the answer and for the log. After the deadline it includes what the API said before."""
    if isinstance(error, DeadlineReached):
        text = f"The function's time was up while it was waiting for {error.waiting_for}"
        throttled = f". The API throttled {attempts.throttled} attempts" if attempts.throttled else ""
        last = f". The last error of the API was: {attempts.last_error}" if attempts.last_error else ""
        return text + throttled + last
    if isinstance(error, (RefusedError, ApiError)):
        return _without_repetition(str(error))
    if is_expected(error):
        return str(error)
    return f"The function met an error of its own, {type(error).__name__}: {error}. Its log has more"


def _without_repetition(text: str) -> str:
    """The text without sentences that it has said before.

    A call fails, the look that follows fails, and undoing fails: each for the same cause, and with the same advice.
    """
    said: list[str] = []
    for sentence in text.split(". "):
        words = sentence.rstrip(".")
        if not any(before == words or before.endswith(f": {words}") for before in said):
            said.append(sentence)
    return ". ".join(said)


def physical_id(event: Event, error: BaseException | None, invocation: Invocation) -> str:
    """The physical id of the answer to a failed event; `error` is None if the function could not start.

    CloudFormation sends it back with the Delete that follows. A failed Create gets one that no domain can have, and
    that says what may be left.
    """
    if event.physical_id and not event.is_create:
        return event.physical_id
    # No earlier delivery of so young an event can have got further than this one.
    is_young = invocation.age < OLD
    return failed_create_id(event.request_id, aftermath(error, invocation.attempts, is_young=is_young))


def aftermath(error: BaseException | None, attempts: Attempts, *, is_young: bool) -> Aftermath:
    """What a failed Create can have left behind.

    | error        | attempts                     | event | aftermath |
    | ---          | ---                          | ---   | ---       |
    | the deadline |                              |       | UNSETTLED |
    | any other    | one may still be carried out |       | UNSETTLED |
    | any other    | none can have been           | young | NOTHING   |
    | any other    | else                         |       | SOMETHING |

    The deadline can interrupt an attempt before its result is noted, so it is never NOTHING. A mistake in the
    properties of an event that is not young is not NOTHING either: an earlier delivery may have reached a newer version
    of the function, which knew the property.
    """
    if isinstance(error, DeadlineReached) or attempts.may_still_act:
        return Aftermath.UNSETTLED
    return Aftermath.NOTHING if is_young and not attempts.can_have_acted else Aftermath.SOMETHING
