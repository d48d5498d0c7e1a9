"""Actions: carries out plans on one domain, and keeps what an event has done to it so far."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from handler.changes import Live
from handler.domains import ApiError, Domains
from handler.plans import Change, Destroy, Leave, Make, Plan
from handler.telemetry import logger


class Actions:
    """What an event does to one domain.

    `has_changed`: it has made, claimed or changed the domain, or may have. `has_made`: it has made it, or may have.
    `before`: how the domain was before the event took it over, or found it again in use; None if it did neither.
    """

    def __init__(self, domains: Domains, name: str) -> None:
        self._domains = domains
        self._name = name
        self.has_changed = False
        self.has_made = False
        self.before: Live | None = None

    def carry_out(self, plan: Plan, live: Live | None) -> Live:
        """Carry out a plan that changes or leaves the domain. Returns the domain as it is then. Raises ApiError."""
        match plan:
            case Make():
                return self._make(plan)
            case Change():
                return self._change(plan, live or {})
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

    def _change(self, plan: Change, live: Live) -> Live:
        changes, changed = plan.changes, dict(live)
        note = functools.partial(self._note_before, plan, live)
        if changes.postponed:
            logger.warning("left for a later event, since the service is at work on it", properties=changes.postponed)
        if changes.untag_first:
            with self._noting(note):
                self._domains.untag(self._name, changes.untag_first)
        if changes.tag:
            with self._noting(note):
                self._domains.tag(self._name, changes.tag)
        for settings in changes.updates:
            with self._noting(note):
                changed |= self._domains.update(self._name, settings)
        if changes.untag:
            with self._noting(note):
                self._domains.untag(self._name, changes.untag)
        return changed

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
