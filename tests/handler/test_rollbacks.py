"""Rollbacks and clean-ups: what must not keep a stack from rolling back, and what they must not delete."""

from __future__ import annotations

from typing import Any

import pytest

from handler.claims import (
    ADOPTED,
    FOUND,
    NATIVE_LOGICAL_ID,
    NATIVE_STACK_ID,
    NATIVE_TYPE,
    REQUEST_ID,
    Claim,
    read_claims,
    tags_of,
)
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import ACCOUNT, STACK, Function, Mailbox, event, stack_arn
from tests.handler.describe_api import DescribeError
from tests.handler.faults import REGION, Clock, Fault, FaultPlan, Wire, live_domains
from tests.handler.listed import ListedStacks
from tests.handler.listed_resource import MADE_UP, ListedResource
from tests.handler.situations import (
    ADOPTING,
    CHANGED,
    CORRECTED,
    DENIED,
    FAILING,
    LEAST,
    MADE,
    NOT_GRANTED,
    OTHER,
    QUEUE,
    RESPONSE_LOST,
    THEIR_STACK,
    THEIRS,
    THROTTLED,
    UNPROTECTED,
    claims,
    days,
    existing_domain,
    holder,
    overtaken,
    right_after,
)
from tests.handler.stacks import succeeded

THIRD = {**LEAST, "DomainName": "third"}
MISTYPED = {**THIRD, "DefaultExpirationDays": "ninety"}


def first_look_denied(clock: Clock) -> FaultPlan:
    """The API denies the first look, until the function believes it."""
    is_over, until = False, clock.now + 20

    def plan(attempt: int, operation: str) -> Fault | None:
        nonlocal is_over
        fault = None if is_over else DENIED
        is_over = clock.now >= until
        return fault

    return plan


@pytest.mark.parametrize(
    "tags", [claims((THEIR_STACK, ADOPTED), (STACK, "an-earlier-create")), THEIRS], ids=["lent", "foreign"]
)
def test_a_domain_that_another_stack_has_now_keeps_no_stack_from_rolling_back(
    tags: dict[str, str], resource: ListedResource, wire: Wire
) -> None:
    existing_domain(tags, days=7)
    resource.stack_is("UPDATE_IN_PROGRESS")
    answer = resource.update(CHANGED, LEAST)
    assert not succeeded(answer)
    assert "now belongs to" in answer["Reason"]
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.update(LEAST, CHANGED))
    assert wire.changes == []


def test_a_name_that_the_function_may_not_look_at_keeps_no_stack_from_rolling_back(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """A permissions boundary or a service control policy allows some names only. The rename to another one failed."""
    existing_domain(MADE)
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    wire.begin(first_look_denied(clock))
    assert succeeded(resource.update(CHANGED, {**LEAST, "DomainName": "not-allowed"}))
    assert days() == 90


@pytest.fixture
def rolled_back(resource: ListedResource, their_resource: ListedResource) -> Domain:
    """A domain with data that was to move to a new stack. Its lender let go, but the new stack failed."""
    domain = existing_domain(THEIRS)
    domain.profile_count = 1000
    assert succeeded(resource.create(ADOPTING))
    assert succeeded(their_resource.delete(LEAST))
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(ADOPTING))
    return domain


def test_data_that_was_there_before_a_takeover_survives_its_rollback_after_the_lender_has_gone(
    rolled_back: Domain,
) -> None:
    assert live_domains() == {"customers": rolled_back}


def test_a_move_to_another_stack_can_be_tried_again_after_the_lender_has_gone(
    rolled_back: Domain, third_resource: ListedResource
) -> None:
    """The first attempt leaves no claim: the second one would have the domain on loan from a stack that is gone."""
    assert holder() is None
    assert succeeded(third_resource.create(UNPROTECTED))
    third_resource.stack_is("CREATE_COMPLETE")
    assert live_domains() == {"customers": rolled_back}
    assert succeeded(third_resource.delete_with_its_stack(UNPROTECTED))
    assert live_domains() == {}


def test_a_domain_that_was_moved_to_another_stack_is_deleted_with_that_stack(
    resource: ListedResource, their_resource: ListedResource
) -> None:
    existing_domain(THEIRS).profile_count = 1000
    assert succeeded(resource.create(ADOPTING))
    resource.stack_is("CREATE_COMPLETE")
    assert succeeded(their_resource.delete(LEAST))
    assert succeeded(resource.delete_with_its_stack(ADOPTING))
    assert live_domains() == {}


