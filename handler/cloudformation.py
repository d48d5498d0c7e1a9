"""One question to CloudFormation: the client, its retries, and pages of events. stack.py says what is asked and why."""

from __future__ import annotations

import functools
import os
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from handler.claims import NATIVE_TYPE
from handler.deadline import DeadlineReached
from handler.errors import is_throttled
from handler.event import Event
from handler.history import StackEvent
from handler.telemetry import logger

# An answer that does not come must not take the time that the event itself needs. Not the mode "standard": its budget
# of retries outlives the event.
_CONFIG = Config(retries={"mode": "legacy", "total_max_attempts": 2}, connect_timeout=2, read_timeout=5)
# Seconds before a question that was throttled, or failed at CloudFormation, is asked again: its answer can decide
# whether the event fails.
_PAUSES = (1, 2, 4, 8)

# A page has a hundred events and takes some tenths of a second. A parent of many stacks can have thousands of pages.
_MOST_PAGES = 200

_STACK = "AWS::CloudFormation::Stack"


class _TooManyEventsError(Exception):
    """Reading a stack's events takes too long."""


# A response that is not CloudFormation's, such as a proxy's page, tells as little as an error.
CANT_TELL = (ClientError, BotoCoreError, ResponseParserError, KeyError, IndexError, _TooManyEventsError)


def may_ask() -> bool:
    """Whether asking is switched on (the template's parameter AskCloudFormation)."""
    return os.environ.get("ASK_CLOUDFORMATION", "true") == "true"


def describe_stack(event: Event, stack_id: str) -> Any:
    """What CloudFormation says of a stack. Raises one of CANT_TELL."""
    return ask(event, "DescribeStacks", StackName=stack_id)["Stacks"][0]


def with_parents(event: Event) -> Iterator[Any]:
    """The event's stack, the one that it is nested in, and so on, as long as they exist. Raises one of CANT_TELL."""
    stack = describe_stack(event, event.stack_id)
    yield stack
    while "ParentId" in stack:
        try:
            stack = describe_stack(event, stack["ParentId"])
        except ClientError as error:
            if "does not exist" not in error.response["Error"]["Message"]:
                raise
            return
        yield stack


class Events:
    """A stack's events, the newest first: read page by page as they are needed, and only once.

    Reading them raises one of CANT_TELL.
    """

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
            page = ask(event, "DescribeStackEvents", StackName=stack_id, **following)
            for line in page["StackEvents"]:
                yield StackEvent(
                    line["Timestamp"].timestamp(),
                    line.get("LogicalResourceId", ""),
                    line.get("PhysicalResourceId", ""),
                    line.get("ResourceStatus", ""),
                    line["ResourceType"] == _STACK,  # without it nothing can be told
                    line["ResourceType"] == NATIVE_TYPE,
                )
            if not page.get("NextToken"):
                return
            following = {"NextToken": page["NextToken"]}
        raise _TooManyEventsError(f"{stack_id} has more than {_MOST_PAGES} pages of events since then")


def ask(event: Event, operation: str, **arguments: str) -> Any:
    """Ask, and ask again while that is throttled or fails at CloudFormation. Returns the response.

    Raises one of CANT_TELL, and DeadlineReached.
    """
    pauses = [pause for pause in _PAUSES if pause <= event.service_timeout / 20]  # the event needs the time for itself
    try:
        for pause in (*pauses, None):
            logger.debug("question to CloudFormation", operation=operation)
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
