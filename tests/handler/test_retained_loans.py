"""A resource has taken a domain over and was retained: nothing that fails later ends that loan.

Another stack has taken the domain over from it since. Without the older loan that stack would have it from nobody, and
would delete it with its data.
"""

from __future__ import annotations

from typing import Any

import pytest

from local.customerprofiles.models import Domain
from tests.handler.faults import Clock, Fault, Wire, live_domains
from tests.handler.listed_resource import MADE_UP, ListedResource
from tests.handler.situations import (
    ADOPTING,
    FAILING,
    LEAST,
    NOT_GRANTED,
    OTHER,
    QUEUE,
    REQUEST_LOST,
    UNPROTECTED,
    existing_domain,
)
from tests.handler.stacks import succeeded


@pytest.fixture
def domain(resource: ListedResource, their_resource: ListedResource, clock: Clock) -> Domain:
    """A domain with data. `resource` has taken it over and was retained, and `their_resource` has it from that one."""
    domain = existing_domain({})
    domain.profile_count = 1000
    resource.stack_is("CREATE_IN_PROGRESS")
    assert succeeded(resource.create(ADOPTING))
    retained(resource, clock)
    assert succeeded(their_resource.create(UNPROTECTED))
    resource.stack_is("UPDATE_IN_PROGRESS")
    return domain


def retained(resource: ListedResource, clock: Clock) -> None:
    """An update drops the resource, or renames it, and retains its domain."""
    resource.stack_is("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    resource.lists("DELETE_SKIPPED", "customers")
    resource.stack_is("UPDATE_COMPLETE")
    clock.now += 3600


def check_that_it_is_given_back(domain: Domain, their_resource: ListedResource) -> None:
    assert succeeded(their_resource.delete_with_its_stack(UNPROTECTED))
    assert live_domains()["customers"] is domain


def roll_back(resource: ListedResource, physical_id: str) -> None:
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(ADOPTING, physical_id))


def test_it_is_added_again_and_a_sibling_fails(
    domain: Domain, resource: ListedResource, their_resource: ListedResource
) -> None:
    assert succeeded(resource.create(ADOPTING))
    roll_back(resource, "customers")
    check_that_it_is_given_back(domain, their_resource)


def test_it_is_added_again_without_adopting_and_refused(
    domain: Domain, resource: ListedResource, their_resource: ListedResource
) -> None:
    answer = resource.create(LEAST)
    assert not succeeded(answer)
    roll_back(resource, answer["PhysicalResourceId"])
    check_that_it_is_given_back(domain, their_resource)


