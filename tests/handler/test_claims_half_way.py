"""Changes of claims that fail half way, are retried for long, or whose response is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handler import retries
from handler.claims import ADOPTED, FOUND, LOGICAL_ID, Claim, Claims, read_claims, tags_of
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import STACK
from tests.handler.describe_api import DescribeError
from tests.handler.faults import Acts, Clock, Fault, Wire, live_domains
from tests.handler.listed import ListedStacks
from tests.handler.listed_resource import ListedResource
from tests.handler.situations import (
    ADOPTING,
    CHANGED,
    DENIED,
    FAILING,
    LEAST,
    MADE,
    NOT_GRANTED,
    QUEUE,
    REQUEST_LOST,
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

FROM_A = {**LEAST, "DomainName": "a"}


def fail_once(wire: Wire, operation: str, fault: Fault) -> None:
    """The next attempt at the operation fails, and no other."""
    has_failed = False

    def plan(attempt: int, attempted: str) -> Fault | None:
        nonlocal has_failed
        is_hit = attempted == operation and not has_failed
        has_failed |= is_hit
        return fault if is_hit else None

    wire.begin(plan)


def retained_lent_and_taken_back(resource: ListedResource, their_resource: ListedResource) -> Domain:
    """A domain with data that was retained, that another stack has on loan, and that its maker has taken back."""
    assert succeeded(resource.create(LEAST))
    domain = live_domains()["customers"]
    domain.profile_count = 1000
    assert succeeded(their_resource.create(ADOPTING))
    assert succeeded(resource.create(ADOPTING))
    return domain


@pytest.mark.parametrize("fault", [THROTTLED, FAILING, DENIED], ids=str)
@pytest.mark.parametrize("is_ours_first", [True, False], ids=["the maker is removed first", "the borrower first"])
def test_a_retained_domain_survives_both_stacks_though_their_tags_are_not_removed_at_the_first_attempt(
    is_ours_first: bool, fault: Fault, resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    domain = retained_lent_and_taken_back(resource, their_resource)
    for each in (resource, their_resource) if is_ours_first else (their_resource, resource):
        each.stack_is("DELETE_IN_PROGRESS")
        fail_once(wire, "UntagResource", fault)
        assert succeeded(each.delete(ADOPTING))
    assert live_domains() == {"customers": domain}


def test_a_takeover_of_a_retained_domain_that_fails_leaves_the_older_claim_as_it_was(
    resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    assert succeeded(resource.create(LEAST))
    assert succeeded(their_resource.create(ADOPTING))
    before = dict(live_domains()["customers"].tags)
    assert before[f"{LOGICAL_ID}.1"] == "Domain"
    wire.begin(lambda attempt, operation: NOT_GRANTED if operation == "UpdateDomain" else None)
    assert not succeeded(resource.create({**ADOPTING, **CHANGED}))
    assert live_domains()["customers"].tags == before


@pytest.mark.parametrize("fault", [FAILING, RESPONSE_LOST], ids=str)
def test_a_borrower_keeps_its_loan_though_the_tags_that_take_the_domain_back_are_not_set_at_the_first_attempt(
    fault: Fault, resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    """Whether the first attempt was carried out is not known. If it was not, nobody has taken the domain over since."""
    assert succeeded(resource.create(LEAST))
    domain = live_domains()["customers"]
    domain.profile_count = 1000
    assert succeeded(their_resource.create(ADOPTING))
    fail_once(wire, "TagResource", fault)
    assert succeeded(resource.create(ADOPTING))
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(ADOPTING))
    assert holder() == their_resource.stack_id
    assert succeeded(their_resource.delete_with_its_stack(ADOPTING))
    assert live_domains() == {"customers": domain}


def test_a_retained_domain_that_is_given_back_before_it_is_taken_back_was_there_before_the_rollback(
    resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The first attempt at the takeover is not carried out, so the resource finds its own domain again."""
    assert succeeded(resource.create(LEAST))
    domain = live_domains()["customers"]
    domain.profile_count = 1000
    assert succeeded(their_resource.create(ADOPTING))

    def given_back() -> None:
        assert succeeded(their_resource.delete(ADOPTING))

    with overtaken(wire, clock, "TagResource", given_back, fault=FAILING, after=0.1):
        assert succeeded(resource.create(ADOPTING))
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(ADOPTING))
    assert live_domains() == {"customers": domain}


