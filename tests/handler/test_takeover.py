"""A takeover is a loan: whatever goes wrong with it, the domain is afterwards as it was, tags and settings."""

from __future__ import annotations

import copy
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from handler.claims import ADOPTED, FOUND, LOGICAL_ID, REQUEST_ID, STACK_ID
from local.customerprofiles.access import ServiceRequest
from local.customerprofiles.models import CustomerProfilesBackend, Domain
from tests.handler import faults
from tests.handler.cloudformation import ACCOUNT, STACK, Function, Mailbox, event, stack_arn
from tests.handler.faults import REGION, Acts, Fault, Wire, live_domains
from tests.handler.listed import ListedStacks
from tests.handler.situations import ADOPTING, LEAST, QUEUE, THROTTLED

THEIR_STACK = stack_arn("elsewhere")
RETAINED = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "an-earlier-create"}
THEIRS = {STACK_ID: THEIR_STACK, LOGICAL_ID: "Domain", REQUEST_ID: "their-request"}
RULES = {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}], "MaxAllowedRuleLevelForMatching": 1}
SETTINGS: dict[str, Any] = {
    "DefaultExpirationDays": 7,
    "DeadLetterQueueUrl": QUEUE,
    "Matching": {"Enabled": True, "JobSchedule": {"DayOfTheWeek": "MONDAY", "Time": "01:00"}},
    "RuleBasedMatching": RULES,
}
TEMPLATE = {
    "DomainName": "customers",
    "DefaultExpirationDays": 30,
    "DeadLetterQueueUrl": "",
    "Matching": {"Enabled": False},
    "RuleBasedMatching": {"Enabled": False},
    "Tags": {"team": "ours", "new": "tag"},
    "AdoptExisting": True,
}
CALLS = ["CreateDomain", "GetDomain", "TagResource", "GetDomain", "UpdateDomain", "UpdateDomain"]
ERRORS = [fault for fault in faults.faults_of_the_api(faults.service_model()) if fault.acts is Acts.NEVER]


@pytest.fixture(params=[THEIRS, {}], ids=["of another stack", "of nobody"])
def theirs(request: pytest.FixtureRequest, wire: Wire, few_attempts: None) -> dict[str, Any]:
    """Somebody else's domain, and how GetDomain reports it."""
    return existing(request.param)


@pytest.fixture(params=[THEIRS, {}, RETAINED], ids=["of another stack", "of nobody", "its own, retained"])
def before(request: pytest.FixtureRequest, wire: Wire, few_attempts: None) -> dict[str, Any]:
    """A domain that was there before the Create, and how GetDomain reports it."""
    return existing(request.param)


def existing(claim: dict[str, str]) -> dict[str, Any]:
    client = boto3.client("customer-profiles", region_name=REGION)
    client.create_domain(DomainName="customers", Tags={"team": "theirs", "kept": "x", **claim}, **SETTINGS)
    live_domains()["customers"].rule_based_matching_status = "ACTIVE"
    live_domains()["customers"].profile_count = 7
    return reported()


def reported() -> dict[str, Any]:
    """How the domain is, whether it has been marked as found again or not."""
    domain = live_domains()["customers"]
    tags = dict(domain.tags)
    if tags.get(REQUEST_ID) == FOUND:
        tags |= RETAINED
    return {"settings": copy.deepcopy(domain.configuration), "tags": tags}


def take_over(function: Function, mailbox: Mailbox) -> dict[str, Any]:
    return function.invoke(event("Create", TEMPLATE, response_url=mailbox.url())).answer


