"""The command. Exit status 0: no drift; 1: drift; 2: not everything could be compared, because a call failed.

A value that cannot be known (a NoEcho parameter, a secret) is listed, and does not change the exit status.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import boto3
from botocore.exceptions import BotoCoreError

from tools.drift import report, stacks
from tools.drift.account import RESOURCE_TYPE, Account, CannotTellError, Resource
from tools.drift.compare import Comparison, NotKnown, Wanted, compare
from tools.drift.report import DomainReport, StackReport, Verdict
from tools.drift.resolve import resolve
from tools.drift.stacks import Stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what differs. Returns the exit status."""
    parser = command_line()
    options = parser.parse_args(arguments)
    if not options.all and not options.stack:
        parser.error("--stack needs a name")
    try:
        account = Account(boto3.Session(profile_name=options.profile, region_name=options.region))
        function = account.provider_function(options.provider_stack) if options.provider_stack else ""
        reports = list(compared(account, "" if options.all else options.stack, function))
    except (CannotTellError, BotoCoreError) as error:
        print(f"could not tell: {error}", file=sys.stderr)
        return Verdict.COULD_NOT_TELL
    print(report.as_json(reports) if options.json else report.as_text(reports))
    return report.verdict(reports)


def command_line() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.drift",
        description="Tell what differs between stacks' templates and their Customer Profiles domains. Changes nothing.",
        epilog="Exit status: 0 no drift, 1 drift, 2 could not tell.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--stack", help="name or ID of the stack")
    which.add_argument("--all", action="store_true", help=f"every stack of the region that has a {RESOURCE_TYPE}")
    parser.add_argument("--provider-stack", default="", help="only domains of the provider that this stack deployed")
    parser.add_argument("--region", help="default: that of the AWS configuration")
    parser.add_argument("--profile", help="profile of the AWS configuration")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def compared(account: Account, name: str, function: str) -> Iterator[StackReport]:
    """A report for each stack with domains. `function` limits them to those of one provider."""
    for description in account.stacks(name):
        stack_name = description["StackName"]
        try:
            resources = account.resources(description["StackId"])
            if not any(resource.is_domain for resource in resources):
                if name:
                    raise CannotTellError(f"The stack has no {RESOURCE_TYPE}")
                continue
            stack = stacks.read(account, description, resources)
        except CannotTellError as error:
            yield StackReport(stack_name, failure=str(error))
            continue
        domains = tuple(_domain_report(account, stack, r) for r in stack.domains if _is_of(stack, r, function))
        if domains:
            yield StackReport(stack_name, domains)


def _is_of(stack: Stack, resource: Resource, function: str) -> bool:
    """Whether the resource can belong to the provider with that function. True if that cannot be known."""
    try:
        token = stack.service_token(resource)
    except CannotTellError:
        return True
    return not function or not token or token == function


def _domain_report(account: Account, stack: Stack, resource: Resource) -> DomainReport:
    try:
        comparison = _comparison(account, stack, resource)
    except CannotTellError as error:
        return DomainReport(resource.logical_id, resource.physical_id, Comparison(), failure=str(error))
    return DomainReport(resource.logical_id, resource.physical_id, comparison)


def _comparison(account: Account, stack: Stack, resource: Resource) -> Comparison:
    if not resource.status.endswith("_COMPLETE"):
        raise CannotTellError(f"The resource is {resource.status}")
    token = stack.service_token(resource)
    function_account = token.split(":")[4] if token.startswith("arn:") else stack.account
    if function_account != stack.account:
        raise CannotTellError(f"The domain is in account {function_account}, where its function is: ask there")
    passes_tags_on = account.passes_stack_tags_on(token) if stack.tags else False
    wanted = Wanted(
        stack.stack_id,
        resource.logical_id,
        resource.physical_id,
        resolve(stack.properties(resource), stack.scope),
        stack.tags if passes_tags_on else {},
    )
    comparison = compare(wanted, account.domain(resource.physical_id), account.shape)
    if passes_tags_on is not None:
        return comparison
    unsure = NotKnown("Tags", "whether the provider gives the stack's tags to the domain", failed=False)
    return Comparison(comparison.differences, (*comparison.not_known, unsure))


if __name__ == "__main__":
    sys.exit(main())
