"""CloudFormation, played: stacks and people act on a few domains in any order, while calls, functions and answers fail.

An operation of a stack sends its events one after another or several at a time (stacks.py); on their way they are slow,
lost, cancelled while they run, delivered twice, or again hours later (world.py, troubles.py). What must hold:

    each call         changes only what is the event's to change (promises.py)
    each event        is answered once; one whose time has passed changes nothing
    each operation    leaves no domain that the function made and that nobody knows of; after a rollback every domain
                      has the owner that it had before, and none that was in use is gone
    at any time       a domain that was there before every stack is there, unless a template said that it may go

What no function can do, and what is therefore not asked for: a call that was still on its way when the function's time
was up and its event had been cancelled, and an event that could not ask CloudFormation.

    make soak          some thousand sequences of steps, others each time
    HYPOTHESIS_PROFILE=soak pytest tests/handler/test_state_machine.py
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import Phase, settings
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

from local.customerprofiles.models import Domain, DomainItem
from tests.handler import faults, promises
from tests.handler.cloudformation import ACCOUNT, Mailbox, stack_arn
from tests.handler.faults import REGION, Clock, Wire, give_up_soon, is_in_use, live_domains
from tests.handler.promises import LOGICAL_ID, OWNERSHIP, REQUEST_ID, STACK_ID
from tests.handler.stacks import DELETES_THE_NEW, UPDATES_BACK, Declared, Stack
from tests.handler.troubles import NAMES, calm_schedules, schedules, templates
from tests.handler.world import Schedule, World

STACKS = ("one", "two")
LOGICAL_IDS = ("Domain", "Other")
ELSEWHERE = {STACK_ID: stack_arn("elsewhere"), LOGICAL_ID: "Domain", REQUEST_ID: "theirs"}

Template = dict[str, Declared]


class CloudFormationMachine(RuleBasedStateMachine):
    """The world: the API, two stacks, and people with a console."""

    mailbox: Mailbox

    def __init__(self) -> None:
        super().__init__()
        self.mailbox.puts.clear()
        self.mailbox.refuses.clear()
        self._moto = mock_aws()
        self._moto.start()
        self._patch = pytest.MonkeyPatch()
        clock = Clock()
        clock.stop_time(self._patch)
        give_up_soon(self._patch)
        client = faults.client()
        wire = Wire(clock)
        wire.attach(client)
        self.world = World(client, clock, self.mailbox, wire)
        self.ledger = self.world.ledger
        self.stacks = {name: self.world.stack(name) for name in STACKS}
        self.disturbed = False  # by people or another stack, in the midst of an operation

    def teardown(self) -> None:
        self._patch.undo()
        self._moto.stop()

    # What CloudFormation does

    @initialize(days=st.sampled_from([30, 60]), in_use=st.booleans(), forgets=st.booleans())
    def a_stack_has_a_domain(self, days: int, in_use: bool, forgets: bool) -> None:
        for stack in self.stacks.values():
            stack.forgets_removed = forgets
        assert self.stacks["one"].create("Domain", {"DomainName": "alpha", "DefaultExpirationDays": days})
        live_domains()["alpha"].profile_count = 3 if in_use else 0

    @rule(
        data=st.data(),
        name=st.sampled_from(STACKS),
        schedule=schedules,
        way_back=st.sampled_from([UPDATES_BACK, UPDATES_BACK, DELETES_THE_NEW]),
        retain_except_on_create=st.booleans(),
    )
    def deploy(
        self, data: st.DataObject, name: str, schedule: Schedule, way_back: str, retain_except_on_create: bool
    ) -> None:
        stack = self.settled(name)
        template = data.draw(changed_templates(stack.template()), "template")
        visits = {
            stop: self.visit(data, name, what)
            for stop, what in data.draw(st.dictionaries(st.integers(0, 12), _visits, max_size=2), "visits").items()
        }
        self.operate(
            stack,
            dataclasses.replace(schedule, visits=visits),
            lambda: stack.deploy(template, way_back=way_back, retain_except_on_create=retain_except_on_create),
        )

    @precondition(lambda self: any(stack.resources for stack in self.stacks.values()))
    @rule(name=st.sampled_from(STACKS), schedule=schedules)
    def delete_a_stack(self, name: str, schedule: Schedule) -> None:
        stack = self.settled(name)
        if stack.status:
            self.operate(stack, schedule, lambda: stack.delete() or True)

    @precondition(lambda self: any(stack.undeleted or stack.unrolled for stack in self.stacks.values()))
    @rule(name=st.sampled_from(STACKS), schedule=calm_schedules)
    def try_again(self, name: str, schedule: Schedule) -> None:
        stack = self.stacks[name]
        self.world.schedule = schedule.fresh()
        stack.delete_again()
        if stack.unrolled:
            stack.continue_rollback()
        self.world.drain()

    @rule(data=st.data(), minutes=st.sampled_from([3, 50, 3000]))
    def lambda_delivers_late_again(self, data: st.DataObject, minutes: int) -> None:
        self.world.clock.now += 60 * minutes
        self.deliver_late(data.draw(st.integers(0, 30), "event"))

    def deliver_late(self, number: int) -> None:
        late = self.world.late()
        if late:
            self.world.deliver_late(late[-1 - number % len(late)])

    def operate(self, stack: Stack, schedule: Schedule, act: Callable[[], bool]) -> None:
        """Carry out an operation of a stack, and see what it leaves."""
        before = [
            (domain, promises.claims(domain.tags), is_in_use(domain), stack.knows_any(domain.name))
            for domain in live_domains().values()
        ]
        resources = dict(stack.template())
        self.world.schedule, self.disturbed = schedule.fresh(), False
        races, first = self.world.races, len(self.world.history)
        is_done = act()
        self.world.drain()
        self.world.schedule = Schedule()
        is_blind = any(sending.is_blind for sending in self.world.history[first:])
        if self.disturbed or is_blind or races < self.world.races or stack.unrolled or stack.undeleted:
            return
        if not is_done:
            for domain, claims, was_in_use, was_known in before:
                # A retained resource gets no Delete, so nothing can give back what it took over.
                is_retained = any(name == domain.name for _, name in stack.retained)
                if is_retained or any(excused is domain for excused in self.ledger.excused):
                    continue
                is_there = live_domains().get(domain.name) is domain
                assert is_there or not was_in_use, "a rollback destroyed a domain that was in use before"
                now = [claim.resource for claim in promises.claims(domain.tags)]
                is_reclaimed = was_known and not claims  # its tags had been taken away by hand
                assert not is_there or is_reclaimed or now == [claim.resource for claim in claims], (
                    f"a rollback left {domain.name} to another owner than it had before"
                )
        else:
            for logical_id, resource in stack:
                if logical_id not in resources or resource.properties != resources[logical_id].properties:
                    self.assert_converged(stack.arn, logical_id, resource.properties)

    def visit(self, data: st.DataObject, name: str, what: str) -> Callable[[], None]:
        """Something that happens in the midst of an operation of the stack of that name."""
        other = next(stack for stack in STACKS if stack != name)
        number = data.draw(st.integers(0, 30), "number")
        match what:
            case "an event is delivered again":
                return lambda: self.deliver_late(number)
            case "the other stack changes":
                template = data.draw(changed_templates(self.stacks[other].template()), "other template")
                return lambda: self.meanwhile(other, template)
        names = sorted(set(NAMES))
        return lambda: self.fill(names[number % len(names)])

    def meanwhile(self, name: str, template: Template) -> None:
        """Another stack is deployed in the midst of an operation."""
        stack = self.stacks[name]
        is_a_delete_running = any(sending.kind == "Delete" for sending in self.world.open)
        if stack.unrolled or stack.undeleted or stack.is_gone or is_a_delete_running:
            return
        self.disturbed = True
        outer, self.world.schedule = self.world.schedule, Schedule()
        stack.deploy(template)
        self.world.schedule = outer

    def fill(self, name: str) -> None:
        self.disturbed = True
        if name in live_domains():
            live_domains()[name].profile_count = 5

    # What people do

    @rule(name=st.sampled_from(NAMES), use=st.sampled_from(["", "", "profiles", "object types"]), foreign=st.booleans())
    def somebody_makes_a_domain(self, name: str, use: str, foreign: bool) -> None:
        if name not in live_domains():
            domain = Domain(name, {"DefaultExpirationDays": 7}, ELSEWHERE if foreign else {}, ACCOUNT, REGION)
            live_domains()[name] = domain
            self.use(domain, use)
            self.ledger.prior.append(domain)

    @precondition(lambda self: bool(live_domains()))
    @rule(data=st.data(), use=st.sampled_from(["", "profiles", "objects", "object types"]))
    def somebody_uses_a_domain(self, data: st.DataObject, use: str) -> None:
        self.use(self.any_domain(data), use)

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
                self.ledger.excuse([domain])
            case "strip":
                domain.untag(sorted(keys))
                self.ledger.excuse([domain])
            case "tag for another":
                domain.tag({STACK_ID: stack_arn(other[0]), LOGICAL_ID: other[1]})
                self.ledger.excuse([domain])
            case "change settings":
                domain.update({"DefaultExpirationDays": 1000})
                domain.tag({"by": "hand"})

    # What must hold

    @invariant()
    def no_domain_is_left_that_nobody_knows_of(self) -> None:
        for domain, claim in promises.left_behind(self.world.stacks.values()):
            is_excused = any(excused is domain for excused in self.ledger.excused) or self.is_retained(domain, claim)
            assert is_excused or promises.is_kept_for_its_use(domain, claim), (
                f"{claim.logical_id} has a claim on {domain.name}, and nobody knows of it"
            )
            if not is_excused:
                self.ledger.excuse([domain])  # kept for its use; the log says so
        for domain in promises.nobodys(self.ledger):
            is_excused = any(excused is domain for excused in self.ledger.excused)
            assert is_excused, f"domain {domain.name} was made by a stack and belongs to nobody"

    @invariant()
    def what_was_there_before_every_stack_is_there(self) -> None:
        for domain in self.ledger.prior:
            assert live_domains().get(domain.name) is domain, f"{domain.name} was there before every stack, and is gone"

    def assert_converged(self, stack_id: str, logical_id: str, properties: Mapping[str, Any]) -> None:
        domain = live_domains()[properties["DomainName"]]
        if not promises.is_own(domain.tags, stack_id, logical_id):
            resources = [claim.resource for claim in promises.claims(domain.tags)]
            assert (stack_id, logical_id) in resources, "the domain of an update that succeeded is another's"
            return
        assert domain.tags.items() >= properties.get("Tags", {}).items()
        for key in ("DefaultExpirationDays", "DeadLetterQueueUrl"):
            if key in properties:
                assert domain.configuration.get(key, "") == properties[key]
        if "Matching" in properties:
            enabled = domain.configuration.get("Matching", {}).get("Enabled", False)
            assert enabled == properties["Matching"]["Enabled"]

    def is_retained(self, domain: Domain, claim: promises.Claim) -> bool:
        stack = self.world.stacks.get(claim.stack_id)
        return stack is not None and (claim.logical_id, domain.name) in stack.retained

    def settled(self, name: str) -> Stack:
        """The stack, with all cleared up that has failed; another one of its name if it is gone."""
        stack = self.stacks[name]
        self.world.schedule = Schedule()
        if stack.unrolled:
            stack.continue_rollback()
            for logical_id in list(stack.unrolled):
                stack.skip_rollback(logical_id)
        stack.delete_again()
        if stack.is_gone and stack.status != "DELETE_COMPLETE":
            stack.delete()
        for left in stack.undeleted:  # refused, so the user keeps it
            names = str(left.request.properties["DomainName"]), left.request.physical_id or ""
            stack.retained += [(left.request.logical_id, name) for name in names]
        stack.undeleted.clear()
        self.world.drain()
        if stack.is_gone:
            self.stacks[name] = stack = self.world.stack(name, forgets_removed=stack.forgets_removed)
        return stack

    @staticmethod
    def use(domain: Domain, use: str) -> None:
        domain.profile_count, domain.object_count = 3 * (use == "profiles"), 2 * (use == "objects")
        domain.object_types.clear()
        if use == "object types":
            domain.object_types["CTR"] = DomainItem({"ObjectTypeName": "CTR", "Description": "calls"})

    @staticmethod
    def any_domain(data: st.DataObject) -> Domain:
        return live_domains()[data.draw(st.sampled_from(sorted(live_domains())), "domain")]


_visits = st.sampled_from(["an event is delivered again", "the other stack changes", "somebody fills a domain"])


@st.composite
def changed_templates(draw: st.DrawFn, template: Template) -> Template:
    """A template after a few changes as people make them, in any order of its resources."""
    changed = dict(template)
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        _change(draw, changed)
    order = draw(st.permutations(sorted(changed)))
    return {logical_id: changed[logical_id] for logical_id in order}


def _change(draw: st.DrawFn, template: Template) -> None:
    missing = [logical_id for logical_id in LOGICAL_IDS if logical_id not in template]
    present = sorted(template)
    kinds = ["add"] if missing else []
    kinds += ["change", "rename", "remove", "retain"] if present else []
    kinds += ["another logical id"] if missing and present else []
    kinds += ["swap"] if len(present) == 2 else []
    kind = draw(st.sampled_from(kinds))
    retained = draw(st.sampled_from([False, False, False, True]))
    if kind == "add":
        template[draw(st.sampled_from(missing))] = Declared(draw(templates()), retained)
        return
    logical_id = draw(st.sampled_from(present))
    was = template[logical_id]
    match kind:
        case "change":
            template[logical_id] = Declared({**draw(templates()), "DomainName": was.properties["DomainName"]}, retained)
        case "rename":
            template[logical_id] = Declared(draw(templates()), retained)
        case "retain":
            template[logical_id] = Declared(was.properties, retained=True)
        case "remove":
            del template[logical_id]
        case "another logical id":
            del template[logical_id]
            adopting = {**was.properties, "AdoptExisting": True}
            template[missing[0]] = Declared(draw(st.sampled_from([adopting, adopting, was.properties])), was.retained)
        case "swap":
            names = [template[key].properties["DomainName"] for key in reversed(present)]
            for key, name in zip(present, names, strict=True):
                properties = {**template[key].properties, "DomainName": name}
                if draw(st.booleans()):
                    properties["AdoptExisting"] = True
                template[key] = Declared(properties, template[key].retained)


def test_no_sequence_of_events_destroys_a_domain_that_is_not_ours_or_leaves_one_behind(mailbox: Mailbox) -> None:
    CloudFormationMachine.mailbox = mailbox
    is_soak = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
    # Without Phase.explain, which traces every line; a sequence is shrunk by the soak, which takes some minutes.
    phases = (Phase.reuse, Phase.generate, Phase.shrink) if is_soak else (Phase.generate,)
    logging.disable(logging.CRITICAL)  # half of the time goes into the log otherwise
    try:
        run_state_machine_as_test(
            CloudFormationMachine,
            settings=settings(settings() if is_soak else settings(max_examples=100), phases=phases),
        )
    finally:
        logging.disable(logging.NOTSET)
