"""The function from event to answer, against the stand-in: the number of API calls, the outputs, difficult sequences.

In these sequences a wrong function would delete a domain or leave one. The state machine found most of them.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import pytest

from handler import app
from local.customerprofiles.models import Domain
from tests.handler import faults, promises
from tests.handler.cloudformation import (
    ACCOUNT,
    STACK,
    Delivery,
    Function,
    Mailbox,
    another_environment,
    event,
    stack_arn,
)
from tests.handler.faults import REGION, Acts, Clock, Wire, live_domains
from tests.handler.promises import LOGICAL_ID, REQUEST_ID, STACK_ID
from tests.handler.stacks import ROLLS_BACK_WITH_DELETE, ROLLS_BACK_WITH_UPDATE, Stack

OLD = {"DomainName": "customers", "DefaultExpirationDays": 30}
RENAMED = OLD | {"DomainName": "clients"}
RULES = {"Enabled": True, "MatchingRules": [{"Rule": ["Attributes.customerId"]}]}


class Lambda:
    """Invokes the function as Lambda does, and checks each API call (promises.py)."""

    def __init__(self, function: Function, wire: Wire, mailbox: Mailbox) -> None:
        self._function, self._wire, self._mailbox = function, wire, mailbox
        self.fault_plans: list[faults.FaultPlan] = []
        self.last: dict[str, Any] = {}

    def deliver(self, sent: dict[str, Any]) -> Delivery:
        sent = sent | {"ResponseURL": self._mailbox.url()}
        self._wire.begin(self.fault_plans.pop(0) if self.fault_plans else None)
        self._wire.on_act = functools.partial(promises.check_call, sent)
        return self._function.invoke(sent)

    def send(self, sent: dict[str, Any]) -> dict[str, Any] | None:
        """Deliver an event. Lambda retries it twice if the invocation raised an exception."""
        for _ in range(3):
            delivery = self.deliver(sent)
            if delivery.error is None:
                self.last = delivery.answer
                return self.last
        return None


@pytest.fixture
def aws(function: Function, wire: Wire, mailbox: Mailbox) -> Lambda:
    return Lambda(function, wire, mailbox)


@pytest.fixture
def stack(aws: Lambda) -> Stack:
    return Stack(STACK, aws.send)


# The number of API calls


def test_a_create_makes_one_call(stack: Stack, wire: Wire) -> None:
    stack.create("Domain", OLD | {"Tags": {"team": "red"}, "RuleBasedMatching": RULES})
    assert wire.attempts == ["CreateDomain"]


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        ({"ServiceTimeout": 60}, ["GetDomain"]),
        ({"DefaultExpirationDays": 60}, ["GetDomain", "UpdateDomain"]),
        ({"Tags": {"team": "red", "cost": "1"}}, ["GetDomain", "TagResource"]),
        ({"Tags": {}}, ["GetDomain", "UntagResource"]),
        (
            {"DefaultExpirationDays": 60, "Tags": {"cost": "1"}},
            ["GetDomain", "TagResource", "UpdateDomain", "UntagResource"],
        ),
    ],
)
def test_an_update_reads_the_domain_and_sends_only_differences(
    change: Any, calls: list[str], stack: Stack, wire: Wire
) -> None:
    properties = OLD | {"Tags": {"team": "red"}}
    stack.create("Domain", properties)
    stack.update("Domain", properties | change)
    assert wire.attempts == calls


def test_an_update_that_replaces_all_tags_never_has_more_of_them_than_the_api_allows(stack: Stack, wire: Wire) -> None:
    before, after = ({f"{name}-{index}": "x" for index in range(47)} for name in ("old", "new"))
    stack.create("Domain", OLD | {"Tags": before})
    stack.update("Domain", OLD | {"Tags": after})
    assert wire.attempts == ["GetDomain", "UntagResource", "TagResource"]
    assert live_domains()["customers"].tags.items() >= after.items()


def test_a_delete_reads_the_domain_and_deletes_it(stack: Stack, wire: Wire) -> None:
    stack.create("Domain", OLD)
    stack.remove("Domain")
    assert wire.attempts == ["GetDomain", "DeleteDomain"]


def test_wrong_properties_make_no_call_and_are_all_named(aws: Lambda, wire: Wire) -> None:
    sent = event("Create", {"DomainNam": "customers", "DefaultExpirationDays": "many", "Matching": {}})
    reason = aws.deliver(sent).answer["Reason"]
    assert [line.partition(":")[0] for line in reason.splitlines()] == [
        "DomainNam",
        "DefaultExpirationDays",
        "Matching.Enabled",
    ]
    assert wire.carried_out == []


# Outputs


def test_create_and_update_have_outputs_of_the_same_names(stack: Stack, aws: Lambda, clock: Clock) -> None:
    stack.create("Domain", OLD | {"RuleBasedMatching": RULES})
    made = aws.last["Data"]
    clock.now += 1
    stack.update("Domain", OLD | {"RuleBasedMatching": RULES, "DefaultExpirationDays": 60})
    changed = aws.last["Data"]
    assert made.keys() == changed.keys()
    assert made["DomainName"] == "customers"
    assert (
        made["DomainArn"] == f"arn:aws:profile:{REGION}:{ACCOUNT}:domains/customers" == live_domains()["customers"].arn
    )
    assert made["Stats.ProfileCount"] == 0
    assert made["RuleBasedMatching.Status"] == "IN_PROGRESS"
    assert made["CreatedAt"] == changed["CreatedAt"] < changed["LastUpdatedAt"]
    assert made["CreatedAt"].endswith("Z")
    assert all(isinstance(value, (str, int, float)) for value in made.values())


def test_rule_based_matching_is_not_sent_again_while_the_api_refuses_it(stack: Stack, wire: Wire) -> None:
    stack.create("Domain", OLD | {"RuleBasedMatching": RULES})
    assert live_domains()["customers"].rule_based_matching_status == "IN_PROGRESS"
    assert stack.update("Domain", OLD | {"RuleBasedMatching": RULES, "DefaultExpirationDays": 60})
    assert dict(wire.carried_out[-1].arguments) == {"DefaultExpirationDays": 60}


# Difficult sequences of events


def test_a_create_delivered_twice_creates_one_domain_and_succeeds_twice(aws: Lambda) -> None:
    sent = event("Create", OLD)
    answers = [aws.deliver(sent).answer for _ in range(2)]
    assert [answer["Status"] for answer in answers] == ["SUCCESS", "SUCCESS"]
    assert live_domains()["customers"].tags[REQUEST_ID] == sent["RequestId"]


def test_a_create_whose_response_was_lost_finds_its_own_domain(aws: Lambda, stack: Stack, wire: Wire) -> None:
    closed = next(f for f in faults.faults_of_the_wire() if f.name == "connection closed" and f.acts is Acts.FIRST)
    aws.fault_plans = [faults.once(closed, 0)]
    assert stack.create("Domain", OLD)
    assert wire.attempts == ["CreateDomain", "CreateDomain", "GetDomain"]


@pytest.mark.parametrize("acts", list(Acts))
def test_a_create_that_hangs_past_the_deadline_leaves_no_domain(acts: Acts, aws: Lambda, stack: Stack) -> None:
    aws.fault_plans = [faults.once(_deadline(acts), 0)]
    assert not stack.create("Domain", OLD)
    assert live_domains() == {}
    assert stack.failed_deletes == []


@pytest.mark.parametrize("acts", list(Acts))
def test_a_rename_that_hangs_past_the_deadline_leaves_no_domain(acts: Acts, aws: Lambda, stack: Stack) -> None:
    stack.create("Domain", OLD)
    aws.fault_plans = [faults.once(_deadline(acts), 0)]
    assert not stack.update("Domain", RENAMED)
    assert set(live_domains()) == {"customers"}
    assert stack.failed_rollbacks == {}


def _deadline(acts: Acts) -> faults.Fault:
    return next(fault for fault in faults.deadlines(late_by=2.5) if fault.acts is acts)


@pytest.mark.parametrize("undo", [ROLLS_BACK_WITH_UPDATE, ROLLS_BACK_WITH_DELETE])
def test_a_rename_that_is_rolled_back_keeps_the_data(undo: str, stack: Stack) -> None:
    stack.create("Domain", OLD)
    domain = live_domains()["customers"]
    domain.profile_count = 7
    assert not stack.update("Domain", RENAMED, sibling_fails=undo)
    assert live_domains() == {"customers": domain}
    assert stack.resources["Domain"].physical_id == "customers"


def test_a_retained_domain_that_is_used_again_survives_a_rollback_with_its_data(stack: Stack, aws: Lambda) -> None:
    stack.create("Domain", OLD)
    domain = live_domains()["customers"]
    domain.profile_count = 7
    stack.remove("Domain", retains=True)
    stack.create("Domain", OLD, sibling_fails=True)
    assert live_domains() == {"customers": domain}
    assert "holds 7 profiles" in aws.last["Reason"]


@pytest.mark.parametrize("profiles", [0, 7])
def test_an_adopted_domain_is_given_back_in_a_rollback(profiles: int, stack: Stack, aws: Lambda) -> None:
    domain = _somebodys({}, profiles)
    stack.create("Domain", OLD | {"AdoptExisting": True}, sibling_fails=True)
    assert live_domains() == {"customers": domain}
    assert not domain.tags
    assert aws.last["Status"] == "SUCCESS"


def test_a_rollback_deletes_the_new_domain_although_another_stack_has_the_old_one(stack: Stack, aws: Lambda) -> None:
    stack.create("Domain", OLD)
    aws.fault_plans = [faults.once(faults.KILLED_AFTER, 0)] * 3
    live_domains()["customers"].tag({STACK_ID: stack_arn("elsewhere")})
    stack.update("Domain", RENAMED)
    assert set(live_domains()) == {"customers"}
    assert "belongs to Domain of stack " + stack_arn("elsewhere") in aws.last["Reason"]


def test_an_unreadable_answer_does_not_change_a_foreign_domain(stack: Stack, aws: Lambda) -> None:
    stack.create("Domain", OLD)
    live_domains()["customers"].tag({STACK_ID: stack_arn("elsewhere")})
    garbage = next(fault for fault in faults.faults_of_the_wire() if fault.name == "200 and HTML")
    aws.fault_plans = [faults.once(garbage, 0)]
    assert not stack.update("Domain", OLD | {"DefaultExpirationDays": 60})
    assert live_domains()["customers"].tags[STACK_ID] == stack_arn("elsewhere")
    assert live_domains()["customers"].configuration["DefaultExpirationDays"] == 30


def test_a_resource_under_a_new_logical_id_takes_over_its_domain(stack: Stack) -> None:
    stack.create("Before", OLD)
    domain = live_domains()["customers"]
    domain.profile_count = 7
    assert stack.create("After", OLD | {"AdoptExisting": True})
    stack.remove("Before")
    assert live_domains() == {"customers": domain}
    assert domain.tags[LOGICAL_ID] == "After"


def test_a_refused_delete_succeeds_after_the_tags_it_asks_for_are_set(stack: Stack) -> None:
    stack.create("Domain", OLD)
    live_domains()["customers"].tags.clear()
    stack.remove("Domain")
    assert stack.failed_deletes
    live_domains()["customers"].tag({STACK_ID: STACK, LOGICAL_ID: "Domain"})
    stack.retry_deletes()
    assert live_domains() == {}


def test_the_delete_of_a_failed_create_keeps_the_domain_of_a_later_create(stack: Stack, aws: Lambda) -> None:
    first, second = event("Create", OLD), event("Create", OLD)
    aws.deliver(first)
    aws.deliver(second)
    aws.deliver(event("Delete", OLD, physical_id=f"create-failed:{first['RequestId']}"))
    assert live_domains()["customers"].tags[REQUEST_ID] == "found"


def _somebodys(tags: dict[str, str], profiles: int = 7) -> Domain:
    domain = Domain("customers", {"DefaultExpirationDays": 7}, tags, ACCOUNT, REGION)
    domain.profile_count = profiles
    live_domains()["customers"] = domain
    return domain


# Duplicate deliveries: the second one runs in another execution environment, between two calls of the first one

EVENTS_IN_TWO = {
    "Create": event("Create", OLD),
    "Update": event(
        "Update", OLD | {"DefaultExpirationDays": 60, "Tags": {"team": "red"}}, OLD, physical_id="customers"
    ),
    "rename": event("Update", RENAMED, OLD, physical_id="customers"),
    "rollback of a rename": event("Update", OLD, RENAMED, physical_id="customers"),
    "Delete": event("Delete", OLD, physical_id="customers"),
}


@pytest.mark.parametrize("at", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", EVENTS_IN_TWO)
def test_two_overlapping_deliveries_both_succeed_and_create_one_domain(
    kind: str, at: int, wire: Wire, clock: faults.Clock, mailbox: Mailbox
) -> None:
    sent = EVENTS_IN_TWO[kind]
    if kind != "Create":
        _own("customers")
    if kind == "rollback of a rename":
        _own("clients")
    answers: list[dict[str, Any]] = []

    def deliver(environment: ModuleType) -> None:
        answers.append(Function(clock, mailbox, environment).invoke(sent | {"ResponseURL": mailbox.url()}).answer)

    def deliver_the_second(attempt: int, operation: str) -> None:
        if attempt == at:
            wire.on_attempt = lambda attempt, operation: None
            deliver(another_environment(faults.client()))

    wire.on_attempt = deliver_the_second
    wire.on_act = functools.partial(promises.check_call, sent)
    deliver(app)
    wire.on_attempt = lambda attempt, operation: None
    if len(answers) == 1:  # the first made fewer calls
        deliver(another_environment(faults.client()))
    assert [answer["Status"] for answer in answers] == ["SUCCESS", "SUCCESS"], answers
    left: set[str] = {"Delete": set[str](), "rename": {"customers", "clients"}}.get(kind, {"customers"})
    assert set(live_domains()) == left
    assert all(promises.is_own(domain.tags, STACK, "Domain") for domain in live_domains().values())


def _own(name: str) -> None:
    tags = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "earlier"}
    live_domains()[name] = Domain(name, {"DefaultExpirationDays": 30}, tags, ACCOUNT, REGION)
