"""Actions: carries out plans on one domain, and keeps what an event has done to it so far."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from handler.changes import Live
from handler.claims import Claims
from handler.domains import ApiError, Domains
from handler.plans import Change, Destroy, Leave, Make, Plan
from handler.telemetry import logger


class Actions:
    """What an event does to one domain.

    `has_changed`: it has made, claimed or changed the domain, or may have. `has_made`: it has made it, or may have.
    `before`: how the domain was before the event took it over or found it again, or may have; None if it did neither.
    `has_claimed`: it is known to have done so. `sent`: the settings that it has changed, or may have. `kept`: the
    claims that it has left when it changed claims and removed tags, or may have.
    """

    def __init__(self, domains: Domains, name: str) -> None:
        self._domains = domains
        self._name = name
        self.has_changed = False
        self.has_made = False
        self.before: Live | None = None
        self.has_claimed = False
        self.sent: dict[str, Any] = {}
        self.kept: Claims = ()

    def carry_out(self, plan: Plan, live: Live | None, between: Callable[[], None]) -> Live:
        """Carry out a plan that changes or leaves the domain. Returns the domain as it is then. Raises ApiError.

        `between` is called before each call but the first, and stops the rest by what it raises.
        """
        match plan:
            case Make():
                return self._make(plan)
            case Change():
                return self._change(plan, live or {}, between)
            case Destroy(name):
                self._domains.delete(name)
                return {}
            case Leave(why):
                logger.warning(f"nothing done: {why}")
        return live or {}

    def _make(self, plan: Make) -> Live:
        self.before = None  # the domain that was there before is gone
        with self._noting(self._note_made):
            return self._domains.create(self._name, plan.settings, plan.tags)

    def _change(self, plan: Change, live: Live, between: Callable[[], None]) -> Live:
        changes, changed = plan.changes, dict(live)
        note = functools.partial(self._note_before, plan, live)
        if changes.postponed:
            logger.warning("left for a later event, since the service is at work on it", properties=changes.postponed)
        domains, name = self._domains, self._name
        calls: list[Callable[[], Live | None]] = []
        if changes.untag_first:
            calls.append(functools.partial(domains.untag, name, changes.untag_first))
        if changes.tag:
            calls.append(functools.partial(domains.tag, name, changes.tag))
        for settings in changes.updates:
            calls.append(functools.partial(self._update, settings))
        if changes.untag:
            calls.append(functools.partial(self._untag, plan))
        for number, call in enumerate(calls):
            if number > 0:
                between()
            with self._noting(note):
                changed |= call() or {}
            self.has_claimed |= plan.was_there
        return changed

    def _update(self, settings: Mapping[str, Any]) -> Live:
        with self._noting(functools.partial(self.sent.update, settings)):
            return self._domains.update(self._name, settings)

    def _untag(self, plan: Change) -> None:
        with self._noting(functools.partial(self._note_kept, plan)):
            self._domains.untag(self._name, plan.changes.untag)

    def _note_kept(self, plan: Change) -> None:
        self.kept = plan.claims or self.kept

    def _note_made(self) -> None:
        self.has_made = True

    def _note_before(self, plan: Change, live: Live) -> None:
        if plan.was_there and self.before is None:
            self.before = live

    @contextmanager
    def _noting(self, note: Callable[[], None]) -> Iterator[None]:
        """Note a change that is carried out in this block, or may have been. One that was refused is none."""
        try:
            yield
        except ApiError as error:
            if not error.unsettled:
                raise
            self.has_changed = True
            note()
            raise
        self.has_changed = True
        note()
