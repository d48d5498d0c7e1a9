"""Lambda's execution environments, several at the same time, and invocations that pause at each API call.

Lambda runs two events of one resource at the same time if CloudFormation sends the second before the first has ended.
Here each invocation runs in a greenlet. All greenlets run in one thread, so that a test always runs in the same order.
It is the main thread, because the function's timer needs signals, and only the main thread gets them.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from types import ModuleType

from botocore.client import BaseClient
from greenlet import getcurrent, greenlet

from tests.handler.cloudformation import Delivery, another_environment
from tests.handler.faults import Clock

_idle: list[ModuleType] = []  # kept between tests, since importing the function takes long


class Environments:
    """The function's execution environments: one for each event that runs at the same time."""

    def __init__(self, client: BaseClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def take(self) -> ModuleType:
        """An idle environment, or a new one: the function's module with its own global variables."""
        module = _idle.pop() if _idle else another_environment(self._client)
        module.__dict__["_client"] = self._client
        if "time" in module.__dict__:
            module.__dict__["time"] = self._clock.module
        return module

    @staticmethod
    def give_back(module: ModuleType) -> None:
        _idle.append(module)


class Invocation:
    """One invocation of the function. It pauses where `pause` is called, and continues with the next `step`."""

    def __init__(self, invoke: Callable[[], Delivery]) -> None:
        self._invoke = invoke
        self._greenlet = greenlet(self._run)
        self._greenlet.gr_context = contextvars.copy_context()
        self.delivery: Delivery | None = None

    def _run(self) -> None:
        self.delivery = self._invoke()

    def step(self) -> bool:
        """Continue until the next pause. Return False if the invocation ended instead."""
        self._greenlet.parent = getcurrent()
        self._greenlet.switch()
        return not self._greenlet.dead

    @staticmethod
    def pause() -> None:
        """Pause the invocation that calls this, so that others can continue."""
        getcurrent().parent.switch()
