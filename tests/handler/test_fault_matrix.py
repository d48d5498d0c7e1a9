"""Every kind of event, every API call that it makes, every error of the API and of the wire, once and lasting.

After each: one answer with the right physical id and a reason that helps, nothing changed that wasn't the event's to
change, and once CloudFormation has sent what it sends after such an answer, nothing left behind.
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
from tests.handler.stacks import Request, Resource, Stack, Undeleted, Unrolled

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"
OLD = {"DomainName": "customers", "DefaultExpirationDays": 30, "DeadLetterQueueUrl": QUEUE, "Tags": {"team": "red"}}
NEW = {"DomainName": "customers", "DefaultExpirationDays": 60, "Tags": {"cost": "1"}}
RENAMED = {"DomainName": "clients", "DefaultExpirationDays": 30}
ELSEWHERE = {STACK_ID: stack_arn("elsewhere"), LOGICAL_ID: "Domain", REQUEST_ID: "theirs"}


class Scene:
    """One stack with one resource, and an event of it that is going to meet trouble."""

    def __init__(self, function: Function, wire: Wire, mailbox: Mailbox) -> None:
        self._function = function
        self._wire = wire
        self._mailbox = mailbox
        self.stack = Stack(STACK, self._send)
        self.troubles: list[faults.Trouble] = []
        self.deliveries: list[Delivery] = []
        self.once: tuple[faults.Trouble, ...] = ()

    def _send(self, event: dict[str, Any]) -> dict[str, Any] | None:
        event["ResponseURL"] = self._mailbox.url()
        trouble = self.troubles.pop(0) if self.troubles else faults.no_trouble
        self._wire.on_act = functools.partial(promises.judge, event)
        for _ in range(3):  # Lambda runs an event that raised twice more
            self._wire.begin(trouble)
            delivery = self._function.invoke(event)
            self.deliveries.append(delivery)
            if delivery.error is None:
                return delivery.answer
            if trouble in self.once:
                trouble = faults.no_trouble
        return None


def somebodys(tags: dict[str, str], name: str = "customers", profiles: int = 0) -> Domain:
    domain = Domain(name, {"DefaultExpirationDays": 7}, tags, ACCOUNT, REGION)
    domain.profile_count = profiles
    live_domains()[name] = domain
    return domain


Step = Callable[[Scene], object]


@dataclass(frozen=True)
class Case:
    """An event: what there is before it, what sends it, and the calls that it makes when all goes well.

    `spared` events go well: those that CloudFormation sends before the one in question.
    """

    name: str
    before: tuple[Step, ...]
    act: Step
    calls: tuple[str, ...]
    spared: int = 0
    fails: bool = False
    # What an earlier request has made isn't this one's to delete when it fails.
    may_leave: bool = False


def made(scene: Scene) -> None:
    assert scene.stack.create("Domain", OLD)


def made_protected(scene: Scene) -> None:
    assert scene.stack.create("Domain", {**OLD, "DeletionProtection": True})


def holds_profiles(scene: Scene) -> None:
    live_domains()["customers"].profile_count = 7


def lost_its_tags(scene: Scene) -> None:
    live_domains()["customers"].tags.clear()


def was_taken_over(scene: Scene) -> None:
    live_domains()["customers"].tag(ELSEWHERE)


def is_gone(scene: Scene) -> None:
    del live_domains()["customers"]


def left_by_an_earlier_create(scene: Scene) -> None:
    somebodys({STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "earlier"})


def a_rename_left_its_domain(scene: Scene) -> None:
    somebodys({STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "the-rename"}, "clients")


def somebody_has_it(scene: Scene) -> None:
    somebodys({"by": "hand"}, profiles=7)


def somebody_has_the_new_one(scene: Scene) -> None:
    somebodys({}, "clients", profiles=7)


def failed_to_roll_back(scene: Scene, refused: dict[str, Any], physical_id: str) -> None:
    back = Request("Update", "Domain", OLD, refused, physical_id)
    scene.stack.unrolled["Domain"] = Unrolled(back, Resource("customers", OLD))


def an_update_failed_half_way(scene: Scene) -> None:
    live_domains()["customers"].update({"DefaultExpirationDays": 60})
    failed_to_roll_back(scene, NEW, "customers")


def the_rename_failed(scene: Scene) -> None:
    failed_to_roll_back(scene, RENAMED, "customers")


def the_rename_is_undone(scene: Scene) -> None:
    failed_to_roll_back(scene, RENAMED, "clients")


def create(properties: dict[str, Any], *, fails_elsewhere: bool = False) -> Step:
    return lambda scene: scene.stack.create("Domain", properties, fails_elsewhere=fails_elsewhere)


def update(properties: dict[str, Any]) -> Step:
    return lambda scene: scene.stack.update("Domain", properties)


def roll_back(scene: Scene) -> None:
    scene.stack.continue_rollback("Domain")


def remove(scene: Scene) -> None:
    scene.stack.remove("Domain")


def delete(physical_id: str) -> Step:
    """The Delete of a resource that isn't in the stack any more."""

    def again(scene: Scene) -> None:
        request = Request("Delete", "Domain", OLD, physical_id=physical_id)
        scene.stack.undeleted.append(Undeleted(request, "DELETE_IN_PROGRESS"))
        scene.stack.delete_again()

    return again


