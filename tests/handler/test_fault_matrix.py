"""The fault matrix: every kind of event, with every fault at each of its API calls, once and lasting.

    CASES        each event, the situation before it, and the API calls that it makes without a fault
    ALL_FAULTS   every error of the API, every failure of the connection, the deadline, and the end of the process
    MATRIX       every case, with every fault at every call, for one attempt and for all later ones

Checked after each: the event gets one answer, with the right physical id and a reason that says what to do; it changed
only what it is allowed to change (promises.py). Then CloudFormation and the user do what follows such an answer
(rollback, Delete, retry), and no domain is orphaned.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.customerprofiles.models import Domain
from tests.handler import faults, promises
from tests.handler.cloudformation import ACCOUNT, STACK, Delivery, Function, Mailbox, stack_arn
from tests.handler.faults import REGION, Acts, Fault, Wire, has_data, live_domains
from tests.handler.promises import LOGICAL_ID, REQUEST_ID, STACK_ID
from tests.handler.stacks import FailedDelete, Request, Resource, RollbackUpdate, Stack

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"
OLD = {"DomainName": "customers", "DefaultExpirationDays": 30, "DeadLetterQueueUrl": QUEUE, "Tags": {"team": "red"}}
NEW = {"DomainName": "customers", "DefaultExpirationDays": 60, "Tags": {"cost": "1"}}
RENAMED = {"DomainName": "clients", "DefaultExpirationDays": 30}
ELSEWHERE = {STACK_ID: stack_arn("elsewhere"), LOGICAL_ID: "Domain", REQUEST_ID: "theirs"}


class Scenario:
    """One stack with one resource, and the faults for its next events."""

    def __init__(self, function: Function, wire: Wire, mailbox: Mailbox) -> None:
        self._function = function
        self._wire = wire
        self._mailbox = mailbox
        self.stack = Stack(STACK, self._send)
        self.fault_plans: list[faults.FaultPlan] = []
        self.deliveries: list[Delivery] = []
        self.transient: tuple[faults.FaultPlan, ...] = ()

    def _send(self, event: dict[str, Any]) -> dict[str, Any] | None:
        event["ResponseURL"] = self._mailbox.url()
        fault_plan = self.fault_plans.pop(0) if self.fault_plans else faults.no_fault
        self._wire.on_act = functools.partial(promises.check_call, event)
        for _ in range(3):  # Lambda retries an event twice if the invocation raised an exception
            self._wire.begin(fault_plan)
            delivery = self._function.invoke(event)
            self.deliveries.append(delivery)
            if delivery.error is None:
                return delivery.answer
            if fault_plan in self.transient:
                fault_plan = faults.no_fault
        return None


def add_domain(tags: dict[str, str], name: str = "customers", profiles: int = 0) -> Domain:
    domain = Domain(name, {"DefaultExpirationDays": 7}, tags, ACCOUNT, REGION)
    domain.profile_count = profiles
    live_domains()[name] = domain
    return domain


Step = Callable[[Scenario], object]


@dataclass(frozen=True)
class Case:
    """One event.

    Args:
        name: The name of the case.
        before: What happens before.
        act: The operation of the stack that sends the event.
        calls: The API calls that the event makes without a fault.
        earlier_events: How many events the operation sends before this one. They get no fault.
        fails: Whether the event is answered with FAILED even without a fault.
        may_leave_domain: Whether a domain may stay after a failure, since an earlier request created it.
    """

    name: str
    before: tuple[Step, ...]
    act: Step
    calls: tuple[str, ...]
    earlier_events: int = 0
    fails: bool = False
    may_leave_domain: bool = False


def created(scenario: Scenario) -> None:
    assert scenario.stack.create("Domain", OLD)


def created_with_protection(scenario: Scenario) -> None:
    assert scenario.stack.create("Domain", {**OLD, "DeletionProtection": True})


def domain_holds_profiles(scenario: Scenario) -> None:
    live_domains()["customers"].profile_count = 7


def tags_were_removed(scenario: Scenario) -> None:
    live_domains()["customers"].tags.clear()


def another_stack_took_over(scenario: Scenario) -> None:
    live_domains()["customers"].tag(ELSEWHERE)


def domain_was_deleted(scenario: Scenario) -> None:
    del live_domains()["customers"]


def earlier_create_left_its_domain(scenario: Scenario) -> None:
    add_domain({STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "earlier"})


def failed_rename_left_its_domain(scenario: Scenario) -> None:
    add_domain({STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "the-rename"}, "clients")


def unowned_domain_exists(scenario: Scenario) -> None:
    add_domain({"by": "hand"}, profiles=7)


def unowned_domain_has_the_new_name(scenario: Scenario) -> None:
    add_domain({}, "clients", profiles=7)


def rollback_failed(scenario: Scenario, refused: dict[str, Any], physical_id: str) -> None:
    rollback = Request("Update", "Domain", OLD, refused, physical_id)
    scenario.stack.failed_rollbacks["Domain"] = RollbackUpdate(rollback, Resource("customers", OLD))


def update_stopped_half_way(scenario: Scenario) -> None:
    live_domains()["customers"].update({"DefaultExpirationDays": 60})
    rollback_failed(scenario, NEW, "customers")


def rename_failed(scenario: Scenario) -> None:
    rollback_failed(scenario, RENAMED, "customers")


def rename_succeeded_and_sibling_failed(scenario: Scenario) -> None:
    rollback_failed(scenario, RENAMED, "clients")


def create(properties: dict[str, Any], *, sibling_fails: bool = False) -> Step:
    return lambda scenario: scenario.stack.create("Domain", properties, sibling_fails=sibling_fails)


def update(properties: dict[str, Any]) -> Step:
    return lambda scenario: scenario.stack.update("Domain", properties)


def roll_back(scenario: Scenario) -> None:
    scenario.stack.continue_rollback("Domain")


def remove(scenario: Scenario) -> None:
    scenario.stack.remove("Domain")


def delete(physical_id: str) -> Step:
    """The Delete of a resource that is no longer in the stack."""

    def send_delete(scenario: Scenario) -> None:
        request = Request("Delete", "Domain", OLD, physical_id=physical_id)
        scenario.stack.failed_deletes.append(FailedDelete(request, "DELETE_IN_PROGRESS"))
        scenario.stack.retry_deletes()

    return send_delete


GET, CREATE, UPDATE, DELETE = "GetDomain", "CreateDomain", "UpdateDomain", "DeleteDomain"
TAG, UNTAG = "TagResource", "UntagResource"
LISTS = ("ListIntegrations", "ListProfileObjectTypes", "ListDomainObjectTypes")
ADOPTING = {"AdoptExisting": True}

CASES = [
    Case("Create", (), create(OLD), (CREATE,)),
    Case(
        "Create that finds the domain of an earlier Create",
        (earlier_create_left_its_domain,),
        create(OLD),
        (CREATE, GET, TAG, GET, UPDATE),
        may_leave_domain=True,
    ),
    Case("Create that finds an unowned domain", (unowned_domain_exists,), create(OLD), (CREATE, GET), fails=True),
    Case("Create that adopts", (unowned_domain_exists,), create(OLD | ADOPTING), (CREATE, GET, TAG, GET, UPDATE)),
    Case("Delete in the rollback of a Create", (), create(OLD, sibling_fails=True), (GET, DELETE), earlier_events=1),
    Case("Update", (created,), update(NEW), (GET, TAG, UPDATE, UNTAG)),
    Case(
        "Update of a domain whose tags were removed", (created, tags_were_removed), update(NEW), (GET, TAG, GET, UPDATE)
    ),
    Case("Update of a domain that was deleted", (created, domain_was_deleted), update(NEW), (GET, CREATE)),
    Case("Update of a domain that was taken over", (created, another_stack_took_over), update(NEW), (GET,), fails=True),
    Case("Rollback of an Update", (created, update_stopped_half_way), roll_back, (GET, UPDATE)),
    Case("Rename", (created,), update(RENAMED), (CREATE,)),
    Case("Delete of the domain that a rename replaced", (created,), update(RENAMED), (GET, DELETE), earlier_events=1),
    Case(
        "Rename that adopts",
        (created, unowned_domain_has_the_new_name),
        update(RENAMED | ADOPTING),
        (CREATE, GET, TAG, GET, UPDATE),
    ),
    Case(
        "Rollback of a rename that failed after CreateDomain",
        (created, failed_rename_left_its_domain, rename_failed),
        roll_back,
        (GET, *LISTS, DELETE, GET),
    ),
    Case(
        "Rollback of a rename that succeeded",
        (created, failed_rename_left_its_domain, rename_succeeded_and_sibling_failed),
        roll_back,
        (CREATE, GET, TAG, GET),
    ),
    Case("Delete", (created, domain_holds_profiles), remove, (GET, DELETE)),
    Case("Delete of a protected domain", (created_with_protection, domain_holds_profiles), remove, (GET,), fails=True),
    Case("Delete of a domain that was deleted", (created, domain_was_deleted), remove, (GET,)),
    Case("Delete of a domain that was taken over", (created, another_stack_took_over), remove, (GET,)),
    Case("Delete of a domain whose tags were removed", (created, tags_were_removed), remove, (GET,), fails=True),
    Case(
        "Delete after a failed Create",
        (earlier_create_left_its_domain,),
        delete("create-failed:earlier"),
        (GET, *LISTS, DELETE),
    ),
    Case(
        "Delete after a Create that was never answered",
        (earlier_create_left_its_domain,),
        delete("customers-Domain-1ABCDEFGHIJK"),
        (GET, GET, *LISTS, DELETE),
    ),
]


@pytest.fixture
def scenario(few_attempts: None, function: Function, wire: Wire, mailbox: Mailbox) -> Scenario:
    add_domain(ELSEWHERE, "theirs", profiles=7)
    add_domain({"by": "hand"}, "by-hand", profiles=7)
    return Scenario(function, wire, mailbox)


@contextlib.contextmanager
def other_domains_unchanged() -> Iterator[None]:
    """Check that the domains of others, which hold customer data, do not change."""

    def other_domains() -> dict[str, Any]:
        return {name: live_domains()[name].describe() for name in ("theirs", "by-hand")}

    before = other_domains()
    yield
    assert other_domains() == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_event_without_a_fault_makes_exactly_these_calls(case: Case, scenario: Scenario, wire: Wire) -> None:
    for step in case.before:
        step(scenario)
    attempts: list[list[str]] = []

    def record(attempt: int, operation: str) -> None:
        if attempt == 0:
            attempts.append([])
        attempts[-1].append(operation)

    wire.on_attempt = record
    first = len(scenario.deliveries)
    case.act(scenario)
    assert tuple(attempts[case.earlier_events]) == case.calls
    status = scenario.deliveries[first + case.earlier_events].answer["Status"]
    assert status == ("FAILED" if case.fails else "SUCCESS")


ALL_FAULTS = [
    *faults.faults_of_the_api(faults.service_model()),
    *faults.faults_of_the_wire(),
    *faults.deadlines(late_by=2.5),
    faults.KILLED_BEFORE,
    faults.KILLED_AFTER,
]
# Faults after which a call is not retried. All others have no effect if they hit one attempt only.
NOT_RETRIED = ("AccessDenied", "BadRequest", "ResourceNotFound", "deadline", "200 and")


def _is_indistinguishable_from_success(fault: Fault, operation: str, lasts: str) -> bool:
    """Whether no code can notice the fault.

    The API says that a domain does not exist, or a call whose response has no content seems to have succeeded.
    """
    if fault.name == "ResourceNotFoundException":
        return operation == "GetDomain" or (operation in (DELETE, *LISTS) and lasts == "lasting")
    return fault.name.startswith("200") and fault.acts is Acts.NEVER and operation in ("TagResource", "UntagResource")


def _cannot_be_made_safe(case: Case, fault: Fault, operation: str) -> bool:
    """A takeover that meets the deadline: the API changes a setting after the Delete has given the domain back."""
    return case.name.endswith("that adopts") and operation == UPDATE and fault.acts is Acts.LATE


MATRIX = [
    pytest.param(case, position, fault, lasts, id=f"{case.name}, call {position + 1} {operation}, {fault}, {lasts}")
    for case in CASES
    for position, operation in enumerate(case.calls)
    for fault in ALL_FAULTS
    for lasts in ("once", "lasting")
    if not _is_indistinguishable_from_success(fault, operation, lasts)
    and not _cannot_be_made_safe(case, fault, operation)
]


@pytest.mark.parametrize(("case", "position", "fault", "lasts"), MATRIX)
def test_no_fault_harms_or_orphans_a_domain(
    case: Case, position: int, fault: Fault, lasts: str, scenario: Scenario, wire: Wire
) -> None:
    for step in case.before:
        step(scenario)
    data = {domain: domain.profile_count for domain in live_domains().values() if has_data(domain)}
    fault_plan = (faults.once if lasts == "once" else faults.lasting)(fault, position)
    scenario.fault_plans = [*[faults.no_fault] * case.earlier_events, fault_plan]
    scenario.transient = (fault_plan,) if lasts == "once" else ()
    first = len(scenario.deliveries)
    with other_domains_unchanged():
        case.act(scenario)
        wire.carry_out_delayed_calls(all_pending=True)
        deliveries = scenario.deliveries[first + case.earlier_events :]

        # The answer to the event.
        answer = next((delivery.answer for delivery in deliveries if delivery.error is None), None)
        if lasts == "once" and not any(word in fault.name for word in NOT_RETRIED):
            assert answer is not None
            assert answer["Status"] == ("FAILED" if case.fails else "SUCCESS")
        # If the domain could not be read, the reason says that it may exist.
        is_reading = case.calls[:position] == ("CreateDomain",)
        if answer is not None and answer["Status"] == "FAILED" and not case.fails:
            assert_says_what_to_do(answer["Reason"], fault, may_exist=is_reading)

        # CloudFormation and the user retry what failed, now without a fault.
        for logical_id in list(scenario.stack.failed_rollbacks):
            scenario.stack.continue_rollback(logical_id)
        scenario.stack.retry_deletes()
        assert case.may_leave_domain or not list(promises.orphaned([scenario.stack]))

    # Only the Delete that was asked for deletes data.
    lost = [domain.name for domain in data if domain not in live_domains().values()]
    assert lost == (["customers"] if case.name == "Delete" else [])
    # If the API carries out a change after its rollback, that is drift. The next update corrects it.
    is_drift = fault.acts is Acts.LATE and case.calls[position] != "CreateDomain"
    if not (case.fails or case.may_leave_domain or is_drift or scenario.stack.failed_deletes):
        assert_as_the_stack_says(scenario.stack)


def assert_says_what_to_do(reason: str, fault: Fault, *, may_exist: bool) -> None:
    assert "an error of its own" not in reason
    if may_exist and "already exists" in reason:
        return
    if fault.name.startswith("AccessDenied"):
        assert "Allow the function's role profile:" in reason
        assert f"on arn:aws:profile:{REGION}:{ACCOUNT}:domains/" in reason
    elif fault.name.startswith("Throttling"):
        assert "throttled for" in reason
    elif fault.name.startswith("BadRequest"):
        assert "the stand-in says BadRequestException" in reason
    elif "deadline" in fault.name:
        assert "time was up while it was waiting for" in reason
    elif "Server" in fault.name or "50" in fault.name:
        assert "Try again" in reason or "try again" in reason
    elif "NotFound" not in fault.name:
        assert "ry again" in reason or "the answer lacks" in reason


def assert_as_the_stack_says(stack: Stack) -> None:
    """Every domain of the stack exists as in the template. The stack owns no other domain, except adopted ones."""
    for logical_id, resource in stack:
        _assert_live(stack, logical_id, resource)
    known = {resource.physical_id for _, resource in stack}
    for name, domain in live_domains().items():
        if name not in known and domain.tags.get(REQUEST_ID) != "adopted":
            assert not promises.is_own(domain.tags, stack.arn, "Domain"), f"{name} still exists"


def _assert_live(stack: Stack, logical_id: str, resource: Resource) -> None:
    domain = live_domains()[resource.physical_id]
    assert promises.is_own(domain.tags, stack.arn, logical_id)
    assert domain.configuration["DefaultExpirationDays"] == resource.properties["DefaultExpirationDays"]
    assert domain.configuration.get("DeadLetterQueueUrl") == resource.properties.get("DeadLetterQueueUrl")
    assert domain.tags.items() >= resource.properties.get("Tags", {}).items()
