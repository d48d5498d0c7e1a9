"""What a handler gets beside the event, and what it returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handler.attempts import Attempts
from handler.deadline import Deadline, seconds_to_work
from handler.event import Event


@dataclass(frozen=True)
class Invocation:
    """What a handler needs beside the event: the function's account, the time that is left, the attempts it has made.

    `age` is how many seconds old the event was when the function got it.
    """

    account: str
    deadline: Deadline
    attempts: Attempts
    age: float = float("inf")


@dataclass(frozen=True)
class Outcome:
    """What a handler has to say: the resource's physical id, and its attributes for Fn::GetAtt."""

    physical_id: str
    outputs: Mapping[str, str | int | float] = field(default_factory=dict)


Handler = Callable[[Event, Invocation], Outcome]


def invocation_of(event: Event, context: Any) -> Invocation:
    """Start the invocation for an event; `context` is Lambda's."""
    age = event.age(time.time())
    seconds = seconds_to_work(seconds_remaining(context), event.service_timeout, age)
    return Invocation(_account(event, context), deadline_in(seconds, context), Attempts(), age)


def seconds_remaining(context: Any) -> float:
    """How many seconds Lambda leaves to the invocation."""
    return float(context.get_remaining_time_in_millis()) / 1000


def deadline_in(seconds: float, context: Any) -> Deadline:
    """Return the deadline after that many seconds, by Lambda's clock."""
    return Deadline(seconds, clock=lambda: -seconds_remaining(context))


def _account(event: Event, context: Any) -> str:
    """The function's own account, where its domains are; the stack's if the function has no ARN."""
    for arn in (getattr(context, "invoked_function_arn", ""), event.stack_id):
        parts = str(arn).split(":")
        if len(parts) > 4:
            return parts[4]
    return ""
