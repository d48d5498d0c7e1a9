"""The acceptance run (`make verify`): the steps of the demo and more, in an AWS account.

    python -m local.verify [--yes] [--region REGION] [--key KEY_ARN] [--report FILE]

It says what it will create and asks before it starts. It checks each promise, removes everything that it created, and
writes a report that can be attached to an issue. It uses the credentials that boto3 finds.

The exit code is 0 when every promise was kept and everything was removed, 1 otherwise, 2 if the run was not started,
130 after Ctrl-C and 143 after SIGTERM.
"""

from __future__ import annotations

import argparse
import platform
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore
from botocore.model import OperationModel

from local import api_behaviour, chapters
from local.account import SAM_STACK, Account
from local.cleanup import clean_up, removals
from local.page import Page
from local.processes import PROJECT, Terminated, sigterm_raises
from local.report import Run, report
from local.story import FAILURES, Names, Step, Story, conclude

COST = (
    "Cost: usually nothing, a few cents at most. CloudFormation's custom resources, Lambda, SQS and logs stay within"
    " the free tiers or below a cent. Customer Profiles charges for profiles: the run makes one, and deletes it"
    " (https://aws.amazon.com/connect/pricing/). It takes about half an hour."
)
PERMISSIONS = (
    "Your credentials need what `sam deploy` needs (CloudFormation, Lambda, IAM, S3, SQS, Logs), profile:* on these"
    " domains, and sqs:CreateQueue, sqs:DeleteQueue and iam:ListRoles for what is only recorded."
)


@dataclass(frozen=True)
class Chapter:
    """Steps that belong together. A chapter has its own stack and its own domain names.

    A failed step can leave a stack or a domain behind. The next chapter uses other names, so it can still run.
    """

    names: Names
    steps: Sequence[Step]


def plan(run_id: str, *, with_key: bool) -> list[Chapter]:
    """All chapters of a run. Every name contains the run's random id, so nothing of anyone else has that name."""
    found: dict[str, Sequence[Step]] = {
        "life": chapters.LIFE,
        "failures": chapters.FAILURES,
        "adoption": chapters.ADOPTION,
        "protection": chapters.PROTECTION,
        "behaviour": api_behaviour.BEHAVIOUR,
        **({"key": api_behaviour.CUSTOMER_KEY} if with_key else {}),
    }
    planned = []
    for title, steps in found.items():
        name = f"verify-{run_id}-{title}"
        planned.append(Chapter(Names(name, name, f"{name}-renamed", f"{name}-by-hand"), steps))
    return planned


