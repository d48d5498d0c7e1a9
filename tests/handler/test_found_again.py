"""Creates that find their resource's own domain again: it was retained, and it is in use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from handler.claims import ADOPTED, FOUND
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import STACK
from tests.handler.faults import Call, Clock, Wire
from tests.handler.listed_resource import MADE_UP, ListedResource
from tests.handler.situations import ADOPTING, CHANGED, LEAST, MADE, claims, days, existing_domain, holder, right_after
from tests.handler.stacks import succeeded

RULES = {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}], "MaxAllowedRuleLevelForMatching": 1}


@pytest.fixture
def retained(wire: Wire) -> Domain:
    """The resource's domain in the stand-in of the API, which `wire` has emptied."""
    domain = existing_domain({**MADE, "team": "red"}, days=7)
    domain.profile_count = 1000
    return domain


@pytest.fixture
def later(clock: Clock) -> Callable[[], None]:
    """Seconds pass, in which CloudFormation may cancel the event."""

    def pass_seconds() -> None:
        clock.now += 5

    return pass_seconds


def test_a_cancelled_create_puts_the_settings_and_tags_of_its_retained_domain_back(
    retained: Domain, later: Callable[[], None], resource: ListedResource, wire: Wire
) -> None:
    def cancelled() -> None:
        later()
        resource.lists("CREATE_FAILED")

    with right_after(wire, "UpdateDomain", cancelled):
        answer = resource.create({**LEAST, "Tags": {"team": "blue", "new": "tag"}})
    assert not succeeded(answer)
    assert "put back as it was" in answer["Reason"]
    assert (days(), retained.tags["team"], "new" in retained.tags) == (7, "red", False)
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(LEAST, MADE_UP))
    assert holder() == STACK


def test_a_cancelled_create_leaves_its_retained_domain_to_the_next_create(
    retained: Domain, later: Callable[[], None], resource: ListedResource, wire: Wire
) -> None:
    def cancelled_and_sent_again() -> None:
        later()
        assert succeeded(resource.delete(LEAST, MADE_UP))
        assert succeeded(resource.create(LEAST))

    with right_after(wire, "UpdateDomain", cancelled_and_sent_again):
        assert not succeeded(resource.create(LEAST))
    assert (holder(), days()) == (STACK, 30)


@pytest.mark.parametrize("operation", ["TagResource", "UpdateDomain"])
def test_a_create_leaves_its_retained_domain_to_a_stack_that_takes_it_over_meanwhile(
    operation: str,
    retained: Domain,
    later: Callable[[], None],
    resource: ListedResource,
    third_resource: ListedResource,
    wire: Wire,
) -> None:
    lent = claims((third_resource.stack_id, ADOPTED), (STACK, FOUND))

    def cancelled_and_taken_over() -> None:
        later()
        resource.lists("CREATE_FAILED")
        assert succeeded(third_resource.create({**ADOPTING, **CHANGED}))

    with right_after(wire, operation, cancelled_and_taken_over):
        assert not succeeded(resource.create(LEAST))
    assert days() == 90
    assert retained.tags == {**lent, "team": "red"}


def test_a_create_that_has_found_its_domain_again_does_not_take_it_back_from_a_stack_that_takes_it_over_meanwhile(
    retained: Domain, resource: ListedResource, third_resource: ListedResource, wire: Wire
) -> None:
    def taken_over() -> None:
        assert succeeded(third_resource.create({**ADOPTING, **CHANGED}))

    with right_after(wire, "TagResource", taken_over):
        answer = resource.create(LEAST)
    assert "already exists and belongs to" in answer["Reason"]
    assert "Nothing was put back" in answer["Reason"]
    assert (holder(), days()) == (third_resource.stack_id, 90)


def test_a_create_that_takes_its_domain_back_from_a_third_stack_and_fails_puts_that_stacks_settings_back(
    retained: Domain, resource: ListedResource, third_resource: ListedResource, wire: Wire
) -> None:
    """It has found the domain again as its own, before the third stack took it over. Its rules are refused."""
    after_takeover: dict[str, str] = {}

    def taken_over(call: Call) -> None:
        if call.operation == "TagResource" and not after_takeover:
            wire.on_act = lambda call: None
            assert succeeded(third_resource.create({**ADOPTING, **CHANGED, "Tags": {"team": "third"}}))
            after_takeover.update(retained.tags)

    wire.begin()
    wire.on_act = taken_over
    retained.update({"RuleBasedMatching": RULES})
    retained.rule_based_matching_status = "IN_PROGRESS"
    other_rules = {**RULES, "MatchingRules": [{"Rule": ["EmailAddress"]}]}
    answer = resource.create({**ADOPTING, "RuleBasedMatching": other_rules, "Tags": {"team": "blue"}})
    assert not succeeded(answer)
    assert after_takeover
    assert (days(), retained.tags) == (90, after_takeover)
