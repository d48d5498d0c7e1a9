"""Withdrawal: an event undoes what it has done itself, if it fails or CloudFormation no longer wants it.

undoing.py decides how. The Delete, or the rollback, that CloudFormation may send next is another event.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from handler import stack, undoing
from handler.changes import Live
from handler.domains import ApiError
from handler.plans import ContinuedError, Destroy, Facts, Leave, Plan, RefusedError, UnwantedError
from handler.timeliness import Listed, has_succeeded, is_late_to_change, is_later_at_work, is_wanted
from handler.work import Decide, Work

PutBack = Callable[[Live, Facts], Plan]


def settle(work: Work, decide: Decide, live: Live | None, put_back: Sequence[PutBack] = ()) -> Live:
    """Have a decision carried through. Returns the live domain as it is then, {} if there is none.

    Raises UnwantedError if CloudFormation no longer wants a change, and ApiError and RefusedError, after undoing what
    no later event undoes: a takeover, what the event changed in a domain that it found again, and what an Update to a
    new name has made. `put_back` decides, one after the other, how a domain that was there before is put back, from how
    it was then and how it is now.
    """
    try:
        return work.carry_through(decide, live, work.questions.refuse_if_unwanted)
    except UnwantedError:
        raise
    except (ApiError, RefusedError) as error:
        is_made_by_rename = work.done.has_made and work.event.is_rename(work.name)
        if work.done.before is None and not is_made_by_rename:
            raise
        if unwanted := stack.unwanted(work.event, is_late_to_change):
            raise UnwantedError(unwanted) from error
        error.args = (f"{error}. {withdrawn(work, put_back)}",)
        raise


def withdrawn(work: Work, put_back: Sequence[PutBack] = ()) -> str:
    """Undo what an event has done that failed or is no longer wanted. Returns what was undone, in words."""
    event, has_made = work.event, work.done.has_made
    work.questions.begin_undoing()
    undo = functools.partial(undoing.undo, event, made_by=event.request_id, even_if_unknown=has_made)
    try:
        if work.done.before is not None:
            return _restored(work, put_back)
        live = work.look()
        if live is None and has_made:  # GetDomain may not see it yet
            live = work.look_late()
        work.carry_through(undo, live, functools.partial(_stop_if_continued, work))
        live = work.look()
    except ContinuedError as stopped:
        return f"Not all of it was undone: {stopped}"
    except (ApiError, RefusedError) as error:
        return f"What this {event.request_type} had made or claimed could not be undone: {error}"
    if live is not None and work.has_claim_to(live):
        return f"Domain {work.name} was left alone: it is in use, or was there before"
    return f"What this {event.request_type} had made or claimed was undone"


def gone_back(work: Work, decide: Decide, listed: Listed) -> str:
    """Carry out what the rollback of the event's Update wants. Returns what was changed back, in words.

    `listed` is what CloudFormation lists now.
    """
    work.questions.begin_undoing(listed)
    live = work.look()
    if isinstance(work.plan(decide, live), Leave):
        return "Nothing was undone"
    try:
        work.carry_through(decide, live, work.questions.stop_if_updated_since)
    except ContinuedError as stopped:
        return f"Not all of it was undone: {stopped}"
    return "What it changed was changed back"


def is_continued(work: Work, listed: Listed) -> bool:
    """Whether another delivery of a Create or a rename, or a later event, goes on with what the event has done."""
    if is_wanted(work.event, listed):
        return False
    if has_succeeded(listed, work.name):
        return True
    # A later event that finds a domain that was made puts its own RequestId on it, so undoing leaves it alone.
    if work.done.before is None or not is_later_at_work(work.event, listed):
        return False
    # That of a rollback does not go on with a domain that was taken over.
    return not (work.has_taken_over and stack.rollback(work.event).is_undoing)


def _stop_if_continued(work: Work, plan: Plan) -> None:
    """Raise ContinuedError if undoing takes long, and others go on with the domain meanwhile."""
    listed = work.questions.listed_while_undoing()
    if listed is not None and is_continued(work, listed):
        raise ContinuedError


def _restored(work: Work, put_back: Sequence[PutBack]) -> str:
    """Put back a domain that was taken over or found again. Returns what came of it, for the reason."""
    failed = []
    for each in put_back:
        decide = functools.partial(each, work.done.before or {})
        try:
            live = work.look()
            plan = work.plan(decide, live)
            if isinstance(plan, Leave):
                return f"Nothing was put back: {plan.why}"
            work.carry_through(decide, live, functools.partial(_stop_if_continued, work))
            if isinstance(plan, Destroy):
                return "The domain was deleted, since the resource that had lent it is gone"
        except ContinuedError:
            raise
        except (ApiError, RefusedError) as error:  # the next part is put back all the same
            failed.append(str(error))
    if failed:
        return f"The domain could not be put back as it was before: {'. '.join(failed)}"
    return "The domain was put back as it was before"
