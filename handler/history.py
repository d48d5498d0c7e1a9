"""History: whether a resource's domain was ever part of a complete stack. Pure functions of a stack's events.

The status of a stack does not tell it. A creation fails and its rollback fails, or is switched off, or the stack is
deleted while it is created: all that DescribeStacks says then is DELETE_IN_PROGRESS, "User Initiated" (`cdk deploy`
deletes such a stack by itself). An update with --disable-rollback fails, and the template from before is deployed:
UPDATE_COMPLETE_CLEANUP_IN_PROGRESS. Both undo an operation that never succeeded, as a rollback does.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

_CLEAN_UP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
_ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"
_COMPLETE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", _CLEAN_UP})
_BEGINNINGS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"})


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's events, `at` in seconds since 1970; the stack's own have its ARN as the physical id."""

    at: float
    logical_id: str
    physical_id: str
    status: str


@dataclass(frozen=True)
class History:
    """A stack and its events: the newest first, as far back as CloudFormation has kept them."""

    stack_id: str
    events: Iterable[StackEvent]

    def has_undone(self, at: float, nested: Collection[str]) -> bool:
        """Whether an operation was running at that time which was rolled back, or which never succeeded.

        An update that removes one of the nested stacks, and its clean-up, is no success of what had added it.
        """
        has_succeeded, is_removed = False, True  # by a clean-up that is still running
        for event in self.events:
            if event.physical_id == self.stack_id:
                if event.at <= at:
                    return event.status in _BEGINNINGS and not has_succeeded
                if event.status in _COMPLETE and not (is_removed and event.status == _CLEAN_UP):
                    has_succeeded = True
                elif "ROLLBACK" in event.status:
                    has_succeeded = False
                is_removed = False
            elif event.physical_id in nested and event.status.startswith("DELETE_"):
                has_succeeded, is_removed = False, True
        return False

    def unfinished_since(self, parents: Sequence[History]) -> float:
        """When the first operation began after which the stack was not complete again; infinity if there is none.

        An operation that was rolled back before it does not count. A nested stack can be complete before its parents,
        and after they have failed. That counts only if they did not undo the operation during which its own began.
        """
        began, is_complete = math.inf, False
        nested = {self.stack_id, *(parent.stack_id for parent in parents)}
        for event in self._own():
            if event.status == _ROLLED_BACK and began < math.inf:
                break
            if event.status in _BEGINNINGS:
                if is_complete and not any(parent.has_undone(event.at, nested) for parent in parents):
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
            if event.logical_id == logical_id:
                first = event
        return first is not None and (first.status.startswith("CREATE_") or first.physical_id != physical_id)

    def _own(self) -> Iterator[StackEvent]:
        """The stack's own events. Left out: a running clean-up, whose update removes the resource."""
        own = (event for event in self.events if event.physical_id == self.stack_id)
        for number, event in enumerate(own):
            if number > 0 or event.status != _CLEAN_UP:
                yield event


def was_never_complete(own: History, parents: Sequence[History], logical_id: str, physical_id: str) -> bool:
    """Whether a resource's stack, or one that it is nested in, was not complete since the resource has its domain."""
    began = own.unfinished_since(parents)
    return began < math.inf and own.has_come_since(began, logical_id, physical_id)
