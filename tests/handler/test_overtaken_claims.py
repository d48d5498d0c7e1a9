"""Another stack takes a domain over while an event is between the calls that change its claims."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handler.claims import ADOPTED, FOUND, Claim, read_claims, tags_of
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import ACCOUNT, STACK
from tests.handler.faults import REGION, Clock, Fault, Wire, live_domains
from tests.handler.listed import ListedStacks
from tests.handler.listed_resource import ListedResource
from tests.handler.situations import (
    ADOPTING,
    CHANGED,
    FAILING,
    LEAST,
    MADE,
    NOT_GRANTED,
    OTHER,
    REQUEST_LOST,
    THEIR_STACK,
    THEIRS,
    THROTTLED,
    UNPROTECTED,
    claims,
    existing_domain,
    overtaken,
    right_after,
)
from tests.handler.stacks import succeeded

MINE, ON_LOAN = Claim(STACK, "Domain", "an-earlier-create"), Claim(STACK, "Domain", ADOPTED)
SIBLING, SIBLINGS = Claim(STACK, "Other", ADOPTED), Claim(STACK, "Other", "request-of-other")
LENDERS = Claim(THEIR_STACK, "Domain", "their-request")

# Seconds that the response of the first call takes. Between two quick calls the domain is not looked at again.
slow_or_quick = pytest.mark.parametrize("seconds", [0.0, 4.0, 9.0])


class Takeover:
    """A third stack takes the domain over, unprotected, while a response is on its way for some seconds."""

    def __init__(self, third_resource: ListedResource, wire: Wire, clock: Clock, seconds: float) -> None:
        self._resource, self._wire, self._clock, self._seconds = third_resource, wire, clock, seconds

    def __call__(self) -> None:
        faults, self._wire.fault_plan = self._wire.fault_plan, lambda attempt, operation: None
        self._clock.now += self._seconds / 2
        assert succeeded(self._resource.create(UNPROTECTED))
        self._clock.now += self._seconds / 2
        self._wire.fault_plan = faults

    def ends(self) -> None:
        """The third stack is deleted."""
        assert succeeded(self._resource.delete_with_its_stack(UNPROTECTED))


@pytest.fixture
def takeover(third_resource: ListedResource, wire: Wire, clock: Clock, seconds: float) -> Takeover:
    return Takeover(third_resource, wire, clock, seconds)


def with_data(domain: Domain) -> Domain:
    domain.profile_count = 1000
    return domain


@slow_or_quick
def test_a_lender_keeps_its_domain_though_it_is_taken_over_while_a_failed_takeover_is_put_back(
    seconds: float, takeover: Takeover, resource: ListedResource, wire: Wire
) -> None:
    domain = with_data(existing_domain(THEIRS))
    tagged = 0

    def refused(attempt: int, operation: str) -> Fault | None:
        return NOT_GRANTED if operation == "UpdateDomain" else None

    def once_put_back(call: object) -> None:
        nonlocal tagged
        tagged += getattr(call, "operation", "") == "TagResource"
        if tagged == 2:
            wire.on_act = lambda call: None
            takeover()

    wire.begin(refused)
    wire.on_act = once_put_back
    answer = resource.create({**ADOPTING, **CHANGED})
    assert not succeeded(answer)
    wire.begin()
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(ADOPTING, answer["PhysicalResourceId"]))
    takeover.ends()
    assert live_domains() == {"customers": domain}
    assert domain.tags == THEIRS


@slow_or_quick
def test_a_lender_keeps_its_domain_though_it_is_taken_over_while_the_rollback_of_a_rename_gives_it_back(
    seconds: float, takeover: Takeover, resource: ListedResource, wire: Wire
) -> None:
    """The rename has taken the domain over, and got no answer."""
    domain = with_data(existing_domain(claims((STACK, ADOPTED), (THEIR_STACK, "their-request"))))
    live_domains()["other"] = Domain("other", dict(domain.configuration), dict(MADE), ACCOUNT, REGION)
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    with right_after(wire, "TagResource", takeover):
        assert succeeded(resource.update(OTHER, ADOPTING, "other"))
    takeover.ends()
    assert live_domains()["customers"] is domain
    assert domain.tags == THEIRS


@slow_or_quick
def test_a_resource_keeps_its_domain_though_it_is_taken_over_while_the_rollback_of_a_swap_comes_back(
    seconds: float, takeover: Takeover, resource: ListedResource, wire: Wire
) -> None:
    domain = with_data(existing_domain(tags_of((SIBLING, MINE))))
    resource.roll_back_a_swap()
    with right_after(wire, "TagResource", takeover):
        assert succeeded(resource.update(LEAST, OTHER, "other"))
    takeover.ends()
    assert live_domains() == {"customers": domain}
    assert read_claims(domain.tags) == (replace(MINE, request_id=FOUND),)


@pytest.mark.parametrize("seconds", [4.0, 9.0])  # two quick calls may be overtaken: docs/limits.md
def test_a_lender_that_had_adopted_the_domain_keeps_it_though_it_is_taken_over_while_its_borrower_gives_it_back(
    seconds: float, takeover: Takeover, resource: ListedResource, wire: Wire
) -> None:
    """It was nobody's, so a stack that has adopted it from nobody, unprotected, deletes it."""
    domain = with_data(existing_domain(claims((STACK, ADOPTED), (THEIR_STACK, ADOPTED))))
    with right_after(wire, "TagResource", takeover):
        assert succeeded(resource.delete_with_its_stack(ADOPTING))
    takeover.ends()
    assert live_domains() == {"customers": domain}
    assert domain.tags == claims((THEIR_STACK, ADOPTED))


