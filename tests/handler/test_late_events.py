"""Events that CloudFormation no longer wants: what they have made is undone, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from handler import cloudformation as asking
from handler.claims import LOGICAL_ID, REQUEST_ID, STACK_ID
from handler.deadline import DeadlineReached
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import ACCOUNT, STACK, Function, Mailbox, another_environment, event
from tests.handler.faults import REGION, Clock, Fault, Wire, client, live_domains
from tests.handler.listed import ListedStacks
from tests.handler.listed_resource import MADE_UP, ListedResource
from tests.handler.situations import ABSENT, ADOPTING, CHANGED, DENIED, LEAST, THROTTLED, days, overtaken, right_after
from tests.handler.stacks import succeeded

MINE = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "an-earlier-create"}
AGE = 5  # seconds: old enough that CloudFormation is asked once the Create has made or claimed its domain


@pytest.fixture
def cloudformation(wire: Wire) -> Iterator[Stubber]:
    """CloudFormation, which answers what a test has in store for it, and nothing else."""
    asking.client.cache_clear()
    with Stubber(asking.client()) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
    asking.client.cache_clear()


def lists(cloudformation: Stubber, status: str, physical_id: str, since: float = 0) -> None:
    resource = {
        "LogicalResourceId": "Domain",
        "ResourceType": "Custom::X",
        "LastUpdatedTimestamp": datetime.fromtimestamp(since, UTC),
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
    answer = create(function, mailbox, clock, LEAST)
    assert answer["Status"] == "FAILED"
    assert "CloudFormation no longer asks for this Create" in answer["Reason"]
    assert ("customers" not in live_domains()) is is_removed


def test_a_slow_create_leaves_an_empty_domain_that_was_retained_earlier(
    function: Function, mailbox: Mailbox, clock: Clock, cloudformation: Stubber
) -> None:
    retained = Domain("customers", {"DefaultExpirationDays": 30}, dict(MINE), ACCOUNT, REGION)
    live_domains()["customers"] = retained
    lists(cloudformation, "CREATE_FAILED", "")
    assert create(function, mailbox, clock, LEAST)["Status"] == "FAILED"
    assert live_domains() == {"customers": retained}


def test_a_slow_takeover_puts_the_domain_back_as_it_was(
    function: Function, mailbox: Mailbox, clock: Clock, cloudformation: Stubber
) -> None:
    theirs = Domain("customers", {"DefaultExpirationDays": 7}, {"team": "theirs"}, ACCOUNT, REGION)
    live_domains()["customers"] = theirs
    lists(cloudformation, "CREATE_IN_PROGRESS", "")
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
    assert create(function, mailbox, clock, LEAST)["Status"] == "SUCCESS"
    assert "customers" in live_domains()


def test_the_delete_after_a_create_that_was_never_answered_leaves_what_a_later_create_has_made(
    function: Function, mailbox: Mailbox, cloudformation: Stubber
) -> None:
    tags = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "a-later-create"}
    live_domains()["customers"] = Domain("customers", {"DefaultExpirationDays": 30}, tags, ACCOUNT, REGION)
    lists(cloudformation, "CREATE_COMPLETE", "customers")
    sent = event("Delete", LEAST, physical_id="shop-Domain-1A2B", response_url=mailbox.url())
    assert function.invoke(sent).answer["Status"] == "SUCCESS"
    assert "customers" in live_domains()


def test_a_page_that_is_not_cloudformations_answer_turns_nothing_into_a_failure(
    function: Function, mailbox: Mailbox, clock: Clock, cloudformation: Stubber
) -> None:
    cloudformation.add_response("describe_stack_resource", {})
    assert create(function, mailbox, clock, LEAST)["Status"] == "SUCCESS"


def test_a_takeover_that_is_no_longer_wanted_changes_nothing(
    function: Function, mailbox: Mailbox, clock: Clock, wire: Wire, cloudformation: Stubber
) -> None:
    live_domains()["customers"] = Domain("customers", {"DefaultExpirationDays": 7}, {}, ACCOUNT, REGION)
    lists(cloudformation, "DELETE_IN_PROGRESS", "stack-Domain-1ABC")
    assert "Nothing was changed" in create(function, mailbox, clock, ADOPTING)["Reason"]
    assert wire.changes == []


def test_a_takeover_that_a_third_stack_has_taken_over_meanwhile_is_not_said_to_be_put_back(
    function: Function, mailbox: Mailbox, clock: Clock, cloudformation: Stubber
) -> None:
    theirs = Domain("customers", {"DefaultExpirationDays": 7}, {}, ACCOUNT, REGION)
    live_domains()["customers"] = theirs

    def claim(**_: Any) -> None:
        if theirs.tags:
            theirs.tags.update({STACK_ID: "the-third-stack"})

    asking.client().meta.events.register("before-parameter-build.cloudformation", claim)
    lists(cloudformation, "CREATE_IN_PROGRESS", "")
    lists(cloudformation, "CREATE_FAILED", "")
    reason = create(function, mailbox, clock, ADOPTING)["Reason"]
    assert "Nothing was put back: domain customers now belongs to Domain of stack the-third-stack" in reason
    assert theirs.tags[STACK_ID] == "the-third-stack"


def test_a_takeover_gives_its_claim_back_even_if_the_settings_cannot_be_put_back(
    function: Function, mailbox: Mailbox, clock: Clock, wire: Wire, cloudformation: Stubber
) -> None:
    """The takeover's own change of the rules sets the service to work, which locks them."""
    theirs = Domain("customers", {"DefaultExpirationDays": 7}, {"team": "theirs"}, ACCOUNT, REGION)
    live_domains()["customers"] = theirs

    def lock(call: Any) -> None:
        if call.operation == "UpdateDomain" and "RuleBasedMatching" in call.arguments:
            theirs.rule_based_matching_status = "IN_PROGRESS"

    wire.begin()
    wire.on_act = lock
    for _ in range(2):  # before it claims the domain, and before it changes settings
        lists(cloudformation, "CREATE_IN_PROGRESS", "")
    lists(cloudformation, "DELETE_COMPLETE", "stack-Domain-1ABC")
    rules = {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}], "MaxAllowedRuleLevelForMatching": 1}
    answer = create(function, mailbox, clock, {**ADOPTING, "RuleBasedMatching": rules})
    assert "could not be put back" in answer["Reason"]
    assert theirs.tags == {"team": "theirs"}
    assert theirs.configuration["DefaultExpirationDays"] == 7


