"""The demo: a stack's whole life on this machine, each promise checked by asking the API, not only CloudFormation.

    python -m local.demo

prints what happens as it happens, and at the end what was proved. The exit code is 0 when every promise was kept, 1
when one was not or something failed, 130 after Ctrl-C and 143 after SIGTERM.
"""

from __future__ import annotations

import difflib
import os
import shutil
import signal
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from botocore.exceptions import BotoCoreError, ClientError

from local.engine import PROJECT, PROVIDER_STACK, Engine, EngineError, StackEvent, Terminated, running_engine

EXAMPLE = Path("examples/minimal.yaml")
STACK = "crm"
NAME, NEW_NAME = "customers", "shoppers"
MADE_BY_HAND = "made-by-hand"

STACK_TYPE = "AWS::CloudFormation::Stack"


class Page:
    """Writes for a person: at most 100 columns, in colour on a terminal only, each line at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._width = min(shutil.get_terminal_size((100, 24)).columns, 100)
        self._colour = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def heading(self, text: str) -> None:
        self._print("")
        self._print(self._styled(text, "1"))

    def text(self, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._print(textwrap.fill(line, self._width, initial_indent="  ", subsequent_indent="  "))

    def source(self, text: str) -> None:
        for line in text.splitlines():
            self._print("    " + self._styled(line, "2"))

    def difference(self, old: str, new: str) -> None:
        lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm=""))[2:]
        for line in lines:
            if not line.startswith("@@"):
                self._print("    " + self._styled(line, "31" if line.startswith("-") else "32"))

    @contextmanager
    def timed(self, text: str) -> Iterator[None]:
        """Write the text, and after it how long the block took."""
        print(f"  {text:<12}", end="", file=self._stream, flush=True)
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self._print("")
            raise
        self._print(f"{time.monotonic() - started:5.1f} s")

    def event(self, event: StackEvent) -> None:
        colour = {"FAILED": "31", "COMPLETE": "32", "PROGRESS": "2"}[event.status.rpartition("_")[2]]
        physical_id = "" if event.resource_type == STACK_TYPE else event.physical_id
        line = f"  {event.time}  {event.logical_id:<8}{event.status:<18}  {physical_id}".rstrip()
        reason = event.reason.strip()
        if reason and not event.failed and len(line) + 2 + len(reason) <= self._width:
            line, reason = f"{line}  {reason}", ""
        self._print(line.replace(event.status, self._styled(event.status, colour)))
        for text in reason.splitlines():
            wrapped = textwrap.fill(text, self._width, initial_indent=" " * 20, subsequent_indent=" " * 22)
            self._print(self._styled(wrapped, colour))

    def table(self, rows: dict[str, str]) -> None:
        for name, value in rows.items():
            self._print(f"  {name:<19}{value}")

    def gap(self) -> None:
        self._print("")

    def mark(self, text: str, *, good: bool) -> None:
        sign = self._styled("✓", "32") if good else self._styled("✗", "31")
        self._print(f"  {sign} " + textwrap.fill(text, self._width - 4, subsequent_indent="    "))

    def error(self, text: str) -> None:
        self._print("")
        self._print(self._styled(text, "31"))

    def _styled(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


@dataclass
class Step:
    """One step of the story: what it proves when each of its promises is kept."""

    proves: str
    kept: list[bool] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return bool(self.kept) and all(self.kept)


@dataclass
class Demo:
    engine: Engine
    page: Page
    steps: list[Step] = field(default_factory=list)

    def run(self) -> None:
        self.deploy_provider()
        hand_made = self.make_domain_by_hand()
        template = self.create()
        template = self.update(template)
        template = self.rename(template)
        self.update_that_fails(template)
        self.delete(hand_made)

    def deploy_provider(self) -> None:
        self.page.heading("Deploy the provider, as to AWS")
        with self.page.timed("sam build"):
            self.engine.build_provider()
        with self.page.timed("sam deploy"):
            self.engine.deploy_provider()
        self.page.table({"exports": f"{PROVIDER_STACK}-ServiceToken"})

    def make_domain_by_hand(self) -> dict[str, Any]:
        """A domain that no stack owns, which has to be the same at the end."""
        self.engine.customer_profiles.create_domain(DomainName=MADE_BY_HAND, DefaultExpirationDays=30)
        return self.domain(MADE_BY_HAND)

    def create(self) -> str:
        self.step("Create", "a stack makes a domain, and its outputs tell about it")
        template = (PROJECT / EXAMPLE).read_text()
        self.page.text(f"{EXAMPLE}, as it is:")
        self.page.source(resources_of(template))
        self.deploy(template, ends="CREATE_COMPLETE")

        domain, outputs = self.domain(NAME), self.engine.outputs(STACK)
        self.promise("the API has the domain, with 366 days", domain["DefaultExpirationDays"], 366)
        self.promise("and with the tag Team: marketing", domain["Tags"].get("Team"), "marketing")
        self.promise("Ref is the domain's name", outputs["DomainName"], NAME)
        self.promise("CreatedAt is the API's", datetime.fromisoformat(outputs["CreatedAt"]), domain["CreatedAt"])
        return template

    def update(self, template: str) -> str:
        self.step("Update", "an update changes what changed in the template, in the same domain")
        before = self.domain(NAME)
        changed = edited(
            template,
            ("DefaultExpirationDays: 366", "DefaultExpirationDays: 90"),
            (
                "        Team: marketing\n",
                "        Team: sales\n"
                "        CostCentre: '4711'\n"
                "      Matching:\n"
                "        Enabled: true\n"
                "        JobSchedule: {DayOfTheWeek: SUNDAY, Time: '03:00'}\n",
            ),
        )
        self.page.difference(template, changed)
        self.deploy(changed, ends="UPDATE_COMPLETE")

        domain = self.domain(NAME)
        tags, schedule = domain["Tags"], domain.get("Matching", {}).get("JobSchedule")
        self.promise("the API has 90 days", domain["DefaultExpirationDays"], 90)
        self.promise("Team is changed, CostCentre is new", (tags["Team"], tags.get("CostCentre")), ("sales", "4711"))
        self.promise("matching runs on Sundays", schedule, {"DayOfTheWeek": "SUNDAY", "Time": "03:00"})
        self.promise("it is the same domain as before", domain["CreatedAt"], before["CreatedAt"])
        return changed

    def rename(self, template: str) -> str:
        self.step("Rename", "another name is a replacement: there is a new domain, and the old one is gone")
        changed = edited(template, (f"DomainName: {NAME}", f"DomainName: {NEW_NAME}"))
        self.page.difference(template, changed)
        self.deploy(changed, ends="UPDATE_COMPLETE")

        self.promise(f"the API has {NEW_NAME}, and no longer {NAME}", self.names(), {NEW_NAME, MADE_BY_HAND})
        self.promise("with the 90 days of the old one", self.domain(NEW_NAME)["DefaultExpirationDays"], 90)
        self.promise("Ref is the new name", self.engine.outputs(STACK)["DomainName"], NEW_NAME)
        return changed

    def update_that_fails(self, template: str) -> None:
        self.step("Update with two mistakes", "the stack's events name each mistake at once, and nothing is changed")
        before = self.domain(NEW_NAME)
        changed = edited(
            template, ("DefaultExpirationDays: 90", "DefaultExpirationDays: 5000"), ("Matching:", "Maching:")
        )
        self.page.difference(template, changed)
        events = self.deploy(changed, ends="UPDATE_ROLLBACK_COMPLETE")

        reason = next((event.reason for event in events if event.failed), "")
        named = {name for name in ("DefaultExpirationDays", "Maching") if f"{name}: " in reason}
        self.promise("one event names both properties", named, {"DefaultExpirationDays", "Maching"})
        self.promise("the domain is as before in every detail, LastUpdatedAt too", self.domain(NEW_NAME), before)
        self.promise("the stack still has it", self.engine.outputs(STACK)["DomainName"], NEW_NAME)

    def delete(self, hand_made: dict[str, Any]) -> None:
        self.step("Delete", "deleting the stack deletes its domain, and no other one")
        self.end_of(self.engine.delete(STACK), ends="DELETE_COMPLETE")
        self.promise(f"the API no longer has {NEW_NAME}", self.names(), {MADE_BY_HAND})
        self.promise("the domain made by hand beside it is as it was", self.domain(MADE_BY_HAND), hand_made)

    def step(self, name: str, proves: str) -> None:
        self.page.heading(f"{len(self.steps) + 1}. {name}")
        self.steps.append(Step(f"{name}: {proves}"))

    def deploy(self, template: str, *, ends: str) -> list[StackEvent]:
        return self.end_of(self.engine.deploy(STACK, template), ends=ends)

    def end_of(self, operation: Iterable[StackEvent], *, ends: str) -> list[StackEvent]:
        """Show the events as they come, and the outputs when the stack is at rest."""
        self.page.gap()
        events = []
        for event in operation:
            self.page.event(event)
            events.append(event)
        self.page.gap()
        if self.engine.status(STACK):
            self.page.table(self.engine.outputs(STACK))
            self.page.gap()
        self.promise(f"the stack ends as {ends}", events[-1].status, ends)
        return events

    def promise(self, text: str, found: object, promised: object) -> None:
        kept = found == promised
        self.page.mark(text if kept else f"{text}: promised is {promised!r}, found {found!r}", good=kept)
        self.steps[-1].kept.append(kept)

    def domain(self, name: str) -> dict[str, Any]:
        """The domain as the API reports it."""
        response = dict(self.engine.customer_profiles.get_domain(DomainName=name))
        del response["ResponseMetadata"]
        return response

    def names(self) -> set[str]:
        return {item["DomainName"] for item in self.engine.customer_profiles.list_domains()["Items"]}


def resources_of(template: str) -> str:
    """The Resources section's text."""
    return template.partition("Resources:\n")[2].partition("\n\n")[0]


