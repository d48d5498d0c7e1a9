"""The acceptance run, with endpoint URLs that lead to the local engine instead of an AWS account."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local import verify
from local.account import Account
from local.engine import ACCOUNT, PROJECT, REGION, Engine, EngineError
from local.page import Page
from local.report import guesses
from local.story import Story, step
from local.verify import Chapter, Verification, carry_out, plan

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]


@pytest.fixture
def account(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The engine, found by boto3 like an AWS account."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CUSTOMER_PROFILES", engine.stand_in_url)
    return replace(Account.find(None, "verify-test-provider", tmp_path), poll_seconds=0.1, stack_seconds=90)


@pytest.fixture
def nothing_left(engine: Engine) -> Iterator[None]:
    """Check that the same stacks and domains exist after the test as before."""

    def existing() -> tuple[set[str], set[str]]:
        stacks = engine.cloudformation.describe_stacks()["Stacks"]
        domains = engine.customer_profiles.list_domains()["Items"]
        return {stack["StackName"] for stack in stacks}, {domain["DomainName"] for domain in domains}

    before = existing()
    yield
    assert existing() == before


def verification(account: Account, chapters: list[Chapter]) -> Verification:
    page = Page(io.StringIO())
    return Verification(account, chapters, page, Story(account, page, chapters[0].names))


def test_the_account_is_the_one_that_boto3_finds(account: Account) -> None:
    assert (account.account, account.region) == (ACCOUNT, REGION)


@pytest.mark.usefixtures("nothing_left")
def test_the_whole_run_keeps_its_promises_and_its_report_has_no_account_id(account: Account, tmp_path: Path) -> None:
    run = verification(account, plan("test", with_key=False))

    code = carry_out(run, tmp_path / "report.md")

    broken = [promise for outcome in run.story.outcomes for promise in outcome.promises if not promise.kept]
    assert broken == []
    assert run.left == []
    assert code == 0
    report = (tmp_path / "report.md").read_text()
    assert ACCOUNT not in report
    assert "`CreateDomain: BadRequestException: Domain NAME already exists`" in report
    assert "not tried |" not in report


def test_every_guess_named_in_a_step_is_documented_in_the_stand_in() -> None:
    named = re.findall(r'^[A-Z_]+ = "(.+)"$', Path("local/api_behaviour.py").read_text(), re.MULTILINE)

    assert len(named) > 5
    assert [name for name in named if sum(name in guess for guess in guesses()) != 1] == []


@step("A step that is stopped", "Ctrl-C removes what was made")
def stopped(story: Story) -> None:
    story.engine.customer_profiles.create_domain(DomainName=story.names.domain, DefaultExpirationDays=1)
    raise KeyboardInterrupt


@step("A step that fails", "a failure removes what was made")
def fails(story: Story) -> None:
    story.engine.customer_profiles.create_domain(DomainName=story.names.domain, DefaultExpirationDays=1)
    raise KeyError("an output of a stack that was not made")


@step("A later step", "the next chapter is played")
def later(story: Story) -> None:
    story.promise("it is played", found=True, promised=True)


@pytest.mark.usefixtures("nothing_left", "without_provider")
def test_after_ctrl_c_everything_is_removed_and_reported(account: Account, tmp_path: Path) -> None:
    first, second, *_ = plan("test", with_key=False)
    run = verification(account, [replace(first, steps=[stopped]), replace(second, steps=[later])])

    assert carry_out(run, tmp_path / "report.md") == 130
    report = (tmp_path / "report.md").read_text()
    assert "The run was stopped" in report
    assert "A later step: the next chapter is played | not tried" in report


@pytest.mark.usefixtures("nothing_left", "without_provider")
def test_a_failed_step_ends_only_its_own_chapter(account: Account, tmp_path: Path) -> None:
    first, second, *_ = plan("test", with_key=False)
    run = verification(account, [replace(first, steps=[fails, later]), replace(second, steps=[later])])

    assert carry_out(run, tmp_path / "report.md") == 1
    assert [outcome.good for outcome in run.story.outcomes] == [False, True]


@pytest.mark.usefixtures("without_provider")
def test_what_could_not_be_removed_is_listed(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Account, name: str) -> None:
        raise EngineError(f"{name} can't be deleted")

    chapter = replace(plan("test", with_key=False)[0], steps=[later])
    run = verification(account, [chapter])
    with monkeypatch.context() as patched:
        patched.setattr(Account, "delete_domain", refuse)
        assert carry_out(run, tmp_path / "report.md") == 1

    assert f"{chapter.names.domain} can't be deleted" in run.left[0]
    assert f"{chapter.names.domain} can't be deleted" in (tmp_path / "report.md").read_text()


@pytest.fixture
def without_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the deployment of the provider, which takes most of the time."""
    monkeypatch.setattr(Account, "build_provider", lambda _: None)
    monkeypatch.setattr(Account, "deploy_provider", lambda _: "")


@pytest.mark.usefixtures("nothing_left")
def test_ctrl_c_during_a_stack_operation_removes_everything(account: Account, engine: Engine, tmp_path: Path) -> None:
    """The run is another process, and gets the signal during a stack operation."""
    command = [sys.executable, "-m", "local.verify", "--yes", "--report", str(tmp_path / "report.md")]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        # The first event of the first stack.
        seen = next(line for line in process.stdout if "-life" in line and "CREATE_IN_PROGRESS" in line)
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()

    assert process.returncode == 130, seen + said
    assert "removed: stack verify-" in said
    assert "could not be removed" not in said
    assert "The run was stopped: with Ctrl-C or SIGTERM" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize("answer", ["no", "", EOFError, KeyboardInterrupt])
def test_without_consent_nothing_is_created(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str | type[BaseException],
) -> None:
    def asked(_: str) -> str:
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr("builtins.input", asked)
    monkeypatch.setattr(Verification, "run", lambda _: pytest.fail("it started"))

    assert verify.main([]) == 2
    said = capsys.readouterr().out
    assert all(text in said for text in (account.account, account.region, "Cost:", "verify-"))


def test_two_runs_use_different_names() -> None:
    first, second = ({chapter.names for chapter in plan(run_id, with_key=True)} for run_id in ("1a", "2b"))

    assert not first & second
    assert all(name.domain.startswith("verify-1a-") for name in first)
