"""Work on one domain: look, decide, act, and look again. Retries of a single call are in calls.py."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from handler import ownership
from handler.actions import Actions
from handler.changes import Live
from handler.claims import Claims, read_claims
from handler.convergence import reclaim
from handler.deadline import DeadlineReached
from handler.domains import ApiError, DomainNotFoundError, Domains
from handler.event import Event
from handler.ownership import Owner
from handler.plans import (
    Ask,
    Change,
    Destroy,
    Facts,
    Make,
    Plan,
    Refuse,
    RefusedError,
    Use,
)
from handler.questions import Questions
from handler.telemetry import logger

Decide = Callable[[Facts], Plan]

# Rounds in one event: a guard against an endless loop. A round that retries a call pauses, so the deadline comes first.
_MOST_ROUNDS = 1000
# Seconds after which a look is too old to change the domain on: questions may have taken their time since.
_OLD_LOOK = 1.0


@dataclass
class Work:
    """One domain, and what an event has done to it so far."""

    event: Event
    domains: Domains
    name: str
    done: Actions = field(init=False)
    questions: Questions = field(init=False)
    _looked_at: float = field(default=0.0, init=False)
    _is_refused: bool = field(default=False, init=False)
    _facts: Facts = field(default=Facts(None), init=False)  # of the last decision

    def __post_init__(self) -> None:
        self.done = Actions(self.domains, self.name)
        self.questions = Questions(self.event, self.name)

    def look(self) -> Live | None:
        """The live domain."""
        begun = time.monotonic()  # the API may have answered long before the response is here
        live = self.domains.find(self.name)
        self._looked(begun)
        if live is not None and self.has_claim_to(live):
            self.domains.attempts.note_own_domain()
        return live

    def look_late(self) -> Live | None:
        """Wait some seconds for a domain that the resource holds: a call without a response may make or claim it."""
        live = self.domains.find_late(self.name, self.holds)
        self._looked(time.monotonic())
        return live

    @property
    def has_taken_over(self) -> bool:
        """Whether the event has taken the domain over. (It may also have found it again, as its resource's own.)"""
        return self.done.before is not None and not self.holds(self.done.before)

    def holds(self, live: Live | None) -> bool:
        """Whether the resource is the domain's holder."""
        return ownership.owner(_claims_of(live), self.event) is Owner.OWN

    def has_claim_to(self, live: Live) -> bool:
        """Whether the resource has a claim to the domain, as the holder or further down."""
        return ownership.has_claim(live.get("Tags", {}), self.event)

    def carry_through(self, decide: Decide, live: Live | None, check: Callable[[Plan], None]) -> Live:
        """Look, decide and act until nothing is left to do. Returns the live domain as it is then, {} if there is none.

        `check` stops a change by what it raises. After an error the domain is looked at and decided on again: the call
        may have been carried out all the same (its response was lost, or a retry met the first attempt's work), or
        things are not as they were thought to be (CreateDomain meets a domain of that name, or another stack has
        claimed it). An error after which there is still the same to do stands, unless it is worth a retry. Raises
        ApiError and RefusedError.
        """
        plan = self.plan(decide, live)
        for _ in range(_MOST_ROUNDS):
            if self._changes_something(plan):
                check(plan)
                is_old = self.questions.has_asked and time.monotonic() - self._looked_at > _OLD_LOOK
                if is_old and not isinstance(plan, Make):
                    live = self.look()
                    if self._decided(decide, self._facts_with(live)) != plan:  # with the answers that it has
                        plan = self.plan(decide, live)
                        continue
            if isinstance(plan, Refuse):
                raise RefusedError(plan.why)
            self._forget_before(plan, live)
            try:
                live = self.done.carry_out(plan, live, functools.partial(self._check_again, check, plan))
                if not (isinstance(plan, Change) and plan.and_look):
                    return live
                plan = self.plan(decide, live := self.look())
            except ApiError as error:
                self.questions.was_throttled |= error.throttled
                self._is_refused |= error.is_refused and not error.retryable
                if not (isinstance(plan, Make) and error.retryable):  # then only a question is due
                    live = self._look_after(error)
                again = self.plan(decide, live)
                if again == plan and not error.retryable:
                    raise
                logger.warning("deciding again after an error", error=str(error))
                plan = again
        raise ApiError(f"Domain {self.name} keeps being changed by others. Try again")

    def _forget_before(self, plan: Plan, live: Live | None) -> None:
        """Forget how the domain was before the event took it over, or found it again, if it does not have it.

        The call that failed was not carried out, or others have the domain by now and may have changed it.
        """
        if not (isinstance(plan, Change) and plan.was_there) or self.done.before is None or self._has_it(live):
            return
        is_shown_late = self.done.has_claimed and _claims_of(live) == _claims_of(self.done.before)
        if not is_shown_late:
            self.done.before, self.done.has_claimed = None, False

    def _has_it(self, live: Live | None) -> bool:
        """Whether the event still has the domain that it took over, or found again."""
        before, claims = _claims_of(self.done.before), _claims_of(live)
        if ownership.owner(before, self.event) is Owner.OWN:
            return self.holds(live)
        if self.done.has_claimed and self.holds(live):  # perhaps with its older claim, without those in front of it
            return True
        has_claim = ownership.claim_held_by(self.event, claims) is not None
        return has_claim and not ownership.is_as_before(claims, before, self.event)

    def _check_again(self, check: Callable[[Plan], None], plan: Plan) -> None:
        """Check between the calls of a plan, if they take long. Raises ApiError if others have changed the claims."""
        if time.monotonic() - self._looked_at <= _OLD_LOOK:
            return
        check(plan)
        if isinstance(plan, Change) and plan.changes.of_claims:
            before = _claims_of(self._facts.live)
            if _claims_of(self.look()) not in (before, plan.claims):
                error = ApiError(f"Others have changed the claims to domain {self.name} meanwhile")
                error.retryable = True
                raise error

    def _changes_something(self, plan: Plan) -> bool:
        """Whether the plan changes a domain that exists, or makes one later than at the first attempt."""
        match plan:
            case Make():
                return self.questions.was_throttled
            case Change(changes=changes):
                return bool(changes)
        return isinstance(plan, Destroy)

    def plan(self, decide: Decide, live: Live | None) -> Plan:
        """Decide, and answer the questions that come up meanwhile."""
        self.done.has_claimed |= self.done.before is not None and self._has_it(live)
        facts = Facts(
            live,
            has_taken_over=self.has_taken_over and self._has_it(live),
            has_come_back=bool(self.done.kept),
            has_claimed=self.done.has_claimed,
            has_changed=self.done.has_changed,
            is_refused=self._is_refused,
            sent=self.done.sent,
            seen_since=self._seen_since(live),
        )
        while isinstance(plan := self._decided(decide, facts), Ask):
            try:
                facts = self.questions.answered(plan, facts, self.domains)
            except DomainNotFoundError as error:  # deleted since it was looked at; GetDomain has the last word
                found = self.look()
                facts = replace(facts, live=found, contents=Use(str(error), is_known=False) if found else None)
        self._facts = facts
        return plan

    def _decided(self, decide: Decide, facts: Facts) -> Plan:
        """Decide; but first a claim of others is put back that the event has removed, since they moved it meanwhile."""
        restored = ownership.restored(_claims_of(facts.live), self.done.kept, self.event)
        return reclaim(facts.live, restored) if facts.live and restored else decide(facts)

    def _facts_with(self, live: Live | None) -> Facts:
        """The facts of the last decision, with another look at the domain: by now others may have it on loan."""
        facts = replace(self._facts, live=live, seen_since=self._seen_since(live))
        if _claims_of(live) == _claims_of(self._facts.live):
            return facts
        return replace(facts, never_created=None, undone_borrowers=None)

    def _seen_since(self, live: Live | None) -> float:
        """Since when the event sees the claims of the domain. It stays the same at each look, as long as they do."""
        last = self._facts
        if last.seen_since is None or _claims_of(last.live) != _claims_of(live):
            return time.time()
        return last.seen_since

    def _looked(self, at: float) -> None:
        self._looked_at, self.questions.has_asked = at, False

    def _look_after(self, error: ApiError) -> Live | None:
        try:
            live = self.look()
            # GetDomain may not see yet that a domain was made, or deleted.
            if error.already_exists if live is None else isinstance(error, DomainNotFoundError):
                is_gone = live is not None
                live = self.domains.find_late(self.name, lambda late: (late is None) == is_gone)
                self._looked(time.monotonic())
            return live
        except (ApiError, DeadlineReached) as blind:
            text = f"{error}. The domain could not be looked at then: {str(blind) or 'the time was up'}"
            raise ApiError(text, unsettled=error.unsettled) from error


def _claims_of(live: Live | None) -> Claims:
    return read_claims(live.get("Tags", {})) if live else ()
