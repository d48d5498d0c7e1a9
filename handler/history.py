"""History: whether a resource's domain was ever part of a complete stack. Pure functions of a stack's events.

The status of a stack does not tell it. A creation fails and its rollback fails, or is switched off, or the stack is
deleted while it is created: all that DescribeStacks says then is DELETE_IN_PROGRESS, "User Initiated" (`cdk deploy`
deletes such a stack by itself). An update with --disable-rollback fails, and the template from before is deployed:
UPDATE_COMPLETE_CLEANUP_IN_PROGRESS. Both undo an operation that never succeeded, as a rollback does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_CLEAN_UP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
_COMPLETE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", _CLEAN_UP})
_ROLLED_BACK = frozenset({"UPDATE_ROLLBACK_COMPLETE"})
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's events, `at` in seconds since 1970; the stack's own have its ARN as the physical id."""

    at: float
    logical_id: str
    physical_id: str
    status: str


def unfinished_since(stack_id: str, status: str, newest_first: Iterable[StackEvent], *, is_parent: bool) -> float:
    """When the first operation began after which the stack was not complete again; infinity if there is none.

    `status` is the stack's. For a parent an operation that was rolled back is over. For the resource's own stack it is
    not: the rollback may have left the resource out. CloudFormation does not keep events for ever.
    """
    ends = _COMPLETE | _ROLLED_BACK if is_parent else _COMPLETE
    is_over = status != _CLEAN_UP  # the update whose clean-up is running has succeeded
    began = math.inf
    for event in newest_first:
        if event.physical_id != stack_id:
            continue
        if not is_over:
            is_over = event.status in _BEGINNINGS
        elif event.status in ends:
            break
        elif event.status in _BEGINNINGS:
            began = event.at
    return began


def has_come_since(began: float, logical_id: str, physical_id: str, newest_first: Iterable[StackEvent]) -> bool:
    """Whether the resource, or its domain of that name, has come into the stack since then.

    The first event of a resource since then shows what it was: being created, or another domain that was renamed.
    """
    first = None
    for event in newest_first:
        if event.at < began:
            break
        if event.logical_id == logical_id:
            first = event
    return first is not None and (first.status.startswith("CREATE_") or first.physical_id not in ("", physical_id))