GET, CREATE, UPDATE, DELETE = "GetDomain", "CreateDomain", "UpdateDomain", "DeleteDomain"
TAG, UNTAG = "TagResource", "UntagResource"
LISTS = ("ListIntegrations", "ListProfileObjectTypes", "ListDomainObjectTypes")
ADOPTING = {"AdoptExisting": True}

CASES = [
    Case("Create", (), create(OLD), (CREATE,)),
    Case(
        "Create that finds an earlier one's domain",
        (left_by_an_earlier_create,),
        create(OLD),
        (CREATE, GET, *LISTS, TAG, GET, UPDATE),
        may_leave=True,
    ),
    Case("Create that finds somebody's domain", (somebody_has_it,), create(OLD), (CREATE, GET), fails=True),
    Case("Create that adopts", (somebody_has_it,), create(OLD | ADOPTING), (CREATE, GET, TAG, GET, UPDATE)),
    Case("Delete of a Create rolled back", (), create(OLD, fails_elsewhere=True), (GET, DELETE), spared=1),
    Case("Update", (made,), update(NEW), (GET, TAG, UPDATE, UNTAG)),
    Case("Update of a domain that lost its tags", (made, lost_its_tags), update(NEW), (GET, TAG, GET, UPDATE)),
    Case("Update of a domain that is gone", (made, is_gone), update(NEW), (GET, CREATE)),
    Case("Update of a domain that was taken over", (made, was_taken_over), update(NEW), (GET,), fails=True),
    Case("Rollback of an Update", (made, an_update_failed_half_way), roll_back, (GET, UPDATE)),
    Case("Rename", (made,), update(RENAMED), (CREATE,)),
    Case("Delete of what a rename has replaced", (made,), update(RENAMED), (GET, DELETE), spared=1),
    Case(
        "Rename that adopts",
        (made, somebody_has_the_new_one),
        update(RENAMED | ADOPTING),
        (CREATE, GET, TAG, GET, UPDATE),
    ),
    Case(
        "Rollback of a rename that died",
        (made, a_rename_left_its_domain, the_rename_failed),
        roll_back,
        (GET, *LISTS, DELETE, GET),
    ),
    Case(
        "Rollback that comes back to what a rename left",
        (made, a_rename_left_its_domain, the_rename_is_undone),
        roll_back,
        (CREATE, GET, *LISTS, TAG, GET),
    ),
    Case("Delete", (made, holds_profiles), remove, (GET, DELETE)),
    Case("Delete of a protected domain", (made_protected, holds_profiles), remove, (GET,), fails=True),
    Case("Delete of a domain that is gone", (made, is_gone), remove, (GET,)),
    Case("Delete of a domain that was taken over", (made, was_taken_over), remove, (GET,)),
    Case("Delete of a domain that lost its tags", (made, lost_its_tags), remove, (GET,), fails=True),
    Case(
        "Delete after a failed Create",
        (left_by_an_earlier_create,),
        delete("create-failed:earlier"),
        (GET, *LISTS, DELETE),
    ),
    Case(
        "Delete after a Create that was never answered",
        (left_by_an_earlier_create,),
        delete("customers-Domain-1ABCDEFGHIJK"),
        (GET, GET, *LISTS, DELETE),
    ),
]


@pytest.fixture
def scene(few_attempts: None, function: Function, wire: Wire, mailbox: Mailbox) -> Scene:
    somebodys(ELSEWHERE, "theirs", profiles=7)
    somebodys({"by": "hand"}, "by-hand", profiles=7)
    return Scene(function, wire, mailbox)


@contextlib.contextmanager
def bystanders_unharmed() -> Iterator[None]:
    """Neither the domains of others nor any customer data is touched."""

    def bystanders() -> dict[str, Any]:
        return {name: live_domains()[name].describe() for name in ("theirs", "by-hand")}

    before = bystanders()
    yield
    assert bystanders() == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_without_trouble_an_event_makes_these_calls_and_no_other(case: Case, scene: Scene, wire: Wire) -> None:
    for step in case.before:
        step(scene)
    attempts: list[list[str]] = []

    def record(attempt: int, operation: str) -> None:
        if attempt == 0:
            attempts.append([])
        attempts[-1].append(operation)

    wire.on_attempt = record
    first = len(scene.deliveries)
    case.act(scene)
    assert tuple(attempts[case.spared]) == case.calls
    status = scene.deliveries[first + case.spared].answer["Status"]
    assert status == ("FAILED" if case.fails else "SUCCESS")


