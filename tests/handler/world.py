"""The world around the function: CloudFormation's events on their way, Lambda's habits, and time.

An event may be slow, lost, cancelled while it runs, delivered twice at the same time or again hours later, and die.
Whatever it does, the judge (promises.py) looks at each call that the API carries out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.client import BaseClient

from handler import stack as asking
from local.customerprofiles.models import Domain
from tests.handler import promises
from tests.handler.cloudformation import Answer, Function, Mailbox, stack_arn
from tests.handler.environments import Environments, Invocation
from tests.handler.faults import REFUSED, Acts, Call, Clock, Fault, Wire, live_domains
from tests.handler.questions import Questions, Refusal
from tests.handler.stacks import Carried, Request, Stack, succeeded

CALL_TAKES = 0.03  # seconds
# Between a cancellation, or a failure, and the event that follows it, in the logs that are public.
AFTER_CANCELLATION = 2.0
# Lambda runs an event again whose invocation raised, after about one minute and after two more.
PAUSES = (60.0, 120.0)
SERVICE_TIMEOUT = 3600.0
# An event that Lambda delivers again long after the first time is this old at least, in seconds.
LATE = 120.0


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one delivery of an event. Stops are counted: two for each call, before and after it acts."""

    fault: Fault | None = None
    at: int = 0
    lasting: bool = False
    answer_is_refused: int = 0
    refusal: Refusal | None = None  # of CloudFormation, to say anything
    slow_at: int = -1
    slow_by: float = 0.0

    def __call__(self, attempt: int) -> Fault | None:
        is_hit = attempt == self.at or (self.lasting and attempt > self.at)
        return self.fault if is_hit else None


NO_TROUBLE = Trouble()


@dataclass(frozen=True)
class Way:
    """What happens to one event: in each of the lives that Lambda gives it, and else."""

    lives: tuple[Trouble, ...] = ()
    answer_is_lost: bool = False
    is_held_back: bool = False  # not delivered before CloudFormation has given up on it
    queued: float = 0.0
    twin_at: int | None = None  # the stop at which a second delivery begins

    def trouble(self, life: int) -> Trouble:
        return self.lives[life] if life < len(self.lives) else NO_TROUBLE


@dataclass
class Schedule:
    """How one operation goes: the ways of its events in the order in which they are sent, and who goes on when."""

    ways: list[Way] = field(default_factory=list)
    fails_at: int | None = None  # the stop at which a sibling resource fails
    together: bool = False  # whether the resources of one phase are worked on at the same time
    turns: list[int] = field(default_factory=list)
    visits: dict[int, Callable[[], None]] = field(default_factory=dict)
    stops: int = 0

    def fresh(self) -> Schedule:
        """The same once more, since an operation uses it up."""
        return replace(self, ways=list(self.ways), turns=list(self.turns), visits=dict(self.visits))


@dataclass(eq=False)
class Sending:
    """One event on its way; `is_awaited` as long as CloudFormation waits for its answer."""

    event: dict[str, Any]
    stack: Stack
    way: Way
    sent_at: float
    is_awaited: bool = True
    has_succeeded: bool = False  # as far as CloudFormation knows
    life: int = 0
    has_ended: bool = False
    invocation: Invocation | None = None
    environment: Any = None
    attempts: int = 0
    stops: int = 0
    # What the judge needs to know of it.
    made: list[Domain] = field(default_factory=list)
    touched: list[Domain] = field(default_factory=list)
    had_claimed: list[Domain] = field(default_factory=list)
    saw_in_use: dict[str, bool] = field(default_factory=dict)
    saw: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # the claims, when it last looked at a domain
    is_blind: bool = False  # CloudFormation refused to say something
    was_told: list[str] = field(default_factory=list)  # what CloudFormation was asked, and answered
    can_have_acted: bool = False
    has_failed_looks: bool = False
    has_failed_lists: bool = False  # a domain whose contents nobody can list counts as in use
    has_twin: bool = False
    met_deadline: bool = False

    @property
    def request_id(self) -> str:
        return str(self.event["RequestId"])

    @property
    def kind(self) -> str:
        return str(self.event["RequestType"])

    @property
    def trouble(self) -> Trouble:
        return self.way.trouble(self.life)

    def is_like(self, other: Sending) -> bool:
        """Whether both ask for the same thing."""
        return all(
            self.event.get(key) == other.event.get(key)
            for key in ("StackId", "LogicalResourceId", "RequestType", "PhysicalResourceId", "ResourceProperties")
        )


