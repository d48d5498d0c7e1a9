"""Prints progress for a person: at most 100 columns, colour only on a terminal, each line immediately."""

from __future__ import annotations

import difflib
import os
import shutil
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from local.stacks import StackEvent

STACK_TYPE = "AWS::CloudFormation::Stack"


class Page:
    """Headings, texts, events, tables and marks on a stream."""

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
        colour = {"FAILED": "31", "COMPLETE": "32"}.get(event.status.rpartition("_")[2], "2")
        physical_id = "" if event.resource_type == STACK_TYPE else event.physical_id
        line = f"  {event.time}  {event.logical_id:<7} {event.status:<18}  {physical_id}".rstrip()
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
