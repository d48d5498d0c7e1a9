"""CloudFormation, played: stacks and people act on a few domains in any order, while calls, functions and answers fail.

After every step: no domain changed that wasn't the event's to change, no domain left that the resource made and that
nobody knows of, no domain with profiles deleted but by its own Delete, exactly one answer to each event that lived.
The judge (promises.py) is written from the promises alone, and looks at the API behind the function's back.

    make soak          some thousand sequences of steps, others each time
    HYPOTHESIS_PROFILE=soak pytest tests/handler/test_state_machine.py

What no function without a memory can do, and what is therefore not asked for here: to know that an event which is
delivered a second time, hours later, is older than the resource's present (`is_harmless_when_stale`).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from moto import mock_aws

from handler import app
from local.customerprofiles.models import Domain
from tests.handler import faults, promises
from tests.handler.cloudformation import (
    ACCOUNT,
    DELETES_THE_NEW,
    UPDATES_BACK,
    Function,
    Mailbox,
    Stack,
    another_environment,
    stack_arn,
)
from tests.handler.faults import REGION, Clock, Fault, Wire, give_up_soon, has_data, live_domains
from tests.handler.promises import LOGICAL_ID, OWNERSHIP, REQUEST_ID, STACK_ID

# Weighted, so that the same domain is often in question.
NAMES = ("alpha", "alpha", "alpha", "beta", "beta", "gamma")
STACKS = ("one", "two")
LOGICAL_IDS = ("Domain", "Other")

MODEL = faults.service_model()
HARMFUL = [*faults.deadlines(late_by=2.5), faults.DIES_BEFORE, faults.DIES_AFTER]
# An API that says of a domain that it isn't there, again and again, has to be believed: a Delete is then done. Where it
# need not be believed, the fault matrix has it.
FAULTS = [
    fault
    for fault in (*faults.faults_of_the_api(MODEL), *faults.faults_of_the_wire())
    if fault.name != "ResourceNotFoundException"
]
attempts = st.integers(0, 3)  # most events make up to four calls


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one delivery of an event."""

    fault: Fault | None = None
    at: int = 0
    lasting: bool = False
    answer_is_lost: bool = False
    answer_is_refused: int = 0
    delivered_again_at: int | None = None

    def __call__(self, attempt: int, operation: str) -> Fault | None:
        is_hit = attempt == self.at or (self.lasting and attempt > self.at)
        return self.fault if is_hit else None


troubles = st.one_of(
    st.just(Trouble()),
    st.builds(Trouble, st.sampled_from(HARMFUL), attempts),
    st.builds(Trouble, st.sampled_from(FAULTS), attempts, lasting=st.just(True)),
    # botocore's next attempt meets what this one has left.
    st.builds(Trouble, st.sampled_from(FAULTS), attempts),
    st.just(Trouble(answer_is_lost=True)),
    st.builds(Trouble, answer_is_refused=st.sampled_from([1, 99])),
    st.builds(Trouble, delivered_again_at=attempts),
    st.builds(
        Trouble,
        st.sampled_from([*HARMFUL, *FAULTS]),
        attempts,
        lasting=st.booleans(),
        answer_is_lost=st.booleans(),
        delivered_again_at=attempts,
    ),
)


def _dying_for_good(fault: Fault, at: int) -> list[Trouble]:
    return [Trouble(fault, at, lasting=True)] * 3


# For each of the three lives that Lambda gives an event: what goes wrong in it.
lives = st.one_of(
    st.just([]),
    st.lists(troubles, min_size=1, max_size=3),
    st.builds(_dying_for_good, st.sampled_from(HARMFUL), attempts),
)
# For each of the events that a step makes CloudFormation send; the rest goes well.
plans = st.lists(lives, max_size=3)


def rarely(value: Any) -> st.SearchStrategy[list[Any]]:
    return st.sampled_from([[], [], [], [], [], [], [value]])


