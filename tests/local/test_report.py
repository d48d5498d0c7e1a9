from __future__ import annotations

from local.report import Run, guesses, report
from local.story import Note, Outcome, Promise, Step, Story

ACCOUNT = "210987654321"


def nothing(_: Story) -> None:
    pass


CREATE, DELETE = Step("Create", "it makes a domain", nothing), Step("Delete", "it deletes it", nothing)


def run(*outcomes: Outcome, left: tuple[str, ...] = (), stopped: str = "") -> Run:
    facts = {"region": "eu-central-1"}
    error = f"CreateDomain: AccessDeniedException: User: arn:aws:sts::{ACCOUNT}:assumed-role/r is not authorized"
    return Run(ACCOUNT, facts, [CREATE, DELETE], outcomes, [error], ["holds 1 profile"], left, stopped)


def test_no_account_id_is_in_the_report() -> None:
    found = Promise("it is there", kept=False, detail="arn:aws:profile:eu-central-1:999999999999:domains/x")
    text = report(run(Outcome(CREATE, [found]), left=(f"stack arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/x",)))

    assert ACCOUNT not in text
    assert "999999999999" not in text
    assert "`CreateDomain: AccessDeniedException: User: arn:aws:sts::ACCOUNT:assumed-role/r is not authorized`" in text


def test_the_report_has_each_promise_and_each_step_that_did_not_run() -> None:
    text = report(run(Outcome(CREATE, [Promise("one", kept=True), Promise("two", kept=False, detail="3 | 4")])))

    assert "| Create: one | yes |" in text
    assert "| Create: two | **no** | 3 \\| 4 |" in text
    assert "| Delete: it deletes it | not tried |" in text


def test_the_report_shows_what_was_seen_beside_each_guess() -> None:
    first, second = guesses()[:2]
    notes = [Note("seen", "a multi-\nline answer", first[:20]), Note("nobody guessed this", "other")]
    text = report(run(Outcome(CREATE, notes=notes)))

    assert f"| {first} | seen: `a multi- line answer` |" in text
    assert f"| {second} | not seen |" in text
    assert "- nobody guessed this: `other`" in text


def test_the_report_says_that_a_run_was_stopped_and_what_is_left() -> None:
    text = report(run(left=("stack verify-1: stopped before it was removed",), stopped="with Ctrl-C or SIGTERM"))

    assert "The run was stopped: with Ctrl-C or SIGTERM" in text
    assert "- stack verify-1: stopped before it was removed" in text


def test_the_guesses_are_the_ones_that_the_stand_in_documents() -> None:
    assert len(guesses()) > 10
    assert all(guess == guess.strip() and "\n" not in guess for guess in guesses())
