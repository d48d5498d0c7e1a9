"""Execution environments that take turns: one stops at each of its API calls, and another goes on.

Lambda runs two events of one resource at the same time whenever CloudFormation sends the second before the first has
ended. Each runs in a greenlet here: all in one thread, so that every run of the tests is the same, and in the main one,
where the function's timer gets its signal.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from types import ModuleType

from botocore.client import BaseClient
from greenlet import getcurrent, greenlet

from tests.handler.cloudformation import Delivery, another_environment
from tests.handler.faults import Clock

_idle: list[ModuleType] = []  # kept from one test to the next, since each costs the making of a client


class Environments:
    """The function's execution environments; as many as there are events at the same time."""

    def __init__(self, client: BaseClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def take(self) -> ModuleType:
        """Take an environment that nobody uses: the function, with all that it keeps in its module."""
        module = _idle.pop() if _idle else another_environment(self._client)
        module.__dict__["_client"] = self._client
        if "time" in module.__dict__:
            module.__dict__["time"] = self._clock.module
        return module

    @staticmethod
    def give_back(module: ModuleType) -> None:
        _idle.append(module)


class Invocation:
    """One delivery of an event. It stops wherever `stop` is called, and goes on with the next `step`."""

    def __init__(self, invoke: Callable[[], Delivery]) -> None:
        self._invoke = invoke
        self._greenlet = greenlet(self._run)
        self._greenlet.gr_context = contextvars.copy_context()
        self.delivery: Delivery | None = None

    def _run(self) -> None:
        self.delivery = self._invoke()

    def step(self) -> bool:
        """Go on until the next stop. Returns whether there was one; else the delivery has ended."""
        self._greenlet.parent = getcurrent()
        self._greenlet.switch()
        return not self._greenlet.dead

    @staticmethod
    def stop() -> None:
        """Let others go on; called from within an invocation."""
        getcurrent().parent.switch()