def test_a_domain_that_a_slow_update_makes_again_does_not_outlive_its_stack(
    function: Function, mailbox: Mailbox, wire: Wire, clock: Clock, cloudformation: Stubber
) -> None:
    """The domain is gone. While CreateDomain is throttled, the Update is rolled back and the stack is deleted."""
    other = Function(clock, mailbox, another_environment(client()))

    def meanwhile() -> None:
        back = event("Update", LEAST, CHANGED, physical_id="customers", response_url=mailbox.url(sent_at=clock.time()))
        assert other.invoke(back).answer["Status"] == "SUCCESS"
        gone = event("Delete", LEAST, physical_id="customers", response_url=mailbox.url(sent_at=clock.time()))
        assert other.invoke(gone).answer["Status"] == "SUCCESS"
        lists(cloudformation, "DELETE_COMPLETE", "customers", clock.time())

    slow = event("Update", CHANGED, LEAST, physical_id="customers", response_url=mailbox.url(sent_at=clock.time()))
    with overtaken(wire, clock, "CreateDomain", meanwhile, before="CreateDomain", after=60):
        assert function.invoke(slow).answer["Status"] == "FAILED"
    assert live_domains() == {}


@pytest.mark.parametrize(
    ("before", "after", "at_the_end"),
    [
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", 30),
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", 30),
        ("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", 90),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", 90),
    ],
    ids=[
        "while the stack is rolled back",
        "after the stack was rolled back",
        "unless there is no rollback",
        "unless a rollback has sent it",
    ],
)
def test_an_update_that_is_throttled_changes_back_what_its_rollback_could_not_see(
    before: str,
    after: str,
    at_the_end: int,
    function: Function,
    mailbox: Mailbox,
    wire: Wire,
    clock: Clock,
    listed_stacks: ListedStacks,
) -> None:
    """The last attempt is on its way while the rollback's Update runs."""
    live_domains()["customers"] = Domain("customers", {"DefaultExpirationDays": 30}, dict(MINE), ACCOUNT, REGION)
    other = Function(clock, mailbox, another_environment(client()))
    listed_stacks.lists("UPDATE_IN_PROGRESS", "customers", clock.time())
    listed_stacks.stack_is(before)

    def meanwhile() -> None:
        back = event("Update", LEAST, CHANGED, physical_id="customers", response_url=mailbox.url(sent_at=clock.time()))
        assert other.invoke(back).answer["Status"] == "SUCCESS"
        listed_stacks.lists("UPDATE_COMPLETE", "customers", clock.time())
        listed_stacks.stack_is(after)

    slow = event("Update", CHANGED, LEAST, physical_id="customers", response_url=mailbox.url(sent_at=clock.time()))
    with overtaken(wire, clock, "UpdateDomain", meanwhile, before="UpdateDomain", after=10):
        assert function.invoke(slow).answer["Status"] == "FAILED"
    assert days() == at_the_end


