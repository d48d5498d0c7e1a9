"""One resource of a stack, as CloudFormation handles it: it lists the resource's status and sends its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.event import read
from tests.handler.cloudformation import Answer, Function, Mailbox, event
from tests.handler.environments import Environments
from tests.handler.faults import Clock, client
from tests.handler.listed import ListedStacks
from tests.handler.stacks import succeeded

# What CloudFormation makes up for a resource whose Create it has cancelled before the answer.
MADE_UP = "customers-Domain-1A2B3C4D5E6F"


class ListedResource:
    """The resource `Domain` of one stack.

    Each event runs in an execution environment of its own, so a test can send one while another one is throttled.
    `create`, `update` and `delete` list the status that CloudFormation lists while it waits for the answer. What it
    lists after the answer is for the test to say, with `lists`.
    """

    def __init__(self, stacks: ListedStacks, mailbox: Mailbox, clock: Clock, stack_id: str) -> None:
        self.stack_id = stack_id
        self._stacks = stacks
        self._mailbox = mailbox
        self._clock = clock
        self._environments = Environments(client(), clock)

    def lists(self, status: str, physical_id: str = "") -> None:
        """List the resource with this status from now on."""
        self._stacks.lists(status, physical_id, self._clock.time(), stack_id=self.stack_id)

    def lists_no_longer(self) -> None:
        """List the resource no longer: an update has removed it from its stack."""
        self._stacks.lists_no_longer(stack_id=self.stack_id)

    def stack_is(self, status: str, *, tags: Mapping[str, str] | None = None) -> None:
        """Report this status and these tags of the resource's stack."""
        self._stacks.stack_is(status, self.stack_id, tags=tags)

    def roll_back_a_swap(self) -> None:
        """Report that the stack rolls an update back in which `Other` has taken `customers` over for its own domain."""
        self.stack_is("UPDATE_IN_PROGRESS")
        for status, physical_id in (("UPDATE_IN_PROGRESS", "other"), ("UPDATE_COMPLETE", "customers")):
            self._stacks.lists(status, physical_id, self._clock.time(), stack_id=self.stack_id, logical_id="Other")
        self.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")

    def create(self, properties: dict[str, Any]) -> Answer:
        """Send a Create and return its answer."""
        self.lists("CREATE_IN_PROGRESS")
        return self.deliver(self.event("Create", properties))

    def create_without_answer(self, properties: dict[str, Any]) -> dict[str, Any]:
        """Send a Create whose answer is lost, though it succeeds. Returns its event, to be delivered again."""
        self.lists("CREATE_IN_PROGRESS")
        sent = self.event("Create", properties)
        assert succeeded(self.deliver(self.duplicate(sent)))
        return sent

    def update(self, properties: dict[str, Any], old: dict[str, Any], physical_id: str = "customers") -> Answer:
        """Send an Update and return its answer."""
        self.lists("UPDATE_IN_PROGRESS", physical_id)
        return self.deliver(self.event("Update", properties, old, physical_id))

    def delete(self, properties: dict[str, Any], physical_id: str = "customers") -> Answer:
        """Send a Delete and return its answer."""
        self.lists("DELETE_IN_PROGRESS", physical_id)
        return self.deliver(self.event("Delete", properties, physical_id=physical_id))

    def delete_with_its_stack(self, properties: dict[str, Any]) -> Answer:
        """Send the Delete of a stack's deletion and return its answer."""
        self.stack_is("DELETE_IN_PROGRESS")
        return self.delete(properties)

    def event(
        self,
        kind: str,
        properties: dict[str, Any],
        old: dict[str, Any] | None = None,
        physical_id: str | None = None,
    ) -> dict[str, Any]:
        """An event that CloudFormation sends now."""
        url = self._mailbox.url(sent_at=self._clock.time())
        return event(kind, properties, old, physical_id=physical_id, stack_id=self.stack_id, response_url=url)

    def duplicate(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The same event, with another URL of the same age: the answers to each delivery can be told apart."""
        return {**sent, "ResponseURL": self._mailbox.url(sent_at=read(sent).sent_at)}

    def deliver(self, sent: dict[str, Any]) -> Answer:
        """Deliver an event once and return its answer."""
        environment = self._environments.take()
        try:
            return Function(self._clock, self._mailbox, environment).invoke(sent).answer
        finally:
            self._environments.give_back(environment)