def test_a_lender_that_cannot_take_its_domain_back_is_still_its_lender_after_a_third_stack_has_taken_it_over(
    few_attempts: None,
    resource: ListedResource,
    their_resource: ListedResource,
    third_resource: ListedResource,
    wire: Wire,
) -> None:
    assert succeeded(resource.create(LEAST))
    assert succeeded(their_resource.create(ADOPTING))
    domain = live_domains()["customers"]
    before, failed = claimants(domain), 0

    def trouble(attempt: int, operation: str) -> Fault | None:
        nonlocal failed
        if operation != "TagResource" or failed == 3:
            return None
        failed += 1
        if failed == 2:
            failed = 3  # that of the third stack does not fail
            assert succeeded(third_resource.create(ADOPTING))
            failed = 2
        return FAILING

    wire.begin(trouble)
    assert not succeeded(resource.create(ADOPTING))
    assert claimants(domain) == [(third_resource.stack_id, ADOPTED), *before]


@pytest.fixture
def two_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "LIMITS", replace(retries.LIMITS, failed_attempts=2))


def test_a_takeover_that_never_got_its_claim_leaves_what_the_owner_has_set_to_the_same_value(
    two_attempts: None, resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    existing_domain(THEIRS, days=30)
    wanted, failed = {"DefaultExpirationDays": 90}, 0

    def trouble(attempt: int, operation: str) -> Fault | None:
        """The owner makes the same change between the last look and the last attempt."""
        nonlocal failed
        if operation != "TagResource" or failed == 2:
            return None
        failed += 1
        if failed == 2:
            assert succeeded(their_resource.update({**LEAST, **wanted}, LEAST))
        return FAILING

    wire.begin(trouble)
    assert not succeeded(resource.create({**ADOPTING, **wanted}))
    assert days() == 90


LATE = replace(RESPONSE_LOST, acts=Acts.LATE, late_by=8)


@pytest.mark.parametrize("lender", ["nobody", "another stack", "the resource itself, in another stack's hands"])
def test_a_takeover_that_is_carried_out_after_it_has_failed_is_given_back(
    lender: str, few_attempts: None, resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    domain = existing_domain({"nobody": {}, "another stack": THEIRS}.get(lender, MADE))
    if lender.startswith("the resource"):
        assert succeeded(their_resource.create(ADOPTING))
    before = holder()

    def trouble(attempt: int, operation: str) -> Fault | None:
        if operation != "TagResource":
            return None
        return LATE if wire.attempts.count("TagResource") == 1 else REQUEST_LOST

    wire.begin(trouble)
    answer = resource.create(ADOPTING)
    assert not succeeded(answer)
    wire.begin()
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(ADOPTING, answer["PhysicalResourceId"]))
    wire.carry_out_delayed_calls(all_pending=True)
    assert holder() == before
    assert live_domains() == {"customers": domain}


def has_attempts_left(wire: Wire) -> bool:
    """Whether the function goes on with TagResource if this attempt fails, too; then it undoes what it did."""
    return wire.attempts.count("TagResource") <= 3


def test_a_lender_that_cannot_take_its_domain_back_is_still_its_lender(
    few_attempts: None, resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    """Its older claim is the maker's. Without it the borrower would own the domain, and delete it."""
    assert succeeded(resource.create(LEAST))
    assert succeeded(their_resource.create(ADOPTING))
    before = dict(live_domains()["customers"].tags)
    wire.begin(lambda _, operation: FAILING if operation == "TagResource" and has_attempts_left(wire) else None)
    assert not succeeded(resource.create(ADOPTING))
    assert live_domains()["customers"].tags == before


@pytest.mark.parametrize("fault", [THROTTLED, FAILING, REQUEST_LOST, DENIED], ids=str)
def test_what_a_lender_has_taken_back_is_put_back_though_a_call_fails_after_the_claims_are_as_before(
    fault: Fault, resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    """Its own claim further down is then neither given up, nor a sign that it has changed nothing."""
    assert succeeded(resource.create(LEAST))
    assert succeeded(their_resource.create({**ADOPTING, "Tags": {"team": "theirs"}}))
    before, has_failed = dict(live_domains()["customers"].tags), False

    def trouble(attempt: int, operation: str) -> Fault | None:
        nonlocal has_failed
        if operation == "UpdateDomain":
            return NOT_GRANTED
        is_hit = operation == "UntagResource" and not has_failed
        has_failed |= is_hit
        return fault if is_hit else None

    wire.begin(trouble)
    assert not succeeded(resource.create({**ADOPTING, **CHANGED, "Tags": {"team": "ours", "added": "x"}}))
    assert has_failed
    assert live_domains()["customers"].tags == before


def take_over_after_the_lost_response(wire: Wire, their_resource: ListedResource) -> None:
    """The response of the first CreateDomain is lost, and another stack takes the domain over before the retry."""
    attempts = 0

    def plan(attempt: int, operation: str) -> Fault | None:
        nonlocal attempts
        if operation != "CreateDomain":
            return None
        attempts += 1
        if attempts == 2:
            attempts += 1  # that of the other stack is no attempt of the event's
            assert succeeded(their_resource.create(ADOPTING))
        return RESPONSE_LOST if attempts == 1 else None

    wire.begin(plan)


@pytest.mark.parametrize("is_ours_first", [True, False], ids=["the maker is deleted first", "the borrower first"])
def test_a_domain_that_was_taken_over_before_its_maker_knew_of_it_is_deleted_with_both(
    is_ours_first: bool, resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    take_over_after_the_lost_response(wire, their_resource)
    assert succeeded(resource.create(ADOPTING))
    wire.begin()
    for each in (resource, their_resource) if is_ours_first else (their_resource, resource):
        assert succeeded(each.delete_with_its_stack(ADOPTING))
    assert live_domains() == {}


def test_a_rename_that_fails_leaves_no_claim_on_a_domain_that_was_taken_over_before_it_knew_of_it(
    resource: ListedResource, their_resource: ListedResource, wire: Wire
) -> None:
    """It is refused, since it does not adopt. No Delete for the new name follows."""
    resource.stack_is("UPDATE_IN_PROGRESS")
    take_over_after_the_lost_response(wire, their_resource)
    assert not succeeded(resource.update(LEAST, FROM_A, physical_id="a"))
    wire.begin()
    assert STACK not in live_domains()["customers"].tags.values()
    assert succeeded(their_resource.delete_with_its_stack(ADOPTING))
    assert live_domains() == {}


def test_a_takeover_that_never_got_its_claim_leaves_what_the_owner_has_set_meanwhile(
    resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The API fails each time without carrying the claim out, so whether it did is not known."""
    existing_domain(THEIRS, days=7)
    theirs = {**LEAST, "DefaultExpirationDays": 14}

    def meanwhile() -> None:
        assert succeeded(their_resource.update(theirs, {**LEAST, "DefaultExpirationDays": 7}))

    with overtaken(wire, clock, "TagResource", meanwhile, fault=FAILING, before="TagResource", after=1, lasts=290):
        assert not succeeded(resource.create(ADOPTING))
    assert (holder(), days()) == (their_resource.stack_id, 14)


def test_a_takeover_that_was_overtaken_and_fails_puts_back_what_the_faster_stack_has_set(
    resource: ListedResource, their_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """The first attempt at the takeover is not carried out. The domain was another one's by the second attempt."""
    domain = existing_domain({}, days=7)
    domain.update({"RuleBasedMatching": {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}]}})
    domain.rule_based_matching_status = "IN_PROGRESS"

    def taken_over() -> None:
        assert succeeded(their_resource.create({**ADOPTING, "DefaultExpirationDays": 14}))

    wanted = {**ADOPTING, "DefaultExpirationDays": 31, "RuleBasedMatching": {"Enabled": False}}
    with overtaken(wire, clock, "TagResource", taken_over, fault=FAILING, after=0.1):
        assert not succeeded(resource.create(wanted))
    assert (holder(), days()) == (their_resource.stack_id, 14)


@pytest.mark.parametrize("seconds", [200, 250])
def test_a_takeover_is_retried_for_as_long_as_its_tags_are_throttled(
    seconds: float, resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    existing_domain({})
    end = clock.now + seconds
    wire.begin(lambda attempt, operation: THROTTLED if operation == "TagResource" and clock.now < end else None)
    assert succeeded(resource.create(ADOPTING))


def test_a_reason_counts_the_seconds_of_one_call_and_not_those_of_an_earlier_one(
    resource: ListedResource, wire: Wire
) -> None:
    """The claim's response is lost. Its settings are refused for a minute, and then its tags can't be put back."""
    existing_domain(THEIRS, days=7)
    claimed = 0

    def plan(attempt: int, operation: str) -> Fault | None:
        nonlocal claimed
        claimed += operation == "TagResource"
        if operation == "TagResource":
            return RESPONSE_LOST if claimed == 1 else NOT_GRANTED
        return NOT_GRANTED if operation == "UpdateDomain" else None

    wire.begin(plan)
    reason = resource.create({**ADOPTING, "DeadLetterQueueUrl": QUEUE})["Reason"]
    assert "in spite of retries" in reason
    assert "in spite of retries" not in reason.rpartition("TagResource")[2]


def test_a_throttled_delete_asks_cloudformation_twice_a_minute_if_it_cannot_be_asked(
    resource: ListedResource, listed_stacks: ListedStacks, wire: Wire, clock: Clock
) -> None:
    existing_domain(MADE)
    listed_stacks.error_for = lambda operation: DescribeError.ACCESS_DENIED
    sent = resource.event("Delete", LEAST, physical_id="customers")
    clock.now += 3
    end = clock.now + 50
    wire.begin(lambda attempt, operation: THROTTLED if operation == "DeleteDomain" and clock.now < end else None)
    assert succeeded(resource.deliver(sent))
    assert listed_stacks.calls == ["DescribeStackResource"] * 2


def test_a_throttled_update_asks_again_whether_it_is_a_rollback_if_that_could_not_be_asked_at_first(
    resource: ListedResource, listed_stacks: ListedStacks, wire: Wire, clock: Clock
) -> None:
    """It is rolled back while its last attempt is on its way, and changes the settings back."""
    existing_domain(MADE)
    resource.stack_is("UPDATE_IN_PROGRESS")
    asked = 0

    def error(operation: str) -> DescribeError | None:
        nonlocal asked
        asked += operation == "DescribeStacks"
        return DescribeError.ACCESS_DENIED if operation == "DescribeStacks" and asked == 1 else None

    def meanwhile() -> None:
        resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
        assert succeeded(resource.update(LEAST, CHANGED))
        resource.lists("UPDATE_COMPLETE", "customers")

    listed_stacks.error_for = error
    with overtaken(wire, clock, "UpdateDomain", meanwhile, before="UpdateDomain"):
        assert not succeeded(resource.update(CHANGED, LEAST))
    assert asked > 1
    assert days() == 30


def test_the_reason_of_a_cancelled_create_says_what_it_could_not_undo(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    sent = resource.event("Create", LEAST)
    resource.lists("CREATE_FAILED")
    clock.now += 3
    wire.begin(lambda attempt, operation: DENIED if operation == "DeleteDomain" else None)
    reason = resource.deliver(sent)["Reason"]
    assert "CloudFormation no longer asks for this Create" in reason
    assert "could not be undone: DeleteDomain of domain customers: not allowed" in reason


def test_a_takeover_that_meets_another_one_being_given_back_makes_up_no_claim_as_the_maker(
    resource: ListedResource, their_resource: ListedResource, third_resource: ListedResource, wire: Wire
) -> None:
    """The borrower gives the domain back after the next one has looked, and before it claims the domain."""
    domain = existing_domain(claims((THEIR_STACK, ADOPTED), (third_resource.stack_id, FOUND)))

    def given_back() -> None:
        assert succeeded(their_resource.delete(ADOPTING))
        assert domain.tags == claims((third_resource.stack_id, FOUND))

    with right_after(wire, "GetDomain", given_back):
        assert succeeded(resource.create(ADOPTING))
    assert succeeded(resource.delete(ADOPTING))
    assert live_domains() == {"customers": domain}
    assert third_resource.stack_id in domain.tags.values()


def test_letting_go_that_the_api_refuses_slowly_is_not_taken_for_a_new_plan_at_each_attempt(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Each attempt takes seconds, and the borrower's domain gets profiles meanwhile. Only the claims would matter."""
    domain = existing_domain(claims((THEIR_STACK, ADOPTED), (STACK, "an-earlier-create")))
    resource.stack_is("DELETE_IN_PROGRESS")
    attempts: list[int] = []

    def slowly_refused(attempt: int, operation: str) -> Fault | None:
        if operation != "TagResource":
            return None
        attempts.append(attempt)
        clock.now += 2
        domain.profile_count += 1
        return NOT_GRANTED

    wire.begin(slowly_refused)
    answer = resource.delete(LEAST)
    assert not succeeded(answer)
    assert "TagResource of domain customers: refused by the API" in answer["Reason"]
    assert len(attempts) == 1


THIRD = Claim("a-third-stack", "Domain", ADOPTED)
SIBLING = Claim(STACK, "Other", ADOPTED)
MINE, LENDERS = Claim(STACK, "Domain", "an-earlier-create"), Claim(THEIR_STACK, "Domain", "their-request")


@pytest.mark.parametrize(
    ("before", "written", "after"),
    [
        ((SIBLING, MINE), (THIRD, SIBLING, MINE), (THIRD, replace(SIBLING, request_id=MINE.request_id))),
        ((replace(MINE, request_id=ADOPTED), LENDERS), (THIRD, LENDERS), (THIRD, LENDERS)),
    ],
    ids=["it lets go", "it gives back"],
)
def test_a_takeover_between_the_two_calls_of_a_delete_loses_no_claim_of_a_resource_that_has_the_domain(
    before: Claims,
    written: Claims,
    after: Claims,
    resource: ListedResource,
    listed_stacks: ListedStacks,
    wire: Wire,
) -> None:
    """A third stack had looked before the first call, or looks now. It moves a claim to the keys of the second call."""
    domain = existing_domain(tags_of(before))
    resource.stack_is("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    listed_stacks.lists("CREATE_COMPLETE", "customers", logical_id="Other")
    with right_after(wire, "TagResource", lambda: domain.tag(tags_of(written))):
        assert succeeded(resource.delete(LEAST))
    assert read_claims(domain.tags) == after