def test_a_throttled_update_does_not_change_a_domain_that_another_stack_has_taken_over_meanwhile(
    function: Function, mailbox: Mailbox, wire: Wire, clock: Clock
) -> None:
    live_domains()["customers"] = Domain("customers", {"DefaultExpirationDays": 30}, dict(MINE), ACCOUNT, REGION)
    throttled_until = clock.now + 10

    def trouble(attempt: int, operation: str) -> Fault | None:
        if clock.now > 5:
            live_domains()["customers"].tags.update({STACK_ID: "another-stack"})
        return THROTTLED if operation == "UpdateDomain" and clock.now < throttled_until else None

    wire.begin(trouble)
    sent = event("Update", CHANGED, LEAST, physical_id="customers", response_url=mailbox.url())
    assert "now belongs to" in function.invoke(sent).answer["Reason"]
    assert days() == 30


@pytest.mark.parametrize(("kind", "status"), [("Update", "UPDATE_COMPLETE"), ("Delete", "DELETE_FAILED")])
def test_an_event_older_than_its_service_timeout_changes_nothing(
    kind: str,
    status: str,
    function: Function,
    mailbox: Mailbox,
    wire: Wire,
    clock: Clock,
    cloudformation: Stubber,
) -> None:
    live_domains()["customers"] = Domain("customers", {"DefaultExpirationDays": 30}, dict(MINE), ACCOUNT, REGION)
    lists(cloudformation, status, "customers", clock.time() - 9)
    wanted = {**CHANGED, "ServiceTimeout": "10"}
    url = mailbox.url(sent_at=clock.time() - 20)
    old = LEAST if kind == "Update" else None
    answer = function.invoke(event(kind, wanted, old, physical_id="customers", response_url=url)).answer
    assert answer["Status"] == "FAILED"
    assert wire.changes == []


