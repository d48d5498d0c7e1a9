"""Random sequences of operations on CloudFormation stacks, with random faults, checked after every step.

What is simulated: two stacks in CloudFormation, each with up to two resources. They share a few domain names, so they
create, rename, swap, take over and delete the same domains. People also create and change domains by hand.

    Hypothesis          chooses operations (the rules below), templates and schedules (schedules.py)
        |
    Stack               turns an operation into CloudFormation's events, with rollback and clean-up (stacks.py)
        |
    Simulation          delivers the events: one by one or at the same time, slow, cancelled, duplicated, late
        |               (simulation.py)
    the function        the real handler; each event can run in its own execution environment (environments.py)
        |
    Wire                loses requests and responses, kills the function (faults.py)
        |
    stand-in            the Customer Profiles API (local/customerprofiles)

What is checked, from the promises in README.md (promises.py):

- Each API call changes only what its event is allowed to change.
- Each event gets at most one answer, and a valid one. A late event changes nothing.
- No domain is orphaned: every domain that the function created or claimed is known to a stack, retained, or in use.
- After a rollback every domain has the owner that it had before, and no domain in use was deleted.
- After a deployment or its rollback the domains match the template of their stack.
- A domain that existed before all stacks still exists, unless a template allowed its deletion.

Two cases are exempt, since no function could handle them: a call that the API carries out after the function's time is
up and the event was cancelled, and an event for which CloudFormation does not answer the function's questions.

    make soak          thousands of sequences, different ones each time
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
from tests.handler.promises import LOGICAL_ID, NO_ID, OWNERSHIP, REQUEST_ID, STACK_ID
from tests.handler.schedules import NAMES, retry_schedules, schedules, templates
from tests.handler.simulation import Schedule, Simulation
from tests.handler.stacks import ROLLS_BACK_WITH_DELETE, ROLLS_BACK_WITH_UPDATE, Declared, Stack

STACKS = ("one", "two")
LOGICAL_IDS = ("Domain", "Other")
ELSEWHERE = {STACK_ID: stack_arn("elsewhere"), LOGICAL_ID: "Domain", REQUEST_ID: "theirs"}

Template = dict[str, Declared]


class CloudFormationMachine(RuleBasedStateMachine):
    """The API, two stacks, and people who use the API directly. Each rule is one step of a sequence."""

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
        self.simulation = Simulation(client, clock, self.mailbox, wire)
        self.observations = self.simulation.observations
        self.stacks = {name: self.simulation.stack(name) for name in STACKS}
        self.was_disturbed = False  # people or the other stack changed something during an operation

    def teardown(self) -> None:
        self._patch.undo()
        self._moto.stop()

    # What CloudFormation does

    @initialize(days=st.sampled_from([30, 60]), in_use=st.booleans(), forgets=st.booleans())
    def create_a_stack_with_a_domain(self, days: int, in_use: bool, forgets: bool) -> None:
        for stack in self.stacks.values():
            stack.forgets_removed = forgets
        assert self.stacks["one"].create("Domain", {"DomainName": "alpha", "DefaultExpirationDays": days})
        live_domains()["alpha"].profile_count = 3 if in_use else 0

    @rule(
        data=st.data(),
        name=st.sampled_from(STACKS),
        schedule=schedules,
        rollback_style=st.sampled_from([ROLLS_BACK_WITH_UPDATE, ROLLS_BACK_WITH_UPDATE, ROLLS_BACK_WITH_DELETE]),
        retain_except_on_create=st.booleans(),
        keeps_failed_creation=st.booleans(),
    )
    def deploy_a_stack(
        self,
        data: st.DataObject,
        name: str,
        schedule: Schedule,
        rollback_style: str,
        retain_except_on_create: bool,
        keeps_failed_creation: bool,
    ) -> None:
        stack = self.cleaned_up_stack(name)
        template = data.draw(changed_templates(stack.template()), "template")
        interruptions = {
            pause: self.interruption(data, name, what)
            for pause, what in data.draw(
                st.dictionaries(st.integers(0, 12), _interruptions, max_size=2), "interruptions"
            ).items()
        }
        self.run_operation(
            stack,
            dataclasses.replace(schedule, interruptions=interruptions),
            lambda: stack.deploy(
                template,
                rollback_style=rollback_style,
                retain_except_on_create=retain_except_on_create,
                keeps_failed_creation=keeps_failed_creation,
            ),
        )

    @precondition(lambda self: any(stack.resources for stack in self.stacks.values()))
    @rule(name=st.sampled_from(STACKS), schedule=schedules)
    def delete_a_stack(self, name: str, schedule: Schedule) -> None:
        stack = self.cleaned_up_stack(name)
        if stack.status:
            self.run_operation(stack, schedule, lambda: stack.delete() or True)

    @precondition(lambda self: any(stack.failed_deletes or stack.failed_rollbacks for stack in self.stacks.values()))
    @rule(name=st.sampled_from(STACKS), schedule=retry_schedules)
    def the_user_retries_what_failed(self, name: str, schedule: Schedule) -> None:
        stack = self.stacks[name]
        self.simulation.schedule = schedule.copy()
        stack.retry_deletes()
        if stack.failed_rollbacks:
            stack.continue_rollback()
        self.simulation.finish_background()

    @rule(data=st.data(), minutes=st.sampled_from([3, 50, 3000]))
    def lambda_delivers_a_late_event(self, data: st.DataObject, minutes: int) -> None:
        self.simulation.clock.now += 60 * minutes
        self.deliver_late(data.draw(st.integers(0, 30), "event"))

    def deliver_late(self, number: int) -> None:
        past_events = self.simulation.past_events()
        if past_events:
            self.simulation.deliver_late(past_events[-1 - number % len(past_events)])

    def run_operation(self, stack: Stack, schedule: Schedule, act: Callable[[], bool]) -> None:
        """Carry out an operation of a stack and check its result.

        The result is not checked if others interfered, or if something failed that can be retried.
        """
        before = [
            (domain, promises.claims(domain.tags), is_in_use(domain), stack.knows_any(domain.name))
            for domain in live_domains().values()
        ]
        resources = dict(stack.template())
        self.simulation.schedule, self.was_disturbed = schedule.copy(), False
        races, late_changes = self.simulation.races, self.simulation.late_changes
        first = len(self.simulation.history)
        self.simulation.clock.now += 1  # no two operations of a stack are at the same time
        is_done = act()
        self.simulation.finish_background()
        self.simulation.schedule = Schedule()
        describe_failed = any(sent.describe_failed for sent in self.simulation.history[first:])
        if (
            self.was_disturbed
            or describe_failed
            or races < self.simulation.races
            or stack.failed_rollbacks
            or stack.failed_deletes
            or stack.status == "CREATE_FAILED"
        ):
            return
        if not is_done:
            for domain, claims, was_in_use, was_known in before:
                # A retained resource gets no Delete, so it cannot give back a domain that it took over.
                is_retained = any(name == domain.name for _, name in stack.retained)
                if is_retained or any(each is domain for each in self.observations.exempt_domains):
                    continue
                is_there = live_domains().get(domain.name) is domain
                assert is_there or not was_in_use, "a rollback deleted a domain that was in use"
                now = promises.claims(domain.tags)
                is_reclaimed = was_known and not claims  # its tags had been removed by hand
                assert not is_there or is_reclaimed or promises.have_same_owner(claims, now), (
                    f"{domain.name} has another owner after the rollback than before"
                )
        if late_changes < self.simulation.late_changes:
            return  # nothing changes the settings back that were on their way when the event was cancelled
        updated = {
            (sent.event["LogicalResourceId"], sent.event["ResourceProperties"]["DomainName"])
            for sent in self.simulation.history[first:]
            if sent.event["StackId"] == stack.arn and sent.kind == "Update"
        }
        for logical_id, resource in stack:
            name = resource.properties["DomainName"]
            if sum(each.properties["DomainName"] == name for _, each in stack) > 1:
                continue  # two resources of a stack have one domain, and the last one to set a property wins
            is_changed = logical_id not in resources or resource.properties != resources[logical_id].properties
            if is_changed or (logical_id, resource.properties["DomainName"]) in updated:
                self.assert_converged(stack.arn, logical_id, resource.properties, is_rolled_back=not is_done)

    def interruption(self, data: st.DataObject, name: str, what: str) -> Callable[[], None]:
        """Something that happens during an operation of the stack of that name."""
        other = next(stack for stack in STACKS if stack != name)
        number = data.draw(st.integers(0, 30), "number")
        match what:
            case "a late event arrives":
                return lambda: self.deliver_late(number)
            case "the other stack is deployed":
                template = data.draw(changed_templates(self.stacks[other].template()), "other template")
                return lambda: self.deploy_other_stack(other, template)
        names = sorted(set(NAMES))
        return lambda: self.add_profiles(names[number % len(names)])

    def deploy_other_stack(self, name: str, template: Template) -> None:
        """Deploy the other stack during an operation."""
        stack = self.stacks[name]
        is_a_delete_running = any(sent.kind == "Delete" for sent in self.simulation.open_events)
        if stack.failed_rollbacks or stack.failed_deletes or stack.is_gone or is_a_delete_running:
            return
        self.was_disturbed = True
        outer, self.simulation.schedule = self.simulation.schedule, Schedule()
        stack.deploy(template)
        self.simulation.schedule = outer

    def add_profiles(self, name: str) -> None:
        self.was_disturbed = True
        if name in live_domains():
            live_domains()[name].profile_count = 5

    # What people do with the API

    @rule(
        name=st.sampled_from(NAMES),
        contents=st.sampled_from(["", "", "profiles", "object types"]),
        foreign=st.booleans(),
    )
    def a_person_creates_a_domain(self, name: str, contents: str, foreign: bool) -> None:
        if name not in live_domains():
            domain = Domain(name, {"DefaultExpirationDays": 7}, ELSEWHERE if foreign else {}, ACCOUNT, REGION)
            live_domains()[name] = domain
            self.set_contents(domain, contents)
            self.observations.preexisting.append(domain)

    @precondition(lambda self: bool(live_domains()))
    @rule(data=st.data(), contents=st.sampled_from(["", "profiles", "objects", "object types"]))
    def a_person_changes_what_a_domain_contains(self, data: st.DataObject, contents: str) -> None:
        self.set_contents(self.any_domain(data), contents)

    @precondition(lambda self: bool(live_domains()))
    @rule(
        data=st.data(),
        does=st.sampled_from(["delete", "remove tags", "tag for another resource", "change settings"]),
        keys=st.sets(st.sampled_from(sorted(OWNERSHIP)), min_size=1),
        other=st.tuples(st.sampled_from([*STACKS, "elsewhere"]), st.sampled_from(LOGICAL_IDS)),
    )
    def a_person_changes_a_domain(self, data: st.DataObject, does: str, keys: set[str], other: tuple[str, str]) -> None:
        domain = self.any_domain(data)
        match does:
            case "delete":
                del live_domains()[domain.name]
                self.observations.exempt([domain])
            case "remove tags":
                domain.untag(sorted(keys))
                self.observations.exempt([domain])
            case "tag for another resource":
                domain.tag({STACK_ID: stack_arn(other[0]), LOGICAL_ID: other[1]})
                self.observations.exempt([domain])
            case "change settings":
                domain.update({"DefaultExpirationDays": 1000})
                domain.tag({"by": "hand"})

    # What must be true after every step

    @invariant()
    def no_domain_is_orphaned(self) -> None:
        for domain, claim in promises.orphaned(self.simulation.stacks.values()):
            is_exempt = any(each is domain for each in self.observations.exempt_domains) or self.is_retained(
                domain, claim
            )
            assert is_exempt or promises.is_kept_because_in_use(domain, claim), (
                f"{claim.logical_id} has a claim on {domain.name}, but its stack does not know the domain"
            )
            if not is_exempt:
                self.observations.exempt([domain])  # left because it is in use, with a warning in the log
        for domain in promises.unclaimed(self.observations):
            is_exempt = any(each is domain for each in self.observations.exempt_domains)
            assert is_exempt, f"the function created {domain.name}, and no resource has a claim on it"

    @invariant()
    def preexisting_domains_still_exist(self) -> None:
        for domain in self.observations.preexisting:
            assert live_domains().get(domain.name) is domain, f"{domain.name} existed before all stacks and was deleted"

    def assert_converged(
        self, stack_id: str, logical_id: str, properties: Mapping[str, Any], *, is_rolled_back: bool
    ) -> None:
        domain = live_domains().get(properties["DomainName"])
        if domain is None:
            # A person deleted it, another resource made it again, and the rollback left that to it, and then undid it.
            assert is_rolled_back, "an update succeeded, and its resource has no domain"
            return
        if not promises.is_own(domain.tags, stack_id, logical_id):
            resources = [claim.resource for claim in promises.claims(domain.tags)]
            assert is_rolled_back or (stack_id, logical_id) in resources, (
                "an update succeeded, but its resource has no claim on the domain"
            )
            return
        assert domain.tags.items() >= properties.get("Tags", {}).items()
        for key in ("DefaultExpirationDays", "DeadLetterQueueUrl"):
            if key in properties:
                assert domain.configuration.get(key, "") == properties[key]
        if "Matching" in properties:
            enabled = domain.configuration.get("Matching", {}).get("Enabled", False)
            assert enabled == properties["Matching"]["Enabled"]

    def is_retained(self, domain: Domain, claim: promises.Claim) -> bool:
        stack = self.simulation.stacks.get(claim.stack_id)
        names = {name for key, name in stack.retained if claim.logical_id in (key, NO_ID + key)} if stack else set()
        return domain.name in names

    def cleaned_up_stack(self, name: str) -> Stack:
        """The stack, after all failed rollbacks and Deletes were retried. A new one if it was deleted."""
        stack = self.stacks[name]
        self.simulation.schedule = Schedule()
        if stack.failed_rollbacks:
            stack.continue_rollback()
            for logical_id in list(stack.failed_rollbacks):
                stack.skip_rollback(logical_id)
        stack.retry_deletes()
        if stack.is_gone and stack.status != "DELETE_COMPLETE":
            stack.delete()
        for failed in stack.failed_deletes:  # refused again, so the user keeps the domain
            names = str(failed.request.properties["DomainName"]), failed.request.physical_id or ""
            stack.retained += [(failed.request.logical_id, name) for name in names]
        stack.failed_deletes.clear()
        self.simulation.finish_background()
        if stack.is_gone:
            self.stacks[name] = stack = self.simulation.stack(name, forgets_removed=stack.forgets_removed)
        return stack

    @staticmethod
    def set_contents(domain: Domain, contents: str) -> None:
        domain.profile_count, domain.object_count = 3 * (contents == "profiles"), 2 * (contents == "objects")
        domain.object_types.clear()
        if contents == "object types":
            domain.object_types["CTR"] = DomainItem({"ObjectTypeName": "CTR", "Description": "calls"})

    @staticmethod
    def any_domain(data: st.DataObject) -> Domain:
        return live_domains()[data.draw(st.sampled_from(sorted(live_domains())), "domain")]


_interruptions = st.sampled_from(["a late event arrives", "the other stack is deployed", "profiles are added"])


@st.composite
def changed_templates(draw: st.DrawFn, template: Template) -> Template:
    """The template after one or two typical changes, with its resources in any order."""
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


def test_no_sequence_of_events_deletes_a_foreign_domain_or_orphans_one(mailbox: Mailbox) -> None:
    CloudFormationMachine.mailbox = mailbox
    is_soak = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
    # Phase.explain is left out because it traces every line. Only the soak shrinks a failing sequence, in minutes.
    phases = (Phase.reuse, Phase.generate, Phase.shrink) if is_soak else (Phase.generate,)
    logging.disable(logging.CRITICAL)  # otherwise half of the time is spent on the log
    try:
        run_state_machine_as_test(
            CloudFormationMachine,
            settings=settings(settings() if is_soak else settings(max_examples=100), phases=phases),
        )
    finally:
        logging.disable(logging.NOTSET)