def edited(template: str, *replacements: tuple[str, str]) -> str:
    """The template with each text replaced, as a person would edit it.

    Raises:
        ValueError: One of the texts is not in it exactly once.
    """
    for old, new in replacements:
        if template.count(old) != 1:
            raise ValueError(f"{EXAMPLE} should have {old.strip()!r} once, for the demo to change")
        template = template.replace(old, new)
    return template


def conclude(demo: Demo, seconds: float) -> bool:
    """Say what was proved. Return whether that is everything."""
    kept = sum(sum(step.kept) for step in demo.steps)
    asked = sum(len(step.kept) for step in demo.steps)
    demo.page.heading(f"What this proved, in {seconds:.0f} s: {kept} of {asked} promises kept")
    for step in demo.steps:
        demo.page.mark(step.proves, good=step.good)
    return bool(demo.steps) and all(step.good for step in demo.steps)


def main() -> int:
    page = Page(sys.stdout)
    started = time.monotonic()
    page.heading("Custom::CustomerProfilesDomain on this machine: no AWS account, no Docker")
    try:
        with running_engine() as engine:
            page.table({"CloudFormation": f"{engine.endpoint_url}  (ministack)"})
            page.table({"Customer Profiles": f"{engine.stand_in_url}  (local/customerprofiles)"})
            demo = Demo(engine, page)
            try:
                demo.run()
            except Exception:
                page.error(engine.diagnosis())
                raise
    except KeyboardInterrupt as stop:
        page.error("Stopped, and so is everything that the demo had started.")
        return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
    except (EngineError, BotoCoreError, ClientError) as error:
        page.error(f"The demo failed: {error}")
        return 1
    return 0 if conclude(demo, time.monotonic() - started) else 1


if __name__ == "__main__":
    sys.exit(main())
