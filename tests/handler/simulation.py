"""Simulates what happens between CloudFormation and the function: delivery of events, concurrency, faults and time.

- stacks.py says which events a stack sends, in phases.
- `Simulation.send_phase` sends the events of one phase. It runs their invocations step by step, in a chosen order.
- An invocation pauses before and after each API call (environments.py). There another invocation can go on.
- An event can be slow, lost or cancelled while it runs, be delivered twice at once, or again hours later. Its
  invocation can be killed; Lambda then runs the event again.
- After each call that the API carries out, promises.py checks whether the event was allowed to make it.

Everything runs in one thread with a simulated clock, so a run can be repeated exactly.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.client import BaseClient

from handler import cloudformation
from local.customerprofiles.models import Domain
from tests.handler import promises
from tests.handler.cloudformation import Answer, Function, Mailbox, stack_arn
from tests.handler.describe_api import DescribeApi, DescribeError
from tests.handler.environments import Environments, Invocation
from tests.handler.faults import REFUSED, Acts, Call, Clock, Fault, Wire, live_domains
from tests.handler.stacks import PhaseResult, Request, Stack, succeeded

CALL_SECONDS = 0.03
RECENT = 1.0  # seconds: the function may delete a domain that it has read so long ago
CANCELLABLE = 2.0  # seconds: the function asks about an event of this age before its answer
LATE_TO_START = 30.0  # seconds: an event of this age may have been delivered before
# How long CloudFormation takes from a failure or a cancellation to the next event. The value is from public logs.
SECONDS_UNTIL_ROLLBACK = 2.0
# Lambda retries an event whose invocation raised an exception: after about one minute, then after two more.
RETRY_DELAYS = (60.0, 120.0)
SERVICE_TIMEOUT = 3600.0
# The minimum age, in seconds, of an event that is delivered again as a late event.
LATE_AFTER = 120.0


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong in one run of an event.

    Requests to the API and pauses are counted from 0. There are two pauses for each request: before and after it.
    """

    fault: Fault | None = None
    at_request: int = 0  # the first request that the fault hits
    is_lasting: bool = False  # whether the fault hits all later requests, too
    refused_answers: int = 0  # how often the server of the ResponseURL refuses the answer
    describe_error: DescribeError | None = None  # what CloudFormation answers to every question
    slow_at: int = -1  # the pause that takes `slow_seconds` longer
    slow_seconds: float = 0.0

    def fault_for(self, request: int) -> Fault | None:
        is_hit = request == self.at_request or (self.is_lasting and request > self.at_request)
        return self.fault if is_hit else None


NO_DISTURBANCE = Disturbance()


@dataclass(frozen=True)
class EventPlan:
    """What happens to one event on its way."""

    runs: tuple[Disturbance, ...] = ()  # of the first run and of each retry by Lambda
    answer_is_lost: bool = False
    is_held_back: bool = False  # not delivered while CloudFormation waits for its answer
    queue_seconds: float = 0.0  # how long the event waits in Lambda's queue
    duplicate_at: int | None = None  # the pause at which a duplicate delivery starts

    def disturbance(self, run_number: int) -> Disturbance:
        return self.runs[run_number] if run_number < len(self.runs) else NO_DISTURBANCE


@dataclass
class Schedule:
    """How one operation of a stack goes. Pauses are counted over all invocations of the operation."""

    event_plans: list[EventPlan] = field(default_factory=list)  # in the order in which the events are sent
    sibling_fails_at: int | None = None  # the pause at which another resource of the stack fails
    in_parallel: bool = False  # whether all events of a phase are sent at the same time
    turns: list[int] = field(default_factory=list)  # which of the running invocations goes on next
    interruptions: dict[int, Callable[[], None]] = field(default_factory=dict)  # what else happens, by pause
    pauses: int = 0  # so far

    def copy(self) -> Schedule:
        """An operation uses up its schedule, so it gets a copy."""
        return replace(
            self, event_plans=list(self.event_plans), turns=list(self.turns), interruptions=dict(self.interruptions)
        )


