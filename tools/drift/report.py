"""The report: a table, or JSON for a pipeline, and the exit status."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tools.drift.compare import Comparison

_WIDEST = 100  # characters of a value in the table; the JSON has all of it
_HEADINGS = ("property", "template", "live", "")


class Verdict(enum.IntEnum):
    """The exit status, from best to worst. A failed check is worse than a difference."""

    NO_DRIFT = 0
    DRIFT = 1
    COULD_NOT_TELL = 2

    @property
    def words(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class DomainReport:
    """The result for one resource. `failure` says why there is none."""

    logical_id: str
    domain_name: str
    comparison: Comparison
    failure: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.failure or any(item.failed for item in self.comparison.not_known):
            return Verdict.COULD_NOT_TELL
        return Verdict.DRIFT if self.comparison.differences else Verdict.NO_DRIFT


@dataclass(frozen=True)
class StackReport:
    """The result for one stack. `failure` says why there is none."""

    stack_name: str
    domains: tuple[DomainReport, ...] = ()
    failure: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.failure:
            return Verdict.COULD_NOT_TELL
        return max((domain.verdict for domain in self.domains), default=Verdict.NO_DRIFT)


def verdict(reports: list[StackReport]) -> Verdict:
    """The worst of the verdicts."""
    return max((report.verdict for report in reports), default=Verdict.NO_DRIFT)


def as_text(reports: list[StackReport]) -> str:
    """The reports for a person."""
    blocks = ["\n".join(_stack(report)) for report in reports]
    domains = sum(len(report.domains) for report in reports)
    blocks.append(f"{_count(domains, 'domain')} in {_count(len(reports), 'stack')}: {verdict(reports).words}")
    return "\n\n".join(blocks)


def as_json(reports: list[StackReport]) -> str:
    """The reports for a program: {"result", "stacks": [{"stack", "result", "failure", "domains": [...]}]}."""
    stacks = [
        {
            "stack": report.stack_name,
            "result": report.verdict.words,
            "failure": report.failure,
            "domains": [
                {
                    "logical_id": domain.logical_id,
                    "domain": domain.domain_name,
                    "result": domain.verdict.words,
                    "failure": domain.failure,
                    **asdict(domain.comparison),
                }
                for domain in report.domains
            ],
        }
        for report in reports
    ]
    return json.dumps({"result": verdict(reports).words, "stacks": stacks}, indent=2, default=str)


def _stack(report: StackReport) -> Iterator[str]:
    yield f"Stack {report.stack_name}"
    if report.failure:
        yield f"  could not tell: {report.failure}"
    for domain in report.domains:
        yield f"  {domain.logical_id}, domain {domain.domain_name}: {domain.verdict.words}"
        if domain.failure:
            yield f"    {domain.failure}"
        if domain.comparison.differences:
            rows = [(d.path, _cell(d.template), _cell(d.live), d.note) for d in domain.comparison.differences]
            yield from _table([_HEADINGS, *rows])
        for item in domain.comparison.not_known:
            yield f"    not known: {item.path}: {item.reason}"


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    """A value on one line: text as it is, everything else as JSON."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) and value and value.isprintable() else json.dumps(value, default=str)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
