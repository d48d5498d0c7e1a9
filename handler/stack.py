"""Asks CloudFormation about the stack of an event: its tags, its state, and its resource's state.

Nothing here is worth a failed deployment: what can't be known costs a warning, and the caller goes on without it. Where
asking is switched off (ASK_CLOUDFORMATION) there is no warning.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from handler import history, timeliness
from handler.claims import NATIVE_LOGICAL_ID, NATIVE_STACK_ID, NATIVE_TYPE, Claims
from handler.cloudformation import CANT_TELL, Events, ask, describe_stack, may_ask, with_parents
from handler.deadline import DeadlineReached
from handler.event import Event
from handler.history import History
from handler.telemetry import logger
from handler.timeliness import NOT_LISTED, Listed, Rollback, Unwanted

_T = TypeVar("_T")

# In the reason of a stack that CloudFormation deletes because its creation failed (OnFailure DELETE): "The following
# resource(s) failed to create: [...]. Delete requested by user." or "Stack creation time exceeded the specified
# timeout. Delete requested by user." The reason of a DeleteStack is "User Initiated".
_CREATION_FAILED = (" failed to create", " exceeded the specified timeout", "Delete requested by user")


def tags(event: Event) -> Mapping[str, str]:
    """The tags of the event's stack, where the function is to give them to domains (PROPAGATE_STACK_TAGS)."""
    if os.environ.get("PROPAGATE_STACK_TAGS") != "true":
        return {}
    try:
        return {tag["Key"]: tag["Value"] for tag in describe_stack(event, event.stack_id).get("Tags", [])}
    except CANT_TELL as error:
        logger.warning("the stack's tags could not be read, so the domain doesn't get them", error=str(error))
        return {}


def listed(event: Event) -> Listed | None:
    """What CloudFormation lists for the event's resource; None where it can't be asked."""
    return _describe_resource(event, event.stack_id, event.logical_id)


def never_created(event: Event, name: str, borrowers: Claims) -> frozenset[str]:
    """Which of these borrowers are resources of the event's stack that were never created, by their logical ids.

    A takeover that CloudFormation did not wait for can leave the claim of such a resource. One that was retained, and
    was added again without success, is listed in the same way; it has its claim from before.
    """
    found = set()
    for logical_id in (claim.logical_id for claim in borrowers if claim.stack_id == event.stack_id):
        borrower = replace(event, logical_id=logical_id)
        resource = listed(borrower)
        is_none = resource is not None and timeliness.was_never_created(borrower, resource, name)
        if is_none and had_before(borrower, name) is False:
            found.add(logical_id)
    return frozenset(found)


def had_before(event: Event, name: str) -> bool | None:
    """Whether the event's resource had that domain before this operation, or has retained it.

    False also where CloudFormation has the events no more; None where it can't be asked.
    """
    return _in_history(event, lambda own, began: own.had(began, event.logical_id, name))


def undone_borrowers(event: Event, name: str, borrowers: Claims) -> frozenset[str]:
    """Which of these borrowers, resources of the event's stack, got the domain in the operation that is undone.

    Returns their logical ids; none where CloudFormation can't be asked. The others had it before, and keep it.
    """
    in_stack = {claim.logical_id for claim in borrowers if claim.stack_id == event.stack_id}

    def undone(own: History, began: float) -> frozenset[str]:
        came = (each for each in in_stack if own.has_come_since(began, each, name))
        return frozenset(each for each in came if not own.had(began, each, name))

    return _in_history(event, undone) or frozenset()


def is_native_gone(event: Event, name: str, tags: Mapping[str, str]) -> bool:
    """Whether the resource of the native type that these system tags of a domain name has that domain no more.

    It may have left its stack, have another domain by now, or its logical id may be another resource's.
    """
    native = _describe_resource(event, tags[NATIVE_STACK_ID], tags.get(NATIVE_LOGICAL_ID, ""), if_no_stack=NOT_LISTED)
    if native is None:
        return False
    if (
        native == NOT_LISTED
        or native.resource_type != NATIVE_TYPE
        or native.status in ("DELETE_COMPLETE", "DELETE_SKIPPED", "IMPORT_ROLLBACK_COMPLETE")
    ):
        return True
    if native.physical_id in ("", name):
        return False
    try:  # a replacement that is not complete can be rolled back
        stacks = with_parents(replace(event, stack_id=tags[NATIVE_STACK_ID]))
        return all(stack["StackStatus"].endswith("_COMPLETE") for stack in stacks)
    except CANT_TELL as error:
        logger.warning("CloudFormation could not be asked about a stack", error=str(error))
        return False


