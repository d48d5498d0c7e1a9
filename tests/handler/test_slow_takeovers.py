"""Takeovers that take long: the resource's later events, and other stacks, meet the domain before they end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from handler.claims import ADOPTED, FOUND, INHERITED
from tests.handler.cloudformation import STACK
from tests.handler.describe_api import DescribeError
from tests.handler.faults import Clock, Fault, Wire, live_domains
from tests.handler.listed import ListedStacks
from tests.handler.listed_resource import MADE_UP, ListedResource
from tests.handler.situations import (
    ADOPTING,
    CHANGED,
    DENIED,
    LEAST,
    NOT_GRANTED,
    OTHER,
    QUEUE,
    THEIR_STACK,
    THEIRS,
    THROTTLED,
    UNPROTECTED,
    claimants,
    claims,
    days,
    existing_domain,
    holder,
    overtaken,
    right_after,
)
from tests.handler.stacks import succeeded

NOBODYS: dict[str, str] = {}


@pytest.mark.parametrize("tags", [NOBODYS, THEIRS], ids=["of nobody", "of another stack"])
@pytest.mark.parametrize("after", [30, 60], ids=["during its retries", "before its last attempt"])
def test_a_takeover_that_fails_late_leaves_what_the_next_create_has_taken_over(
    after: int, tags: dict[str, str], resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Its queue is refused. It is cancelled, and its Delete gives the domain back. The next Create names no queue."""
    existing_domain(tags, days=7)
    refused = {**ADOPTING, "DeadLetterQueueUrl": QUEUE}

    def meanwhile() -> None:
        assert succeeded(resource.delete(refused, MADE_UP))
        assert holder() != STACK
        assert succeeded(resource.create({**ADOPTING, **CHANGED}))
        resource.lists("CREATE_COMPLETE", "customers")

    with overtaken(
        wire, clock, "UpdateDomain", meanwhile, fault=NOT_GRANTED, before="UpdateDomain", after=after, lasts=60
    ):
        assert not succeeded(resource.create(refused))
    assert (holder(), days()) == (STACK, 90)


