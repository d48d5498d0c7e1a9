"""A rollback deletes only what its operation has made. What was retained earlier was there before, even if it is empty.

And it does not fail for rules that somebody has changed by hand since.
"""

from __future__ import annotations

from typing import Any

import pytest

from handler.claims import ADOPTED
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import ACCOUNT, stack_arn
from tests.handler.describe_api import DescribeError
from tests.handler.faults import REGION, Clock, Wire, live_domains
from tests.handler.listed import ListedStacks
from tests.handler.listed_resource import MADE_UP, ListedResource
from tests.handler.situations import ADOPTING, DENIED, LEAST, OTHER, claimants, days
from tests.handler.stacks import succeeded

RULES = {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}], "MaxAllowedRuleLevelForMatching": 1}
BY_HAND = {**RULES, "MatchingRules": [{"Rule": ["EmailAddress"]}]}
WITH_RULES = {**LEAST, "RuleBasedMatching": RULES}
MANY_TAGS = {f"mine-{number}": "x" for number in range(40)}


def deploy_first(resource: ListedResource, clock: Clock, properties: dict[str, Any]) -> None:
    """Create a stack with these properties, an hour ago."""
    resource.stack_is("CREATE_IN_PROGRESS")
    assert succeeded(resource.create(properties))
    resource.lists("CREATE_COMPLETE", properties["DomainName"])
    resource.stack_is("CREATE_COMPLETE")
    clock.now += 3600


def begin_update(resource: ListedResource, clock: Clock) -> None:
    resource.stack_is("UPDATE_IN_PROGRESS")
    clock.now += 1


def begin_rollback(resource: ListedResource, clock: Clock) -> None:
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    clock.now += 2