@pytest.mark.parametrize("profiles", [0, 1000])
@pytest.mark.parametrize("request_id", [FOUND, ADOPTED])
def test_a_clean_up_does_not_delete_the_domain_that_cloudformation_lists_as_current(
    request_id: str, profiles: int, resource: ListedResource
) -> None:
    """A stack that is deployed with --disable-rollback is renamed, fails, and is renamed back."""
    domain = existing_domain(claims((STACK, request_id)))
    domain.profile_count = profiles
    resource.stack_is("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    resource.lists("UPDATE_COMPLETE", "customers")
    answer = resource.deliver(resource.event("Delete", UNPROTECTED, physical_id="customers"))
    assert not succeeded(answer)
    assert "no longer asks for this Delete" in answer["Reason"]
    assert domain in live_domains().values()


@pytest.mark.parametrize(
    ("status", "physical_id", "resource_type", "stays"),
    [
        ("CREATE_COMPLETE", "customers", NATIVE_TYPE, True),
        ("CREATE_IN_PROGRESS", "", NATIVE_TYPE, True),
        ("UPDATE_COMPLETE", "another-domain", NATIVE_TYPE, False),
        ("CREATE_COMPLETE", "customers", "Custom::CustomerProfilesDomain", False),
        ("DELETE_SKIPPED", "customers", NATIVE_TYPE, False),
        ("not listed", "", "", False),
        ("no such stack", "", "", False),
        ("cannot be asked", "", "", True),
    ],
)
def test_a_domain_of_the_native_type_is_deleted_only_if_its_native_resource_has_gone(
    status: str,
    physical_id: str,
    resource_type: str,
    stays: bool,
    resource: ListedResource,
    listed_stacks: ListedStacks,
) -> None:
    """The native resource may have another domain by now, or its logical id may be that of another resource."""
    existing_domain({NATIVE_STACK_ID: THEIR_STACK, NATIVE_LOGICAL_ID: "Native"}).profile_count = 1000
    assert succeeded(resource.create(UNPROTECTED))
    resource.stack_is("CREATE_COMPLETE")
    if status != "no such stack":  # CloudFormation forgets a stack 90 days after its deletion
        listed_stacks.stack_is("UPDATE_COMPLETE", THEIR_STACK)
    if status not in ("not listed", "no such stack", "cannot be asked"):
        listed_stacks.lists(status, physical_id, stack_id=THEIR_STACK, logical_id="Native", resource_type=resource_type)
    if status == "cannot be asked":
        listed_stacks.error_for = lambda operation: (
            DescribeError.ACCESS_DENIED if operation == "DescribeStackResource" else None
        )
    assert succeeded(resource.delete_with_its_stack(UNPROTECTED))
    assert ("customers" in live_domains()) is stays


@pytest.mark.parametrize("is_answered", [True, False])
@pytest.mark.parametrize("profiles", [0, 1000])
@pytest.mark.parametrize("is_created_again", [False, True])
def test_a_domain_that_a_native_resource_has_imported_is_not_deleted(
    is_created_again: bool, profiles: int, is_answered: bool, resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    """Nobody removed the old tags before the import (docs/migration.md), and the old template was deployed again."""
    domain = existing_domain({**MADE, NATIVE_STACK_ID: THEIR_STACK, NATIVE_LOGICAL_ID: "Native"})
    domain.profile_count = profiles
    listed_stacks.stack_is("UPDATE_COMPLETE", THEIR_STACK)
    listed_stacks.lists(
        "UPDATE_COMPLETE", "customers", stack_id=THEIR_STACK, logical_id="Native", resource_type=NATIVE_TYPE
    )
    if is_created_again:
        assert succeeded(resource.create(LEAST))
    resource.stack_is("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    assert succeeded(resource.delete(LEAST, "customers" if is_answered else MADE_UP))
    assert live_domains() == {"customers": domain}


def test_a_takeover_that_others_overtake_leaves_no_claim_that_nobody_ends(
    resource: ListedResource, their_resource: ListedResource, third_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """While it is throttled a third stack takes the domain over from it, and its maker is deleted."""
    existing_domain(THEIRS)

    def meanwhile() -> None:
        assert holder() == STACK
        assert succeeded(third_resource.create(ADOPTING))
        assert succeeded(their_resource.delete(LEAST))

    with overtaken(wire, clock, "UpdateDomain", meanwhile, after=5):
        assert succeeded(resource.create({**ADOPTING, **CHANGED}))
    assert holder() == STACK
    for each in (resource, third_resource):
        assert succeeded(each.delete_with_its_stack(ADOPTING))
    assert live_domains() == {}


def test_an_update_asks_again_after_cloudformation_has_throttled_its_question(
    resource: ListedResource, listed_stacks: ListedStacks, wire: Wire, clock: Clock
) -> None:
    """It is throttled. Meanwhile it is rolled back, and a corrected update is done: its own value is not wanted."""
    existing_domain(MADE)
    resource.stack_is("UPDATE_IN_PROGRESS")
    until = clock.now + 10
    listed_stacks.error_for = lambda operation: DescribeError.THROTTLED if clock.now < until else None

    def meanwhile() -> None:
        resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
        assert succeeded(resource.update(LEAST, CHANGED))
        resource.stack_is("UPDATE_IN_PROGRESS")
        assert succeeded(resource.update(CORRECTED, LEAST))
        resource.lists("UPDATE_COMPLETE", "customers")
        resource.stack_is("UPDATE_COMPLETE")

    with overtaken(wire, clock, "UpdateDomain", meanwhile, after=60):
        assert not succeeded(resource.update(CHANGED, LEAST))
    assert days() == 60


@pytest.mark.parametrize("listed", ["customers", "other"], ids=["the old name", "the new name"])
def test_the_rollback_of_a_rename_may_be_slow_whichever_name_cloudformation_lists_meanwhile(
    listed: str, resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    existing_domain(MADE, days=7)
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    resource.lists("UPDATE_IN_PROGRESS", listed)
    with overtaken(wire, clock, "UpdateDomain", lambda: None, after=10):
        assert succeeded(resource.deliver(resource.event("Update", LEAST, OTHER, physical_id="other")))
    assert days() == 30


@pytest.mark.parametrize("properties", [LEAST, ADOPTING], ids=["without AdoptExisting", "with AdoptExisting"])
@pytest.mark.parametrize("tags", [{}, THEIRS], ids=["lost its tags", "was made again by another stack"])
def test_the_rollback_of_a_rename_does_not_fail_for_what_has_become_of_the_old_domain(
    tags: dict[str, str], properties: dict[str, Any], resource: ListedResource, wire: Wire
) -> None:
    domain = existing_domain(tags, days=7)
    resource.stack_is("UPDATE_ROLLBACK_IN_PROGRESS")
    answer = resource.update(properties, OTHER, physical_id="other")
    assert succeeded(answer)
    assert answer["PhysicalResourceId"] == "customers"
    assert (domain.tags, days(), wire.changes) == (tags, 7, [])


def test_giving_back_to_nobody_succeeds_though_the_response_is_lost(resource: ListedResource, wire: Wire) -> None:
    """The template no longer says AdoptExisting, so the domain without tags looks like one that was robbed of them."""
    domain = existing_domain({})
    assert succeeded(resource.create(ADOPTING))
    with right_after(wire, "UntagResource", lambda: None, fault=RESPONSE_LOST):
        assert succeeded(resource.delete_with_its_stack(LEAST))
    assert live_domains() == {"customers": domain}
    assert domain.tags == {}


def test_a_delete_that_cloudformation_has_sent_before_it_lists_it_is_carried_out(
    resource: ListedResource, clock: Clock
) -> None:
    """It deletes a domain that was there before, so it asks at once whether it is wanted."""
    existing_domain(claims((STACK, FOUND))).profile_count = 1000
    resource.stack_is("DELETE_IN_PROGRESS")
    resource.lists("UPDATE_COMPLETE", "customers")
    clock.on_sleep.append(lambda: resource.lists("DELETE_IN_PROGRESS", "customers"))
    assert succeeded(resource.deliver(resource.event("Delete", LEAST, physical_id="customers")))
    assert live_domains() == {}


def test_a_throttled_delete_is_carried_out_though_the_removed_resource_is_not_listed_meanwhile(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    existing_domain(MADE)
    resource.stack_is("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    with overtaken(wire, clock, "DeleteDomain", resource.lists_no_longer, after=10):
        assert succeeded(resource.delete(LEAST))
    assert live_domains() == {}


def test_a_made_up_name_that_the_function_may_not_look_at_keeps_no_create_from_being_rolled_back(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """A permissions boundary allows some names only. CloudFormation has made up the id of a cancelled Create."""
    assert succeeded(resource.create(LEAST))
    wire.begin(first_look_denied(clock))
    resource.stack_is("ROLLBACK_IN_PROGRESS")
    assert succeeded(resource.delete(LEAST, MADE_UP))
    assert live_domains() == {}


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "not answered"])
def test_a_failed_create_that_is_still_listed_does_not_keep_its_delete_from_cleaning_up(
    is_answered: bool, resource: ListedResource, clock: Clock
) -> None:
    resource.lists("CREATE_IN_PROGRESS")
    failed = resource.event("Create", LEAST)
    existing_domain(claims((STACK, failed["RequestId"])))
    clock.now += 8
    physical_id = f"create-failed:{failed['RequestId']}" if is_answered else MADE_UP
    assert succeeded(resource.deliver(resource.event("Delete", LEAST, physical_id=physical_id)))
    assert live_domains() == {}


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"])
def test_a_native_resource_that_may_be_renamed_back_still_has_its_domain(
    status: str, resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    existing_domain({NATIVE_STACK_ID: THEIR_STACK, NATIVE_LOGICAL_ID: "Native"}).profile_count = 1000
    assert succeeded(resource.create(UNPROTECTED))
    listed_stacks.lists(
        "UPDATE_COMPLETE", "other", stack_id=THEIR_STACK, logical_id="Native", resource_type=NATIVE_TYPE
    )
    listed_stacks.stack_is(status, THEIR_STACK)
    assert succeeded(resource.delete_with_its_stack(UNPROTECTED))
    assert "customers" in live_domains()


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_a_native_resource_of_a_nested_stack_may_be_renamed_back_until_its_parent_is_complete(
    status: str, resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    parent = stack_arn("parent")
    existing_domain({NATIVE_STACK_ID: THEIR_STACK, NATIVE_LOGICAL_ID: "Native"}).profile_count = 1000
    assert succeeded(resource.create(UNPROTECTED))
    listed_stacks.lists(
        "UPDATE_COMPLETE", "other", stack_id=THEIR_STACK, logical_id="Native", resource_type=NATIVE_TYPE
    )
    listed_stacks.stack_is("UPDATE_COMPLETE", THEIR_STACK, parent_id=parent)
    listed_stacks.stack_is(status, parent)
    assert succeeded(resource.delete_with_its_stack(UNPROTECTED))
    assert "customers" in live_domains()


@pytest.mark.parametrize(
    ("status", "is_gone"), [("IMPORT_COMPLETE", False), ("IMPORT_FAILED", False), ("IMPORT_ROLLBACK_COMPLETE", True)]
)
def test_the_delete_of_a_resource_whose_domain_a_native_resource_has_imported_leaves_no_claim(
    status: str, is_gone: bool, resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    """If the import was rolled back, the system tags may stay. The domain is the resource's then."""
    system_tags = {NATIVE_STACK_ID: THEIR_STACK, NATIVE_LOGICAL_ID: "Native"}
    domain = existing_domain({**MADE, **system_tags})
    listed_stacks.lists(status, "customers", stack_id=THEIR_STACK, logical_id="Native", resource_type=NATIVE_TYPE)
    assert succeeded(resource.delete(LEAST))
    assert live_domains() == ({} if is_gone else {"customers": domain})
    assert domain.tags == system_tags or is_gone


def test_a_delete_whose_domain_may_not_be_looked_at_fails_if_its_physical_id_was_not_made_up(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    existing_domain(MADE)
    wire.begin(first_look_denied(clock))
    assert not succeeded(resource.delete(OTHER, "customers"))


@pytest.mark.parametrize(
    ("old", "physical_id"),
    [(THIRD, "third"), (THIRD, "customers"), (MISTYPED, "customers")],
    ids=["was answered", "was not answered", "had a mistake"],
)
@pytest.mark.parametrize("is_borrowed", [False, True])
@pytest.mark.parametrize("is_first", [False, True])
def test_a_resource_and_its_sibling_that_took_its_domain_over_come_back_at_the_same_time(
    is_first: bool,
    is_borrowed: bool,
    old: dict[str, Any],
    physical_id: str,
    resource: ListedResource,
    function: Function,
    mailbox: Mailbox,
    wire: Wire,
) -> None:
    """An update has renamed `Domain`, and given its old domain to `Other`. CloudFormation rolls both back at once."""
    before = claims((STACK, ADOPTED), (THEIR_STACK, "their-request")) if is_borrowed else MADE
    domain = existing_domain(tags_of((Claim(STACK, "Other", ADOPTED), *read_claims(before))))
    live_domains()["other"] = Domain("other", dict(domain.configuration), {}, ACCOUNT, REGION)
    live_domains()["other"].tags = tags_of((Claim(STACK, "Other", "an-earlier-create"),))
    resource.roll_back_a_swap()

    def come_back() -> None:
        assert succeeded(resource.update(LEAST, old, physical_id))

    def sibling_comes_back() -> None:
        url = mailbox.url()
        sent = event("Update", OTHER, LEAST, physical_id="other", logical_id="Other", response_url=url)
        assert succeeded(function.invoke(sent).answer)

    first, second = (come_back, sibling_comes_back) if is_first else (sibling_comes_back, come_back)
    with right_after(wire, "GetDomain", second):
        first()
    assert domain.tags in (before, {**before, REQUEST_ID: FOUND})


@pytest.mark.parametrize("old", [THIRD, MISTYPED], ids=["was not answered", "had a mistake"])
def test_a_resource_whose_sibling_took_its_domain_over_comes_back_although_there_is_no_room_for_more_claims(
    old: dict[str, Any], resource: ListedResource
) -> None:
    tags = {f"mine-{number}": "x" for number in range(44)}
    domain = existing_domain({**tags, **tags_of((Claim(STACK, "Other", ADOPTED), *read_claims(MADE)))})
    resource.roll_back_a_swap()
    assert succeeded(resource.update({**LEAST, "Tags": tags}, {**old, "Tags": tags}))
    assert domain.tags == {**tags, **MADE}


def test_a_resource_that_comes_back_and_fails_keeps_its_domain(resource: ListedResource, wire: Wire) -> None:
    domain = existing_domain(tags_of((Claim(STACK, "Other", ADOPTED), *read_claims(MADE))), days=7)
    resource.roll_back_a_swap()
    wire.begin(lambda attempt, operation: NOT_GRANTED if operation == "UpdateDomain" else None)
    with_queue = {**LEAST, "DeadLetterQueueUrl": QUEUE}
    assert not succeeded(resource.update(with_queue, OTHER, "other"))
    assert live_domains() == {"customers": domain}
    assert domain.tags == {**MADE, REQUEST_ID: FOUND}
    wire.begin()
    assert succeeded(resource.update(with_queue, OTHER, "other"))
    assert days() == 30


@pytest.mark.parametrize(
    ("status", "physical_id", "is_gone"),
    [
        ("CREATE_FAILED", "", True),
        ("CREATE_FAILED", "customers-Other-1A2B3C4D5E6F", True),
        ("DELETE_IN_PROGRESS", "customers-Other-1A2B3C4D5E6F", True),
        ("DELETE_COMPLETE", "create-failed:a-request", True),
        ("CREATE_IN_PROGRESS", "", False),
        ("CREATE_COMPLETE", "customers", False),
        ("UPDATE_FAILED", "other", False),
        ("DELETE_IN_PROGRESS", "customers", False),
        ("DELETE_SKIPPED", "customers", False),
        ("", "", False),
    ],
)
def test_a_domain_is_not_left_to_a_resource_that_was_never_created(
    status: str, physical_id: str, is_gone: bool, resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    """A logical id was renamed with --disable-rollback, and the new one's Create was cancelled after the takeover."""
    existing_domain(tags_of((Claim(STACK, "Other", ADOPTED), *read_claims(MADE))))
    if status:
        listed_stacks.lists(status, physical_id, logical_id="Other")
    assert succeeded(resource.delete_with_its_stack(LEAST))
    assert bool(live_domains()) is not is_gone
    if not is_gone:
        assert read_claims(live_domains()["customers"].tags) == (Claim(STACK, "Other", "an-earlier-create"),)


def test_where_cloudformation_cannot_be_asked_a_domain_is_left_to_its_borrower(
    resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    domain = existing_domain(tags_of((Claim(STACK, "Other", ADOPTED), *read_claims(MADE))))
    listed_stacks.lists("CREATE_FAILED", logical_id="Other")
    listed_stacks.error_for = lambda operation: DescribeError.ACCESS_DENIED
    assert succeeded(resource.delete_with_its_stack(LEAST))
    assert read_claims(domain.tags) == (Claim(STACK, "Other", "an-earlier-create"),)


def test_a_domain_is_left_to_the_sibling_that_took_it_over_during_a_slow_question(
    resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    """The question is about another sibling, which was never created."""
    lent = (Claim(STACK, "Other", ADOPTED), *read_claims(MADE))
    domain = existing_domain(tags_of(lent))
    listed_stacks.lists("CREATE_FAILED", logical_id="Other")
    listed_stacks.lists("CREATE_COMPLETE", "customers", logical_id="Third")

    def slowly(operation: str) -> DescribeError | None:
        domain.tag(tags_of((Claim(STACK, "Third", ADOPTED), *lent)))
        return DescribeError.THROTTLED if len(listed_stacks.calls) < 5 else None  # for at least 1.5 s

    listed_stacks.error_for = slowly
    assert succeeded(resource.delete_with_its_stack(LEAST))
    assert live_domains() == {"customers": domain}
    assert read_claims(domain.tags)[0].logical_id == "Third"


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS"])
def test_the_rollback_of_a_swap_removes_what_the_sibling_has_set_in_a_structure(
    status: str, resource: ListedResource
) -> None:
    """The sibling has given the domain back already. In a new update it could be what somebody has set by hand."""
    sunday, monday = ({"DayOfTheWeek": day, "Time": "03:00"} for day in ("SUNDAY", "MONDAY"))
    merging = {"AutoMerging": {"Enabled": True, "MinAllowedConfidenceScoreForMerging": 0.1}}
    domain = existing_domain(MADE)
    domain.update({"Matching": {"Enabled": True, "JobSchedule": monday, **merging}})
    resource.stack_is(status)
    wanted = {**LEAST, "Matching": {"Enabled": True, "JobSchedule": sunday}}
    assert succeeded(resource.update(wanted, OTHER, physical_id="other"))
    left = {} if "ROLLBACK" in status else merging
    assert domain.configuration["Matching"] == {"Enabled": True, "JobSchedule": sunday, **left}


@pytest.mark.parametrize("made_by", ["an-earlier-create", FOUND])
def test_the_rollback_of_a_swap_says_that_the_rules_of_the_sibling_cannot_be_replaced_now(
    made_by: str, resource: ListedResource
) -> None:
    """Its claim is `found` if an update before was rolled back in the same way."""
    domain = existing_domain(tags_of((Claim(STACK, "Other", ADOPTED), Claim(STACK, "Domain", made_by))))
    rules, theirs = ({"Enabled": True, "MatchingRules": [{"Rule": [name]}]} for name in ("Phone", "EmailAddress"))
    domain.update({"RuleBasedMatching": theirs})
    domain.rule_based_matching_status = "IN_PROGRESS"
    resource.roll_back_a_swap()
    answer = resource.update({**LEAST, "RuleBasedMatching": rules}, OTHER, physical_id="other")
    assert not succeeded(answer)
    assert "does not change the rules" in answer["Reason"]


def test_a_refusal_that_time_heals_removes_nothing_that_somebody_has_set_in_a_structure(
    resource: ListedResource, wire: Wire
) -> None:
    """The queue's policy spreads while the call is retried."""
    schedule = {"DayOfTheWeek": "MONDAY", "Time": "03:00"}
    merging = {"AutoMerging": {"Enabled": True, "MinAllowedConfidenceScoreForMerging": 0.9}}
    domain = existing_domain(MADE)
    domain.update({"Matching": {"Enabled": True, **merging}})
    refused = [NOT_GRANTED, NOT_GRANTED]
    wire.begin(lambda _, operation: refused.pop() if refused and operation == "UpdateDomain" else None)
    wanted = {**LEAST, "DeadLetterQueueUrl": QUEUE, "Matching": {"Enabled": True, "JobSchedule": schedule}}
    assert succeeded(resource.update(wanted, LEAST))
    assert domain.configuration["Matching"] == {"Enabled": True, "JobSchedule": schedule, **merging}


@pytest.mark.parametrize("fault", [THROTTLED, FAILING], ids=str)
@pytest.mark.parametrize("made_by", ["an-earlier-create", FOUND])
def test_a_domain_that_another_stack_takes_over_while_its_resource_comes_back_to_it_is_lent_to_that_stack(
    made_by: str,
    fault: Fault,
    resource: ListedResource,
    their_resource: ListedResource,
    wire: Wire,
    clock: Clock,
) -> None:
    """A sibling had it during the update. Without its claim the resource could not keep what the borrower deletes."""
    domain = existing_domain(tags_of((Claim(STACK, "Other", ADOPTED), Claim(STACK, "Domain", made_by))), days=14)
    domain.profile_count = 1000
    resource.roll_back_a_swap()

    def taken_over() -> None:
        assert succeeded(their_resource.create({**ADOPTING, "DefaultExpirationDays": 7}))

    with overtaken(wire, clock, "UpdateDomain", taken_over, fault=fault, after=0.1):
        assert succeeded(resource.update(LEAST, OTHER, physical_id="other"))
    assert (holder(), days()) == (THEIR_STACK, 7)
    assert succeeded(their_resource.delete_with_its_stack(ADOPTING))
    assert holder() == STACK
    assert live_domains() == {"customers": domain}


def test_where_cloudformation_has_no_events_a_sibling_keeps_its_claim_over_the_rollback(
    resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    domain = existing_domain(tags_of((Claim(STACK, "Other", ADOPTED), *read_claims(MADE))))
    resource.roll_back_a_swap()
    denied = DescribeError.ACCESS_DENIED
    listed_stacks.error_for = lambda operation: denied if operation == "DescribeStackEvents" else None
    assert succeeded(resource.update(LEAST, OTHER, "other"))
    assert [claim.logical_id for claim in read_claims(domain.tags)] == ["Other", "Domain"]


@pytest.mark.parametrize("fault", [DENIED, NOT_GRANTED, FAILING], ids=str)
@pytest.mark.parametrize("lender_had_made_it", [True, False])
def test_a_resource_that_comes_back_and_fails_keeps_its_loan_though_a_lender_has_gone_meanwhile(
    lender_had_made_it: bool,
    fault: Fault,
    resource: ListedResource,
    their_resource: ListedResource,
    third_resource: ListedResource,
    wire: Wire,
    clock: Clock,
) -> None:
    """A sibling had the domain during the update, and all of them have it on loan."""
    makers = "request-of-the-maker"
    lenders = (
        [(THEIR_STACK, makers)] if lender_had_made_it else [(THEIR_STACK, ADOPTED), (third_resource.stack_id, makers)]
    )
    before = read_claims(claims((STACK, ADOPTED), *lenders))
    domain = existing_domain(tags_of((Claim(STACK, "Other", ADOPTED), *before)), days=14)
    resource.roll_back_a_swap()

    def lender_goes() -> None:
        assert succeeded(their_resource.delete_with_its_stack(LEAST))

    with overtaken(wire, clock, "UpdateDomain", lender_goes, after=0.1):
        lasting, is_over = wire.fault_plan, False

        def refused(attempt: int, operation: str) -> Fault | None:
            nonlocal is_over
            hit = lasting(attempt, operation)
            is_over |= operation == "UpdateDomain" and hit is None
            return fault if is_over and operation == "UpdateDomain" else hit

        wire.fault_plan = refused
        assert not succeeded(resource.update(ADOPTING, OTHER, "other"))
    assert live_domains() == {"customers": domain}
    assert holder() == STACK
    assert succeeded(resource.update(ADOPTING, OTHER, "other"))
    assert (holder(), days()) == (STACK, 30)


def test_a_rollback_leaves_a_domain_to_the_stack_that_takes_it_over_before_its_lender_goes(
    resource: ListedResource, their_resource: ListedResource, third_resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    on_loan = read_claims(claims((STACK, ADOPTED), (THEIR_STACK, "their-request")))
    domain = existing_domain(tags_of((Claim(STACK, "Other", ADOPTED), *on_loan)), days=14)
    domain.profile_count = 1000
    resource.roll_back_a_swap()

    def meanwhile() -> None:
        assert succeeded(third_resource.create({**ADOPTING, "DefaultExpirationDays": 7}))
        assert succeeded(their_resource.delete_with_its_stack(LEAST))

    with overtaken(wire, clock, "UpdateDomain", meanwhile, after=0.1):
        assert succeeded(resource.update(ADOPTING, OTHER, "other"))
    assert (holder(), days()) == (third_resource.stack_id, 7)
    assert succeeded(third_resource.delete_with_its_stack(ADOPTING))
    assert live_domains() == {"customers": domain}
    assert holder() == STACK