def test_a_cancelled_takeover_changes_nothing_after_its_delete_has_given_the_domain_back(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    domain = existing_domain(THEIRS, days=7)
    changes_before: list[str] = []

    def meanwhile() -> None:
        assert succeeded(resource.delete(ADOPTING, MADE_UP))
        resource.lists("DELETE_COMPLETE", MADE_UP)
        changes_before.extend(wire.changes)

    with overtaken(wire, clock, "UpdateDomain", meanwhile, before="UpdateDomain", after=3, lasts=20):
        assert not succeeded(resource.create(ADOPTING))
        assert wire.changes == changes_before
    assert domain.tags == THEIRS


@pytest.mark.parametrize("is_processed", [True, False], ids=["complete", "not listed as complete yet"])
def test_a_slow_takeover_leaves_what_the_next_create_has_taken_over_and_changed(
    is_processed: bool, resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It is throttled and cancelled, its Delete gives the domain back, and the next Create succeeds."""
    existing_domain(NOBODYS, days=7)

    def meanwhile() -> None:
        assert succeeded(resource.delete(ADOPTING, MADE_UP))
        assert succeeded(resource.create({**ADOPTING, **CHANGED}))
        if is_processed:
            resource.lists("CREATE_COMPLETE", "customers")

    with overtaken(wire, clock, "UpdateDomain", meanwhile):
        assert not succeeded(resource.create(ADOPTING))
    assert (holder(), days()) == (STACK, 90)


def test_a_takeover_that_is_undone_leaves_the_settings_and_tags_of_a_third_stack(
    resource: ListedResource, third_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The third stack takes the domain over from this one, which is cancelled then."""
    domain = existing_domain({**THEIRS, "team": "theirs"}, days=7)

    def meanwhile() -> None:
        clock.now += 5
        resource.lists("CREATE_FAILED")
        assert succeeded(third_resource.create({**ADOPTING, **CHANGED, "Tags": {"team": "third"}}))

    with right_after(wire, "UpdateDomain", meanwhile):
        assert not succeeded(resource.create({**ADOPTING, "Tags": {"team": "ours"}}))
    assert (holder(), days(), domain.tags["team"]) == (third_resource.stack_id, 90, "third")


@pytest.mark.parametrize("fault", [THROTTLED, DENIED], ids=["cancelled while throttled", "refused"])
@pytest.mark.parametrize("made_by", ["their-request", FOUND], ids=["made by the lender", "found by the lender"])
def test_a_domain_whose_lender_is_deleted_during_a_takeover_that_fails_does_not_outlive_both(
    made_by: str, fault: Fault, resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The lender leaves the domain to its borrower, which then has nobody to give it back to."""
    existing_domain(claims((THEIR_STACK, made_by)), days=7)

    def meanwhile() -> None:
        assert succeeded(their_resource.delete(LEAST))
        if fault is THROTTLED:
            resource.lists("CREATE_FAILED")

    with overtaken(
        wire, clock, "UpdateDomain", meanwhile, fault=fault, after=10, lasts=60 if fault is DENIED else None
    ):
        failed = resource.create(ADOPTING)
    assert not succeeded(failed)
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(ADOPTING, MADE_UP if fault is THROTTLED else failed["PhysicalResourceId"]))
    assert live_domains() == {}


@pytest.mark.parametrize("wanted", [ADOPTING, UNPROTECTED], ids=["protection absent", "protection lifted"])
def test_data_survives_a_takeover_that_fails_after_its_lender_has_gone(
    wanted: dict[str, object], resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """And the takeover can be tried again: the first attempt leaves no claim."""
    domain = existing_domain(THEIRS)
    domain.profile_count = 1000
    resource.stack_is("CREATE_IN_PROGRESS")

    def lender_goes() -> None:
        assert succeeded(their_resource.delete_with_its_stack(LEAST))

    refused = {**wanted, "DeadLetterQueueUrl": QUEUE}
    with overtaken(wire, clock, "UpdateDomain", lender_goes, fault=NOT_GRANTED, before="UpdateDomain", lasts=300):
        failed = resource.create(refused)
    assert not succeeded(failed)
    resource.lists("CREATE_FAILED", failed["PhysicalResourceId"])
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(refused, failed["PhysicalResourceId"]))
    assert live_domains() == {"customers": domain}
    assert claimants(domain) == []


@pytest.mark.parametrize("is_during", [True, False], ids=["during the takeover", "after the takeover"])
def test_an_empty_domain_whose_lender_is_deleted_does_not_outlive_the_rollback_of_its_borrower(
    is_during: bool, resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The same claims are left, whichever of the two events ends first."""
    their_resource.stack_is("CREATE_IN_PROGRESS")
    assert succeeded(their_resource.create(LEAST))
    clock.now += 3600
    resource.stack_is("CREATE_IN_PROGRESS")

    def lender_goes() -> None:
        assert succeeded(their_resource.delete_with_its_stack(LEAST))

    wanted = {**ADOPTING, **CHANGED}
    if is_during:
        with overtaken(wire, clock, "UpdateDomain", lender_goes, before="UpdateDomain", after=40, lasts=45):
            assert succeeded(resource.create(wanted))
    else:
        assert succeeded(resource.create(wanted))
        lender_goes()
    resource.lists("CREATE_COMPLETE", "customers")
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(wanted))
    assert live_domains() == {}


@pytest.mark.parametrize("physical_id", ["customers", MADE_UP], ids=["answered", "never answered"])
def test_an_empty_domain_whose_lender_lets_go_late_does_not_outlive_the_rollback_of_its_borrower(
    physical_id: str, resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The lender's Delete was sent before the borrower's operation began, and is throttled."""
    their_resource.stack_is("CREATE_IN_PROGRESS")
    assert succeeded(their_resource.create(LEAST))
    clock.now += 3600

    def takes_over() -> None:
        resource.stack_is("CREATE_IN_PROGRESS")
        assert succeeded(resource.create(ADOPTING))
        resource.lists("CREATE_COMPLETE", "customers")

    their_resource.stack_is("DELETE_IN_PROGRESS")
    with overtaken(wire, clock, "DeleteDomain", takes_over, after=20, before="DeleteDomain", lasts=60):
        assert succeeded(their_resource.delete(LEAST, physical_id))
    clock.now += 1
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(ADOPTING))
    assert live_domains() == {}


def test_a_cancelled_takeover_removes_the_domain_that_it_made_after_the_other_one_was_deleted(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Somebody deletes the domain by hand while its takeover is throttled."""
    existing_domain(NOBODYS, days=7)

    def meanwhile() -> None:
        del live_domains()["customers"]
        resource.lists("CREATE_FAILED")

    with overtaken(wire, clock, "UpdateDomain", meanwhile):
        assert not succeeded(resource.create(ADOPTING))
    assert live_domains() == {}


def test_a_takeover_keeps_the_claims_behind_a_holder_whose_tags_were_removed(resource: ListedResource) -> None:
    lent = claims(("the-borrower", ADOPTED), (THEIR_STACK, "their-request"))
    domain = existing_domain({key: value for key, value in lent.items() if key.endswith(".1")})
    assert succeeded(resource.create(ADOPTING))
    assert THEIR_STACK in domain.tags.values()


@pytest.mark.parametrize("is_taken_over", [False, True])
def test_after_slow_questions_a_delete_looks_again_and_asks_again_only_if_the_domain_has_changed(
    is_taken_over: bool,
    resource: ListedResource,
    their_resource: ListedResource,
    listed_stacks: ListedStacks,
    clock: Clock,
) -> None:
    """It would decide on an old look if its second questions were slow, too."""
    domain = existing_domain(claims((STACK, FOUND)))
    resource.stack_is("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    resource.lists("UPDATE_COMPLETE", "other")
    asked: list[str] = []

    def slowly(operation: str) -> DescribeError | None:
        asked.append(operation)
        if is_taken_over and asked == ["DescribeStacks"]:
            assert succeeded(their_resource.create(ADOPTING))
        return DescribeError.THROTTLED if asked.count("DescribeStacks") % 6 else None

    their_resource.stack_is("CREATE_IN_PROGRESS")
    listed_stacks.error_for = slowly
    assert succeeded(resource.deliver(resource.event("Delete", LEAST, physical_id="customers")))
    assert asked.count("DescribeStacks") == (12 if is_taken_over else 6)
    assert live_domains() == ({"customers": domain} if is_taken_over else {})
    assert not is_taken_over or claimants(domain) == [(THEIR_STACK, INHERITED)]


def test_a_look_whose_response_is_slow_is_as_old_as_its_request(
    resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    domain = existing_domain(claims((STACK, FOUND)))
    resource.stack_is("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    resource.lists("UPDATE_COMPLETE", "other")
    their_resource.stack_is("CREATE_IN_PROGRESS")

    def taken_over() -> None:
        clock.now += 1.5
        assert succeeded(their_resource.create(ADOPTING))

    with right_after(wire, "GetDomain", taken_over):
        assert succeeded(resource.deliver(resource.event("Delete", LEAST, physical_id="customers")))
    assert live_domains() == {"customers": domain}
    assert claimants(domain) == [(THEIR_STACK, INHERITED)]


@pytest.fixture
def lender_goes_and_third_stack_comes(
    their_resource: ListedResource, third_resource: ListedResource, clock: Clock
) -> Callable[[], None]:
    """A domain that the lender made an hour ago; called, the lender is deleted, and a third stack takes it over."""
    their_resource.stack_is("CREATE_IN_PROGRESS")
    assert succeeded(their_resource.create(LEAST))
    clock.now += 3600

    def happens() -> None:
        assert succeeded(their_resource.delete_with_its_stack(LEAST))
        clock.now += 10
        third_resource.stack_is("CREATE_IN_PROGRESS")
        assert succeeded(third_resource.create(ADOPTING))
        third_resource.lists("CREATE_COMPLETE", "customers")

    return happens


def test_an_empty_domain_does_not_outlive_its_lender_a_takeover_that_failed_late_and_the_rollback_of_a_third_stack(
    resource: ListedResource,
    third_resource: ListedResource,
    lender_goes_and_third_stack_comes: Callable[[], None],
    wire: Wire,
    clock: Clock,
) -> None:
    """The lender goes during the takeover, and a third stack takes the domain over before the takeover fails."""
    resource.stack_is("CREATE_IN_PROGRESS")

    def meanwhile() -> None:
        lender_goes_and_third_stack_comes()
        resource.lists("CREATE_FAILED")

    with overtaken(wire, clock, "UpdateDomain", meanwhile, before="UpdateDomain", after=10):
        assert not succeeded(resource.create({**ADOPTING, **CHANGED}))
    assert claimants(live_domains()["customers"]) == [(third_resource.stack_id, INHERITED)]
    clock.now += 1
    third_resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(third_resource.delete(ADOPTING))
    assert live_domains() == {}


def test_an_empty_domain_does_not_outlive_a_lender_a_borrower_and_a_third_stack_that_are_all_rolled_back(
    resource: ListedResource,
    third_resource: ListedResource,
    lender_goes_and_third_stack_comes: Callable[[], None],
    wire: Wire,
    clock: Clock,
) -> None:
    """The lender goes during the takeover, and a third stack takes the domain over, from which it is taken again."""
    resource.stack_is("CREATE_IN_PROGRESS")

    wanted = {**ADOPTING, **CHANGED}
    happens = lender_goes_and_third_stack_comes
    with overtaken(wire, clock, "UpdateDomain", happens, before="UpdateDomain", after=10, lasts=30):
        assert succeeded(resource.create(wanted))
    resource.lists("CREATE_COMPLETE", "customers")
    assert claimants(live_domains()["customers"]) == [
        (resource.stack_id, ADOPTED),
        (third_resource.stack_id, INHERITED),
    ]
    clock.now += 1
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(wanted))
    third_resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(third_resource.delete(ADOPTING))
    assert live_domains() == {}


def test_a_takeover_that_is_undone_lets_go_of_the_domain_of_a_third_stack_at_once(
    resource: ListedResource, third_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    existing_domain({**claims((THEIR_STACK, "their-request")), "team": "theirs"}, days=7)

    def meanwhile() -> None:
        clock.now += 5
        resource.lists("CREATE_FAILED")
        assert succeeded(third_resource.create({**ADOPTING, **CHANGED, "Tags": {"team": "third"}}))

    with right_after(wire, "UpdateDomain", meanwhile):
        answer = resource.create({**ADOPTING, "Tags": {"team": "ours"}})
    assert "The domain was put back as it was before" in answer["Reason"]


def test_a_takeover_that_fails_does_not_bring_back_the_claim_of_a_lender_that_has_gone_meanwhile(
    resource: ListedResource, their_resource: ListedResource, third_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Else the stack that has it then would give the domain back to a stack that is gone. Nobody would delete it."""
    for owner, properties in ((third_resource, LEAST), (their_resource, ADOPTING)):
        owner.stack_is("CREATE_IN_PROGRESS")
        assert succeeded(owner.create(properties))
        owner.lists("CREATE_COMPLETE", "customers")
        owner.stack_is("CREATE_COMPLETE")
        clock.now += 3600
    resource.stack_is("CREATE_IN_PROGRESS")

    def meanwhile() -> None:
        assert succeeded(third_resource.delete_with_its_stack(LEAST))

    with overtaken(wire, clock, "UpdateDomain", meanwhile, fault=DENIED, before="UpdateDomain", after=10, lasts=60):
        assert not succeeded(resource.create({**ADOPTING, **CHANGED}))
    assert claimants(live_domains()["customers"]) == [(their_resource.stack_id, INHERITED)]
    assert succeeded(their_resource.delete_with_its_stack(ADOPTING))
    assert live_domains() == {}


def test_a_cancelled_takeover_puts_the_settings_back_after_its_delete_has_given_the_domain_back_to_another_stack(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    domain = existing_domain({**claims((THEIR_STACK, "their-request")), "team": "theirs"}, days=7)

    def meanwhile() -> None:
        clock.now += 5
        assert succeeded(resource.delete(ADOPTING, MADE_UP))
        resource.lists("DELETE_COMPLETE", MADE_UP)

    with right_after(wire, "UpdateDomain", meanwhile):
        assert not succeeded(resource.create({**ADOPTING, "Tags": {"team": "ours"}}))
    assert (holder(), days(), domain.tags["team"]) == (THEIR_STACK, 7, "theirs")


def test_a_rename_that_took_a_domain_over_gives_it_back_though_the_update_that_rolls_it_back_is_running(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """That one may have looked at the domain before it was taken over, and does not go on with it."""
    assert succeeded(resource.create(OTHER))
    clock.now += 3600
    domain = existing_domain(claims((THEIR_STACK, "their-request")), days=7)
    before = dict(domain.tags)
    resource.stack_is("UPDATE_IN_PROGRESS")

    def meanwhile() -> None:
        clock.now += 5
        resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
        resource.lists("UPDATE_IN_PROGRESS", "other")

    with right_after(wire, "UpdateDomain", meanwhile):
        assert not succeeded(resource.update(ADOPTING, OTHER, "other"))
    assert (domain.tags, days()) == (before, 7)


def test_an_old_queue_that_is_refused_by_now_does_not_keep_the_other_settings_of_a_cancelled_takeover(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    domain = existing_domain(THEIRS, days=400)
    domain.configuration["DeadLetterQueueUrl"] = f"{QUEUE}-of-theirs"
    updates = 0

    def cancelled() -> None:
        clock.now += 5
        resource.lists("CREATE_FAILED")

    def old_queue_is_refused(attempt: int, operation: str) -> Fault | None:
        nonlocal updates
        updates += operation == "UpdateDomain"
        return NOT_GRANTED if operation == "UpdateDomain" and updates > 2 else None  # the third one

    with right_after(wire, "UpdateDomain", cancelled):
        wire.begin(old_queue_is_refused)
        answer = resource.create({**ADOPTING, "DefaultExpirationDays": 7, "DeadLetterQueueUrl": QUEUE})
    assert "could not be put back as it was before: UpdateDomain" in answer["Reason"]
    assert (domain.tags, days()) == (THEIRS, 400)