@pytest.mark.parametrize("fault", [THROTTLED, FAILING, REQUEST_LOST], ids=str)
@pytest.mark.parametrize("before", [(SIBLING, MINE), (ON_LOAN, SIBLINGS)], ids=["it lets go", "it gives back"])
@pytest.mark.parametrize("is_taken_over_first", [True, False])
def test_a_delete_that_is_retried_brings_back_no_claim_of_a_sibling_that_was_deleted_meanwhile(
    is_taken_over_first: bool,
    before: tuple[Claim, Claim],
    fault: Fault,
    resource: ListedResource,
    third_resource: ListedResource,
    listed_stacks: ListedStacks,
    wire: Wire,
    clock: Clock,
) -> None:
    """The stack of both is deleted, and another stack takes the domain over. It deletes the domain in the end."""
    existing_domain(tags_of(before))
    listed_stacks.lists("DELETE_IN_PROGRESS", "customers", clock.time(), logical_id="Other")
    resource.stack_is("DELETE_IN_PROGRESS")

    def taken_over() -> None:
        assert succeeded(third_resource.create(ADOPTING))

    def sibling_is_deleted() -> None:
        sent = resource.event("Delete", ADOPTING, physical_id="customers")
        assert succeeded(resource.deliver({**sent, "LogicalResourceId": "Other"}))
        listed_stacks.lists("DELETE_COMPLETE", "customers", clock.time(), logical_id="Other")

    def meanwhile() -> None:
        steps = (taken_over, sibling_is_deleted) if is_taken_over_first else (sibling_is_deleted, taken_over)
        for step in steps:
            step()

    with overtaken(wire, clock, "TagResource", meanwhile, fault=fault, after=0.1):
        assert succeeded(resource.delete(LEAST))
    assert succeeded(third_resource.delete_with_its_stack(ADOPTING))
    assert live_domains() == {}


@pytest.mark.parametrize("is_maker", [True, False])
def test_a_lender_that_lets_go_while_a_rollback_is_throttled_gets_no_claim_again(
    is_maker: bool, resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """It has renamed its logical id. The rollback has removed the claim of a sibling before."""
    lender = Claim(THEIR_STACK, "Domain", "their-request" if is_maker else ADOPTED)
    domain = existing_domain(tags_of((SIBLING, ON_LOAN, lender)), days=7)
    resource.roll_back_a_swap()

    def lender_is_renamed() -> None:
        assert succeeded(
            their_resource.deliver({**their_resource.event("Create", ADOPTING), "LogicalResourceId": "Renamed"})
        )
        their_resource.stack_is("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        assert succeeded(their_resource.delete(LEAST))

    with overtaken(wire, clock, "UpdateDomain", lender_is_renamed, after=0.1):
        assert succeeded(resource.update(ADOPTING, OTHER, "other"))
    assert lender.resource not in {claim.resource for claim in read_claims(domain.tags)}
