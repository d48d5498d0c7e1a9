"""Creates, Updates and Deletes that are throttled, while later events of the same resource succeed."""

from __future__ import annotations

import pytest

from handler.claims import ADOPTED, REQUEST_ID
from tests.handler.cloudformation import STACK
from tests.handler.faults import Clock, Fault, Wire, live_domains
from tests.handler.listed_resource import MADE_UP, ListedResource
from tests.handler.situations import (
    ADOPTING,
    CHANGED,
    CORRECTED,
    DENIED,
    LEAST,
    MADE,
    REQUEST_LOST,
    RESPONSE_LOST,
    THROTTLED,
    claims,
    days,
    existing_domain,
    holder,
    overtaken,
    right_after,
)
from tests.handler.stacks import succeeded


@pytest.mark.parametrize("first", [RESPONSE_LOST, REQUEST_LOST], ids=["carried out", "not carried out"])
@pytest.mark.parametrize("is_processed", [True, False], ids=["complete", "not listed as complete yet"])
def test_a_create_without_a_response_leaves_the_domain_that_the_next_create_has_made(
    is_processed: bool, first: Fault, resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Its first CreateDomain times out, the others are throttled. It is cancelled, and its Delete leaves nothing."""
    made_by: list[str] = []

    def meanwhile() -> None:
        assert succeeded(resource.delete(LEAST, MADE_UP))
        assert live_domains() == {}
        next_answer = resource.create(CHANGED)
        assert succeeded(next_answer)
        made_by.append(next_answer["RequestId"])
        if is_processed:
            resource.lists("CREATE_COMPLETE", "customers")

    with overtaken(wire, clock, "CreateDomain", meanwhile, before="CreateDomain"):
        throttled = wire.fault_plan
        wire.fault_plan = lambda attempt, operation: first if attempt == 0 else throttled(attempt, operation)
        assert not succeeded(resource.create(LEAST))
    assert days() == 90
    assert live_domains()["customers"].tags[REQUEST_ID] == made_by[0]


def test_a_throttled_create_leaves_the_domain_that_the_next_create_has_made(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It is cancelled, and its Delete finds nothing. The next Create succeeds meanwhile."""

    def meanwhile() -> None:
        assert succeeded(resource.delete(LEAST, MADE_UP))
        assert succeeded(resource.create(CHANGED))
        resource.lists("CREATE_COMPLETE", "customers")

    with overtaken(wire, clock, "CreateDomain", meanwhile, before="CreateDomain", after=60, lasts=80):
        assert "Nothing was changed" in resource.create(LEAST)["Reason"]
    assert days() == 90


def test_a_throttled_create_that_is_still_wanted_is_retried_for_a_long_time(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    until = clock.now + 240
    wire.begin(lambda attempt, operation: THROTTLED if clock.now < until else None)
    assert succeeded(resource.create(LEAST))
    assert set(wire.attempts) == {"CreateDomain"}, "nothing is to be looked at while nothing was made"


def test_a_create_that_is_throttled_after_a_lost_response_looks_for_its_domain_in_the_end(
    resource: ListedResource, wire: Wire
) -> None:
    wire.begin(
        lambda attempt, operation: (
            (RESPONSE_LOST if attempt == 0 else THROTTLED) if operation == "CreateDomain" else None
        )
    )
    assert succeeded(resource.create(LEAST))


def test_a_throttled_create_that_is_cancelled_ends_soon_and_makes_nothing(
    resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Its stack is deleted. While CreateDomain is still throttled, the user creates the stack again."""
    start = clock.now

    def meanwhile() -> None:
        assert succeeded(resource.delete(LEAST, MADE_UP))
        resource.lists("DELETE_COMPLETE", MADE_UP)

    with overtaken(wire, clock, "CreateDomain", meanwhile, before="CreateDomain", after=5, lasts=280):
        assert "Nothing was changed" in resource.create(LEAST)["Reason"]
    assert clock.now - start < 60
    assert succeeded(their_resource.create(LEAST))


@pytest.mark.parametrize(
    "before", ["GetDomain", "UpdateDomain"], ids=["it finds nothing left to do", "its call is carried out"]
)
def test_a_throttled_update_of_a_rollback_never_brings_back_the_settings_that_were_rolled_back(
    before: str, resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It is cancelled when a sibling fails. The rollback is continued: the same Update is sent again, and succeeds."""
    existing_domain(MADE, days=90)
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")

    def meanwhile() -> None:
        assert succeeded(resource.update(LEAST, CHANGED))
        resource.lists("UPDATE_COMPLETE", "customers")
        resource.stack_is("UPDATE_ROLLBACK_COMPLETE")

    with overtaken(wire, clock, "UpdateDomain", meanwhile, before=before):
        resource.update(LEAST, CHANGED)
    assert days() == 30


def test_a_throttled_update_that_changes_the_settings_back_keeps_the_stacks_tags(
    resource: ListedResource, wire: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROPAGATE_STACK_TAGS", "true")
    domain = existing_domain({**MADE, "CostCentre": "4711"})
    resource.stack_is("UPDATE_IN_PROGRESS", tags={"CostCentre": "4711"})

    def meanwhile() -> None:
        resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS", tags={"CostCentre": "4711"})
        assert succeeded(resource.update(LEAST, CHANGED))
        resource.lists("UPDATE_COMPLETE", "customers")

    with overtaken(wire, clock, "UpdateDomain", meanwhile, before="UpdateDomain"):
        assert not succeeded(resource.update(CHANGED, LEAST))
    assert days() == 30
    assert domain.tags["CostCentre"] == "4711"


def test_a_throttled_update_leaves_the_settings_of_the_next_update(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It is cancelled and rolled back before the next one."""
    existing_domain(MADE)

    def meanwhile() -> None:
        assert succeeded(resource.update(LEAST, CHANGED))
        assert succeeded(resource.update(CORRECTED, LEAST))
        resource.lists("UPDATE_COMPLETE", "customers")
        resource.stack_is("UPDATE_COMPLETE")

    with overtaken(wire, clock, "UpdateDomain", meanwhile):
        assert not succeeded(resource.update(CHANGED, LEAST))
    assert days() == 60


@pytest.mark.parametrize("is_stack_deleted", [True, False], ids=["with its stack", "from its stack"])
def test_a_throttled_update_neither_claims_nor_changes_a_domain_whose_resource_was_removed_meanwhile(
    is_stack_deleted: bool, resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It is cancelled and rolled back. Then the resource is deleted, and gives the domain back to nobody."""
    domain = existing_domain(claims((STACK, ADOPTED)))

    def meanwhile() -> None:
        assert succeeded(resource.update(ADOPTING, {**ADOPTING, **CHANGED}))
        assert succeeded(resource.delete(ADOPTING))
        assert domain.tags == {}
        if is_stack_deleted:
            resource.lists("DELETE_COMPLETE", "customers")
        else:
            resource.lists_no_longer()

    with overtaken(wire, clock, "UpdateDomain", meanwhile):
        assert not succeeded(resource.update({**ADOPTING, **CHANGED}, ADOPTING))
    assert (domain.tags, days()) == ({}, 30)


def test_a_throttled_update_does_not_change_a_domain_that_was_retained_meanwhile(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It is cancelled and rolled back. Then its stack is deleted, and the domain has DeletionPolicy: Retain."""
    existing_domain(MADE)

    def meanwhile() -> None:
        assert succeeded(resource.update(LEAST, CHANGED))
        resource.lists("DELETE_SKIPPED", "customers")
        resource.stack_is("DELETE_COMPLETE")

    with overtaken(wire, clock, "UpdateDomain", meanwhile):
        assert not succeeded(resource.update(CHANGED, LEAST))
    assert days() == 30


def test_an_update_says_that_it_changed_the_settings_back_only_if_it_did(
    resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It is cancelled after its change, and rolled back. Another stack has taken the domain over by then."""
    existing_domain(MADE)
    resource.stack_is("UPDATE_IN_PROGRESS")

    def meanwhile() -> None:
        clock.now += 5
        resource.lists("UPDATE_COMPLETE", "customers")
        resource.stack_is("UPDATE_ROLLBACK_COMPLETE")
        assert succeeded(their_resource.create({**ADOPTING, **CHANGED}))

    with right_after(wire, "UpdateDomain", meanwhile):
        answer = resource.update(CHANGED, LEAST)
    assert days() == 90
    assert not succeeded(answer)
    assert "changed back" not in answer["Reason"]


def test_a_throttled_delete_leaves_the_domain_that_the_next_create_has_made(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It is delivered twice. The second delivery succeeds. Then the resource is created again and its domain filled."""
    existing_domain(MADE)
    resource.lists("DELETE_IN_PROGRESS", "customers")
    sent = resource.event("Delete", LEAST, physical_id="customers")

    def meanwhile() -> None:
        assert succeeded(resource.deliver(resource.duplicate(sent)))
        assert live_domains() == {}
        assert succeeded(resource.create(LEAST))
        resource.lists("CREATE_COMPLETE", "customers")
        live_domains()["customers"].profile_count = 1000

    with overtaken(wire, clock, "DeleteDomain", meanwhile):
        resource.deliver(sent)
    assert "customers" in live_domains()


def test_a_cancelled_create_leaves_its_domain_to_a_stack_that_takes_it_over_while_its_contents_are_listed(
    resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The List operations that tell whether the domain is in use are throttled."""

    def cancelled() -> None:
        clock.now += 5
        resource.lists("CREATE_FAILED")

    def taken_over() -> None:
        assert succeeded(their_resource.create(ADOPTING))

    with (
        right_after(wire, "CreateDomain", cancelled),
        overtaken(wire, clock, "ListIntegrations", taken_over, before="ListIntegrations", after=10),
    ):
        assert not succeeded(resource.create(LEAST))
    assert holder() == their_resource.stack_id


def test_a_cancelled_create_removes_its_domain_though_it_may_not_list_what_is_in_it(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Its Delete has looked before. New permissions of a role take some seconds to spread."""

    def cancelled() -> None:
        clock.now += 5
        resource.lists("CREATE_FAILED")

    with right_after(wire, "CreateDomain", cancelled):
        wire.begin(lambda attempt, operation: DENIED if operation.startswith("List") else None)
        assert not succeeded(resource.create(LEAST))
    assert live_domains() == {}