def begin_clean_up(resource: ListedResource, clock: Clock) -> None:
    resource.stack_is("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    clock.now += 1


def rename_without_answer(resource: ListedResource, clock: Clock) -> None:
    """Rename the domain to `other` with --disable-rollback. The answer is lost, and the next update begins."""
    deploy_first(resource, clock, LEAST)
    begin_update(resource, clock)
    assert succeeded(resource.update(OTHER, LEAST))
    clock.now += 3600
    resource.lists("UPDATE_FAILED", "customers")
    resource.stack_is("UPDATE_FAILED")
    begin_update(resource, clock)


@pytest.fixture
def renamed(resource: ListedResource, clock: Clock) -> None:
    """The stack has renamed its domain an hour ago, and has retained the old one, `customers` (UpdateReplacePolicy)."""
    deploy_first(resource, clock, LEAST)
    begin_update(resource, clock)
    assert succeeded(resource.update(OTHER, LEAST))
    resource.lists("UPDATE_COMPLETE", "other")
    resource.stack_is("UPDATE_COMPLETE")
    clock.now += 3600


@pytest.mark.usefixtures("renamed")
def test_a_retained_domain_survives_the_rollback_of_a_rename_back_to_it_that_was_refused(
    resource: ListedResource, clock: Clock
) -> None:
    live_domains()["customers"].tag({f"theirs-{number}": "x" for number in range(20)})
    back = {**LEAST, "Tags": MANY_TAGS}
    begin_update(resource, clock)
    assert not succeeded(resource.update(back, OTHER, "other"))
    begin_rollback(resource, clock)
    assert succeeded(resource.update(OTHER, back, "other"))
    assert live_domains().keys() == {"customers", "other"}


@pytest.mark.usefixtures("renamed")
def test_a_retained_domain_survives_the_rollback_of_a_rename_back_to_it_that_never_reached_the_function(
    resource: ListedResource, clock: Clock
) -> None:
    begin_update(resource, clock)
    begin_rollback(resource, clock)
    assert succeeded(resource.update(OTHER, LEAST, "other"))
    assert live_domains().keys() == {"customers", "other"}


@pytest.mark.usefixtures("renamed")
def test_a_retained_domain_survives_the_rollback_of_a_rename_back_to_it(resource: ListedResource, clock: Clock) -> None:
    begin_update(resource, clock)
    assert succeeded(resource.update(LEAST, OTHER, "other"))
    resource.lists("UPDATE_COMPLETE", "customers")
    begin_rollback(resource, clock)
    assert succeeded(resource.update(OTHER, LEAST))
    resource.lists("UPDATE_COMPLETE", "other")
    begin_clean_up(resource, clock)
    assert succeeded(resource.deliver(resource.event("Delete", LEAST, physical_id="customers")))
    assert live_domains().keys() == {"customers", "other"}


@pytest.mark.usefixtures("renamed")
def test_the_rollback_of_a_rename_deletes_the_domain_that_the_rename_made(
    resource: ListedResource, clock: Clock
) -> None:
    third = {**LEAST, "DomainName": "third"}
    begin_update(resource, clock)
    assert succeeded(resource.update(third, OTHER, "other"))  # its answer is lost
    begin_rollback(resource, clock)
    assert succeeded(resource.update(OTHER, third, "other"))
    assert live_domains().keys() == {"customers", "other"}


def test_an_update_after_a_rename_without_an_answer_deletes_the_domain_that_the_rename_made(
    resource: ListedResource, clock: Clock
) -> None:
    """The template is corrected to a third name."""
    rename_without_answer(resource, clock)
    assert succeeded(resource.update({**LEAST, "DomainName": "third"}, OTHER))
    assert live_domains().keys() == {"customers", "third"}


@pytest.mark.parametrize("is_persons", [False, True], ids=["that the rename made", "that the rename took over"])
@pytest.mark.parametrize("goes_back", [True, False])
def test_a_mistake_in_the_update_after_a_rename_without_an_answer_does_not_hide_the_domain(
    goes_back: bool, is_persons: bool, resource: ListedResource, clock: Clock
) -> None:
    if is_persons:
        live_domains()["other"] = Domain("other", {"DefaultExpirationDays": 30}, {}, ACCOUNT, REGION)
    adopts = {"AdoptExisting": True} if is_persons else {}
    deploy_first(resource, clock, {**LEAST, **adopts})
    begin_update(resource, clock)
    assert succeeded(resource.update({**OTHER, **adopts}, {**LEAST, **adopts}))  # its answer is lost
    resource.lists("UPDATE_FAILED", "customers")
    resource.stack_is("UPDATE_FAILED")
    clock.now += 600
    begin_update(resource, clock)
    mistyped = {**OTHER, **adopts, "DefaultExpirationDays": "ninety"}
    assert not succeeded(resource.update(mistyped, {**OTHER, **adopts}))
    resource.stack_is("UPDATE_FAILED")
    clock.now += 600
    if goes_back:
        resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    else:
        begin_update(resource, clock)
    corrected = LEAST if goes_back else {**LEAST, "DomainName": "third"}
    assert succeeded(resource.update({**corrected, **adopts}, mistyped))
    if is_persons:  # a claim does not tell when a domain was taken over
        assert claimants(live_domains()["other"]) == [(resource.stack_id, ADOPTED)]
    else:
        assert "other" not in live_domains()


def test_the_rollback_of_a_rename_with_a_mistake_keeps_a_domain_on_loan_that_was_retained(
    resource: ListedResource, their_resource: ListedResource, clock: Clock
) -> None:
    deploy_first(their_resource, clock, OTHER)
    adopting, mistyped = {**OTHER, "AdoptExisting": True}, {**OTHER, "DefaultExpirationDays": "ninety"}
    deploy_first(resource, clock, adopting)
    begin_update(resource, clock)
    assert succeeded(resource.update(LEAST, adopting, "other"))  # UpdateReplacePolicy: Retain
    resource.lists("UPDATE_COMPLETE", "customers")
    resource.stack_is("UPDATE_COMPLETE")
    clock.now += 3600
    before = dict(live_domains()["other"].tags)
    begin_update(resource, clock)
    assert not succeeded(resource.update(mistyped, LEAST))
    begin_rollback(resource, clock)
    assert succeeded(resource.update(LEAST, mistyped))
    assert live_domains()["other"].tags == before


def test_nothing_is_made_while_the_domain_of_a_rename_without_an_answer_may_be_left(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    rename_without_answer(resource, clock)
    wire.begin(lambda attempt, operation: DENIED if operation == "ListIntegrations" else None)
    answer = resource.update({**LEAST, "DomainName": "third"}, OTHER)
    assert not succeeded(answer)
    assert "ListIntegrations" in answer["Reason"]
    assert live_domains().keys() == {"customers", "other"}


def test_what_was_made_and_retained_in_an_earlier_operation_survives_though_that_was_rolled_back(
    resource: ListedResource, clock: Clock
) -> None:
    deploy_first(resource, clock, OTHER)
    begin_update(resource, clock)
    assert succeeded(resource.update(LEAST, OTHER, "other"))
    resource.lists("UPDATE_COMPLETE", "customers")
    begin_rollback(resource, clock)
    assert succeeded(resource.update(OTHER, LEAST))
    resource.lists("UPDATE_COMPLETE", "other")
    begin_clean_up(resource, clock)  # UpdateReplacePolicy: Retain, so no Delete for `customers`
    resource.stack_is("UPDATE_ROLLBACK_COMPLETE")
    clock.now += 3600
    begin_update(resource, clock)
    begin_rollback(resource, clock)
    assert succeeded(resource.update(OTHER, LEAST, "other"))
    assert live_domains().keys() == {"customers", "other"}


def test_a_retained_domain_survives_the_rollback_of_a_create_that_never_reached_the_function(
    resource: ListedResource, clock: Clock
) -> None:
    deploy_first(resource, clock, LEAST)
    begin_update(resource, clock)
    resource.lists("DELETE_SKIPPED", "customers")
    resource.stack_is("UPDATE_COMPLETE")
    clock.now += 3600
    begin_update(resource, clock)
    resource.lists("CREATE_IN_PROGRESS")
    begin_clean_up(resource, clock)
    assert succeeded(resource.delete(LEAST, MADE_UP))
    assert live_domains().keys() == {"customers"}


@pytest.mark.parametrize("error", [None, DescribeError.ACCESS_DENIED])
def test_the_rollback_of_a_create_without_an_answer_deletes_what_it_made(
    error: DescribeError | None, resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    """Also where the function may not read the stack's events."""
    resource.stack_is("CREATE_IN_PROGRESS")
    clock.now += 1
    assert succeeded(resource.create(LEAST))  # its answer is lost
    clock.now += 3600
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    listed_stacks.error_for = lambda operation: error if operation == "DescribeStackEvents" else None
    assert succeeded(resource.delete(LEAST, MADE_UP))
    assert live_domains() == {}


def test_the_rollback_of_a_create_without_an_answer_deletes_what_it_made_where_nothing_is_asked(
    resource: ListedResource, listed_stacks: ListedStacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASK_CLOUDFORMATION", "false")
    assert succeeded(resource.create(LEAST))  # its answer is lost
    assert succeeded(resource.delete(LEAST, MADE_UP))
    assert live_domains() == {}
    assert listed_stacks.calls == []


@pytest.fixture
def inherited(resource: ListedResource, third_resource: ListedResource, clock: Clock) -> None:
    """A domain with data that was moved to the stack from a third one, as docs/migration.md says."""
    deploy_first(third_resource, clock, LEAST)
    live_domains()["customers"].profile_count = 1000
    deploy_first(resource, clock, ADOPTING)
    assert succeeded(third_resource.delete_with_its_stack(LEAST))
    clock.now += 3600


@pytest.mark.parametrize("is_delivered", [True, False], ids=["refused", "never delivered"])
@pytest.mark.parametrize("comes_back", [True, False], ids=["a rename back", "a Create"])
@pytest.mark.parametrize("profiles", [1000, 0])
@pytest.mark.usefixtures("inherited")
def test_what_was_inherited_and_retained_survives_a_rollback_and_its_borrower(
    profiles: int,
    comes_back: bool,
    is_delivered: bool,
    resource: ListedResource,
    their_resource: ListedResource,
    clock: Clock,
) -> None:
    live_domains()["customers"].profile_count = profiles
    begin_update(resource, clock)
    if comes_back:  # the update before has renamed the domain (UpdateReplacePolicy: Retain); else it has dropped it
        assert succeeded(resource.update(OTHER, LEAST))
    resource.stack_is("UPDATE_COMPLETE")
    deploy_first(their_resource, clock, ADOPTING)
    begin_update(resource, clock)
    physical_id = "other" if comes_back else MADE_UP
    if is_delivered:
        refused = resource.update(LEAST, OTHER, "other") if comes_back else resource.create(LEAST)
        assert not succeeded(refused)
        physical_id = refused["PhysicalResourceId"]
    begin_rollback(resource, clock)
    if comes_back:
        assert succeeded(resource.update(OTHER, LEAST, "other"))
    else:
        assert succeeded(resource.delete(LEAST, physical_id))
    clock.now += 3600
    assert succeeded(their_resource.delete_with_its_stack(ADOPTING))
    assert live_domains()["customers"].profile_count == profiles


@pytest.mark.parametrize("is_nested", [True, False], ids=["nested", "not nested"])
def test_what_an_operation_made_and_found_again_is_deleted_in_its_rollback(
    is_nested: bool, resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    """The stack is deployed with --disable-rollback: a Create gets no answer, and the next one finds its domain.

    A nested stack is then complete, but its parent fails, and is deleted.
    """
    parent = stack_arn("parent") if is_nested else ""

    def stacks_are(status: str) -> None:
        if is_nested:
            listed_stacks.stack_is(status, parent)
            clock.now += 1
        listed_stacks.stack_is(status, resource.stack_id, parent_id=parent)
        clock.now += 1

    stacks_are("CREATE_IN_PROGRESS")
    assert succeeded(resource.create(LEAST))  # its answer is lost
    clock.now += 3600
    stacks_are("CREATE_FAILED")
    stacks_are("UPDATE_IN_PROGRESS")
    assert succeeded(resource.create(LEAST))
    resource.lists("CREATE_COMPLETE", "customers")
    if is_nested:
        listed_stacks.stack_is("UPDATE_COMPLETE", resource.stack_id, parent_id=parent)
        clock.now += 1
        listed_stacks.stack_is("UPDATE_FAILED", parent)
    else:
        stacks_are("UPDATE_FAILED")
    clock.now += 3600
    stacks_are("DELETE_IN_PROGRESS")
    assert succeeded(resource.delete(LEAST))
    assert live_domains() == {}


@pytest.mark.usefixtures("renamed")
def test_data_that_was_there_before_survives_its_borrower_after_the_lenders_update_was_rolled_back(
    resource: ListedResource, their_resource: ListedResource, clock: Clock
) -> None:
    live_domains()["customers"].profile_count = 1000
    begin_update(resource, clock)
    assert succeeded(resource.update(LEAST, OTHER, "other"))
    resource.lists("UPDATE_COMPLETE", "customers")
    deploy_first(their_resource, clock, ADOPTING)
    begin_rollback(resource, clock)
    assert succeeded(resource.update(OTHER, LEAST))
    resource.lists("UPDATE_COMPLETE", "other")
    begin_clean_up(resource, clock)
    assert succeeded(resource.deliver(resource.event("Delete", LEAST, physical_id="customers")))
    resource.stack_is("UPDATE_ROLLBACK_COMPLETE")
    clock.now += 3600
    assert succeeded(their_resource.delete_with_its_stack(ADOPTING))
    assert live_domains()["customers"].profile_count == 1000


def mistyped(properties: dict[str, Any]) -> dict[str, Any]:
    return {**properties, "DefaultExpirationDays": "ninety"}


def test_the_rollback_of_an_update_with_a_mistake_does_not_fail_for_rules_that_were_changed_by_hand(
    resource: ListedResource, clock: Clock
) -> None:
    deploy_first(resource, clock, WITH_RULES)
    live_domains()["customers"].update({"RuleBasedMatching": BY_HAND})
    live_domains()["customers"].rule_based_matching_status = "IN_PROGRESS"
    begin_update(resource, clock)
    assert not succeeded(resource.update(mistyped(WITH_RULES), WITH_RULES))
    begin_rollback(resource, clock)
    assert succeeded(resource.update(WITH_RULES, mistyped(WITH_RULES)))


def test_the_rollback_of_a_rename_does_not_fail_for_rules_that_were_changed_by_hand(
    resource: ListedResource, clock: Clock
) -> None:
    renamed = {**WITH_RULES, "DomainName": "other"}
    deploy_first(resource, clock, WITH_RULES)
    live_domains()["customers"].update({"RuleBasedMatching": BY_HAND})
    live_domains()["customers"].rule_based_matching_status = "IN_PROGRESS"
    begin_update(resource, clock)
    assert succeeded(resource.update(renamed, WITH_RULES))
    begin_rollback(resource, clock)
    assert succeeded(resource.update(WITH_RULES, renamed, "other"))


def test_an_update_that_corrects_a_mistake_is_carried_out(resource: ListedResource, clock: Clock) -> None:
    """The stack is deployed with --disable-rollback."""
    existing = {**LEAST, "DefaultExpirationDays": 7}
    deploy_first(resource, clock, existing)
    begin_update(resource, clock)
    assert not succeeded(resource.update(mistyped(existing), existing))
    resource.stack_is("UPDATE_FAILED")
    begin_update(resource, clock)
    assert succeeded(resource.update(LEAST, mistyped(existing)))
    assert days() == 30
