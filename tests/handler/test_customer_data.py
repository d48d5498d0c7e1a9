"""A domain in use is changed or deleted only when a template asks for it, whatever else goes wrong."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from handler.claims import FOUND, LOGICAL_ID, REQUEST_ID, STACK_ID
from tests.handler.cloudformation import STACK, Delivery, Function, Mailbox, event, stack_arn
from tests.handler.faults import REGION, Acts, Clock, Fault, Wire, faults_of_the_api, live_domains, service_model
from tests.handler.listed import ListedStacks

MINE = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "an-earlier-request"}
LEAST = {"DomainName": "customers", "DefaultExpirationDays": 30}
ERRORS = {fault.name: fault for fault in faults_of_the_api(service_model()) if fault.acts is Acts.NEVER}
THROTTLED, BROKEN = ERRORS["ThrottlingException"], ERRORS["InternalServerException"]
RULES = {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}], "MaxAllowedRuleLevelForMatching": 1}


def make(tags: dict[str, str] = MINE, **settings: Any) -> None:
    """Create a domain that existed before the event."""
    api = boto3.client("customer-profiles", region_name=REGION)
    api.create_domain(DomainName="customers", DefaultExpirationDays=30, Tags=tags, **settings)


def update(function: Function, mailbox: Mailbox, properties: dict[str, Any], old: dict[str, Any]) -> Delivery:
    return function.invoke(event("Update", properties, old, physical_id="customers", response_url=mailbox.url()))


def delete(function: Function, mailbox: Mailbox, properties: dict[str, Any]) -> dict[str, Any]:
    return function.invoke(event("Delete", properties, physical_id="customers", response_url=mailbox.url())).answer


def test_the_rollback_of_a_template_with_a_mistake_keeps_settings_made_by_hand(
    function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    make({**MINE, "team": "crm"}, Matching={"Enabled": True}, DeadLetterQueueUrl="https://sqs.example/by-hand")
    typo = {**LEAST, "Matching": {"Enabled": True}, "DeadLetterQueueUrl": "", "Tags": {"team": "crm"}, "Maching": {}}
    assert update(function, mailbox, typo, LEAST).answer["Status"] == "FAILED"
    wire.begin()

    assert update(function, mailbox, LEAST, typo).answer["Status"] == "SUCCESS"

    assert wire.changes == []


@pytest.mark.parametrize("theirs", [{STACK_ID: "another"}, {}], ids=["another stack claims it", "profiles are added"])
def test_a_throttled_delete_reads_the_domain_again_before_it_retries(
    function: Function, mailbox: Mailbox, wire: Wire, theirs: dict[str, str]
) -> None:
    make()

    def meanwhile(attempt: int, operation: str) -> None:
        if attempt == 2:
            domain = live_domains()["customers"]
            domain.tags |= theirs
            domain.profile_count = 1000

    wire.on_attempt = meanwhile
    wire.begin(lambda attempt, operation: THROTTLED if operation == "DeleteDomain" and attempt < 20 else None)

    answer = delete(function, mailbox, {**LEAST, "DeletionProtection": True})

    assert live_domains()["customers"].profile_count == 1000
    assert answer["Status"] == ("SUCCESS" if theirs else "FAILED")


@pytest.mark.parametrize(("fault", "until", "looks"), [(THROTTLED, 20, 6), (BROKEN, 8, 5)], ids=str)
def test_a_delete_that_fails_for_some_time_succeeds_in_the_end(
    function: Function, mailbox: Mailbox, wire: Wire, fault: Fault, until: int, looks: int
) -> None:
    make()
    wire.begin(lambda attempt, operation: fault if operation == "DeleteDomain" and attempt < until else None)

    assert delete(function, mailbox, LEAST)["Status"] == "SUCCESS"
    assert "customers" not in live_domains()
    assert wire.attempts.count("GetDomain") == looks, "the domain was not read again before the retries"


def test_a_delete_reads_the_domain_again_if_its_questions_took_their_time(
    function: Function, mailbox: Mailbox, wire: Wire, clock: Clock
) -> None:
    """Another stack takes the domain over while the Delete asks what is in it."""
    make()

    def meanwhile(attempt: int, operation: str) -> None:
        if operation == "ListDomainObjectTypes":
            clock.now += 2
            live_domains()["customers"].tags |= {STACK_ID: "another-stack"}

    wire.begin()
    wire.on_attempt = meanwhile
    assert delete(function, mailbox, {**LEAST, "DeletionProtection": True})["Status"] == "SUCCESS"
    assert "customers" in live_domains()


def test_an_empty_structure_does_not_send_the_matching_rules_again(
    function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    make(RuleBasedMatching=RULES)
    live_domains()["customers"].rule_based_matching_status = "IN_PROGRESS"
    before = {**LEAST, "RuleBasedMatching": {**RULES, "ExportingConfig": {}}}
    wire.begin()

    answer = update(function, mailbox, {**before, "Tags": {"team": "crm"}}, before).answer

    assert answer["Status"] == "SUCCESS", answer
    assert wire.changes == ["TagResource"]


@pytest.mark.parametrize(
    ("reason", "parent", "stays"),
    [
        ("", "UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("The following resource(s) failed to create: [Queue]. Delete requested by user.", "CREATE_COMPLETE", True),
        ("Stack creation time exceeded the specified timeout. Delete requested by user.", "CREATE_COMPLETE", True),
        ("User Initiated", "CREATE_COMPLETE", False),
        ("", "UPDATE_ROLLBACK_COMPLETE", False),
        ("", "ROLLBACK_COMPLETE", False),
        ("", "DELETE_IN_PROGRESS", False),
    ],
    ids=[
        "a rollback of the stack that it is nested in deletes it",
        "its own creation failed",
        "its own creation took too long",
        "a person deletes it",
        "it is deleted by itself, after a rollback of an update",
        "it is deleted by itself, after a rollback of a creation",
        "it is deleted with the stack that it is nested in",
    ],
)
def test_a_domain_that_was_in_use_before_stays_if_its_nested_stack_is_deleted_by_a_rollback_and_only_then(
    reason: str, parent: str, stays: bool, function: Function, mailbox: Mailbox, listed_stacks: ListedStacks
) -> None:
    make({**MINE, REQUEST_ID: FOUND})
    live_domains()["customers"].profile_count = 5
    listed_stacks.lists("DELETE_IN_PROGRESS", "customers")
    listed_stacks.stack_is("DELETE_IN_PROGRESS", reason=reason, parent_id=stack_arn("parent"))
    listed_stacks.stack_is(parent, stack_arn("parent"))

    assert delete(function, mailbox, LEAST)["Status"] == "SUCCESS"

    assert ("customers" in live_domains()) is stays