@dataclass(eq=False)
class SentEvent:
    """One delivery of an event, with Lambda's retries of it, and what was observed meanwhile."""

    event: dict[str, Any]
    stack: Stack
    plan: EventPlan
    sent_at: float
    is_awaited: bool = True  # CloudFormation waits for its answer
    has_succeeded: bool = False  # as far as CloudFormation knows
    run_number: int = 0  # 0 for the first run, then Lambda's retries
    age_at_start: float = 0.0  # of the latest run, in seconds
    has_ended: bool = False
    invocation: Invocation | None = None
    environment: Any = None
    requests: int = 0  # in this run
    pauses: int = 0
    # Observations that the checks need.
    touched: list[Domain] = field(default_factory=list)
    claimed: list[Domain] = field(default_factory=list)
    # By domain name: what the event saw when it last read the domain.
    seen_in_use: dict[str, bool] = field(default_factory=dict)
    seen_claims: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    looked_at: dict[str, float] = field(default_factory=dict)  # when that was
    attempted_at: float = 0.0  # when it began its last attempt at a call
    describe_failed: bool = False  # CloudFormation did not answer a question
    describe_calls: list[str] = field(default_factory=list)  # the questions that CloudFormation answered
    may_have_changed: bool = False  # a call may have changed something
    had_failed_reads: bool = False
    had_failed_lists: bool = False  # if what a domain contains cannot be listed, it counts as in use
    has_duplicate: bool = False
    met_deadline: bool = False
    has_changed_late: bool = False  # the API carried a change out after CloudFormation had cancelled the event

    @property
    def request_id(self) -> str:
        return str(self.event["RequestId"])

    @property
    def kind(self) -> str:
        return str(self.event["RequestType"])

    @property
    def disturbance(self) -> Disturbance:
        return self.plan.disturbance(self.run_number)

    def is_like(self, other: SentEvent) -> bool:
        """Whether both ask for the same change of the same resource."""
        return all(
            self.event.get(key) == other.event.get(key)
            for key in ("StackId", "LogicalResourceId", "RequestType", "PhysicalResourceId", "ResourceProperties")
        )


