"""History: whether a resource's domain was ever part of a complete stack. Pure functions of a stack's events.

The status of a stack does not tell it. A creation fails and its rollback fails, or is switched off, or the stack is
deleted while it is created: all that DescribeStacks says then is DELETE_IN_PROGRESS, "User Initiated" (`cdk deploy`
deletes such a stack by itself). An update with --disable-rollback fails, and the template from before is deployed:
UPDATE_COMPLETE_CLEANUP_IN_PROGRESS. Both undo an operation that never succeeded, as a rollback does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_CLEAN_UP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
_ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"
_COMPLETE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", _CLEAN_UP})
_BEGINNINGS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"})


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's events, `at` in seconds since 1970.

    `is_stack`: whether it is about a stack, this one or a nested one; its ARN is then the physical id. `is_native`:
    whether it is about a domain of the native type.
    """

    at: float
    logical_id: str
    physical_id: str
    status: str
    is_stack: bool
    is_native: bool = False


@dataclass(frozen=True)
class History:
    """A stack and its events: the newest first, as far back as CloudFormation has kept them."""

    stack_id: str
    events: Iterable[StackEvent]

    def has_undone(self, at: float, until: float) -> bool:
        """Whether an operation was running at that time which was rolled back, or which did not succeed until then."""
        has_succeeded = False
        for event in self._own():
            if event.at <= at:
                return event.status in _BEGINNINGS and not has_succeeded
            if event.at >= until:
                continue
            if event.status in _COMPLETE:
                has_succeeded = True
            elif "ROLLBACK" in event.status:
                has_succeeded = False
        return False

    def began_removing(self, nested_id: str, since: float) -> float:
        """When the first operation since then began that has removed the nested stack, or tried to; infinity if none.

        That operation is no success of what had added the nested stack.
        """
        began, is_removed = math.inf, False
        for event in self.events:
            if event.at <= since:
                break
            if event.is_stack and event.physical_id == nested_id and event.status.startswith("DELETE_"):
                is_removed = True
            elif is_removed and self._is_own(event) and event.status in (*_BEGINNINGS, "DELETE_IN_PROGRESS"):
                began, is_removed = event.at, False
        return began

    def unfinished_since(self, parents: Sequence[History]) -> float:
        """When the first operation began after which the stack was not complete again; infinity if there is none.

        An operation that was rolled back before it does not count. A nested stack can be complete before its parents,
        and after they have failed. That counts only if they did not undo the operation during which its own began.
        """
        began, is_complete = math.inf, False
        for event in self._own():
            if event.status == _ROLLED_BACK and began < math.inf:
                break
            if event.status in _BEGINNINGS:
                if is_complete and not self._was_undone(event.at, parents):
                    break
                began, is_complete = event.at, False
            is_complete |= event.status in _COMPLETE
        return began

    def has_come_since(self, began: float, logical_id: str, physical_id: str) -> bool:
        """Whether the resource, or its domain with that physical id, has come into the stack since then.

        The first event of a resource since then shows what it was: being created, or another domain that was renamed.
        """
        first = None
        for event in self.events:
            if event.at < began:
                break
            if event.logical_id == logical_id and not event.is_stack:  # a stack may have that name
                first = event
        return first is not None and (first.status.startswith("CREATE_") or first.physical_id != physical_id)

    def had(self, began: float, logical_id: str, physical_id: str) -> bool:
        """Whether the resource had that domain before that time, or had retained it, and no Delete has ended that."""
        for event in self.events:
            is_its = (event.logical_id, event.physical_id) == (logical_id, physical_id)
            if is_its and event.at < began and not (event.is_stack or event.is_native):
                return event.status == "DELETE_SKIPPED" or not event.status.startswith("DELETE_")
        return False

    def _was_undone(self, at: float, parents: Sequence[History]) -> bool:
        """Whether a stack that this one is nested in has undone the operation that was running in it at that time."""
        child, until = self.stack_id, math.inf
        for parent in parents:
            until = min(until, parent.began_removing(child, at))
            if parent.has_undone(at, until):
                return True
            child = parent.stack_id
        return False

    def _own(self) -> Iterator[StackEvent]:
        """The stack's own events. Left out: a running clean-up, whose update removes the resource."""
        for number, event in enumerate(filter(self._is_own, self.events)):
            if number > 0 or event.status != _CLEAN_UP:
                yield event

    def _is_own(self, event: StackEvent) -> bool:
        return event.is_stack and event.physical_id == self.stack_id


def was_never_complete(own: History, parents: Sequence[History], logical_id: str, physical_id: str) -> bool:
    """Whether a resource's stack, or one that it is nested in, was not complete since the resource has its domain."""
    began = own.unfinished_since(parents)
    return began < math.inf and own.has_come_since(began, logical_id, physical_id)
