"""The function in this process, with the stand-in as the API and the mailbox as the server for the answers."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from local.registration import register
from tests.handler.faults import ENVIRONMENT, Clock, Wire, client, empty_stand_in, give_up_soon

with pytest.MonkeyPatch.context() as _environment:
    # The function's module creates its client at import. It must not see the machine's own AWS configuration.
    for _name in [name for name in os.environ if name.startswith("AWS_")]:
        _environment.delenv(_name)
    for _name, _value in ENVIRONMENT.items():
        _environment.setenv(_name, _value)
    from handler import answer, app
    from handler.attempts import Attempts
    from handler.deadline import Deadline
    from handler.domains import Domains
    from tests.handler.cloudformation import ACCOUNT, STACK, Function, Mailbox, stack_arn
    from tests.handler.listed import ListedStacks
    from tests.handler.listed_resource import ListedResource

register()


@pytest.fixture(scope="session")
def mailbox_server() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    yield mailbox
    mailbox.close()


@pytest.fixture
def mailbox(mailbox_server: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    """An empty mailbox. It may answer slowly on a slow machine: no attempt is repeated for that."""
    monkeypatch.setattr(answer, "_LONGEST_ATTEMPT", 300.0)
    mailbox_server.puts.clear()
    mailbox_server.first.clear()
    return mailbox_server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The simulated clock, which replaces the time in the handler and in botocore's retries."""
    clock = Clock()
    clock.stop_time(monkeypatch)
    return clock


@pytest.fixture
def few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the function give up a call after a few attempts."""
    give_up_soon(monkeypatch)


@pytest.fixture
def stand_in() -> Iterator[None]:
    """An empty stand-in."""
    with empty_stand_in():
        yield


@pytest.fixture
def wire(stand_in: None, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The wire between the function's client and an empty stand-in."""
    wire = Wire(clock)
    wire.attach(client())
    monkeypatch.setattr(app, "_client", client())
    return wire


@pytest.fixture
def listed_stacks(wire: Wire, clock: Clock) -> Iterator[ListedStacks]:
    """CloudFormation, as the function asks it."""
    stacks = ListedStacks(clock)
    with stacks.answering():
        yield stacks


@pytest.fixture
def resource(listed_stacks: ListedStacks, mailbox: Mailbox, clock: Clock) -> ListedResource:
    """The resource `Domain` of the stack `customers`."""
    return ListedResource(listed_stacks, mailbox, clock, STACK)


@pytest.fixture
def their_resource(listed_stacks: ListedStacks, mailbox: Mailbox, clock: Clock) -> ListedResource:
    """A resource of another stack."""
    return ListedResource(listed_stacks, mailbox, clock, stack_arn("elsewhere"))


@pytest.fixture
def third_resource(listed_stacks: ListedStacks, mailbox: Mailbox, clock: Clock) -> ListedResource:
    """A resource of a third stack."""
    return ListedResource(listed_stacks, mailbox, clock, stack_arn("third"))


@pytest.fixture
def api(wire: Wire) -> Domains:
    """The API as the function calls it, with its own client."""
    return Domains(app._client, ACCOUNT, Attempts(), Deadline(290))


@pytest.fixture
def function(wire: Wire, clock: Clock, mailbox: Mailbox) -> Function:
    return Function(clock, mailbox)