class Simulation:
    """Stacks, the function and the API. Between two operations no invocation runs."""

    def __init__(self, client: BaseClient, clock: Clock, mailbox: Mailbox, wire: Wire) -> None:
        self.clock = clock
        self.mailbox = mailbox
        self.wire = wire
        self.environments = Environments(client, clock)
        self.stacks: dict[str, Stack] = {}  # by ARN; deleted ones stay
        self.history: list[SentEvent] = []
        self.background: list[SentEvent] = []
        self.open_events: list[SentEvent] = []
        self.schedule = Schedule()
        self.observations = promises.Observations()
        self.violations: list[AssertionError] = []
        self.races = 0
        self.late_changes = 0  # of events that were cancelled while the change was on its way
        self._current: SentEvent | None = None
        describe_api = DescribeApi(lambda: self.stacks, clock)
        describe_api.attach(cloudformation.client())
        describe_api.on_call = self._on_describe
        describe_api.error_for = self._describe_error
        wire.on_attempt = self._on_attempt
        wire.on_reply = lambda attempt, operation: self._pause()
        wire.fault_plan = lambda attempt, operation: self._fault_for(operation)

    def stack(self, name: str, *, forgets_removed: bool = False) -> Stack:
        """A new stack. If one of the same name was deleted, the new one gets another ARN."""
        arn = stack_arn(name) + (f"-{len(self.stacks)}" if stack_arn(name) in self.stacks else "")
        stack = Stack(arn, _unused_send, self.send_phase, self.clock.time, forgets_removed)
        self.stacks[arn] = stack
        return stack

    # One phase of an operation

    def send_phase(self, stack: Stack, requests: Sequence[Request], is_forward: bool) -> PhaseResult:
        """Send the events of one phase of a stack's operation.

        If one fails in a forward phase, the others are cancelled, and no more are sent.
        """
        waiting = list(enumerate(requests))
        awaited: dict[int, SentEvent] = {}
        answers: dict[int, Answer | None] = {}
        sibling_fails_at = self.schedule.sibling_fails_at if is_forward else None
        first = self.schedule.pauses
        has_failed = False
        while (waiting or awaited) and not has_failed:
            while waiting and (self.schedule.in_parallel or not awaited):
                index, request = waiting.pop(0)
                awaited[index] = self._send(stack, request)
            self._run_next(list(awaited.values()))
            for index, sent in list(awaited.items()):
                others = [other for other in awaited.values() if other is not sent]
                if self._is_settled(sent, alone=not any(map(self._may_be_answered, others))):
                    answers[index] = self._close(sent, requests[index])
                    del awaited[index]
                    has_failed |= is_forward and not succeeded(answers[index])
            has_failed |= sibling_fails_at is not None and self.schedule.pauses - first >= sibling_fails_at
        for index, sent in awaited.items():
            answers[index] = self._close(sent, requests[index], cancelled=True)
        if awaited or has_failed or sibling_fails_at is not None:
            self.clock.now += SECONDS_UNTIL_ROLLBACK
        return PhaseResult(answers, sibling_fails_at is not None)

    def _send(self, stack: Stack, request: Request) -> SentEvent:
        self.clock.now += 0.4
        event = stack.begin(request)
        plan = self.schedule.event_plans.pop(0) if self.schedule.event_plans else EventPlan()
        sent = SentEvent(event, stack, plan, self.clock.time())
        event["ResponseURL"] = self.mailbox.url(sent_at=sent.sent_at)
        self.history.append(sent)
        self.open_events.append(sent)
        self.clock.now += plan.queue_seconds
        return sent

    def _is_settled(self, sent: SentEvent, *, alone: bool) -> bool:
        """Whether CloudFormation has the answer or has waited until the timeout.

        `alone`: no other event can be answered. The clock is moved to the timeout only then: it is everyone's clock.
        """
        if self._answer(sent) is not None:
            return True
        if self._may_be_answered(sent):
            return False
        if alone:
            self.finish_background()
            self.clock.now += max(0.0, sent.sent_at + SERVICE_TIMEOUT - self.clock.time())
        return alone

    def _may_be_answered(self, sent: SentEvent) -> bool:
        return self._answer(sent) is not None or not (sent.has_ended or sent.plan.is_held_back)

    def _answer(self, sent: SentEvent) -> Answer | None:
        answers = self.mailbox.taken(sent.request_id)
        return answers[0] if answers and not sent.plan.answer_is_lost else None

    def _close(self, sent: SentEvent, request: Request, *, cancelled: bool = False) -> Answer | None:
        answer = None if cancelled else self._answer(sent)
        sent.is_awaited = False
        sent.has_succeeded = succeeded(answer)
        self.open_events.remove(sent)
        sent.stack.end(request, answer)
        if not sent.has_ended and not sent.plan.is_held_back:
            self.background.append(sent)
        self._check_delete_after_harmless_create(sent, answer)
        if sent.kind != "Create":
            self.observations.record_clean_up(sent.event)
        return answer

    def _check_delete_after_harmless_create(self, sent: SentEvent, answer: Answer | None) -> None:
        if sent.kind == "Create" and answer is not None:
            is_sure = sent.run_number == 0 and not sent.has_duplicate and sent.age_at_start < LATE_TO_START
            if is_sure and not sent.may_have_changed and not sent.had_failed_reads and not succeeded(answer):
                self.observations.created_nothing.add(answer["PhysicalResourceId"])
        if sent.event.get("PhysicalResourceId") in self.observations.created_nothing and sent.kind == "Delete":
            assert sent.requests == 0, "a Delete after a Create that had created nothing called the API"

    # One step: an invocation runs until its next pause

    def _run_next(self, awaited: Sequence[SentEvent]) -> None:
        runnable = [sent for sent in awaited if not (sent.has_ended or sent.plan.is_held_back)]
        runnable += self.background
        if runnable:
            turn = self.schedule.turns.pop(0) if self.schedule.turns else 0
            self._step(runnable[turn % len(runnable)])

    def finish_background(self) -> None:
        """Let all invocations end, and the API carry out all delayed calls."""
        while self.background:
            self._run_next([])
        self.wire.carry_out_delayed_calls(all_pending=True)
        self._raise_violation()

    def _step(self, sent: SentEvent) -> None:
        if sent.invocation is None:
            self._start(sent)
        assert sent.invocation is not None
        self._current = sent
        self.wire.on_act = functools.partial(self._check_call, sent)
        is_paused = sent.invocation.step()
        self._current = None
        if not is_paused:
            self._finish(sent)
        self._raise_violation()
        self.schedule.pauses += 1
        if sent.plan.duplicate_at == sent.pauses and not sent.has_duplicate:
            self.background.append(self._duplicate(sent))
        interruption = self.schedule.interruptions.pop(self.schedule.pauses, None)
        if interruption is not None:
            interruption()

    def _start(self, sent: SentEvent) -> None:
        sent.environment = self.environments.take()
        self.mailbox.refuses[sent.event["ResponseURL"]] = sent.disturbance.refused_answers
        function = Function(self.clock, self.mailbox, sent.environment)
        sent.invocation = Invocation(lambda: function.invoke(sent.event))
        sent.age_at_start = self.clock.time() - sent.sent_at
        sent.requests = 0

    def _finish(self, sent: SentEvent) -> None:
        assert sent.invocation is not None
        delivery = sent.invocation.delivery
        assert delivery is not None
        self.environments.give_back(sent.environment)
        sent.invocation = None
        sent.has_ended = delivery.error is None or sent.run_number == len(RETRY_DELAYS)
        if not sent.has_ended:
            self.clock.now += RETRY_DELAYS[sent.run_number]
            sent.run_number += 1
        elif sent in self.background:
            self.background.remove(sent)
        adopts = sent.event["ResourceProperties"].get("AdoptExisting") == "true"
        # Three cases cannot be made safe, so they are exempt from the checks: a takeover that meets the deadline, an
        # event for which CloudFormation gave no answer, and a change that was on its way when the event was cancelled,
        # if the API refuses to undo that for as long as it is tried, its time is up before, or the function is killed
        # then, and again at every retry, or the stack lists the resource no more by then.
        is_killed = delivery.error is not None and (sent.stack.forgets_removed or sent.has_ended)
        is_refused = "could not be" in (delivery.returned or {}).get("Reason", "")
        is_cut_off = sent.met_deadline or is_killed or is_refused
        is_never_undone = is_cut_off and sent.has_changed_late
        if (sent.met_deadline and adopts) or (sent.describe_failed and not sent.is_awaited) or is_never_undone:
            self.observations.exempt(sent.touched)
        # Two deliveries of one event at the same time: one fails, and the other one succeeds before it has to ask.
        answers = {succeeded(answer) for answer in self.mailbox.taken(sent.request_id)}
        is_contradicted = len(answers) > 1 and self.clock.time() - sent.sent_at < CANCELLABLE
        if sent.had_failed_lists or is_contradicted:
            self.observations.exempt(sent.touched)

    def _duplicate(self, sent: SentEvent) -> SentEvent:
        """A duplicate delivery of an event. It has the same RequestId, so both answers look alike."""
        sent.has_duplicate = True
        url = self.mailbox.url(sent_at=sent.sent_at)
        plan = EventPlan(runs=(NO_DISTURBANCE,) * 3)
        return SentEvent(sent.event | {"ResponseURL": url}, sent.stack, plan, sent.sent_at, is_awaited=False)

    # Late events: Lambda delivers them, again or for the first time, long after CloudFormation has stopped waiting

    def past_events(self) -> list[SentEvent]:
        """The events that CloudFormation has stopped waiting for."""
        old = self.clock.time() - LATE_AFTER
        return [sent for sent in self.history if not sent.is_awaited and sent.sent_at < old]

    def deliver_late(self, sent: SentEvent, disturbance: Disturbance = NO_DISTURBANCE) -> None:
        """Deliver it to its end and check that it changes nothing.

        Exceptions: Two events changed the claims of a domain at the same time (docs/limits.md), and it repeats one of
        them. CloudFormation waits for an equal event at that moment. A Create that never succeeded may delete the
        domain that an earlier delivery of it created. A clean-up Delete that never succeeded may still delete its
        domain: CloudFormation reports another physical id by then, and nothing else would delete the domain.
        """
        late = self._duplicate(sent)
        late.plan = EventPlan(runs=(disturbance,) * 3)
        before = snapshot()
        self.background.append(late)
        waiting, self.schedule.interruptions = self.schedule.interruptions, {}
        while not late.has_ended:
            self._step(late)
        self.schedule.interruptions = waiting
        may_clean_up = sent.kind in ("Create", "Delete") and not sent.has_succeeded
        is_repair = sent.kind == "Delete" and self.races > 0
        if not (
            may_clean_up or late.describe_failed or is_repair or any(late.is_like(other) for other in self.open_events)
        ):
            keys = ("PhysicalResourceId", "ResourceProperties", "LogicalResourceId")
            details = {key: late.event.get(key) for key in keys}
            after = snapshot()
            assert after == before, (
                f"a late {late.kind} changed something: {details}, CloudFormation was asked {late.describe_calls}, "
                f"before {before}, after {after}"
            )

    # What happens within an invocation

    def _on_attempt(self, attempt: int, operation: str) -> None:
        if self._current is not None:
            self._current.attempted_at = self.clock.now
        self._pause()
        if self._current is not None:
            self._current.requests += 1

    def _pause(self) -> None:
        sent = self._current
        if sent is None:
            return
        self.clock.now += CALL_SECONDS
        if sent.disturbance.slow_at == sent.pauses:
            self.clock.now += sent.disturbance.slow_seconds
        sent.pauses += 1
        Invocation.pause()

    def _fault_for(self, operation: str) -> Fault | None:
        sent = self._current
        if sent is None:
            return None
        fault = sent.disturbance.fault_for(sent.requests - 1)
        if fault is not None and _is_false_success(fault) and operation in ("TagResource", "UntagResource"):
            fault = None  # the response to these has nothing in it that tells a false one
        sent.met_deadline |= fault is not None and "deadline" in fault.name
        if operation.startswith(("Get", "List")):
            sent.had_failed_reads |= fault is not None
            sent.had_failed_lists |= fault is not None and operation.startswith("List")
        elif fault is not None and not _is_refused(fault):
            sent.may_have_changed = True
        return fault

    def _on_describe(self, operation: str) -> None:
        self._pause()

    def _describe_error(self, operation: str) -> DescribeError | None:
        sent = self._current
        if sent is None:
            return None
        if sent.disturbance.describe_error is None:
            sent.describe_calls.append(operation)
        else:
            sent.describe_failed = True
        return sent.disturbance.describe_error

    def _check_call(self, sent: SentEvent, call: Call) -> None:
        """Record and check a call that the API has just carried out.

        A failed check is raised later: raised here, inside botocore, the handler would take it for an error of the API.
        """
        try:
            is_exempt = self._current is not sent and not sent.is_awaited
            self.observations.record(sent.event, call, is_exempt=is_exempt)
            if call.is_change:
                sent.may_have_changed = True
                self.late_changes += not sent.is_awaited
                sent.has_changed_late |= not sent.is_awaited
            if self._is_race(sent, call, is_cancelled=not sent.is_awaited):
                self.observations.exempt(filter(None, (live_domains().get(call.name), call.domain)))
                sent.claimed += filter(None, (live_domains().get(call.name),))
                self.races += 1
                return
            if call.domain or call.operation == "CreateDomain":
                domain = live_domains().get(call.name) or call.domain
                if domain is not None and domain not in sent.touched:
                    sent.touched.append(domain)
                if domain is not None and promises.has_claim(domain.tags, sent.event):
                    sent.may_have_changed = True  # an earlier delivery may have created it
                    sent.claimed.append(domain)
            # The function cannot know of data that was added after it last read the domain.
            is_in_use = call.is_in_use_before and sent.seen_in_use.get(call.name, True)
            promises.check_call(
                sent.event,
                replace(call, is_in_use_before=is_in_use),
                has_claimed_before=call.domain in sent.claimed,
                is_undone=sent.stack.undoes,
                has_asked="DescribeStacks" in sent.describe_calls,
                never_created=[each for each in sent.stack.never_created() if each != promises.resource_of(sent.event)],
            )
        except AssertionError as error:
            self.violations.append(error)

    def _is_race(self, sent: SentEvent, call: Call, *, is_cancelled: bool) -> bool:
        """Whether another resource changed the claims after this event last read them.

        If the event `is_cancelled`, a later event of the same resource may have done so, too. The API has no
        conditional writes, so the function cannot prevent this. It must read them right before it deletes a domain.
        """
        seen_claims = sent.seen_claims.get(call.name, [])
        if call.operation == "GetDomain":  # the List operations report neither tags nor the numbers of profiles
            sent.seen_claims[call.name] = promises.resources(call.tags_before)
            sent.seen_in_use[call.name] = call.is_in_use_before
            sent.looked_at[call.name] = self.clock.now
        is_tagging = call.operation in ("TagResource", "UntagResource")
        is_recent = sent.attempted_at - sent.looked_at.get(call.name, 0.0) <= RECENT
        if not (is_tagging or (call.operation == "DeleteDomain" and is_recent)):
            return False
        mine = promises.resource_of(sent.event)
        if call.name in live_domains():
            sent.seen_claims[call.name] = promises.resources(live_domains()[call.name].tags)
        seen, before = (
            [each for each in resources if is_cancelled or each != mine]
            for resources in (seen_claims, promises.resources(call.tags_before))
        )
        return seen != before

    def _raise_violation(self) -> None:
        if self.violations:
            raise self.violations.pop()


def snapshot() -> Mapping[str, Any]:
    """The identity, the tags and the settings of every domain."""
    return {
        name: (id(domain), dict(domain.tags), dict(domain.configuration)) for name, domain in live_domains().items()
    }


def _is_false_success(fault: Fault) -> bool:
    return fault.acts is Acts.NEVER and fault.name.startswith("200")


def _is_refused(fault: Fault) -> bool:
    """Whether the caller can be sure that the API did not carry out the call."""
    return fault is REFUSED or (fault.acts is Acts.NEVER and fault.is_answer and not fault.is_server_error)


def _unused_send(event: dict[str, Any]) -> None:
    raise AssertionError("Simulation.send_phase sends all events")