def _describe_resource(
    event: Event, stack_id: str, logical_id: str, *, if_no_stack: Listed | None = None
) -> Listed | None:
    """What CloudFormation lists for a resource; None where it can't be asked.

    `if_no_stack`: the answer where it does not know the stack: it forgets a stack 90 days after its deletion.
    """
    if not may_ask():
        return None
    try:
        asked = ask(event, "DescribeStackResource", StackName=stack_id, LogicalResourceId=logical_id)
        resource = asked["StackResourceDetail"]
        since = resource["LastUpdatedTimestamp"].timestamp()
        physical_id = resource.get("PhysicalResourceId", "")
        return Listed(resource["ResourceStatus"], physical_id, since, resource["ResourceType"])
    except CANT_TELL as error:
        # "Resource Domain does not exist for stack ...", not "Stack with id ... does not exist".
        message = error.response["Error"]["Message"] if isinstance(error, ClientError) else ""
        if message.startswith("Resource "):
            return NOT_LISTED
        if if_no_stack and message.startswith("Stack ") and message.endswith("does not exist"):
            return if_no_stack
        logger.warning(f"CloudFormation could not be asked about {logical_id}", error=str(error))
        return None


def unwanted(event: Event, is_late: Callable[[Event, float], bool], *, is_done: bool = False) -> Unwanted | None:
    """Why CloudFormation no longer wants the event; None if it does, can't be asked, or the event is not late.

    An event that is done succeeds if the question takes longer than the time that is left.
    """
    if not is_late(event, time.time()):
        return None
    try:
        now_listed = listed(event)
    except DeadlineReached:
        if not is_done:
            raise
        logger.warning("there was no time to ask CloudFormation whether it still wants this event")
        return None
    return judged(event, now_listed)


def judged(event: Event, listed: Listed | None, *, has_begun: bool = False) -> Unwanted | None:
    """Judge whether CloudFormation still wants the event from what it lists; None if it does, or could not be asked."""
    unwanted = timeliness.unwanted(event, listed, has_begun=has_begun)
    if unwanted:
        logger.warning("the event is late", why=unwanted.why)
    return unwanted


def rollback(event: Event) -> Rollback:
    """Whether what the event asks for is part of a rollback, of its stack or of a stack that it is nested in.

    A Delete also counts as part of one if its stack, or one that it is nested in, was not complete since the resource
    has its domain (history.py).
    """
    if not may_ask():
        return Rollback.UNKNOWN
    stacks: list[Any] = []
    try:
        is_rollback = _is_rolling_back(event, stacks)
        if event.is_delete and not is_rollback:
            own, *parents = _histories(event, stacks)
            is_rollback = history.was_never_complete(own, parents, event.logical_id, event.physical_id)
    except CANT_TELL as error:
        logger.warning("CloudFormation could not be asked whether this is a rollback", error=str(error))
        return Rollback.UNKNOWN
    status = stacks[0]["StackStatus"]
    if not is_rollback:
        return Rollback.DELETION if status.startswith("DELETE_") else Rollback.NO
    return Rollback.ENDS if status.startswith(("ROLLBACK_", "DELETE_")) else Rollback.YES


def undone_since(event: Event) -> float:
    """When the operation began whose work the event undoes, in seconds since 1970.

    0 where CloudFormation can't be asked, has its events no more, or lists no operation that has not succeeded.
    """
    began = _in_history(event, lambda own, began: began)
    return began if began is not None and began < math.inf else 0.0


def _in_history(event: Event, find: Callable[[History, float], _T]) -> _T | None:
    """What is found in the stack's history, given when the operation began that the event belongs to, or undoes.

    None where CloudFormation can't be asked.
    """
    if not may_ask():
        return None
    try:
        own, *parents = _histories(event, with_parents(event))
        return find(own, own.unfinished_since(parents))
    except CANT_TELL as error:
        logger.warning("CloudFormation could not be asked for the time at which the operation began", error=str(error))
        return None


def _is_rolling_back(event: Event, stacks: list[Any]) -> bool:
    """Whether the event's stack is rolling back, or one that it is nested in. What is asked about goes on the list.

    A nested stack that is deleted in its parent's rollback is itself DELETE_IN_PROGRESS, and so is a stack that is
    created with OnFailure DELETE, whose reason then says why its creation failed. A parent whose rollback is over has
    nothing to do with what happens to a nested stack later.
    """
    for stack in with_parents(event):
        stacks.append(stack)
        status, reason = stack["StackStatus"], stack.get("StackStatusReason", "")
        is_creation_undone = status.startswith("DELETE_") and any(words in reason for words in _CREATION_FAILED)
        is_running = all(parent["StackStatus"].endswith("_IN_PROGRESS") for parent in stacks[1:])
        if is_running and ("ROLLBACK" in status or is_creation_undone):
            return True
    return False


def _histories(event: Event, stacks: Iterable[Any]) -> list[History]:
    return [History(stack["StackId"], Events(event, stack["StackId"])) for stack in stacks]
