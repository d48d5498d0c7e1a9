"""Asks CloudFormation about the stack of an event: its tags, its state, and its resource's state.

Nothing here is worth a failed deployment: what can't be known costs a warning, and the caller goes on without it. Where
asking is switched off (ASK_CLOUDFORMATION) there is no warning.
"""

from __future__ import annotations

import functools
import math
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from handler import history, timeliness
from handler.deadline import DeadlineReached
from handler.errors import is_throttled
from handler.event import Event
from handler.history import History, StackEvent
from handler.ownership import NATIVE_LOGICAL_ID, NATIVE_STACK_ID, NATIVE_TYPE
from handler.telemetry import logger
from handler.timeliness import NOT_LISTED, Listed, Rollback, Unwanted

# An answer that does not come must not take the time that the event itself needs. Not the mode "standard": its budget
# of retries outlives the event.
_CONFIG = Config(retries={"mode": "legacy", "total_max_attempts": 2}, connect_timeout=2, read_timeout=5)
# Seconds before a question that was throttled, or failed at CloudFormation, is asked again: its answer can decide
# whether the event fails.
_PAUSES = (1, 2, 4, 8)

# In the reason of a stack that CloudFormation deletes because its creation failed (OnFailure DELETE): "The following
# resource(s) failed to create: [...]. Delete requested by user." or "Stack creation time exceeded the specified
# timeout. Delete requested by user." The reason of a DeleteStack is "User Initiated".
_CREATION_FAILED = (" failed to create", " exceeded the specified timeout", "Delete requested by user")

# A page has a hundred events and takes some tenths of a second. A parent of many stacks can have thousands of pages.
_MOST_PAGES = 200


class _TooManyEventsError(Exception):
    """Reading a stack's events takes too long."""


# A response that is not CloudFormation's, such as a proxy's page, tells as little as an error.
_CANT_TELL = (ClientError, BotoCoreError, ResponseParserError, KeyError, IndexError, _TooManyEventsError)


def tags(event: Event) -> Mapping[str, str]:
    """The tags of the event's stack, where the function is to give them to domains (PROPAGATE_STACK_TAGS)."""
    if os.environ.get("PROPAGATE_STACK_TAGS") != "true":
        return {}
    try:
        return {tag["Key"]: tag["Value"] for tag in _describe_stack(event, event.stack_id).get("Tags", [])}
    except _CANT_TELL as error:
        logger.warning("the stack's tags could not be read, so the domain doesn't get them", error=str(error))
        return {}


def listed(event: Event) -> Listed | None:
    """What CloudFormation lists for the event's resource; None where it can't be asked."""
    return _describe_resource(event, event.stack_id, event.logical_id)


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
        or native.status in ("DELETE_COMPLETE", "DELETE_SKIPPED")
    ):
        return True
    if native.physical_id in ("", name):
        return False
    try:  # a replacement that is not complete can be rolled back
        return not _describe_stack(event, tags[NATIVE_STACK_ID])["StackStatus"].endswith("_IN_PROGRESS")
    except _CANT_TELL as error:
        logger.warning("CloudFormation could not be asked about a stack", error=str(error))
        return False


def _describe_resource(
    event: Event, stack_id: str, logical_id: str, *, if_no_stack: Listed | None = None
) -> Listed | None:
    """What CloudFormation lists for a resource; None where it can't be asked.

    `if_no_stack`: the answer where it does not know the stack: it forgets a stack 90 days after its deletion.
    """
    if not _may_ask():
        return None
    try:
        asked = _ask(event, "DescribeStackResource", StackName=stack_id, LogicalResourceId=logical_id)
        resource = asked["StackResourceDetail"]
        since = resource["LastUpdatedTimestamp"].timestamp()
        physical_id = resource.get("PhysicalResourceId", "")
        return Listed(resource["ResourceStatus"], physical_id, since, resource["ResourceType"])
    except _CANT_TELL as error:
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
    if not _may_ask():
        return Rollback.UNKNOWN
    stacks: list[Any] = []
    try:
        is_rollback = _is_rolling_back(event, stacks)
        if event.request_type == "Delete" and not is_rollback:
            own, *parents = _histories(event, stacks)
            is_rollback = history.was_never_complete(own, parents, event.logical_id, event.physical_id)
    except _CANT_TELL as error:
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
    if not _may_ask():
        return 0.0
    try:
        own, *parents = _histories(event, _with_parents(event))
        began = own.unfinished_since(parents)
    except _CANT_TELL as error:
        logger.warning("CloudFormation could not be asked for the time at which the operation began", error=str(error))
        return 0.0
    return began if began < math.inf else 0.0


