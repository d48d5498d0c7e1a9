"""The Lambda function behind Custom::CustomerProfilesDomain.

    event in               event.py       what CloudFormation asks for
    properties translated  properties.py  along botocore's own description of the API (shapes.py)
    decision taken         decision.py    a plan (plans.py), given the live domain, its owner (ownership.py, claims.py)
                           deletion.py    and what differs (changes.py, convergence.py)
    API called             work.py        look, decide, act (actions.py); the operations are in domains.py, one call and
                                          its retries in calls.py (retries.py, attempts.py)
    answer out             answer.py      with attributes (outputs.py) or a reason (failures.py)

Lambda imports start.py. dispatch.py takes an event to its answer, and handlers.py has crhelper call the handlers below,
with what invocation.py describes, until the deadline (deadline.py). stack.py asks CloudFormation (cloudformation.py),
and timeliness.py says what its answer means for an event whose time may have passed. undoing.py reverses what came to
nothing; with withdrawal.py a failing event does that itself. What the user reads: problems.py and hints.py about
properties, refusals.py about an event that is refused, errors.py about the API, advice.py and telemetry.py in the log.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from handler import advice, decision, deletion, stack, timeliness, undoing, withdrawal
from handler.changes import Live
from handler.dispatch import CustomResource, Invocation, Outcome
from handler.domains import ApiError, Domains, connect, names_resources
from handler.errors import Kind
from handler.event import Event
from handler.outputs import outputs
from handler.plans import RefusedError, UnwantedError
from handler.properties import (
    Desired,
    InvalidPropertiesError,
    is_domain_name,
    translate,
    translate_leniently,
    with_more_tags,
)
from handler.telemetry import logger
from handler.timeliness import Unwanted
from handler.work import Work

resource = CustomResource()
try:
    _client = connect()
except Exception as error:
    resource.init_failure(error)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle one event of CloudFormation. Returns the answer that was sent."""
    return resource(event, context)


@resource.create
@resource.update
def create_or_update(event: Event, invocation: Invocation) -> Outcome:
    """Make the domain what the template says. Returns its name, the physical id, and its outputs."""
    domains = Domains(_client, invocation.account, invocation.attempts, invocation.deadline)
    shape = domains.shape
    desired = translate(event.properties, shape, domains.reported_shape)
    stack_tags = stack.tags(event)
    desired = _with_stack_tags(desired, stack_tags, shape)
    old = asked_for_before(event, shape)
    put_back_settings = functools.partial(undoing.put_back_settings, event, desired, shape=shape)
    put_back = [
        functools.partial(put_back_settings, of=lambda settings: not names_resources(settings, shape)),
        functools.partial(put_back_settings, of=lambda settings: names_resources(settings, shape)),
        functools.partial(undoing.put_back_claims, event, desired, shape=shape),
    ]
    work = Work(event, domains, desired.name)
    for advised in advice.find(desired):
        logger.info(f"advice: {advised}")
    if unwanted := stack.unwanted(event, timeliness.is_late_to_start):
        is_leftover = timeliness.has_never_succeeded(event, unwanted.listed, desired.name)
        raise RefusedError(f"{unwanted.why}. {withdrawal.withdrawn(work) if is_leftover else 'Nothing was changed'}")

    undo_failed = _undo_replacement(event, domains, old, _replacement_to_undo(event, desired, old, shape))
    if undo_failed and not event.is_for(desired.name):  # nothing else is made while that domain may be left
        raise undo_failed
    # A Create or a rename most likely finds no domain. If there is one, CreateDomain says so: one call less.
    live = work.look() if event.is_for(desired.name) else None
    if live is None and event.is_for(desired.name):
        logger.warning("the domain is gone; it is made again")
    try:
        decide = functools.partial(decision.create_or_update, event, desired, old, shape)
        settled = withdrawal.settle(work, decide, live, put_back)
        unwanted = stack.unwanted(event, timeliness.is_late_to_change, is_done=True) if work.done.has_changed else None
    except UnwantedError as error:
        unwanted = error.unwanted
    except (ApiError, RefusedError) as error:
        error.args = (f"{error}. {undo_failed}",) if undo_failed else error.args
        raise
    if unwanted:
        before = _with_stack_tags(old, stack_tags, shape)  # else the stack's tags would count as dropped
        raise RefusedError(f"{unwanted.why}. {_undone(unwanted, work, desired, before, put_back)}")
    if undo_failed:
        raise undo_failed
    return Outcome(desired.name, outputs(settled, domains.arn(desired.name), domains.reported_shape, shape))


