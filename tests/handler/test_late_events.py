"""Events that CloudFormation no longer wants: what they have made is undone, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from handler import stack
from handler.ownership import LOGICAL_ID, REQUEST_ID, STACK_ID
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import ACCOUNT, STACK, Function, Mailbox, event
from tests.handler.faults import REGION, Clock, Wire, live_domains

CREATE = {"DomainName": "customers", "DefaultExpirationDays": 30}
ADOPTING = {**CREATE, "AdoptExisting": True}
AGE = 5  # seconds: old enough that CloudFormation is asked once the Create has made or claimed its domain


@pytest.fixture
def cloudformation(wire: Wire) -> Iterator[Stubber]:
    """CloudFormation, which answers what a test has in store for it, and nothing else."""
    stack.client.cache_clear()
    with Stubber(stack.client()) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
    stack.client.cache_clear()


def lists(cloudformation: Stubber, status: str, physical_id: str) -> None:
    resource = {
        "LogicalResourceId": "Domain",
        "ResourceType": "Custom::X",
        "LastUpdatedTimestamp": datetime(1970, 1, 1),
    }
    detail = {**resource, "ResourceStatus": status, "PhysicalResourceId": physical_id}
    cloudformation.add_response("describe_stack_resource", {"StackResourceDetail": detail})


def create(function: Function, mailbox: Mailbox, clock: Clock, properties: dict[str, Any]) -> dict[str, Any]:
    sent = event("Create", properties, response_url=mailbox.url(sent_at=clock.time() - AGE))
    return function.invoke(sent).answer


@pytest.mark.parametrize(
    ("status", "physical_id", "is_removed"),
    [
        ("CREATE_FAILED", "", True),
        ("DELETE_IN_PROGRESS", "stack-Domain-1ABC", True),
        ("DELETE_COMPLETE", "stack-Domain-1ABC", True),
        ("DELETE_COMPLETE", "customers", True),
        ("CREATE_COMPLETE", "customers", False),
        ("UPDATE_COMPLETE", "customers", False),
        ("DELETE_SKIPPED", "customers", False),
    ],
    ids=[
        "it was cancelled",
        "its Delete is running",
        "its Delete is done",
        "another delivery has succeeded, and the domain was deleted since",
        "another delivery has succeeded",
        "another delivery has succeeded, and the resource was updated since",
        "another delivery has succeeded, and the domain was retained",
    ],
)
def test_a_slow_create_removes_its_domain_unless_it_is_the_resources_by_now(
    status: str,
    physical_id: str,
    is_removed: bool,
    function: Function,
    mailbox: Mailbox,
    clock: Clock,
    cloudformation: Stubber,
) -> None:
    lists(cloudformation, status, physical_id)
    answer = create(function, mailbox, clock, CREATE)
    assert answer["Status"] == "FAILED"
    assert "CloudFormation no longer asks for this Create" in answer["Reason"]
    assert ("customers" not in live_domains()) is is_removed


def test_a_slow_create_leaves_an_empty_domain_that_was_retained_earlier(
    function: Function, mailbox: Mailbox, clock: Clock, cloudformation: Stubber
) -> None:
    tags = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "an-earlier-create"}
    retained = Domain("customers", {"DefaultExpirationDays": 30}, tags, ACCOUNT, REGION)
    live_domains()["customers"] = retained
    lists(cloudformation, "CREATE_FAILED", "")
    assert create(function, mailbox, clock, CREATE)["Status"] == "FAILED"
    assert live_domains() == {"customers": retained}


def test_a_slow_takeover_puts_the_domain_back_as_it_was(
    function: Function, mailbox: Mailbox, clock: Clock, cloudformation: Stubber
) -> None:
    theirs = Domain("customers", {"DefaultExpirationDays": 7}, {"team": "theirs"}, ACCOUNT, REGION)
    live_domains()["customers"] = theirs
    lists(cloudformation, "DELETE_IN_PROGRESS", "stack-Domain-1ABC")
    answer = create(function, mailbox, clock, ADOPTING)
    assert answer["Status"] == "FAILED"
    assert "The domain was put back as it was" in answer["Reason"]
    assert theirs.tags == {"team": "theirs"}
    assert theirs.configuration["DefaultExpirationDays"] == 7


def test_a_create_that_is_wanted_asks_once_and_succeeds(
    function: Function, mailbox: Mailbox, clock: Clock, cloudformation: Stubber
) -> None:
    lists(cloudformation, "CREATE_IN_PROGRESS", "")
    assert create(function, mailbox, clock, CREATE)["Status"] == "SUCCESS"
    assert "customers" in live_domains()


def test_the_delete_after_a_create_that_was_never_answered_leaves_what_a_later_create_has_made(
    function: Function, mailbox: Mailbox, cloudformation: Stubber
) -> None:
    tags = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "a-later-create"}
    live_domains()["customers"] = Domain("customers", {"DefaultExpirationDays": 30}, tags, ACCOUNT, REGION)
    lists(cloudformation, "CREATE_COMPLETE", "customers")
    sent = event("Delete", CREATE, physical_id="shop-Domain-1A2B", response_url=mailbox.url())
    assert function.invoke(sent).answer["Status"] == "SUCCESS"
    assert "customers" in live_domains()


def test_a_page_that_is_not_cloudformations_answer_turns_nothing_into_a_failure(
    function: Function, mailbox: Mailbox, clock: Clock, cloudformation: Stubber
) -> None:
    cloudformation.add_response("describe_stack_resource", {})
    assert create(function, mailbox, clock, CREATE)["Status"] == "SUCCESS"
