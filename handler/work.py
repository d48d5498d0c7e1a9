"""Work on one domain: look, decide, act, and look again. Retries of a single call are in calls.py."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from handler import decision, stack
from handler.changes import Live
from handler.deadline import DeadlineReached
from handler.domains import ApiError, DomainNotFoundError, Domains
from handler.event import Event
from handler.ownership import has_claim
from handler.plans import Ask, Change, Destroy, Facts, Leave, Make, Plan, Refuse, RefusedError, Use
from handler.telemetry import logger

Decide = Callable[[Facts], Plan]
PutBack = Callable[[Live, Live | None], Plan]

# Rounds in one event. A throttled Delete takes one every few seconds; the event's time ends before that.
_MOST_ROUNDS = 100


def _at_any_time() -> None:
    pass


@dataclass
class Work:
    """One domain, and what an event has done to it so far.

    `put_back` decides, one after the other, how a domain that was taken over is put back, from how it was before and
    how it is now.
    """

    event: Event
    domains: Domains
    name: str
    put_back: Sequence[PutBack] = ()
    has_changed: bool = False  # made, claimed or changed it, or may have done so
    has_made: bool = False  # or may have made it: the call got no response
    _before: Live | None = None  # how it was before it was taken over

    def settle(self, decide: Decide, live: Live | None, before_change: Callable[[], None] = _at_any_time) -> Live:
        """Look, decide and act until nothing is left to do. Returns the live domain as it is then, {} if there is none.

        `before_change` is called before the first change of a domain that the event has not made itself; it may raise
        RefusedError.

        Raises ApiError and RefusedError, after a takeover that failed was put back. After an error it looks at the
        domain and decides again: the call may have been carried out all the same (its response was lost, or a retry met
        the first attempt's work), or things are not as they were thought to be (CreateDomain meets a domain of that
        name). An error after which there is still the same to do stands, but for a throttled Delete or Update: it is
        retried after a fresh look, since the domain may have been claimed, changed or filled in the meantime.
        """
        try:
            return self._settle(decide, live, before_change)
        except (ApiError, RefusedError) as error:
            if self._before is None:
                raise
            error.args = (f"{error}. {self._restored()}",)
            raise

    @property
    def is_its_work(self) -> bool:
        """Whether the event itself has made the domain, or taken it over; not if it was the resource's own before."""
        return self.has_made or self._before is not None

    def withdrawn(self, why: str) -> str:
        """Undo what was made or taken over for an event that is no longer wanted. Returns the reason to answer."""
        if self._before is not None:
            return f"{why}. {self._restored()}"
        self._settle(lambda facts: decision.undo(self.event, facts, made_by=self.event.request_id), self.look())
        live = self.look()
        if live is not None and self.has_claim_to(live):
            return f"{why}. Domain {self.name} was left alone: it is in use, or was there before"
        return f"{why}. What this {self.event.request_type} had made or claimed was undone"

    def look(self) -> Live | None:
        """The live domain."""
        live = self.domains.find(self.name)
        if live is not None and self.has_claim_to(live):
            self.domains.attempts.note_own_domain()
        return live

    def look_late(self) -> Live | None:
        """The live domain, once the resource has a claim to it: a call that got no response may still come through."""
        return self.domains.find_late(self.name, self.has_claim_to)

    def has_claim_to(self, live: Live) -> bool:
        """Whether the resource has a claim to the domain, as the holder or further down."""
        return has_claim(live.get("Tags", {}), self.event)

    def _settle(self, decide: Decide, live: Live | None, before_change: Callable[[], None] = _at_any_time) -> Live:
        plan = self._plan(decide, live)
        for _ in range(_MOST_ROUNDS):
            if isinstance(plan, Refuse):
                raise RefusedError(plan.why)
            if isinstance(plan, Change) and plan.changes and not self.is_its_work:
                before_change()
            try:
                live = self._carry_out(plan, live)
                if not (isinstance(plan, Change) and plan.and_look):
                    return live
                plan = self._plan(decide, live := self.look())
            except ApiError as error:
                live = self._look_after(error)
                again = self._plan(decide, live)
                if again == plan and not error.retryable:
                    raise
                logger.warning("deciding again after an error", error=str(error))
                plan = again
        raise ApiError(f"Domain {self.name} keeps being changed by others. Try again")

    def _plan(self, decide: Decide, live: Live | None) -> Plan:
        """Decide, and answer the questions that come up meanwhile."""
        facts = Facts(live)
        while isinstance(plan := decide(facts), Ask):
            try:
                match plan:
                    case Ask.CONTENTS:
                        facts = replace(facts, contents=self.domains.contents(self.name))
                    case Ask.ROLLBACK:
                        facts = replace(facts, rollback=stack.rollback(self.event))
            except DomainNotFoundError as error:  # deleted since it was looked at; GetDomain has the last word
                found = self.look()
                facts = Facts(found, contents=Use(str(error), is_known=False) if found else None)
        return plan

    def _carry_out(self, plan: Plan, live: Live | None) -> Live:
        match plan:
            case Make():
                return self._make(plan)
            case Change():
                return self._change(plan, live or {})
            case Destroy(name):
                self.domains.delete(name)
                return {}
            case Leave(why):
                logger.warning(f"nothing done: {why}")
        return live or {}

    def _make(self, plan: Make) -> Live:
        try:
            live = self.domains.create(plan.name, plan.settings, plan.tags)
            self.has_made = True
        except ApiError as error:
            self.has_made |= error.unsettled
            raise
        finally:
            self.has_changed |= self.has_made
        return live

    def _change(self, plan: Change, live: Live) -> Live:
        changes = plan.changes
        self.has_changed |= bool(changes)
        if changes.postponed:
            logger.warning("left for a later event, since the service is at work on it", properties=changes.postponed)
        changed = dict(live)
        if changes.untag_first:
            self.domains.untag(plan.name, changes.untag_first)
        if changes.tag:
            self._tag(plan, live)
        for settings in changes.updates:
            changed |= self.domains.update(plan.name, settings)
        if changes.untag:
            self.domains.untag(plan.name, changes.untag)
        return changed

    def _tag(self, plan: Change, live: Live) -> None:
        """Set the tags. A takeover that was refused here has changed nothing, so that nothing is to be put back."""
        is_done = False
        try:
            self.domains.tag(plan.name, plan.changes.tag)
            is_done = True
        except ApiError as error:
            is_done = error.unsettled
            raise
        finally:
            if is_done and plan.takes_over and self._before is None:
                self._before = live

    def _look_after(self, error: ApiError) -> Live | None:
        try:
            live = self.look()
            # A domain that exists already may be one that GetDomain doesn't see yet.
            return self.domains.find_late(self.name) if live is None and error.already_exists else live
        except (ApiError, DeadlineReached) as blind:
            text = f"{error}. The domain could not be looked at then: {str(blind) or 'the time was up'}"
            raise ApiError(text, unsettled=error.unsettled) from error

    def _restored(self) -> str:
        """Put back a domain that was taken over. Returns what came of it, for the reason."""
        failed = []
        for put_back in self.put_back:
            decide = functools.partial(_decide_from, put_back, self._before or {})
            try:
                live = self.look()
                if isinstance(plan := decide(Facts(live)), Leave):
                    return f"Nothing was put back: {plan.why}"
                self._settle(decide, live)
            except ApiError as error:  # the next part is put back all the same
                failed.append(str(error))
        if failed:
            return f"The domain could not be put back as it was before it was taken over: {'. '.join(failed)}"
        return "The domain was put back as it was before it was taken over"


def _decide_from(put_back: PutBack, before: Live, facts: Facts) -> Plan:
    return put_back(before, facts.live)