@resource.delete
def delete(event: Event, invocation: Invocation) -> Outcome:
    """Delete the domain, or give it back, if it is this resource's. Returns the physical id."""
    domains = Domains(_client, invocation.account, invocation.attempts, invocation.deadline)
    asked = translate_leniently(event.properties, domains.shape)
    known = event.physical_id if is_domain_name(event.physical_id, domains.shape) else ""
    if unwanted := stack.unwanted(event, timeliness.is_late_to_start):
        raise RefusedError(f"{unwanted.why}. Domain {known or asked.name} was left alone")
    protection, adopts = asked.deletion_protection, asked.adopt_existing
    work, live = Work(event, domains, known or asked.name), None
    for name in filter(None, dict.fromkeys((known, asked.name))):
        work = Work(event, domains, name)
        is_made_up = bool(asked.name) and event.is_made_up(name, asked.name)
        live = _look_if_allowed(work.look) if is_made_up else work.look()
        if live is not None:
            break
    if event.is_unsettled and work.name and not work.holds(live):
        live = work.look_late()
    if live and not event.is_for(work.name) and _was_repeated(work):
        logger.warning("nothing done: the domain belongs to a later Create of the resource")
        return Outcome(event.physical_id)
    decide = functools.partial(deletion.delete, event, protection=protection, adopts=adopts)
    withdrawal.settle(work, decide, live)
    return Outcome(event.physical_id)


def _look_if_allowed(look: Callable[[], Live | None]) -> Live | None:
    """Look at what an event that came to nothing may have made. Where the API denies that, most likely nothing was."""
    try:
        return look()
    except ApiError as error:
        if error.kind is not Kind.DENIED:
            raise
        logger.warning("the API denies a look at a domain, which most likely was never made", error=str(error))
        return None


def _was_repeated(work: Work) -> bool:
    """Whether the Create that this Delete cleans up after was sent again, and succeeded or still runs."""
    if (listed := work.questions.listed()) is None:
        return False
    return timeliness.has_succeeded(listed, work.name) or timeliness.is_later_at_work(work.event, listed)


def _replacement_to_undo(event: Event, desired: Desired, old: Desired, shape: Any) -> str:
    """The domain that a replacement before this event may have made, "" if there is none.

    What an update with a mistake asked for was not carried out, but an update before it may have made its domain.
    """
    if event.is_create:
        return ""
    name_before = old.name or translate_leniently(event.old_properties, shape).name
    return event.replacement_to_undo(desired.name, name_before)


def _undo_replacement(event: Event, domains: Domains, old: Desired, name: str) -> ApiError | RefusedError | None:
    """Undo a replacement that failed, if the event rolls one back. Returns the error: the rest does not wait for it."""
    if not name:
        return None
    work = Work(event, domains, name)
    try:
        live = _look_if_allowed(work.look)
        may_come_late = live is None or (old.adopt_existing and not work.holds(live))
        if old.name and may_come_late:
            live = _look_if_allowed(work.look_late)
        withdrawal.settle(work, functools.partial(undoing.undo, event, keeps_loan=not old.name), live)
    except (ApiError, RefusedError) as error:
        return error
    return None


def _undone(
    unwanted: Unwanted, work: Work, desired: Desired, old: Desired, put_back: Sequence[withdrawal.PutBack]
) -> str:
    """Undo what a Create or an Update has done that is no longer wanted. Returns what was undone, in words."""
    event, shape = work.event, work.domains.shape
    if not work.done.has_changed:
        return "Nothing was changed"
    if (work.done.has_made or work.done.before) and not withdrawal.is_continued(work, unwanted.listed):
        return withdrawal.withdrawn(work, put_back)
    if work.questions.is_forward and stack.rollback(event).is_undoing:
        return withdrawal.gone_back(
            work, lambda facts: undoing.go_back(event, desired, old, facts.live, shape), unwanted.listed
        )
    return "Nothing was undone"


def asked_for_before(event: Event, shape: Any) -> Desired:
    """What the template asked for before this event; nothing where it had a mistake, since then no call was made.

    That is what a rollback brings: OldResourceProperties are then those of the update that failed.
    """
    try:
        return translate(event.old_properties, shape)
    except InvalidPropertiesError:
        return Desired(name="")


def _with_stack_tags(desired: Desired, tags: Mapping[str, str], shape: Any) -> Desired:
    tagged = with_more_tags(desired, tags, shape) if tags else desired
    if left_out := sorted(tags.keys() - tagged.tags.keys()):
        logger.warning("tags of the stack that the domain can't have", keys=left_out)
    return tagged
