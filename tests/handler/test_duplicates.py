"""Events that are delivered a second time, so soon that they do not ask before they start: later events win."""

from __future__ import annotations

import pytest

from handler.claims import ADOPTED, INHERITED
from tests.handler.cloudformation import STACK
from tests.handler.faults import Clock, live_domains
from tests.handler.listed_resource import MADE_UP, ListedResource
from tests.handler.situations import (
    ADOPTING,
    CHANGED,
    CORRECTED,
    LEAST,
    MADE,
    OTHER,
    claimants,
    claims,
    days,
    existing_domain,
)
from tests.handler.stacks import succeeded


def test_a_duplicate_of_a_delete_leaves_the_domain_that_the_next_create_has_made(
    resource: ListedResource, clock: Clock
) -> None:
    existing_domain(MADE)
    resource.lists("DELETE_IN_PROGRESS", "customers")
    sent = resource.event("Delete", LEAST, physical_id="customers")
    assert succeeded(resource.deliver(sent))
    clock.now += 12
    assert succeeded(resource.create(LEAST))
    resource.lists("CREATE_COMPLETE", "customers")
    clock.now += 10
    answer = resource.deliver(resource.duplicate(sent))
    assert "customers" in live_domains()
    assert not succeeded(answer)


def test_a_duplicate_of_an_update_leaves_the_settings_of_the_next_update(
    resource: ListedResource, clock: Clock
) -> None:
    existing_domain(MADE, days=90)
    resource.lists("UPDATE_IN_PROGRESS", "customers")
    sent = resource.event("Update", LEAST, CHANGED, "customers")
    assert succeeded(resource.deliver(sent))
    clock.now += 10
    assert succeeded(resource.update(CORRECTED, LEAST))
    resource.lists("UPDATE_COMPLETE", "customers")
    clock.now += 10
    answer = resource.deliver(resource.duplicate(sent))
    assert days() == 60
    assert not succeeded(answer)


def test_a_duplicate_of_a_renames_rollback_leaves_the_domain_of_the_next_rename(
    resource: ListedResource, clock: Clock
) -> None:
    existing_domain(MADE)
    resource.lists("UPDATE_IN_PROGRESS", "customers")
    rollback, start = resource.event("Update", LEAST, OTHER, "customers"), clock.now
    assert succeeded(resource.deliver(rollback))
    assert succeeded(resource.update(OTHER, LEAST))
    resource.lists("UPDATE_COMPLETE", "other")
    assert succeeded(resource.deliver(resource.event("Delete", LEAST, physical_id="customers")))
    assert set(live_domains()) == {"other"}
    clock.now += 5
    assert clock.now - start < 30, "an older event would ask before it starts"
    answer = resource.deliver(resource.duplicate(rollback))
    assert set(live_domains()) == {"other"}
    assert not succeeded(answer)


@pytest.mark.parametrize(
    ("physical_id", "request_id"),
    [(MADE_UP, ADOPTED), ("create-failed:the-first", ADOPTED), (MADE_UP, "the-next-create")],
    ids=["taken over after a cancellation", "taken over after a failure", "made after a cancellation"],
)
def test_a_duplicate_of_the_delete_after_a_failed_create_leaves_the_domain_of_the_next_create(
    physical_id: str, request_id: str, resource: ListedResource, clock: Clock
) -> None:
    """CloudFormation has not processed the next Create's answer yet."""
    domain = existing_domain(claims((STACK, request_id)))
    sent = resource.event("Delete", ADOPTING, physical_id=physical_id)
    clock.now += 17
    resource.lists("CREATE_IN_PROGRESS")
    clock.now += 3
    resource.deliver(sent)
    assert live_domains() == {"customers": domain}
    assert domain.tags == claims((STACK, request_id))


def test_an_empty_domain_does_not_outlive_a_create_that_is_delivered_twice_and_a_stack_that_took_it_over_in_between(
    resource: ListedResource, third_resource: ListedResource, clock: Clock
) -> None:
    """The first delivery made the domain and was cut off; the second one, a minute later, takes it back."""
    resource.stack_is("CREATE_IN_PROGRESS")
    sent = resource.create_without_answer(ADOPTING)
    clock.now += 20
    third_resource.stack_is("CREATE_IN_PROGRESS")
    assert succeeded(third_resource.create(ADOPTING))
    third_resource.lists("CREATE_COMPLETE", "customers")
    clock.now += 40
    assert succeeded(resource.deliver(sent))
    resource.lists("CREATE_COMPLETE", "customers")
    assert claimants(live_domains()["customers"]) == [
        (resource.stack_id, ADOPTED),
        (third_resource.stack_id, INHERITED),
    ]
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(ADOPTING))
    third_resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(third_resource.delete(ADOPTING))
    assert live_domains() == {}
