"""The report of an acceptance run, in Markdown, for an issue: it has no account id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from local import customerprofiles
from local.story import Note, Outcome, Step


@dataclass(frozen=True)
class Run:
    """The contents of a report.

    `facts` are versions, the region and so on. `steps` are all planned steps. `api_errors` are the API's errors and
    `reasons` the reasons of failed events, both verbatim. `left` is what could not be removed.
    """

    account: str
    facts: Mapping[str, str]
    steps: Sequence[Step]
    outcomes: Sequence[Outcome]
    api_errors: Sequence[str] = ()
    reasons: Sequence[str] = ()
    left: Sequence[str] = ()
    stopped: str = ""
    guesses: Sequence[str] = field(default_factory=lambda: guesses())


def guesses() -> list[str]:
    """The guesses in the stand-in's docstring, each as one line."""
    text = (customerprofiles.__doc__ or "").partition("Guessed:")[2]
    found = re.findall(r"^ *\d+\. (.+?)(?=^ *\d+\. |\n\n)", text, re.DOTALL | re.MULTILINE)
    return [" ".join(guess.split()) for guess in found]


def report(run: Run) -> str:
    """The report's text."""
    parts = [
        "# Acceptance run of Custom::CustomerProfilesDomain",
        table(["", ""], run.facts.items()),
        "## Promises",
        *([f"The run was stopped: {run.stopped}"] if run.stopped else []),
        table(["promise", "kept", "found instead"], promises(run)),
        "## What was seen",
        bullets(f"{note.text}: {code(note.seen)}" for note in notes(run)),
        "## The stand-in's guesses",
        table(["guess", "seen"], answered_guesses(run)),
        "## What the API refused, verbatim",
        bullets(map(code, run.api_errors)),
        "## Reasons of failed events, verbatim",
        bullets(map(code, run.reasons)),
        "## What could not be removed",
        bullets(run.left),
    ]
    return redacted("\n\n".join(parts) + "\n", run.account)


def redacted(text: str, account: str) -> str:
    """The text without the account's id and any other number with 12 digits."""
    return re.sub(r"(?<!\d)\d{12}(?!\d)", "ACCOUNT", text.replace(account, "ACCOUNT"))


def promises(run: Run) -> list[tuple[str, str, str]]:
    """A row for each promise, and one for each step that did not run."""
    rows = [
        (f"{outcome.step.title}: {promise.text}", "yes" if promise.kept else "**no**", promise.detail)
        for outcome in run.outcomes
        for promise in outcome.promises
    ]
    played = [outcome.step for outcome in run.outcomes]
    return rows + [(f"{step.title}: {step.proves}", "not tried", "") for step in run.steps if step not in played]


def notes(run: Run) -> list[Note]:
    return [note for outcome in run.outcomes for note in outcome.notes]


def answered_guesses(run: Run) -> list[tuple[str, str]]:
    """Each guess with the notes about it."""
    answers = {guess: [note for note in notes(run) if note.guess and note.guess in guess] for guess in run.guesses}
    return [
        (guess, "; ".join(f"{note.text}: {code(note.seen)}" for note in found) or "not seen")
        for guess, found in answers.items()
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell or " " for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items) or "none"


def code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"
