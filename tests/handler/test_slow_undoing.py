"""Undoing that takes long: the resource's later events meet the domain before it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from handler.ownership import ADOPTED, FOUND
from tests.handler.cloudformation import STACK
from tests.handler.describe_api import DescribeError
from tests.handler.faults import Call, Clock, Fault, Wire, live_domains
from tests.handler.listed import ListedStacks
from tests.handler.listed_resource import MADE_UP, ListedResource
from tests.handler.situations import (
    ADOPTING,
    CHANGED,
    CORRECTED,
    DENIED,
    LEAST,
    THEIR_STACK,
    THEIRS,
    THROTTLED,
    claims,
    days,
    existing_domain,
    holder,
)
from tests.handler.stacks import succeeded

MADE = claims((STACK, "an-earlier-create"))


@contextmanager
def undoing_overtaken(
    wire: Wire, clock: Clock, cancelled: Callable[[], None], meanwhile: Callable[[], None]
) -> Iterator[None]:
    """In this block an event is cancelled after its first UpdateDomain, and what undoes that is throttled.

    After some more seconds something else happens, and the throttling ends.
    """
    undoing_since, is_over = 0.0, False

    def cancel(call: Call) -> None:
        nonlocal undoing_since
        if call.operation == "UpdateDomain" and not undoing_since:
            clock.now += 5
            undoing_since = clock.now
            cancelled()

    def trouble(attempt: int, attempted: str) -> Fault | None:
        nonlocal is_over
        if attempted == "GetDomain" and undoing_since and not is_over and clock.now >= undoing_since + 20:
            is_over = True
            meanwhile()
        return THROTTLED if undoing_since and not is_over and attempted == "UpdateDomain" else None

    wire.on_act = cancel
    wire.begin(trouble)
    yield
    assert is_over, "undoing ended too early"
    wire.begin()
    wire.on_act = lambda call: None


@pytest.mark.parametrize("tags", [THEIRS, {}, MADE], ids=["of another stack", "of nobody", "its own, retained"])
@pytest.mark.parametrize("is_processed", [True, False], ids=["complete", "not listed as complete yet"])
def test_a_cancelled_create_stops_undoing_when_the_next_create_has_the_domain(
    is_processed: bool, tags: dict[str, str], resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Both Creates ask for the same settings, so those of the domain do not tell whose they are."""
    existing_domain(tags, days=7).profile_count = 1000

    def meanwhile() -> None:
        resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
        assert succeeded(resource.delete(ADOPTING, MADE_UP))
        resource.stack_is("UPDATE_IN_PROGRESS")
        assert succeeded(resource.create(ADOPTING))
        if is_processed:
            resource.lists("CREATE_COMPLETE", "customers")

    with undoing_overtaken(wire, clock, lambda: resource.lists("CREATE_FAILED"), meanwhile):
        answer = resource.create(ADOPTING)
    assert not succeeded(answer)
    assert "a later event of the resource goes on with the domain" in answer["Reason"]
    assert (holder(), days()) == (STACK, 30)


def test_an_update_stops_changing_its_settings_back_when_the_next_update_has_changed_them(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It is throttled, comes through during its rollback, and is throttled again when it changes the settings back."""
    existing_domain(MADE)
    was_throttled = False

    def rolled_back() -> None:
        resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
        resource.lists("UPDATE_COMPLETE", "customers")

    def corrected() -> None:
        resource.stack_is("UPDATE_IN_PROGRESS")
        assert succeeded(resource.update(CORRECTED, LEAST))
        resource.lists("UPDATE_COMPLETE", "customers")

    with undoing_overtaken(wire, clock, rolled_back, corrected):
        throttled_while_undoing = wire.fault_plan

        def trouble(attempt: int, attempted: str) -> Fault | None:
            nonlocal was_throttled
            if attempted == "UpdateDomain" and not was_throttled:
                was_throttled, clock.now = True, clock.now + 3
                return THROTTLED
            return throttled_while_undoing(attempt, attempted)

        wire.begin(trouble)
        resource.stack_is("UPDATE_IN_PROGRESS")
        assert not succeeded(resource.update(CHANGED, LEAST))
    assert days() == 60


def test_a_failed_takeover_of_an_empty_domain_whose_lender_has_gone_leaves_it_to_the_next_create(
    resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Nobody is left to give the domain back to, so it is to be deleted, which is throttled."""
    domain = existing_domain(THEIRS)
    has_gone, throttled_since, is_over = False, 0.0, False

    def trouble(attempt: int, attempted: str) -> Fault | None:
        nonlocal has_gone, throttled_since, is_over
        if is_over:
            return None
        if attempted == "UpdateDomain" and not has_gone:
            has_gone = True
            assert succeeded(their_resource.delete(LEAST))
        if attempted == "DeleteDomain":
            throttled_since = throttled_since or clock.now
            return THROTTLED
        if attempted == "GetDomain" and throttled_since and clock.now >= throttled_since + 20:
            is_over = True
            assert succeeded(resource.create(ADOPTING))
            resource.lists("CREATE_COMPLETE", "customers")
        return DENIED if attempted == "UpdateDomain" else None

    wire.begin(trouble)
    assert not succeeded(resource.create({**ADOPTING, **CHANGED}))
    assert is_over
    assert live_domains() == {"customers": domain}
    assert holder() == STACK


def test_an_update_whose_tags_took_long_does_not_change_the_settings_after_its_rollback(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    existing_domain(MADE)

    def rolled_back(call: Call) -> None:
        if call.operation == "TagResource":
            wire.on_act = lambda call: None
            clock.now += 4
            resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
            assert succeeded(resource.update(LEAST, {**CHANGED, "Tags": {"team": "red"}}))
            resource.lists("UPDATE_COMPLETE", "customers")

    resource.stack_is("UPDATE_IN_PROGRESS")
    wire.on_act = rolled_back
    assert not succeeded(resource.update({**CHANGED, "Tags": {"team": "red"}}, LEAST))
    assert days() == 30


@pytest.mark.parametrize("error", [DescribeError.THROTTLED, DescribeError.INTERNAL_FAILURE], ids=str)
def test_a_question_that_decides_is_asked_again(
    error: DescribeError, resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    """Whether the stack is rolling back decides whether these two events fail."""
    domain = existing_domain(claims((THEIR_STACK, ADOPTED), (STACK, FOUND)))
    domain.profile_count = 1000
    left = 5

    def error_for(operation: str) -> DescribeError | None:
        nonlocal left
        if operation != "DescribeStacks" or not left:
            return None
        left -= 1
        return error

    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    listed_stacks.error_for = error_for
    assert succeeded(resource.update(LEAST, CHANGED))
    left = 5
    domain.tags = claims((STACK, FOUND))
    assert succeeded(resource.delete_with_its_stack(LEAST))
    assert live_domains() == {}