def test_a_takeover_claims_first_and_then_converges(
    theirs: dict[str, Any], function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    answer = take_over(function, mailbox)
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert wire.attempts == CALLS
    domain = live_domains()["customers"]
    assert domain.configuration["DefaultExpirationDays"] == 30
    assert domain.tags.items() >= {"team": "ours", "kept": "x", STACK_ID: STACK, REQUEST_ID: ADOPTED}.items()


def test_the_delete_of_what_was_taken_over_gives_the_claims_back(
    theirs: dict[str, Any], function: Function, mailbox: Mailbox
) -> None:
    take_over(function, mailbox)
    sent = event("Delete", TEMPLATE, physical_id="customers", response_url=mailbox.url())
    assert function.invoke(sent).answer["Status"] == "SUCCESS"
    kept = {key: value for key, value in live_domains()["customers"].tags.items() if key.startswith("cloudformation:")}
    assert kept == {key: value for key, value in theirs["tags"].items() if key.startswith("cloudformation:")}


@pytest.mark.parametrize("at", range(len(CALLS)), ids=lambda at: f"call {at + 1}, {CALLS[at]}")
@pytest.mark.parametrize("fault", ERRORS, ids=str)
def test_each_call_of_a_takeover_fails_and_the_domain_is_as_it_was(
    fault: Fault, at: int, before: dict[str, Any], function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    """The operation fails from this call on, until the handler has given up on it."""
    operation, failed = CALLS[at], 0
    is_retried = fault.name in ("InternalServerException", "ThrottlingException")

    def trouble(attempt: int, attempted: str) -> Fault | None:
        nonlocal failed
        is_hit = attempted == operation and attempt >= at and failed < (3 if is_retried else 2)
        failed += is_hit
        return fault if is_hit else None

    wire.begin(trouble)
    answer = take_over(function, mailbox)
    if answer["Status"] == "FAILED":
        assert reported() == before
    else:
        assert live_domains()["customers"].tags[STACK_ID] == STACK


@pytest.mark.parametrize("operation", ["TagResource", "UpdateDomain"])
def test_a_takeover_that_the_role_does_not_allow_leaves_the_domain_as_it_was(
    operation: str, before: dict[str, Any], function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    denied = next(fault for fault in ERRORS if fault.name == "AccessDeniedException")
    wire.begin(faults.lasting_for(denied, operation))
    answer = take_over(function, mailbox)
    assert answer["Status"] == "FAILED"
    assert operation in answer["Reason"]
    assert reported() == before


def test_rules_that_the_service_refuses_to_change_put_the_rest_of_a_takeover_back(
    before: dict[str, Any], function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    live_domains()["customers"].rule_based_matching_status = "IN_PROGRESS"
    answer = take_over(function, mailbox)
    assert answer["Status"] == "FAILED"
    assert "RuleBasedMatching.Status" in answer["Reason"]
    assert "The domain was put back as it was" in answer["Reason"]
    assert reported() == before


def show_settings_late(wire: Wire) -> None:
    """From now on GetDomain shows a domain's settings as they were before the last UpdateDomain."""
    domain = live_domains()["customers"]
    shown, before, latest = domain.configuration, domain.configuration, domain.configuration

    def before_a_call(attempt: int, operation: str) -> None:
        nonlocal before, latest
        before = copy.deepcopy(domain.configuration)
        if operation == "GetDomain":
            latest, domain.configuration = domain.configuration, shown

    def after_a_call(attempt: int, operation: str) -> None:
        if operation == "GetDomain":
            domain.configuration = latest

    def after_a_change(call: faults.Call) -> None:
        nonlocal shown
        if call.operation == "UpdateDomain":
            shown = before

    wire.on_attempt, wire.on_reply, wire.on_act = before_a_call, after_a_call, after_a_change


def test_settings_are_put_back_though_the_api_does_not_show_yet_that_they_were_changed(
    before: dict[str, Any], function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    live_domains()["customers"].rule_based_matching_status = "IN_PROGRESS"
    show_settings_late(wire)
    answer = take_over(function, mailbox)
    assert answer["Status"] == "FAILED"
    assert "UpdateDomain" in wire.changes
    assert reported() == before


def test_tags_are_put_back_though_the_api_showed_them_late_and_the_call_was_repeated(
    theirs: dict[str, Any], function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    """The repeated call is throttled once, so the function looks again. It must not take that for how it was before."""
    domain = live_domains()["customers"]
    domain.rule_based_matching_status = "IN_PROGRESS"
    shown, latest, is_late = dict(domain.tags), domain.tags, False

    def before_a_call(attempt: int, operation: str) -> None:
        nonlocal latest
        if operation == "GetDomain" and is_late:
            latest, domain.tags = domain.tags, shown

    def after_a_call(attempt: int, operation: str) -> None:
        nonlocal is_late
        if operation == "GetDomain" and is_late:
            domain.tags, is_late = latest, False

    def after_a_change(call: faults.Call) -> None:
        nonlocal is_late
        is_late |= call.operation == "TagResource" and wire.attempts.count("TagResource") == 1

    def throttled_once(attempt: int, operation: str) -> Fault | None:
        is_second = operation == "TagResource" and wire.attempts.count(operation) == 2
        return THROTTLED if is_second else None

    wire.begin(throttled_once)
    wire.on_attempt, wire.on_reply, wire.on_act = before_a_call, after_a_call, after_a_change
    answer = take_over(function, mailbox)
    assert answer["Status"] == "FAILED"
    assert wire.attempts.count("TagResource") > 2
    assert reported() == theirs


def test_a_takeover_without_room_for_its_tags_is_refused_before_anything_is_changed(
    theirs: dict[str, Any], function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    domain = live_domains()["customers"]
    domain.tag({f"key-{number}": "x" for number in range(50 - len(domain.tags))})
    before = reported()
    answer = take_over(function, mailbox)
    assert answer["Status"] == "FAILED"
    assert "and the API allows 50" in answer["Reason"]
    assert wire.changes == []
    assert reported() == before


def test_a_takeover_that_was_refused_at_once_does_not_undo_what_the_owner_changes_meanwhile(
    theirs: dict[str, Any], function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    denied = next(fault for fault in ERRORS if fault.name == "AccessDeniedException")

    def refuse_and_change(attempt: int, operation: str) -> Fault | None:
        if operation != "TagResource":
            return None
        live_domains()["customers"].update({"DefaultExpirationDays": 365})
        return denied

    wire.begin(refuse_and_change)
    assert take_over(function, mailbox)["Status"] == "FAILED"
    assert live_domains()["customers"].configuration["DefaultExpirationDays"] == 365
    assert "UpdateDomain" not in wire.changes


OURS = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "our-create"}


def send(function: Function, mailbox: Mailbox, kind: str, properties: dict[str, Any], **of: Any) -> None:
    """Send an event for the domain `customers`, which has to succeed."""
    physical_id = None if kind == "Create" else "customers"
    old = LEAST if kind == "Update" else None
    answer = function.invoke(
        event(kind, properties, old, physical_id=physical_id, response_url=mailbox.url(), **of)
    ).answer
    assert answer["Status"] == "SUCCESS", answer["Reason"]


def lend_and_take_back(function: Function, mailbox: Mailbox) -> dict[str, str]:
    """A domain that was retained, lent to another stack, and put back into its first template.

    Returns its tags before the last step.
    """
    send(function, mailbox, "Create", LEAST)
    send(function, mailbox, "Create", ADOPTING, stack_id=THEIR_STACK)
    before = dict(live_domains()["customers"].tags)
    send(function, mailbox, "Create", ADOPTING)
    return before


@pytest.mark.parametrize("deliveries", [1, 2], ids=["once", "twice"])
def test_a_domain_that_was_retained_stays_after_a_later_takeover_was_rolled_back(
    deliveries: int, function: Function, mailbox: Mailbox
) -> None:
    before = lend_and_take_back(function, mailbox)
    for _ in range(deliveries):
        send(function, mailbox, "Delete", ADOPTING)
    # The older claim is marked as given up.
    assert live_domains()["customers"].tags == {**before, f"{LOGICAL_ID}.1": "-Domain"}
    send(function, mailbox, "Delete", ADOPTING, stack_id=THEIR_STACK)
    assert "customers" in live_domains()


@pytest.mark.parametrize("again", [LEAST, ADOPTING], ids=["plain", "adopting"])
def test_a_domain_whose_takeover_was_rolled_back_is_its_resources_own_again_after_its_borrower_has_gone(
    again: dict[str, Any], function: Function, mailbox: Mailbox
) -> None:
    lend_and_take_back(function, mailbox)
    send(function, mailbox, "Delete", ADOPTING)  # the rollback
    send(function, mailbox, "Delete", ADOPTING, stack_id=THEIR_STACK)
    send(function, mailbox, "Create", again)
    assert live_domains()["customers"].tags == {**OURS, REQUEST_ID: FOUND}
    send(function, mailbox, "Delete", again)
    assert live_domains() == {}


def test_a_domain_that_was_retained_stays_after_its_borrower_and_a_later_takeover_have_gone(
    function: Function, mailbox: Mailbox
) -> None:
    lend_and_take_back(function, mailbox)
    send(function, mailbox, "Delete", ADOPTING, stack_id=THEIR_STACK)
    send(function, mailbox, "Delete", ADOPTING)
    assert "customers" in live_domains()


def test_a_lender_gets_its_domain_back_after_the_tags_of_a_stack_that_is_gone_were_removed(
    function: Function, mailbox: Mailbox
) -> None:
    """As docs/errors.md says. The borrower was retained, so CloudFormation has sent no Delete that gives it back."""
    send(function, mailbox, "Create", LEAST)
    before = dict(live_domains()["customers"].tags)
    send(function, mailbox, "Create", ADOPTING, stack_id=THEIR_STACK)
    live_domains()["customers"].untag([STACK_ID, LOGICAL_ID, REQUEST_ID])
    send(function, mailbox, "Update", {**LEAST, "DefaultExpirationDays": 31})
    assert live_domains()["customers"].tags == before
    send(function, mailbox, "Delete", LEAST)
    assert live_domains() == {}


class NoBucket:
    """The service may use no bucket, as after its stack was deleted."""

    def allow(self, request: ServiceRequest) -> bool:
        return not request.action.startswith("s3:")


def test_a_borrowers_bucket_that_is_gone_holds_up_no_update_of_the_lender(
    function: Function, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lender's template does not name the bucket, so it is kept at first. It names the schedule, which differs."""
    sunday, monday = (
        {"Enabled": True, "JobSchedule": {"DayOfTheWeek": day, "Time": "03:00"}} for day in ("SUNDAY", "MONDAY")
    )
    exporting = {"ExportingConfig": {"S3Exporting": {"S3BucketName": "theirs"}}}
    send(function, mailbox, "Create", {**LEAST, "Matching": sunday})
    theirs = {**ADOPTING, "Matching": {**monday, **exporting}}
    send(function, mailbox, "Create", theirs, stack_id=THEIR_STACK)
    send(function, mailbox, "Delete", theirs, stack_id=THEIR_STACK)
    monkeypatch.setattr(CustomerProfilesBackend, "resource_policies", NoBucket())
    send(function, mailbox, "Update", {**LEAST, "DefaultExpirationDays": 31, "Matching": sunday})
    domain = live_domains()["customers"]
    assert domain.configuration["DefaultExpirationDays"] == 31
    assert domain.configuration["Matching"] == sunday


def test_an_answer_that_is_not_the_apis_removes_nothing_that_the_template_does_not_name(
    function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    """A proxy answers one UpdateDomain with a page of its own. Only a refusal by the API says that a bucket is gone."""
    headers: Any = {"Content-Type": "text/html"}
    page: Any = MockRawResponse(b"<html>Blocked</html>")
    blocked = Fault("a proxy's page", Acts.NEVER, lambda request: AWSResponse(request.url, 403, headers, page))
    sunday, monday = (
        {"Enabled": True, "JobSchedule": {"DayOfTheWeek": day, "Time": "03:00"}} for day in ("SUNDAY", "MONDAY")
    )
    send(function, mailbox, "Create", {**LEAST, "Matching": sunday})
    exporting = {"ExportingConfig": {"S3Exporting": {"S3BucketName": "by-hand"}}}
    live_domains()["customers"].configuration["Matching"] = {**sunday, **exporting}
    wire.begin(faults.once(blocked, 1))

    function.invoke(
        event("Update", {**LEAST, "Matching": monday}, LEAST, physical_id="customers", response_url=mailbox.url())
    )

    assert live_domains()["customers"].configuration["Matching"]["ExportingConfig"] == exporting["ExportingConfig"]


def test_a_domain_is_deleted_with_the_last_of_two_resources_of_its_stack(function: Function, mailbox: Mailbox) -> None:
    send(function, mailbox, "Create", LEAST, logical_id="A")
    send(function, mailbox, "Create", ADOPTING, logical_id="B")
    send(function, mailbox, "Update", {**LEAST, "DefaultExpirationDays": 31}, logical_id="A")
    send(function, mailbox, "Delete", LEAST, logical_id="A")
    assert "customers" in live_domains()
    send(function, mailbox, "Delete", ADOPTING, logical_id="B")
    assert live_domains() == {}


def test_two_resources_of_one_stack_can_be_updated_as_often_as_one_likes(function: Function, mailbox: Mailbox) -> None:
    send(function, mailbox, "Create", LEAST, logical_id="A")
    send(function, mailbox, "Create", ADOPTING, logical_id="B")
    for days in range(31, 61):
        for logical_id, properties in (("A", LEAST), ("B", ADOPTING)):
            changed = {**properties, "DefaultExpirationDays": days}
            send(function, mailbox, "Update", changed, logical_id=logical_id)
    assert len(live_domains()["customers"].tags) == 6


def test_a_rename_onto_a_domain_that_another_stack_has_on_loan_is_refused_unless_it_is_a_rollback(
    function: Function, mailbox: Mailbox, listed_stacks: ListedStacks
) -> None:
    lent = {**THEIRS, REQUEST_ID: ADOPTED} | {f"{key}.1": value for key, value in OURS.items()}
    live_domains()["customers"] = Domain("customers", {"DefaultExpirationDays": 30}, dict(lent), ACCOUNT, REGION)
    live_domains()["present"] = Domain("present", {"DefaultExpirationDays": 30}, dict(OURS), ACCOUNT, REGION)
    listed_stacks.stack_is("UPDATE_IN_PROGRESS")
    before = {**LEAST, "DomainName": "present"}
    sent = event("Update", LEAST, before, physical_id="present", response_url=mailbox.url())
    answer = function.invoke(sent).answer
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "present")
    assert f"belongs to Domain of stack {THEIR_STACK}" in answer["Reason"]
