"""Retries of a call that was throttled, refused or lost: they act on the domain as it is by then."""

from __future__ import annotations

import pytest

from handler.claims import ADOPTED, INHERITED
from tests.handler.cloudformation import STACK
from tests.handler.faults import Call, Clock, Fault, Wire, live_domains
from tests.handler.listed_resource import ListedResource
from tests.handler.situations import (
    ADOPTING,
    CHANGED,
    DENIED,
    LEAST,
    MADE,
    NOT_GRANTED,
    QUEUE,
    RESPONSE_LOST,
    THEIR_STACK,
    THEIRS,
    THROTTLED,
    claimants,
    claims,
    days,
    existing_domain,
    holder,
    overtaken,
    right_after,
)
from tests.handler.stacks import succeeded


@pytest.mark.parametrize("fault", [THROTTLED, DENIED], ids=["throttled", "denied at first"])
def test_a_takeover_that_is_retried_keeps_the_claim_of_a_third_stack_that_was_faster(
    fault: Fault,
    resource: ListedResource,
    their_resource: ListedResource,
    third_resource: ListedResource,
    wire: Wire,
    clock: Clock,
) -> None:
    """The third stack takes the domain over, and inherits it from its maker, which is deleted."""
    domain = existing_domain(THEIRS)

    def meanwhile() -> None:
        assert succeeded(third_resource.create(ADOPTING))
        assert succeeded(their_resource.delete(LEAST))
        assert claimants(domain) == [(third_resource.stack_id, INHERITED)]

    with overtaken(wire, clock, "TagResource", meanwhile, fault=fault, after=10, before="TagResource", lasts=10):
        assert succeeded(resource.create(ADOPTING))
    assert claimants(domain) == [(STACK, ADOPTED), (third_resource.stack_id, INHERITED)]
    for each in (third_resource, resource):
        assert succeeded(each.delete_with_its_stack(ADOPTING))
    assert live_domains() == {}


def test_a_give_back_that_is_retried_keeps_the_makers_claim_behind_a_third_stack_that_was_faster(
    resource: ListedResource, third_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The maker holds the domain again, and the rest of the tags is to be removed: there its claim is by then."""
    domain = existing_domain(claims((STACK, ADOPTED), (THEIR_STACK, "their-request")))

    def meanwhile() -> None:
        assert succeeded(third_resource.create(ADOPTING))
        assert THEIR_STACK in domain.tags.values()

    with overtaken(wire, clock, "UntagResource", meanwhile, after=0, before="UntagResource", lasts=0):
        assert succeeded(resource.delete(ADOPTING))
    assert THEIR_STACK in domain.tags.values()


def test_a_give_back_to_nobody_that_is_retried_keeps_the_claim_of_a_stack_that_was_faster(
    resource: ListedResource, third_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    existing_domain(claims((STACK, ADOPTED)))

    def meanwhile() -> None:
        assert succeeded(third_resource.create(ADOPTING))
        assert holder() == third_resource.stack_id

    with overtaken(wire, clock, "UntagResource", meanwhile, after=10, before="UntagResource", lasts=10):
        assert succeeded(resource.delete(ADOPTING))
    assert holder() == third_resource.stack_id


@pytest.mark.parametrize(
    "fault", [NOT_GRANTED, DENIED], ids=["its queue's policy spreads", "its role's policy spreads"]
)
def test_an_update_that_is_refused_for_a_while_leaves_a_domain_that_another_stack_has_taken_over(
    fault: Fault, resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    existing_domain(claims((STACK, "an-earlier-create")))

    def meanwhile() -> None:
        assert succeeded(their_resource.create({**ADOPTING, "DefaultExpirationDays": 365}))

    with overtaken(wire, clock, "UpdateDomain", meanwhile, fault=fault, after=5, before="UpdateDomain", lasts=5):
        answer = resource.update({**CHANGED, "DeadLetterQueueUrl": QUEUE}, LEAST)
    assert (holder(), days()) == (THEIR_STACK, 365)
    assert not succeeded(answer)


@pytest.mark.parametrize("is_stacks", [True, False], ids=["by another stack", "by a person"])
def test_a_delete_without_a_response_leaves_a_domain_that_was_made_since(
    is_stacks: bool, resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """DeleteDomain is carried out, and its response is lost. Somebody has waited for the domain's name."""
    existing_domain(claims((STACK, "an-earlier-create")))

    def meanwhile() -> None:
        clock.now += 10  # the read timeout
        if is_stacks:
            assert succeeded(their_resource.create(LEAST))
        else:
            existing_domain({}).profile_count = 3

    with right_after(wire, "DeleteDomain", meanwhile, fault=RESPONSE_LOST):
        resource.delete(LEAST)
    assert "customers" in live_domains()


def test_a_second_delivery_that_is_refused_does_not_say_that_nothing_was_made(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The first one made the domain. Somebody has changed it since, and the API refuses to change it back."""
    sent = resource.create_without_answer(LEAST)
    live_domains()["customers"].update({"DefaultExpirationDays": 7})
    clock.now += 1
    wire.begin(lambda attempt, operation: NOT_GRANTED if operation == "UpdateDomain" else None)
    refused = resource.deliver(sent)
    assert not succeeded(refused)
    wire.begin()
    assert succeeded(resource.delete(LEAST, refused["PhysicalResourceId"]))
    assert live_domains() == {}


def test_a_delete_whose_response_is_lost_succeeds_though_the_api_shows_the_domain_for_a_moment_longer(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    domain = existing_domain(MADE)
    deleted_at = 0.0

    def before_the_call(attempt: int, operation: str) -> None:
        if operation == "GetDomain" and deleted_at and clock.now < deleted_at + 3:
            live_domains()["customers"] = domain

    def after_the_call(attempt: int, operation: str) -> None:
        if operation == "GetDomain" and deleted_at:
            live_domains().pop("customers", None)

    def after_a_call(call: Call) -> None:
        nonlocal deleted_at
        deleted_at = clock.now if call.operation == "DeleteDomain" else deleted_at

    wire.begin(lambda _, operation: RESPONSE_LOST if operation == "DeleteDomain" and not wire.changes else None)
    wire.on_attempt, wire.on_reply, wire.on_act = before_the_call, after_the_call, after_a_call
    assert succeeded(resource.delete(LEAST))
    assert wire.attempts.count("DeleteDomain") == 2
    assert live_domains() == {}
