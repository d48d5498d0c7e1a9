"""A story is a sequence of steps. A step runs operations on stacks and checks promises by asking the API.

    @step("Create", "a stack makes a domain")
    def create(story: Story) -> None:
        story.deploy(template, ends="CREATE_COMPLETE")
        story.promise("the API has the domain", story.domain(name)["DefaultExpirationDays"], 366)

    Story(engine, page, names).play([create])

The demo (local/demo.py) and the acceptance run (local/verify.py) run the steps of local/chapters.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.page import Page
from local.processes import EngineError
from local.stacks import StackEvent, Stacks

# Errors that can happen in a step although the step is correct.
FAILURES = (EngineError, BotoCoreError, ClientError)


@dataclass(frozen=True)
class Names:
    """The names of a story's stack and domains. On AWS nobody else may use them."""

    stack: str
    domain: str
    renamed: str
    made_by_hand: str


@dataclass(frozen=True)
class Promise:
    """One promise and whether it was kept. If not, `detail` says what was found instead."""

    text: str
    kept: bool
    detail: str = ""


@dataclass(frozen=True)
class Step:
    """One step of a story. `proves` says what is shown if all its promises are kept."""

    title: str
    proves: str
    play: Callable[[Story], None]


@dataclass(frozen=True)
class Note:
    """An observation without a promise. `guess` is a part of the text of the guess that it is about, or ""."""

    text: str
    seen: str
    guess: str = ""


@dataclass
class Outcome:
    """The result of a step."""

    step: Step
    promises: list[Promise] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return bool(self.promises or self.notes) and all(promise.kept for promise in self.promises)


def step(title: str, proves: str) -> Callable[[Callable[[Story], None]], Step]:
    """Turn a function into a step of a story."""
    return lambda play: Step(title, proves, play)


@dataclass
class Story:
    """Runs steps and records their results.

    Steps share two values: `template`, which the stack was deployed with last, and `by_hand`, the first state of the
    domain that no stack owns.
    """

    engine: Stacks
    page: Page
    names: Names
    outcomes: list[Outcome] = field(default_factory=list)
    template: str = ""
    by_hand: Mapping[str, Any] = field(default_factory=dict)
    # Every event of every stack so far.
    events: list[StackEvent] = field(default_factory=list)

    def play(self, steps: Iterable[Step]) -> None:
        """Run the steps in order.

        Raises:
            Exception: A step did not run to its end: one of FAILURES, or a consequence of a promise that was not kept
                before, such as a KeyError if a stack has no outputs.
        """
        for each in steps:
            self.page.heading(f"{len(self.outcomes) + 1}. {each.title}")
            self.outcomes.append(Outcome(each))
            try:
                each.play(self)
            except Exception as error:
                self.broken("the step runs to its end", f"{type(error).__name__}: {error}")
                raise

    def promise(self, text: str, found: object, promised: object) -> None:
        """Check one promise, print it, and record it."""
        if found == promised:
            self.page.mark(text, good=True)
            self.outcomes[-1].promises.append(Promise(text, kept=True))
        else:
            self.broken(text, f"expected {promised!r}, found {found!r}")

    def broken(self, text: str, detail: str) -> None:
        """Print and record a promise that was not kept."""
        self.page.mark(f"{text}: {detail}", good=False)
        self.outcomes[-1].promises.append(Promise(text, kept=False, detail=detail))

    def note(self, text: str, seen: str, guess: str = "") -> None:
        """Print and record an observation."""
        self.page.text(f"{text}: {seen}")
        self.outcomes[-1].notes.append(Note(text, seen, guess))

    def wait_for(self, condition: Callable[[], bool], *, at_most: float = 600) -> float:
        """Wait until the condition holds. Return how many seconds that took.

        Raises:
            EngineError: It has not held within `at_most` seconds.
        """
        started = time.monotonic()
        while not condition():
            if time.monotonic() - started > at_most:
                raise EngineError(f"waited for {at_most:.0f} s, without success")
            time.sleep(self.engine.poll_seconds)
        return time.monotonic() - started

    def deploy(self, template: str, *, ends: str, stack: str = "") -> list[StackEvent]:
        """Create or update a stack (the story's own if none is named), show its events, and check how it ends."""
        stack = stack or self.names.stack
        return self._end_of(stack, self.engine.deploy(stack, template), ends)

    def delete(self, *, ends: str = "DELETE_COMPLETE", stack: str = "") -> list[StackEvent]:
        """Delete a stack, show its events, and check how it ends."""
        stack = stack or self.names.stack
        return self._end_of(stack, self.engine.delete(stack), ends)

    def domain(self, name: str) -> dict[str, Any]:
        """The domain as the API reports it, without its Stats, which the service updates at any time."""
        response = dict(self.engine.customer_profiles.get_domain(DomainName=name))
        return {key: value for key, value in response.items() if key not in ("ResponseMetadata", "Stats")}

    def existing(self, *names: str) -> set[str]:
        """Which of the domains exist."""
        return {name for name in names if self._exists(name)}

    def _exists(self, name: str) -> bool:
        client = self.engine.customer_profiles
        try:
            client.get_domain(DomainName=name)
        except client.exceptions.ResourceNotFoundException:
            return False
        return True

    def _end_of(self, stack: str, operation: Iterable[StackEvent], ends: str) -> list[StackEvent]:
        self.page.gap()
        events = []
        for event in operation:
            self.page.event(event)
            events.append(event)
        self.events += events
        self.page.gap()
        if self.engine.status(stack):
            self.page.table(self.engine.outputs(stack))
            self.page.gap()
        self.promise(f"the stack ends as {ends}", events[-1].status if events else "without an event", ends)
        return events


def failure(events: Iterable[StackEvent]) -> str:
    """The reason of the first event that failed, or "" if none did."""
    return next((event.reason for event in events if event.failed), "")


def edited(template: str, *replacements: tuple[str, str]) -> str:
    """The template with each text replaced, as a person would edit it.

    Raises:
        ValueError: One of the texts is not in it exactly once.
    """
    for old, new in replacements:
        if template.count(old) != 1:
            raise ValueError(f"the template should have {old.strip()!r} once, for the story to change")
        template = template.replace(old, new)
    return template


def conclude(story: Story, seconds: float) -> bool:
    """Print the result of each step. Return whether all promises were kept."""
    promises = [promise for outcome in story.outcomes for promise in outcome.promises]
    kept = sum(promise.kept for promise in promises)
    story.page.heading(f"What this proved, in {seconds:.0f} s: {kept} of {len(promises)} promises kept")
    for outcome in story.outcomes:
        story.page.mark(f"{outcome.step.title}: {outcome.step.proves}", good=outcome.good)
    return bool(story.outcomes) and all(outcome.good for outcome in story.outcomes)
