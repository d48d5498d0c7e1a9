"""Undoing that takes long: the resource's later events meet the domain before it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from handler.claims import ADOPTED, FOUND
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
    MADE,
    THEIR_STACK,
    THEIRS,
    THROTTLED,
    claims,
    days,
    existing_domain,
    holder,
)
from tests.handler.stacks import succeeded

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


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
            clock.now += 3  # what happens takes some time
            meanwhile()
        return THROTTLED if undoing_since and not is_over and attempted == "UpdateDomain" else None

    wire.on_act = cancel
    wire.begin(trouble)
    yield
    assert is_over, "undoing ended too early"
    wire.begin()
    wire.on_act = lambda call: None


def throttle_first_update(wire: Wire, clock: Clock) -> None:
    """Throttle the first UpdateDomain, beside the faults that there are, so that the Update is old enough to ask."""
    other_faults, was_throttled = wire.fault_plan, False

    def trouble(attempt: int, attempted: str) -> Fault | None:
        nonlocal was_throttled
        if attempted == "UpdateDomain" and not was_throttled:
            was_throttled, clock.now = True, clock.now + 3
            return THROTTLED
        return other_faults(attempt, attempted)

    wire.begin(trouble)


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

    def rolled_back() -> None:
        resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
        resource.lists("UPDATE_COMPLETE", "customers")

    def corrected() -> None:
        resource.stack_is("UPDATE_IN_PROGRESS")
        assert succeeded(resource.update(CORRECTED, LEAST))
        resource.lists("UPDATE_COMPLETE", "customers")

    with undoing_overtaken(wire, clock, rolled_back, corrected):
        throttle_first_update(wire, clock)
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
            clock.now += 3  # that takes some time
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


def test_an_update_keeps_changing_its_settings_back_though_its_stack_is_updated_otherwise(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The later update of the stack leaves this resource as it was before the one that was rolled back."""
    existing_domain(MADE)

    def rolled_back() -> None:
        resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
        resource.lists("UPDATE_COMPLETE", "customers")

    with undoing_overtaken(wire, clock, rolled_back, lambda: resource.stack_is("UPDATE_IN_PROGRESS")):
        throttle_first_update(wire, clock)
        resource.stack_is("UPDATE_IN_PROGRESS")
        answer = resource.update(CHANGED, LEAST)
    assert "was changed back" in answer["Reason"]
    assert days() == 30


def test_an_update_that_makes_its_domain_again_removes_it_if_the_stack_is_deleted_meanwhile(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Its CreateDomain and then its DeleteDomain are throttled."""
    start, is_deleted = clock.now, False

    def trouble(attempt: int, operation: str) -> Fault | None:
        nonlocal is_deleted
        if operation == "CreateDomain" and clock.now >= start + 3 and not is_deleted:
            is_deleted = True
            assert succeeded(resource.delete_with_its_stack(LEAST))
            resource.stack_is("DELETE_COMPLETE")
            resource.lists("DELETE_COMPLETE", "customers")
            return None
        if operation == "CreateDomain" and not is_deleted:
            return THROTTLED
        return THROTTLED if operation == "DeleteDomain" and clock.now < start + 30 else None

    wire.begin(trouble)
    resource.stack_is("UPDATE_IN_PROGRESS")
    assert not succeeded(resource.update(CHANGED, LEAST))
    assert live_domains() == {}


def test_undoing_seldom_asks_a_cloudformation_that_does_not_answer(
    resource: ListedResource, listed_stacks: ListedStacks, wire: Wire, clock: Clock
) -> None:
    existing_domain(THEIRS, days=7)
    calls_before = 0

    def cancelled() -> None:
        resource.lists("CREATE_FAILED")
        listed_stacks.error_for = lambda operation: (
            DescribeError.ACCESS_DENIED if len(listed_stacks.calls) > calls_before + 1 else None
        )

    calls_before = len(listed_stacks.calls)
    with undoing_overtaken(wire, clock, cancelled, lambda: None):
        assert not succeeded(resource.create(ADOPTING))
    assert len(listed_stacks.calls) - calls_before <= 3
    assert (holder(), days()) == (THEIR_STACK, 7)


def test_an_update_whose_calls_take_long_sends_a_setting_that_never_shows_once(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """A key that is given by an alias differs from the one that the API reports, whatever is sent."""
    domain = existing_domain({**MADE, "team": "red"})
    domain.configuration["DefaultEncryptionKey"] = KEY

    def slow(call: Call) -> None:
        if call.operation == "UpdateDomain":
            clock.now += 1.2
            domain.configuration["DefaultEncryptionKey"] = KEY

    wire.begin()
    wire.on_act = slow
    resource.stack_is("UPDATE_IN_PROGRESS")
    by_alias = {**LEAST, "DefaultEncryptionKey": "alias/customers"}
    assert succeeded(resource.update(by_alias, {**by_alias, "Tags": {"team": "red"}}))
    assert wire.changes == ["UpdateDomain", "UntagResource"]


@pytest.mark.parametrize(("service_timeout", "seconds"), [("3600", 15), ("60", 3), ("10", 0)])
def test_a_question_that_is_throttled_leaves_time_for_the_event_itself(
    service_timeout: str, seconds: int, resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    existing_domain(claims((THEIR_STACK, ADOPTED), (STACK, FOUND)))
    listed_stacks.error_for = lambda operation: DescribeError.THROTTLED
    start = clock.now
    assert not succeeded(resource.update({**CHANGED, "ServiceTimeout": service_timeout}, LEAST))
    pauses_of_botocore = 5  # each attempt is followed by one of up to a second
    assert seconds / 2 <= clock.now - start <= seconds + pauses_of_botocore + 1


def test_an_old_delete_is_not_carried_out_because_cloudformation_did_not_answer_at_first(
    resource: ListedResource, listed_stacks: ListedStacks, wire: Wire, clock: Clock
) -> None:
    """It runs again an hour later. Its resource was made again meanwhile, and retained."""
    existing_domain(MADE).profile_count = 1000
    sent = resource.event("Delete", LEAST, physical_id="customers")
    clock.now += 3600
    resource.stack_is("UPDATE_COMPLETE")
    left = 10

    def error_for(operation: str) -> DescribeError | None:
        nonlocal left
        left -= 1
        return DescribeError.THROTTLED if left >= 0 else None

    listed_stacks.error_for = error_for
    assert not succeeded(resource.deliver(sent))
    assert left < 0
    assert "customers" in live_domains()