@pytest.mark.parametrize(
    ("status", "physical_id"),
    [
        ("CREATE_FAILED", "create-failed:another-request"),
        ("DELETE_COMPLETE", "create-made-nothing:another-request"),
        ("DELETE_COMPLETE", "other"),
        ("CREATE_FAILED", ""),
        ("DELETE_COMPLETE", "shop-Domain-1A2B"),
    ],
    ids=[
        "and a later Create failed",
        "and a later Create failed and was deleted",
        "renamed, and then removed",
        "and a later Create was cancelled",
        "and a later Create was cancelled and deleted",
    ],
)
def test_a_duplicate_of_a_create_leaves_the_domain_that_was_retained_since(
    status: str, physical_id: str, function: Function, mailbox: Mailbox, clock: Clock, cloudformation: Stubber
) -> None:
    sent = event("Create", LEAST, response_url=mailbox.url(sent_at=clock.time()))
    assert function.invoke(sent).answer["Status"] == "SUCCESS"
    mailbox.puts.clear()
    clock.now += 3600
    lists(cloudformation, status, physical_id, clock.time() - 60)
    assert function.invoke(sent).answer["Status"] == "FAILED"
    assert "customers" in live_domains()


def test_what_a_create_made_is_deleted_although_its_second_delivery_met_a_function_that_refuses_a_property(
    resource: ListedResource, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first response was lost. The rollback of the same stack brings an older version of the function back."""
    properties = {**LEAST, "DataStore": {"Enabled": True}}
    resource.lists("CREATE_IN_PROGRESS")
    sent = resource.event("Create", properties)
    assert succeeded(resource.deliver(sent))
    clock.now += 60
    shape = client().meta.service_model.operation_model("CreateDomain").input_shape
    assert shape is not None
    monkeypatch.delitem(shape.members, "DataStore")
    failed = resource.deliver(resource.duplicate(sent))
    assert "DataStore" in failed["Reason"]
    assert succeeded(resource.delete(properties, failed["PhysicalResourceId"]))
    assert live_domains() == {}


def test_a_question_that_takes_too_long_turns_no_success_into_a_failure(
    function: Function,
    mailbox: Mailbox,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No route leads to CloudFormation, and the resource's ServiceTimeout is short: the timer rings meanwhile."""

    class NoRoute:
        def describe_stack_resource(self, **_: Any) -> None:
            raise DeadlineReached

    monkeypatch.setattr(asking, "client", NoRoute)
    assert create(function, mailbox, clock, {**LEAST, "ServiceTimeout": "20"})["Status"] == "SUCCESS"
    assert "customers" in live_domains()
    assert "there was no time to ask CloudFormation" in caplog.text


def test_a_late_delivery_does_not_delete_what_an_earlier_one_made_where_its_contents_are_not_known(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """Somebody may have put something into it since. Only what this very delivery made must be empty."""
    sent = resource.create_without_answer(LEAST)
    clock.now += 20
    resource.lists("CREATE_FAILED", MADE_UP)
    clock.now += 60
    wire.begin(lambda attempt, operation: DENIED if operation == "ListIntegrations" else None)
    answer = resource.deliver(sent)
    assert not succeeded(answer)
    assert "ListIntegrations" in answer["Reason"]
    assert live_domains().keys() == {"customers"}


def test_a_cancelled_create_removes_what_it_made_though_the_next_create_is_running(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    """That one names another domain. If it had found this one, it would have put its own RequestId on it."""

    def meanwhile() -> None:
        clock.now += 10
        resource.lists("CREATE_IN_PROGRESS")

    resource.lists("CREATE_IN_PROGRESS")
    sent = resource.event("Create", LEAST)
    with right_after(wire, "CreateDomain", meanwhile):
        assert not succeeded(resource.deliver(sent))
    assert live_domains() == {}


def test_a_cancelled_create_removes_what_it_made_though_the_api_does_not_show_it_at_once(
    resource: ListedResource, wire: Wire, clock: Clock
) -> None:
    shown_at = clock.now + 13

    def meanwhile() -> None:
        clock.now += 10
        resource.lists("CREATE_FAILED")

    with right_after(wire, "CreateDomain", meanwhile):
        wire.begin(lambda attempt, operation: ABSENT if operation == "GetDomain" and clock.now < shown_at else None)
        assert not succeeded(resource.create(LEAST))
    assert live_domains() == {}