def test_it_is_added_again_with_a_queue_that_is_refused(
    domain: Domain, resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    wire.begin(lambda attempt, operation: NOT_GRANTED if operation == "UpdateDomain" else None)
    answer = resource.create({**ADOPTING, "DeadLetterQueueUrl": QUEUE})
    assert not succeeded(answer)
    wire.begin()
    roll_back(resource, answer["PhysicalResourceId"])
    check_that_it_is_given_back(domain, their_resource)


@pytest.mark.parametrize("fault", [FAILING, REQUEST_LOST], ids=str)
def test_it_is_added_again_but_the_takeover_is_never_carried_out(
    fault: Fault, domain: Domain, resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    wire.begin(lambda attempt, operation: fault if operation == "TagResource" else None)
    answer = resource.create(ADOPTING)
    assert not succeeded(answer)
    wire.begin()
    roll_back(resource, answer["PhysicalResourceId"])
    check_that_it_is_given_back(domain, their_resource)


def test_it_is_added_again_and_cancelled_before_anything_is_done(
    domain: Domain, resource: ListedResource, their_resource: ListedResource
) -> None:
    resource.lists("CREATE_IN_PROGRESS")
    roll_back(resource, MADE_UP)
    check_that_it_is_given_back(domain, their_resource)


@pytest.fixture
def left_domain(resource: ListedResource, their_resource: ListedResource, clock: Clock) -> Domain:
    """The same, but `resource` has left the domain by a rename that retained it (UpdateReplacePolicy)."""
    domain = existing_domain({})
    domain.profile_count = 1000
    assert succeeded(resource.create(ADOPTING))
    assert succeeded(their_resource.create(UNPROTECTED))
    resource.stack_is("UPDATE_IN_PROGRESS")
    assert succeeded(resource.update(OTHER, ADOPTING))
    retained(resource, clock)
    resource.stack_is("UPDATE_IN_PROGRESS")
    return domain


def test_a_rename_back_that_is_cancelled_before_anything_is_done(
    left_domain: Domain, resource: ListedResource, their_resource: ListedResource
) -> None:
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.update(OTHER, ADOPTING, "other"))
    check_that_it_is_given_back(left_domain, their_resource)


@pytest.fixture
def unanswered(
    resource: ListedResource, their_resource: ListedResource, third_resource: ListedResource, clock: Clock
) -> dict[str, Any]:
    """The event of a takeover after which the function was killed. A third stack has the domain by now.

    `before` are the tags that the domain had before it.
    """
    assert succeeded(their_resource.create(LEAST))
    before = dict(live_domains()["customers"].tags)
    resource.stack_is("CREATE_IN_PROGRESS")
    clock.now += 5
    sent = resource.create_without_answer(ADOPTING)
    clock.now += 5
    assert succeeded(third_resource.create(ADOPTING))
    return {"event": sent, "before": before}


def test_a_takeover_that_is_delivered_again_leaves_no_older_loan(
    unanswered: dict[str, Any], resource: ListedResource, third_resource: ListedResource, clock: Clock
) -> None:
    clock.now += 50
    assert succeeded(resource.deliver(unanswered["event"]))
    assert succeeded(resource.delete_with_its_stack(ADOPTING))
    assert succeeded(third_resource.delete_with_its_stack(ADOPTING))
    assert live_domains()["customers"].tags == unanswered["before"]


@pytest.mark.parametrize("is_ours_first", [True, False])
def test_a_takeover_that_is_delivered_again_after_its_lender_has_gone_leaves_no_older_loan(
    is_ours_first: bool,
    unanswered: dict[str, Any],
    resource: ListedResource,
    their_resource: ListedResource,
    third_resource: ListedResource,
    clock: Clock,
) -> None:
    assert succeeded(their_resource.delete_with_its_stack(LEAST))
    clock.now += 50
    assert succeeded(resource.deliver(unanswered["event"]))
    resource.stack_is("CREATE_COMPLETE")
    for each in (resource, third_resource) if is_ours_first else (third_resource, resource):
        assert succeeded(each.delete_with_its_stack(ADOPTING))
    assert not live_domains()


@pytest.mark.parametrize("wanted", [LEAST, ADOPTING], ids=["refused", "a sibling fails"])
def test_a_resource_is_renamed_back_and_that_is_rolled_back(
    wanted: dict[str, object], left_domain: Domain, resource: ListedResource, their_resource: ListedResource
) -> None:
    assert succeeded(resource.update(wanted, OTHER, "other")) is ("AdoptExisting" in wanted)
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.update(OTHER, wanted, "other"))
    check_that_it_is_given_back(left_domain, their_resource)


def test_it_is_added_again_after_the_borrower_has_given_it_back(
    domain: Domain, resource: ListedResource, their_resource: ListedResource
) -> None:
    """A failed takeover has marked the older loan as given up. The resource holds the domain again all the same."""
    assert succeeded(resource.create(ADOPTING))
    roll_back(resource, "customers")
    check_that_it_is_given_back(domain, their_resource)
    resource.stack_is("UPDATE_IN_PROGRESS")
    assert succeeded(resource.create(ADOPTING))
    assert succeeded(resource.update({**ADOPTING, "DefaultExpirationDays": 31}, ADOPTING))
    assert succeeded(resource.delete_with_its_stack(ADOPTING))
    assert live_domains() == {"customers": domain}
    assert not domain.tags


@pytest.mark.parametrize("is_inherited", [True, False])
def test_what_a_resource_has_inherited_or_made_and_retained_is_no_loan(
    is_inherited: bool,
    resource: ListedResource,
    their_resource: ListedResource,
    third_resource: ListedResource,
    clock: Clock,
) -> None:
    """It is added again, and deleted later. The borrower does not own the domain then."""
    resource.stack_is("CREATE_IN_PROGRESS")
    if is_inherited:
        assert succeeded(third_resource.create(LEAST))
    assert succeeded(resource.create(ADOPTING))
    if is_inherited:
        assert succeeded(third_resource.delete_with_its_stack(LEAST))
    domain = live_domains()["customers"]
    domain.profile_count = 1000
    assert succeeded(their_resource.create(UNPROTECTED))
    retained(resource, clock)
    resource.stack_is("UPDATE_IN_PROGRESS")
    assert succeeded(resource.create(ADOPTING))
    resource.lists("CREATE_COMPLETE", "customers")
    resource.stack_is("UPDATE_COMPLETE")
    assert succeeded(resource.delete_with_its_stack(ADOPTING))
    check_that_it_is_given_back(domain, their_resource)