@dataclass
class Verification:
    """One run: its plan and its results."""

    account: Account
    chapters: Sequence[Chapter]
    page: Page
    story: Story
    api_errors: list[str] = field(default_factory=list)
    stopped: str = ""
    left: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Deploy the provider, play the chapters, and remove everything, whatever happens.

        Raises:
            KeyboardInterrupt, Terminated: The run was stopped; everything has been removed nevertheless.
        """
        had_sam_stack = True
        self.account.customer_profiles.meta.events.register("after-call.customer-profiles", self._keep_error)
        try:
            had_sam_stack = self.account.status(SAM_STACK) is not None
            self._deploy_provider()
            for chapter in self.chapters:
                self._play(chapter)
        except FAILURES as error:
            self.stopped = f"{error}"
            self.page.error(f"The provider could not be deployed: {error}")
        except KeyboardInterrupt:
            self.stopped = "with Ctrl-C or SIGTERM"
            raise
        finally:
            self.page.heading("Remove everything again")
            self.left = clean_up(removals(self.account, [chapter.names for chapter in self.chapters]), self.page)
            if not had_sam_stack and self.account.status(SAM_STACK):
                self.page.text(f"SAM made its stack {SAM_STACK} in this account, which every later `sam deploy` uses.")

    def _deploy_provider(self) -> None:
        self.page.heading("Deploy the provider")
        with self.page.timed("sam build"):
            self.account.build_provider()
        with self.page.timed("sam deploy"):
            self.account.deploy_provider()

    def _play(self, chapter: Chapter) -> None:
        self.story.names = chapter.names
        try:
            self.story.play(chapter.steps)
        except Exception:  # `story` has recorded the error
            self.page.text("The rest of this chapter is left out.")

    def _keep_error(self, parsed: Mapping[str, Any], model: OperationModel, **_: Any) -> None:
        if error := parsed.get("Error"):
            # Errors that differ only in a name of this run are recorded once.
            said = re.sub(rf"{self.account.provider_stack.removesuffix('-provider')}[\w-]*", "NAME", error["Message"])
            line = f"{model.name}: {error['Code']}: {said}"
            if line not in self.api_errors:
                self.api_errors.append(line)

    def report(self) -> str:
        reasons = {event.reason: None for event in self.story.events if event.failed}
        return report(
            Run(
                self.account.account,
                facts(self.account),
                [step for chapter in self.chapters for step in chapter.steps],
                self.story.outcomes,
                self.api_errors,
                list(reasons),
                self.left,
                self.stopped,
            )
        )


def facts(account: Account) -> dict[str, str]:
    """Where and with which versions the run took place."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return {
        "commit": commit.stdout.strip() or "unknown",
        "region": account.region,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "endpoint": str(account.customer_profiles.meta.endpoint_url),
        "boto3": boto3.__version__,
        "botocore": botocore.__version__,
        "Python": platform.python_version(),
        "customer's key": "tried" if account.key else "not tried: no key was named with --key",
    }


def announce(account: Account, planned: Sequence[Chapter], page: Page) -> None:
    """Print what the run will create, where, and what it may cost."""
    page.heading("Custom::CustomerProfilesDomain in an AWS account")
    page.table({"account": account.account, "region": account.region, "provider": f"stack {account.provider_stack}"})
    page.gap()
    page.text("It makes these stacks and domains, and removes them again:")
    for chapter in planned:
        page.text(f"  stack {chapter.names.stack}; domains {', '.join(chapters.all_domains(chapter.names))}")
    page.gap()
    page.text(COST)
    page.text(PERMISSIONS)


def agreed() -> bool:
    try:
        return input('\nStart? Type "yes": ').strip().lower() == "yes"
    except (EOFError, KeyboardInterrupt):
        return False


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Try the resource in your own AWS account.")
    parser.add_argument("--yes", action="store_true", help="start without asking")
    parser.add_argument("--region", help="AWS region (default: the one that is configured)")
    parser.add_argument("--key", default="", metavar="ARN", help="a KMS key to try, whose policy lets the service in")
    parser.add_argument("--report", type=Path, default=Path("verify-report.md"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    page, run_id = Page(sys.stdout), secrets.token_hex(4)
    with sigterm_raises(), tempfile.TemporaryDirectory(prefix="verify-") as directory:
        try:
            account = Account.find(options.region, f"verify-{run_id}-provider", Path(directory), options.key)
        except (*FAILURES, ValueError) as error:
            page.error(f"No AWS account to work in: {error}")
            return 1
        planned = plan(run_id, with_key=bool(options.key))
        announce(account, planned, page)
        if not (options.yes or agreed()):
            page.text("Nothing was made.")
            return 2
        return carry_out(Verification(account, planned, page, Story(account, page, planned[0].names)), options.report)


def carry_out(verification: Verification, report_file: Path) -> int:
    """Run, print the result, write the report. Return the exit code."""
    started, code = time.monotonic(), 0
    try:
        verification.run()
    except KeyboardInterrupt as stop:
        code = 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
    good = conclude(verification.story, time.monotonic() - started)
    report_file.write_text(verification.report())
    page = verification.page
    for item in verification.left:
        page.mark(f"could not be removed: {item}", good=False)
    page.gap()
    page.text(f"The report, with account ids replaced: {report_file}")
    complete = good and not verification.left and not verification.stopped
    return code or (0 if complete else 1)


if __name__ == "__main__":
    sys.exit(main())
