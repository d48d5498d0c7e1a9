"""History: whether a resource's domain was ever part of a complete stack. Pure functions of a stack's events.

The status of a stack does not tell it. A creation fails and its rollback fails, or is switched off, or the stack is
deleted while it is created: all that DescribeStacks says then is DELETE_IN_PROGRESS, "User Initiated" (`cdk deploy`
deletes such a stack by itself). An update with --disable-rollback fails, and the template from before is deployed:
UPDATE_COMPLETE_CLEANUP_IN_PROGRESS. Both undo an operation that never succeeded, as a rollback does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# A rollback that completes is no success of what it has rolled back. What was complete before has an older event.
_COMPLETE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_CLEAN_UP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's events, `at` in seconds since 1970; the stack's own have its ARN as the physical id."""

    at: float
    logical_id: str
    physical_id: str
    status: str


def last_complete(stack_id: str, status: str, newest_first: Iterable[StackEvent]) -> float:
    """When the stack was last complete before the operation that is running; 0.0 if no event says so.

    `status` is the stack's. CloudFormation does not keep events for ever.
    """
    is_before = status != _CLEAN_UP  # the update whose clean-up is running has succeeded itself
    for event in newest_first:
        if event.physical_id != stack_id:
            continue
        if is_before and event.status in _COMPLETE:
            return event.at
        is_before = is_before or event.status == "UPDATE_IN_PROGRESS"
    return 0.0


def has_come_since(complete_at: float, logical_id: str, physical_id: str, newest_first: Iterable[StackEvent]) -> bool:
    """Whether the resource, or its domain of that name, has come into the stack since the stack was last complete.

    The first event of a resource since then shows what it was: being created, or another domain that was renamed.
    """
    first = None
    for event in newest_first:
        if event.at <= complete_at:
            break
        if event.logical_id == logical_id:
            first = event
    return first is not None and (first.status.startswith("CREATE_") or first.physical_id not in ("", physical_id))