class World:
    """Stacks, the function, and the API. Between two operations nothing is on its way, but for what `lingers`."""

    def __init__(self, client: BaseClient, clock: Clock, mailbox: Mailbox, wire: Wire) -> None:
        self.clock = clock
        self.mailbox = mailbox
        self.wire = wire
        self.environments = Environments(client, clock)
        self.stacks: dict[str, Stack] = {}  # by ARN, those included that are gone
        self.history: list[Sending] = []
        self.background: list[Sending] = []
        self.open: list[Sending] = []
        self.schedule = Schedule()
        self.ledger = promises.Ledger()
        self.violations: list[AssertionError] = []
        self.races = 0
        self._current: Sending | None = None
        questions = Questions(lambda: self.stacks, clock)
        questions.attach(asking.client())
        questions.on_question = self._question
        questions.refusal = self._refusal
        wire.on_attempt = self._attempt
        wire.on_reply = lambda attempt, operation: self._stop()
        wire.trouble = lambda attempt, operation: self._fault(operation)

    def stack(self, name: str, *, forgets_removed: bool = False) -> Stack:
        """A new stack; one of the same name that is gone had another ARN."""
        arn = stack_arn(name) + (f"-{len(self.stacks)}" if stack_arn(name) in self.stacks else "")
        made = Stack(arn, _never, self.carry_out, self.clock.time, forgets_removed)
        self.stacks[arn] = made
        return made

    # One phase of an operation

    def carry_out(self, stack: Stack, requests: Sequence[Request], is_forward: bool) -> Carried:
        """Send the events of one phase of a stack's operation; the rest is cancelled where one fails."""
        waiting = list(enumerate(requests))
        awaited: dict[int, Sending] = {}
        answers: dict[int, Answer | None] = {}
        fails_at = self.schedule.fails_at if is_forward else None
        first = self.schedule.stops
        has_failed = False
        while (waiting or awaited) and not has_failed:
            while waiting and (self.schedule.together or not awaited):
                index, request = waiting.pop(0)
                awaited[index] = self._send(stack, request)
            self._turn(list(awaited.values()))
            for index, sending in list(awaited.items()):
                if self._is_settled(sending, alone=len(awaited) == 1):
                    answers[index] = self._close(sending, requests[index])
                    del awaited[index]
                    has_failed |= is_forward and not succeeded(answers[index])
            has_failed |= fails_at is not None and self.schedule.stops - first >= fails_at
        for index, sending in awaited.items():
            answers[index] = self._close(sending, requests[index], cancelled=True)
        if awaited or has_failed:
            self.clock.now += AFTER_CANCELLATION
        return Carried(answers, fails_at is not None)

    def _send(self, stack: Stack, request: Request) -> Sending:
        self.clock.now += 0.4
        event = stack.begin(request)
        way = self.schedule.ways.pop(0) if self.schedule.ways else Way()
        sending = Sending(event, stack, way, self.clock.time())
        event["ResponseURL"] = self.mailbox.url(sent_at=sending.sent_at)
        self.history.append(sending)
        self.open.append(sending)
        self.clock.now += way.queued
        return sending

    def _is_settled(self, sending: Sending, *, alone: bool) -> bool:
        """Whether CloudFormation has an answer, or has waited in vain."""
        if self._answer(sending) is not None:
            return True
        if not (sending.has_ended or sending.way.is_held_back):
            return False
        if alone:  # the time passes for all of them
            self.drain()
            self.clock.now += max(0.0, sending.sent_at + SERVICE_TIMEOUT - self.clock.time())
        return alone

    def _answer(self, sending: Sending) -> Answer | None:
        answers = self.mailbox.taken(sending.request_id)
        return answers[0] if answers and not sending.way.answer_is_lost else None

    def _close(self, sending: Sending, request: Request, *, cancelled: bool = False) -> Answer | None:
        answer = None if cancelled else self._answer(sending)
        sending.is_awaited = False
        sending.has_succeeded = succeeded(answer)
        self.open.remove(sending)
        sending.stack.end(request, answer)
        if not sending.has_ended and not sending.way.is_held_back:
            self.background.append(sending)
        self._judge_a_delete_without_calls(sending, answer)
        return answer

    def _judge_a_delete_without_calls(self, sending: Sending, answer: Answer | None) -> None:
        if sending.kind == "Create" and answer is not None:
            is_sure = sending.life == 0 and not sending.has_twin and sending.way.queued < 1
            if is_sure and not sending.can_have_acted and not sending.has_failed_looks and not succeeded(answer):
                self.ledger.made_nothing.add(answer["PhysicalResourceId"])
        if sending.event.get("PhysicalResourceId") in self.ledger.made_nothing and sending.kind == "Delete":
            assert sending.attempts == 0, "the Delete of a Create that made nothing made a call"

    # One step

    def _turn(self, awaited: Sequence[Sending]) -> None:
        able = [sending for sending in awaited if not (sending.has_ended or sending.way.is_held_back)]
        able += self.background
        if able:
            turn = self.schedule.turns.pop(0) if self.schedule.turns else 0
            self._step(able[turn % len(able)])

    def drain(self) -> None:
        """Let everything end that is on its way."""
        while self.background:
            self._turn([])
        self.wire.come_through(at_last=True)
        self._raise()

    def _step(self, sending: Sending) -> None:
        if sending.invocation is None:
            self._begin(sending)
        assert sending.invocation is not None
        self._current = sending
        self.wire.on_act = functools.partial(self._witness, sending)
        stopped = sending.invocation.step()
        self._current = None
        if not stopped:
            self._end(sending)
        self._raise()
        self.schedule.stops += 1
        if sending.way.twin_at == sending.stops and not sending.has_twin:
            self.background.append(self._again(sending))
        visit = self.schedule.visits.pop(self.schedule.stops, None)
        if visit is not None:
            visit()

    def _begin(self, sending: Sending) -> None:
        sending.environment = self.environments.take()
        self.mailbox.refuses[sending.event["ResponseURL"]] = sending.trouble.answer_is_refused
        function = Function(self.clock, self.mailbox, sending.environment)
        sending.invocation = Invocation(lambda: function.invoke(sending.event))
        sending.attempts = 0

    def _end(self, sending: Sending) -> None:
        assert sending.invocation is not None
        delivery = sending.invocation.delivery
        assert delivery is not None
        self.environments.give_back(sending.environment)
        sending.invocation = None
        sending.has_ended = delivery.error is None or sending.life == len(PAUSES)
        if not sending.has_ended:
            self.clock.now += PAUSES[sending.life]
            sending.life += 1
        elif sending in self.background:
            self.background.remove(sending)
        adopts = sending.event["ResourceProperties"].get("AdoptExisting") == "true"
        # What can't be made safe: a takeover that meets the deadline, and what CloudFormation can't be asked about.
        if (sending.met_deadline and adopts) or (sending.is_blind and not sending.is_awaited):
            self.ledger.excuse(sending.touched)
        if sending.has_failed_lists:
            self.ledger.excuse(sending.touched)

    def _again(self, sending: Sending) -> Sending:
        """A second delivery of an event, whose answer nobody can tell from the first one's."""
        sending.has_twin = True
        url = self.mailbox.url(sent_at=sending.sent_at)
        way = Way(lives=(NO_TROUBLE,) * 3)
        return Sending(sending.event | {"ResponseURL": url}, sending.stack, way, sending.sent_at, is_awaited=False)

    # Events that Lambda delivers again, or for the first time, long after CloudFormation has moved on

    def late(self) -> list[Sending]:
        """The events whose time has passed."""
        old = self.clock.time() - LATE
        return [sending for sending in self.history if not sending.is_awaited and sending.sent_at < old]

    def deliver_late(self, sending: Sending, trouble: Trouble = NO_TROUBLE) -> None:
        """Deliver it, all at once: nothing changes, unless CloudFormation waits for the same at that moment.

        A Create that never succeeded may remove what an earlier delivery of it has made, and the Delete of a clean-up
        that never succeeded may do so now: CloudFormation lists another physical id, and nothing else removes it.
        """
        again = self._again(sending)
        again.way = Way(lives=(trouble,) * 3)
        before = snapshot()
        self.background.append(again)
        while not again.has_ended:
            self._step(again)
        may_clean_up = sending.kind in ("Create", "Delete") and not sending.has_succeeded
        if not (may_clean_up or again.is_blind or any(again.is_like(other) for other in self.open)):
            sent = {
                key: again.event.get(key) for key in ("PhysicalResourceId", "ResourceProperties", "LogicalResourceId")
            }
            told = again.was_told
            after = snapshot()
            assert after == before, (
                f"a {again.kind} whose time had passed changed something: {sent} {told} {before} {after}"
            )

    # What happens within an invocation

    def _attempt(self, attempt: int, operation: str) -> None:
        self._stop()
        if self._current is not None:
            self._current.attempts += 1

    def _stop(self) -> None:
        sending = self._current
        if sending is None:
            return
        self.clock.now += CALL_TAKES
        if sending.trouble.slow_at == sending.stops:
            self.clock.now += sending.trouble.slow_by
        sending.stops += 1
        Invocation.stop()

    def _fault(self, operation: str) -> Fault | None:
        sending = self._current
        if sending is None:
            return None
        fault = sending.trouble(sending.attempts - 1)
        sending.met_deadline |= fault is not None and "deadline" in fault.name
        if operation.startswith(("Get", "List")):
            sending.has_failed_looks |= fault is not None
            sending.has_failed_lists |= fault is not None and operation.startswith("List")
        elif fault is not None and not _is_refused(fault):
            sending.can_have_acted = True
        return fault

    def _question(self, operation: str) -> None:
        self._stop()

    def _refusal(self, operation: str) -> Refusal | None:
        sending = self._current
        if sending is None:
            return None
        if sending.trouble.refusal is None:
            sending.was_told.append(operation)
        else:
            sending.is_blind = True
        return sending.trouble.refusal

    def _witness(self, sending: Sending, call: Call) -> None:
        """See what the API has just carried out; a verdict must not be taken for an error of the API's."""
        try:
            is_late = self._current is not sending
            self.ledger.note(sending.event, call, excused=is_late and not sending.is_awaited)
            if call.is_change:
                sending.can_have_acted = True
            if self._is_race(sending, call):
                self.ledger.excuse([live_domains()[call.name]])
                self.races += 1
                return
            if call.domain or call.operation == "CreateDomain":
                domain = live_domains().get(call.name) or call.domain
                if domain is not None and domain not in sending.touched:
                    sending.touched.append(domain)
                if domain is not None and promises.has_claim(domain.tags, sending.event):
                    sending.can_have_acted = True  # an earlier delivery may have made it
                    sending.had_claimed.append(domain)
            # What came in since it looked it could not know.
            is_in_use = call.is_in_use_before and sending.saw_in_use.get(call.name, True)
            promises.judge(
                sending.event,
                replace(call, is_in_use_before=is_in_use),
                had_claimed=call.domain in sending.had_claimed,
                is_rolling_back=sending.stack.is_rolling_back,
                was_told="DescribeStacks" in sending.was_told,
            )
        except AssertionError as error:
            self.violations.append(error)

    @staticmethod
    def _is_race(sending: Sending, call: Call) -> bool:
        """Whether others have claimed the domain since the event looked at it: the API has no conditional calls."""
        saw = sending.saw.get(call.name, [])
        if call.operation == "GetDomain" or not call.is_change:
            sending.saw[call.name] = promises.resources(call.tags_before)
            sending.saw_in_use[call.name] = call.is_in_use_before
            return False
        if call.operation not in ("TagResource", "UntagResource"):
            return False
        mine = promises.resource_of(sending.event)
        sending.saw[call.name] = promises.resources(live_domains()[call.name].tags)
        return bool(({*saw} ^ {*promises.resources(call.tags_before)}) - {mine})

    def _raise(self) -> None:
        if self.violations:
            raise self.violations.pop()


def snapshot() -> Mapping[str, Any]:
    """All domains, as a person sees them who looks at the API."""
    return {
        name: (id(domain), dict(domain.tags), dict(domain.configuration)) for name, domain in live_domains().items()
    }


def _is_refused(fault: Fault) -> bool:
    """Whether its caller can be sure that the API did not carry the call out."""
    return fault is REFUSED or (fault.acts is Acts.NEVER and fault.is_answer and not fault.is_server_error)


def _never(event: dict[str, Any]) -> None:
    raise AssertionError("the world carries events out, several at a time")
