"""The Lambda function behind Custom::CustomerProfilesDomain.

    event in               event.py       what CloudFormation asks for
    properties translated  properties.py  along botocore's own description of the API (shapes.py)
    decision taken         decision.py    given the live domain, its owner (ownership.py) and what differs (changes.py)
    API called             domains.py     and its errors in words
    answer out             answer.py      with attributes (outputs.py) or a reason (failures.py)

crhelper dispatches (dispatch.py), with an eye on the time (deadline.py). problems.py words what is wrong with
properties, retries.py waits for a throttled API, stack_tags.py reads the stack's tags, telemetry.py logs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handler import decision
from handler.deadline import DeadlineReached
from handler.decision import Converge, Create, Delete, Leave, Plan, Refuse, RefusedError
from handler.dispatch import CustomResource, Invocation, Outcome
from handler.domains import ApiError, Domains, connect
from handler.event import Event
from handler.outputs import outputs
from handler.properties import Desired, InvalidPropertiesError, is_domain_name, translate, translate_leniently
from handler.stack_tags import with_stack_tags
from handler.telemetry import logger

Live = dict[str, Any]

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
    """Make the domain what the template says. Returns its name, the physical id, and its attributes."""
    domains = Domains(_client, invocation.account, invocation.attempts, invocation.deadline)
    desired = with_stack_tags(translate(event.properties, domains.shape, domains.reported_shape), event, domains.shape)
    old = _asked_for_before(event, domains)

    def decide(live: Live | None) -> Plan:
        return decision.create_or_update(event, desired, old, live, domains.shape)

    live = None
    if event.physical_id == desired.name:
        if old.name not in ("", desired.name):
            _clean_up_after_replacement(domains, event, old.name)
        live = domains.find(desired.name)
        if live is None:
            logger.warning("the domain is gone; it is made again")
    # Else there is no domain yet, most likely. If there is, CreateDomain says so: one call less.
    live = _decide_and_act(domains, desired.name, decide, live)
    attributes = outputs(live, domains.arn(desired.name), domains.reported_shape, domains.shape)
    return Outcome(desired.name, attributes)


@resource.delete
def delete(event: Event, invocation: Invocation) -> Outcome:
    """Delete the domain, if it is this resource's. Returns the physical id."""
    domains = Domains(_client, invocation.account, invocation.attempts, invocation.deadline)
    asked = translate_leniently(event.properties, domains.shape)
    known = event.physical_id if is_domain_name(event.physical_id, domains.shape) else ""
    name, live = asked.name, None
    for name in filter(None, dict.fromkeys((known, asked.name))):
        live = domains.find(name)
        if live is not None:
            break
    if live is None and event.is_unsettled and asked.name:
        live = domains.find_late(asked.name)
    _decide_and_act(
        domains, name, lambda live: decision.delete(event, live, protection=asked.deletion_protection), live
    )
    return Outcome(event.physical_id)


def _asked_for_before(event: Event, domains: Domains) -> Desired:
    """What the template asked for before this event; nothing where it had a mistake, since then no call was made.

    That is what a rollback brings: OldResourceProperties are then those of the update that failed.
    """
    try:
        return translate(event.old_properties, domains.shape)
    except InvalidPropertiesError:
        return Desired(name="")


def _clean_up_after_replacement(domains: Domains, event: Event, name: str) -> None:
    """Delete what a replacement made that never got as far as an answer: this event rolls it back."""
    live = domains.find(name) or domains.find_late(name)
    _decide_and_act(domains, name, lambda live: decision.delete_leftover(event, live), live)


def _decide_and_act(domains: Domains, name: str, decide: Callable[[Live | None], Plan], live: Live | None) -> Live:
    """Decide and act. Returns the live domain as it is then, {} if there is none; raises ApiError, RefusedError.

    After an error it looks at the domain and decides again. The call may have been carried out all the same (its answer
    was lost, or a retry met the first attempt's work), or things are not as they were thought to be
    (CreateDomain meets a domain of that name). An error after which there is still the same to do stands; but a Delete
    is retried where retries.py allows more attempts, since it needs a fresh look at the domain every few attempts:
    somebody may have claimed or filled it in the meantime.
    """
    plan = decide(live)
    while True:
        try:
            return _carry_out(domains, plan)
        except ApiError as error:
            try:
                again = decide(domains.find(name))
            except (ApiError, DeadlineReached) as blind:
                text = f"{error}. The domain could not be looked at then: {str(blind) or 'the time was up'}"
                raise ApiError(text, unsettled=error.unsettled) from error
            if again == plan and not error.retryable:
                raise
            logger.warning("deciding again after an error", error=str(error))
            plan = again


def _carry_out(domains: Domains, plan: Plan) -> Live:
    match plan:
        case Create(name, settings, tags):
            return domains.create(name, settings, tags)
        case Converge(name, changes, live):
            live = dict(live)
            if changes.postponed:
                logger.warning("not changed while the service is at work on it", postponed=changes.postponed)
            if changes.untag_first:
                domains.untag(name, changes.untag_first)
            if changes.tag:
                domains.tag(name, changes.tag)
            for update in changes.updates:
                live |= domains.update(name, update)
            if changes.untag:
                domains.untag(name, changes.untag)
            return live
        case Delete(name):
            domains.delete(name)
        case Leave(why):
            logger.warning(f"nothing done: {why}")
        case Refuse(why):
            raise RefusedError(why)
    return {}