ALL_FAULTS = [
    *faults.faults_of_the_api(faults.service_model()),
    *faults.faults_of_the_wire(),
    *faults.deadlines(late_by=2.5),
    faults.DIES_BEFORE,
    faults.DIES_AFTER,
]
# What botocore tries again: gone when it lasts for one attempt only.
NOT_TRIED_AGAIN = ("AccessDenied", "BadRequest", "ResourceNotFound", "deadline", "200 and")


def _has_to_be_believed(fault: Fault, operation: str, lasts: str) -> bool:
    """Whether nobody could know better: the API says that a domain isn't there, or that an act without an answer of its
    own is done."""
    if fault.name == "ResourceNotFoundException":
        return operation == "GetDomain" or (operation in (DELETE, *LISTS) and lasts == "lasting")
    return fault.name.startswith("200") and fault.acts is Acts.NEVER and operation in ("TagResource", "UntagResource")


def _cannot_be_made_safe(case: Case, fault: Fault, operation: str) -> bool:
    """A takeover that meets the deadline: its Delete gives the domain back, and a setting changes after that."""
    return case.name.endswith("that adopts") and operation == UPDATE and fault.acts is Acts.LATE


MATRIX = [
    pytest.param(case, position, fault, lasts, id=f"{case.name}, call {position + 1} {operation}, {fault}, {lasts}")
    for case in CASES
    for position, operation in enumerate(case.calls)
    for fault in ALL_FAULTS
    for lasts in ("once", "lasting")
    if not _has_to_be_believed(fault, operation, lasts) and not _cannot_be_made_safe(case, fault, operation)
]


@pytest.mark.parametrize(("case", "position", "fault", "lasts"), MATRIX)
def test_no_fault_harms_a_domain_or_leaves_one_behind(
    case: Case, position: int, fault: Fault, lasts: str, scene: Scene, wire: Wire
) -> None:
    for step in case.before:
        step(scene)
    data = {domain: domain.profile_count for domain in live_domains().values() if has_data(domain)}
    trouble = (faults.once if lasts == "once" else faults.lasting)(fault, position)
    scene.troubles = [*[faults.no_trouble] * case.spared, trouble]
    scene.once = (trouble,) if lasts == "once" else ()
    first = len(scene.deliveries)
    with bystanders_unharmed():
        case.act(scene)
        wire.come_through(at_last=True)
        deliveries = scene.deliveries[first + case.spared :]

        # What it was told, and what it does after that.
        answer = next((delivery.answer for delivery in deliveries if delivery.error is None), None)
        if lasts == "once" and not any(word in fault.name for word in NOT_TRIED_AGAIN):
            assert answer is not None
            assert answer["Status"] == ("FAILED" if case.fails else "SUCCESS")
        # Where nobody could look, the user reads what was to be looked into.
        is_looking = case.calls[:position] == ("CreateDomain",)
        if answer is not None and answer["Status"] == "FAILED" and not case.fails:
            assert_says_what_to_do(answer["Reason"], fault, may_exist=is_looking)

        # What CloudFormation and the user do then: everything again that failed, now without trouble.
        for logical_id in list(scene.stack.unrolled):
            scene.stack.continue_rollback(logical_id)
        scene.stack.delete_again()
        assert case.may_leave or not list(promises.left_behind([scene.stack]))

    # No data is lost but by the Delete that was asked for.
    lost = [domain.name for domain in data if domain not in live_domains().values()]
    assert lost == (["customers"] if case.name == "Delete" else [])
    # A change that arrives after its rollback is drift, and the next update's to heal.
    is_drift = fault.acts is Acts.LATE and case.calls[position] != "CreateDomain"
    if not (case.fails or case.may_leave or is_drift or scene.stack.undeleted):
        assert_as_the_stack_says(scene.stack)


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
    """What the stack has is there, as its template says; what it hasn't is gone, but for what isn't its own."""
    for logical_id, resource in stack:
        _assert_live(stack, logical_id, resource)
    known = {resource.physical_id for _, resource in stack}
    for name, domain in live_domains().items():
        if name not in known and domain.tags.get(REQUEST_ID) != "adopted":
            assert not promises.is_own(domain.tags, stack.arn, "Domain"), f"{name} is still there"


def _assert_live(stack: Stack, logical_id: str, resource: Resource) -> None:
    domain = live_domains()[resource.physical_id]
    assert promises.is_own(domain.tags, stack.arn, logical_id)
    assert domain.configuration["DefaultExpirationDays"] == resource.properties["DefaultExpirationDays"]
    assert domain.configuration.get("DeadLetterQueueUrl") == resource.properties.get("DeadLetterQueueUrl")
    assert domain.tags.items() >= resource.properties.get("Tags", {}).items()
