"""Questions: what an event asks while it works on one domain, and what follows from the answer.

timeliness.py says what CloudFormation's answers mean. Here is when and how often it is asked whether to go on, and who
answers a question that decides.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from handler import ownership, stack
from handler.claims import Claims, read_claims
from handler.domains import Domains
from handler.event import CANCELLABLE, Event
from handler.plans import Ask, ContinuedError, Destroy, Facts, Plan, UnwantedError
from handler.timeliness import Listed, Rollback, is_late_to_change, is_late_to_start

# Seconds for which CloudFormation is not asked before a change after it could not be asked.
_NO_QUESTIONS = 30.0


@dataclass
class Questions:
    """What an event asks CloudFormation while it works on the domain of that name.

    `is_forward`: whether the event is an Update that no rollback has sent; None if that is not known. `has_asked`:
    whether questions have taken time since the domain was looked at. `was_throttled`: whether the API throttled a call.
    """

    event: Event
    name: str
    is_forward: bool | None = field(default=None, init=False)
    has_asked: bool = field(default=False, init=False)
    was_throttled: bool = field(default=False, init=False)
    _began_at: float = field(default=0.0, init=False)
    _asks_again_at: float = field(default=0.0, init=False)  # after CloudFormation could not be asked
    _asked_at: float = field(default=0.0, init=False)  # whether to go on with undoing
    _listed_before: Listed | None = field(default=None, init=False)  # when it was asked that

    def __post_init__(self) -> None:
        self._began_at = time.time()

    def listed(self) -> Listed | None:
        """What CloudFormation lists for the event's resource; None where it can't be asked."""
        self.has_asked = True
        return stack.listed(self.event)

    def refuse_if_unwanted(self, plan: Plan) -> None:
        """Raise UnwantedError if the event's time has passed: the domain may be a later event's by now."""
        is_late = is_late_to_change(self.event, time.time())
        asks_at_any_age = isinstance(plan, Destroy) and plan.asks
        if (asks_at_any_age or is_late) and time.monotonic() >= self._asks_again_at:
            has_begun = not is_late_to_start(self.event, self._began_at)
            unwanted = stack.judged(self.event, self._listed_now(), has_begun=has_begun)
            if unwanted and not is_late:  # CloudFormation may have sent the event before it lists it
                time.sleep(CANCELLABLE)
                unwanted = stack.judged(self.event, self.listed(), has_begun=has_begun)
            if unwanted:
                raise UnwantedError(unwanted)
        # If its rollback begins while it is throttled, what it changes after that has to be changed back.
        if self.was_throttled and self.is_forward is None and self.event.is_update_of(self.name):
            rollback = stack.rollback(self.event)
            self.is_forward = None if rollback is Rollback.UNKNOWN else rollback.is_forward

    def answered(self, question: Ask, facts: Facts, domains: Domains) -> Facts:
        """The facts with the answer to a question that decides. Raises DomainNotFoundError."""
        self.has_asked = True
        tags = (facts.live or {}).get("Tags", {})
        match question:
            case Ask.CONTENTS:
                return replace(facts, contents=domains.contents(self.name))
            case Ask.ROLLBACK:
                return replace(facts, rollback=stack.rollback(self.event))
            case Ask.UNDONE_SINCE:
                return replace(facts, undone_since=stack.undone_since(self.event))
            case Ask.BORROWERS:
                return replace(facts, never_created=stack.never_created(self.event, self.name, self._borrowers(tags)))
            case Ask.UNDONE_BORROWERS:
                undone = stack.undone_borrowers(self.event, self.name, self._borrowers(tags))
                return replace(facts, undone_borrowers=undone)
            case Ask.HAD_BEFORE:
                return replace(facts, had_before=bool(stack.had_before(self.event, self.name)))
            case Ask.NATIVE:
                return replace(facts, is_native_gone=stack.is_native_gone(self.event, self.name, tags))

    def begin_undoing(self, listed: Listed | None = None) -> None:
        """Note that undoing begins; the caller has asked, if that was due, and CloudFormation lists this."""
        self._asked_at, self._listed_before = time.monotonic(), listed

    def stop_if_updated_since(self, plan: Plan) -> None:
        """Raise ContinuedError if changing back takes long, and the rollback is over and followed by a later Update."""
        listed = self.listed_while_undoing()
        if listed is None:
            return
        if listed != self._listed_before and stack.rollback(self.event).is_forward:
            raise ContinuedError
        self._listed_before = listed

    def listed_while_undoing(self) -> Listed | None:
        """What CloudFormation lists, if it is time to ask; None if it is not, or if it can't be asked."""
        is_due = time.monotonic() >= max(self._asked_at + CANCELLABLE, self._asks_again_at)
        if not (is_due and is_late_to_change(self.event, time.time())):
            return None
        listed = self._listed_now()
        self._asked_at = time.monotonic()
        return listed

    def _borrowers(self, tags: Mapping[str, str]) -> Claims:
        return ownership.borrowers(read_claims(tags), self.event)

    def _listed_now(self) -> Listed | None:
        listed = self.listed()
        if listed is None:
            self._asks_again_at = time.monotonic() + _NO_QUESTIONS
        return listed
