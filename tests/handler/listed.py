"""CloudFormation for the tests of single events: it lists what a test has set, whenever it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from handler import cloudformation as asking
from tests.handler.cloudformation import STACK
from tests.handler.describe_api import DescribeApi, DescribeError
from tests.handler.faults import Clock
from tests.handler.stacks import CUSTOM_TYPE, ReportedResource, Stack


class ListedStacks:
    """What DescribeStackResource, DescribeStacks and DescribeStackEvents report; `calls` are the questions so far."""

    def __init__(self, clock: Clock) -> None:
        self.calls: list[str] = []
        self._clock = clock
        self._stacks: dict[str, Stack] = {}
        self._api = DescribeApi(lambda: self._stacks, clock)
        self._api.on_call = self.calls.append

    @property
    def error_for(self) -> Callable[[str], DescribeError | None]:
        """The error that an operation answers with, if any."""
        return self._api.error_for

    @error_for.setter
    def error_for(self, error_for: Callable[[str], DescribeError | None]) -> None:
        self._api.error_for = error_for

    def lists(
        self,
        status: str,
        physical_id: str = "",
        since: float = 0.0,
        *,
        stack_id: str = STACK,
        logical_id: str = "Domain",
        resource_type: str = CUSTOM_TYPE,
    ) -> None:
        """List a resource, with this status since that time."""
        stack = self._stack(stack_id)
        stack.reported[logical_id] = ReportedResource(status, physical_id, since, resource_type)
        stack.log(logical_id, status, physical_id, resource_type)

    def lists_no_longer(self, *, stack_id: str = STACK, logical_id: str = "Domain") -> None:
        """List a resource no longer, as after an update that removed it from its stack."""
        del self._stack(stack_id).reported[logical_id]

    def stack_is(
        self,
        status: str,
        stack_id: str = STACK,
        *,
        reason: str = "",
        parent_id: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Report this of a stack: its status and the reason for that, the stack that it is nested in, and its tags."""
        stack = self._stack(stack_id)
        stack.enter(status)
        stack.status_reason, stack.parent_id, stack.tags = reason, parent_id, dict(tags or {})

    def _stack(self, stack_id: str) -> Stack:
        return self._stacks.setdefault(stack_id, Stack(stack_id, _sends_nothing, now=self._clock.time))

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer the function's questions."""
        asking.client.cache_clear()
        self._api.attach(asking.client())
        yield
        asking.client.cache_clear()


def _sends_nothing(event: dict[str, Any]) -> None:
    raise AssertionError("these stacks only report")