def _is_rolling_back(event: Event, stacks: list[Any]) -> bool:
    """Whether the event's stack is rolling back, or one that it is nested in. What is asked about goes on the list.

    A nested stack that is deleted in its parent's rollback is itself DELETE_IN_PROGRESS, and so is a stack that is
    created with OnFailure DELETE, whose reason then says why its creation failed. A parent whose rollback is over has
    nothing to do with what happens to a nested stack later.
    """
    for stack in _with_parents(event):
        stacks.append(stack)
        status, reason = stack["StackStatus"], stack.get("StackStatusReason", "")
        is_creation_undone = status.startswith("DELETE_") and any(words in reason for words in _CREATION_FAILED)
        is_running = all(parent["StackStatus"].endswith("_IN_PROGRESS") for parent in stacks[1:])
        if is_running and ("ROLLBACK" in status or is_creation_undone):
            return True
    return False


def _with_parents(event: Event) -> Iterator[Any]:
    """The event's stack, the one that it is nested in, and so on, as long as they exist."""
    stack = _describe_stack(event, event.stack_id)
    yield stack
    while "ParentId" in stack:
        try:
            stack = _describe_stack(event, stack["ParentId"])
        except ClientError as error:
            if "does not exist" not in error.response["Error"]["Message"]:
                raise
            return
        yield stack


def _histories(event: Event, stacks: Iterable[Any]) -> list[History]:
    return [History(stack["StackId"], _Events(event, stack["StackId"])) for stack in stacks]


def _may_ask() -> bool:
    return os.environ.get("ASK_CLOUDFORMATION", "true") == "true"


def _describe_stack(event: Event, stack_id: str) -> Any:
    return _ask(event, "DescribeStacks", StackName=stack_id)["Stacks"][0]


class _Events:
    """A stack's events, the newest first: read page by page as they are needed, and only once."""

    def __init__(self, event: Event, stack_id: str) -> None:
        self._read: list[StackEvent] = []
        self._unread = self._pages(event, stack_id)

    def __iter__(self) -> Iterator[StackEvent]:
        yield from self._read
        for line in self._unread:
            self._read.append(line)
            yield line

    @staticmethod
    def _pages(event: Event, stack_id: str) -> Iterator[StackEvent]:
        following: Mapping[str, str] = {}
        for _ in range(_MOST_PAGES):
            page = _ask(event, "DescribeStackEvents", StackName=stack_id, **following)
            for line in page["StackEvents"]:
                yield StackEvent(
                    line["Timestamp"].timestamp(),
                    line.get("LogicalResourceId", ""),
                    line.get("PhysicalResourceId", ""),
                    line.get("ResourceStatus", ""),
                )
            if not page.get("NextToken"):
                return
            following = {"NextToken": page["NextToken"]}
        raise _TooManyEventsError(f"{stack_id} has more than {_MOST_PAGES} pages of events since then")


def _ask(event: Event, operation: str, **arguments: str) -> Any:
    pauses = [pause for pause in _PAUSES if pause <= event.service_timeout / 20]  # the event needs the time for itself
    try:
        for pause in (*pauses, None):
            try:
                return getattr(client(), xform_name(operation))(**arguments)
            except ClientError as error:
                code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
                if pause is None or not (is_throttled(code, status) or status >= 500):
                    raise
                time.sleep(random.uniform(pause / 2, pause))  # not all at once again
    except DeadlineReached as reached:
        reached.waiting_for = f"CloudFormation's answer to {operation}"
        raise


@functools.cache
def client() -> Any:
    """The CloudFormation client, made when it is first needed: most events ask nothing."""
    return boto3.client("cloudformation", config=_CONFIG)