@st.composite
def templates(draw: st.DrawFn) -> dict[str, Any]:
    """A resource's properties."""
    properties: dict[str, Any] = {
        "DomainName": draw(st.sampled_from(NAMES)),
        "DefaultExpirationDays": draw(st.sampled_from([30, 60])),
    }
    optional: dict[str, list[Any]] = {
        "AdoptExisting": [True, False],
        "DeletionProtection": [True, False],
        "DeadLetterQueueUrl": ["", "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"],
        "Matching": [{"Enabled": True}, {"Enabled": False}],
        "Tags": [{"team": "red"}, {"team": "blue", "cost": "1"}, {}],
    }
    for name, values in optional.items():
        value = draw(st.sampled_from([None, None, None, None, *values]))
        if value is not None:
            properties[name] = value
    for name in draw(rarely("Misspelt")):
        properties[name] = "refused before any call"
    return properties


@dataclass
class Outcome:
    """Whether the stack came through an update with what it asked for."""

    is_done: bool = False


class CloudFormationMachine(RuleBasedStateMachine):
    """The world: the API, two stacks, and people with a console."""

    mailbox: Mailbox

    def __init__(self) -> None:
        super().__init__()
        self.mailbox.puts.clear()
        self._moto = mock_aws()
        self._moto.start()
        self._patch = pytest.MonkeyPatch()
        self.clock = Clock()
        self.clock.stop_time(self._patch)
        give_up_soon(self._patch)
        client = faults.client()
        self.wire = Wire(self.clock)
        self.wire.attach(client)
        self._patch.setattr(app, "_client", client)
        self.function = Function(self.clock, self.mailbox)
        self.twin = Function(self.clock, self.mailbox, _twin_environment(client))
        self.stacks = {name: Stack(stack_arn(name), self.send) for name in STACKS}
        self.sent: list[dict[str, Any]] = []
        self.plan: list[list[Trouble]] = []
        # Domains that are left behind on purpose, or by a person: retained, tagged by hand, kept for their data.
        self.left_on_purpose: list[Domain] = []

    def teardown(self) -> None:
        self._patch.undo()
        self._moto.stop()

    # What CloudFormation does

    def send(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Deliver an event through whatever trouble there is. Returns the answer that CloudFormation gets."""
        event["ResponseURL"] = self.mailbox.url()
        self.sent.append(event)
        lives = self.plan.pop(0) if self.plan else []
        for life in range(3):  # Lambda runs an event that raised twice more
            trouble = lives[life] if life < len(lives) else Trouble()
            if self.deliver(event, trouble) is not None:
                break
        answers = self.mailbox.taken(event["RequestId"])
        is_lost = any(trouble.answer_is_lost for trouble in lives)
        return answers[0] if answers and not is_lost else None

    def deliver(self, event: dict[str, Any], trouble: Trouble) -> object | None:
        again = trouble.delivered_again_at

        def deliver_again(attempt: int, operation: str) -> None:
            nonlocal again
            if again == attempt:
                again = None
                attempts, self.wire.trouble = self.wire.attempts, faults.no_trouble
                self.twin.invoke(event | {"ResponseURL": self.mailbox.url()})
                self.wire.attempts, self.wire.trouble = attempts, trouble

        self.wire.begin(trouble)
        self.wire.on_act = functools.partial(promises.judge, event)
        self.wire.on_attempt = deliver_again
        self.mailbox.first[:] = [403] * trouble.answer_is_refused
        try:
            delivery = self.function.invoke(event)
        finally:
            self.wire.begin()
            self.wire.on_attempt = lambda attempt, operation: None
            self.mailbox.first.clear()
        return delivery if delivery.error is None else None

    @initialize(days=st.sampled_from([30, 60]), profiles=st.sampled_from([0, 0, 3]))
    def a_stack_has_a_domain(self, days: int, profiles: int) -> None:
        assert self.stacks["one"].create("Domain", {"DomainName": "alpha", "DefaultExpirationDays": days})
        live_domains()["alpha"].profile_count = profiles

    @precondition(lambda self: any(self.missing()))
    @rule(data=st.data(), properties=templates(), fails_elsewhere=st.booleans(), plan=plans)
    def create(self, data: st.DataObject, properties: dict[str, Any], fails_elsewhere: bool, plan: Any) -> None:
        name, logical_id = data.draw(st.sampled_from(self.missing()), "resource")
        self.settle(self.stacks[name])
        with self.data_survives_a_rollback(properties) as outcome:
            self.plan = plan
            outcome.is_done = self.stacks[name].create(logical_id, properties, fails_elsewhere=fails_elsewhere)
        if outcome.is_done:
            self.assert_converged(self.stacks[name].arn, logical_id, properties)

    @precondition(lambda self: any(self.known()))
    @rule(data=st.data(), properties=templates(), fails_elsewhere=st.booleans(), plan=plans)
    def update(self, data: st.DataObject, properties: dict[str, Any], fails_elsewhere: bool, plan: Any) -> None:
        name, logical_id = data.draw(st.sampled_from(self.known()), "resource")
        properties["DomainName"] = self.stacks[name].resources[logical_id].physical_id
        self.change(name, logical_id, properties, UPDATES_BACK if fails_elsewhere else None, False, plan)

    @precondition(lambda self: any(self.known()))
    @rule(
        data=st.data(),
        properties=templates(),
        fails_elsewhere=st.sampled_from([None, UPDATES_BACK, DELETES_THE_NEW]),
        retains_replaced=st.sampled_from([False, False, True]),
        plan=plans,
    )
    def rename(
        self,
        data: st.DataObject,
        properties: dict[str, Any],
        fails_elsewhere: str | None,
        retains_replaced: bool,
        plan: Any,
    ) -> None:
        name, logical_id = data.draw(st.sampled_from(self.known()), "resource")
        others = set(NAMES) - {self.stacks[name].resources[logical_id].physical_id}
        properties["DomainName"] = data.draw(st.sampled_from(sorted(others)), "new name")
        self.change(name, logical_id, properties, fails_elsewhere, retains_replaced, plan)

    @precondition(lambda self: any(self.known()))
    @rule(data=st.data(), properties=templates(), fault=st.sampled_from(HARMFUL), at=attempts, plan=plans)
    def rename_that_gets_stuck(
        self, data: st.DataObject, properties: dict[str, Any], fault: Fault, at: int, plan: Any
    ) -> None:
        self.rename(data, properties, None, False, [_dying_for_good(fault, at), *plan])

    def change(
        self,
        name: str,
        logical_id: str,
        properties: dict[str, Any],
        fails_elsewhere: str | None,
        retains_replaced: bool,
        plan: Any,
    ) -> None:
        stack = self.stacks[name]
        self.settle(stack)
        old = stack.resources[logical_id]
        replaced = live_domains().get(old.physical_id)
        with self.data_survives_a_rollback(properties) as outcome:
            self.plan = plan
            outcome.is_done = stack.update(
                logical_id, properties, fails_elsewhere=fails_elsewhere, retains_replaced=retains_replaced
            )
        if outcome.is_done and properties != old.properties:
            self.assert_converged(stack.arn, logical_id, properties)
        if outcome.is_done and retains_replaced and replaced is not None:
            self.left_on_purpose.append(replaced)

    @contextlib.contextmanager
    def data_survives_a_rollback(self, properties: Mapping[str, Any]) -> Iterator[Outcome]:
        """What was there before an event, with data in it, is there after the rollback of that event."""
        before = live_domains().get(properties["DomainName"])
        is_at_stake = before is not None and has_data(before) and properties.get("DeletionProtection") is not False
        outcome = Outcome()
        yield outcome
        if is_at_stake and not outcome.is_done:
            assert before in live_domains().values(), "a rollback destroyed a domain that was there before, with data"

    @precondition(lambda self: any(self.known()))
    @rule(data=st.data(), retains=st.sampled_from([False, False, True]), plan=plans)
    def remove(self, data: st.DataObject, retains: bool, plan: Any) -> None:
        name, logical_id = data.draw(st.sampled_from(self.known()), "resource")
        stack = self.stacks[name]
        self.settle(stack)
        physical_id = stack.resources[logical_id].physical_id
        domain = live_domains().get(physical_id)
        was_own = domain is not None and promises.is_own(domain.tags, stack.arn, logical_id)
        self.plan = plan
        stack.remove(logical_id, retains=retains)
        is_answered_well = not any(owner == logical_id for owner, *_ in stack.undeleted)
        if retains and domain is not None:
            self.left_on_purpose.append(domain)
        elif was_own and is_answered_well:
            assert domain not in live_domains().values(), "the Delete of an own domain succeeded and did nothing"

    @precondition(lambda self: any(stack.undeleted or stack.unrolled for stack in self.stacks.values()))
    @rule(name=st.sampled_from(STACKS), plan=plans)
    def try_again(self, name: str, plan: Any) -> None:
        self.plan = plan
        stack = self.stacks[name]
        stack.delete_again()
        for logical_id in list(stack.unrolled):
            stack.continue_rollback(logical_id)

    @precondition(lambda self: any(self.is_harmless_when_stale(event) for event in self.sent))
    @rule(data=st.data(), trouble=troubles)
    def deliver_late_again(self, data: st.DataObject, trouble: Trouble) -> None:
        """Lambda delivers an event once more that was answered long ago; nobody waits for its answer."""
        harmless = [index for index, event in enumerate(self.sent) if self.is_harmless_when_stale(event)]
        event = self.sent[data.draw(st.sampled_from(harmless), "event")]
        self.deliver(event | {"ResponseURL": self.mailbox.url()}, Trouble(trouble.fault, trouble.at, trouble.lasting))

    # What people do

    @rule(name=st.sampled_from(NAMES), profiles=st.sampled_from([0, 3]), foreign=st.booleans())
    def somebody_makes_a_domain(self, name: str, profiles: int, foreign: bool) -> None:
        if name not in live_domains():
            tags = {STACK_ID: stack_arn("elsewhere"), LOGICAL_ID: "Domain", REQUEST_ID: "theirs"} if foreign else {}
            domain = Domain(name, {"DefaultExpirationDays": 7}, tags, ACCOUNT, REGION)
            domain.profile_count = profiles
            live_domains()[name] = domain

    @precondition(lambda self: bool(live_domains()))
    @rule(data=st.data(), profiles=st.sampled_from([0, 3]), objects=st.sampled_from([0, 0, 2]))
    def somebody_puts_profiles_in(self, data: st.DataObject, profiles: int, objects: int) -> None:
        domain = self.any_domain(data)
        domain.profile_count, domain.object_count = profiles, objects

    @precondition(lambda self: bool(live_domains()))
    @rule(
        data=st.data(),
        does=st.sampled_from(["delete", "strip", "tag for another", "change settings"]),
        keys=st.sets(st.sampled_from(sorted(OWNERSHIP)), min_size=1),
        other=st.tuples(st.sampled_from([*STACKS, "elsewhere"]), st.sampled_from(LOGICAL_IDS)),
    )
    def somebody_meddles(self, data: st.DataObject, does: str, keys: set[str], other: tuple[str, str]) -> None:
        domain = self.any_domain(data)
        match does:
            case "delete":
                del live_domains()[domain.name]
            case "strip":
                domain.untag(sorted(keys))
                self.left_on_purpose.append(domain)
            case "tag for another":
                domain.tag({STACK_ID: stack_arn(other[0]), LOGICAL_ID: other[1]})
                self.left_on_purpose.append(domain)
            case "change settings":
                domain.update({"DefaultExpirationDays": 1000})
                domain.tag({"by": "hand"})

    # What must hold

    @invariant()
    def no_domain_is_left_that_nobody_knows_of(self) -> None:
        # The wire has settled: what was on its way has arrived.
        self.wire.come_through(at_last=True)
        for domain in promises.left_behind(self.stacks.values(), but=self.left_on_purpose):
            assert has_data(domain), f"domain {domain.name} is left behind, and nobody knows of it"
            self.left_on_purpose.append(domain)  # kept for its data; the log says so

    def assert_converged(self, stack_id: str, logical_id: str, properties: dict[str, Any]) -> None:
        domain = live_domains()[properties["DomainName"]]
        assert promises.is_own(domain.tags, stack_id, logical_id)
        assert domain.tags.items() >= properties.get("Tags", {}).items()
        for key in ("DefaultExpirationDays", "DeadLetterQueueUrl"):
            if key in properties:
                assert domain.configuration.get(key, "") == properties[key]
        if "Matching" in properties:
            enabled = domain.configuration.get("Matching", {}).get("Enabled", False)
            assert enabled == properties["Matching"]["Enabled"]

    def is_harmless_when_stale(self, event: Mapping[str, Any]) -> bool:
        """Whether the event may come once more, however late, without anybody being able to tell it from a new one.

        Nobody can, without a memory, where it makes a domain anew that has been deleted since, or deletes one that has
        been made anew.
        """
        stack = next(stack for stack in self.stacks.values() if stack.arn == event["StackId"])
        logical_id = event["LogicalResourceId"]
        if logical_id in stack.unrolled or any(owner == logical_id for owner, *_ in stack.undeleted):
            return False
        resource = stack.resources.get(logical_id)
        present = resource.physical_id if resource else None
        name = event["ResourceProperties"]["DomainName"]
        if event["RequestType"] != "Delete":
            return bool(name == present)
        physical_id = event["PhysicalResourceId"]
        return ":" in physical_id or (present not in (physical_id, name) and not self.is_retained(physical_id, name))

    def is_retained(self, *names: str) -> bool:
        return any(domain in self.left_on_purpose for name, domain in live_domains().items() if name in names)

    def settle(self, stack: Stack) -> None:
        """A stack whose rollback or Delete has failed takes no new update before somebody has cleared that up."""
        self.plan = []
        for logical_id in list(stack.unrolled):
            stack.continue_rollback(logical_id)
            if logical_id in stack.unrolled:
                stack.skip_rollback(logical_id)
        stack.delete_again()
        for _, _, properties in stack.undeleted:  # refused, so the user keeps it
            if properties["DomainName"] in live_domains():
                self.left_on_purpose.append(live_domains()[properties["DomainName"]])
        stack.undeleted.clear()

    def missing(self) -> list[tuple[str, str]]:
        return [
            (name, logical_id)
            for name, stack in self.stacks.items()
            for logical_id in LOGICAL_IDS
            if logical_id not in stack.resources
        ]

    def known(self) -> list[tuple[str, str]]:
        return [(name, logical_id) for name, stack in self.stacks.items() for logical_id, _ in stack]

    @staticmethod
    def any_domain(data: st.DataObject) -> Domain:
        return live_domains()[data.draw(st.sampled_from(sorted(live_domains())), "domain")]


_twins: list[Any] = []


def _twin_environment(client: Any) -> Any:
    if not _twins:
        _twins.append(another_environment(client))
    _twins[0].__dict__["_client"] = client
    return _twins[0]


def test_no_sequence_of_events_destroys_a_domain_that_is_not_ours_or_leaves_one_behind(mailbox: Mailbox) -> None:
    CloudFormationMachine.mailbox = mailbox
    is_soak = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
    logging.disable(logging.CRITICAL)  # half of the time goes into the log otherwise
    try:
        run_state_machine_as_test(
            CloudFormationMachine,
            settings=settings() if is_soak else settings(max_examples=60),
        )
    finally:
        logging.disable(logging.NOTSET)
