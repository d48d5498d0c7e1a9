"""Removes everything that an acceptance run can have created, and lists what it could not remove."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from local.account import SAM_STACK, Account
from local.chapters import all_domains
from local.page import Page
from local.processes import EngineError
from local.story import FAILURES, Names


@dataclass(frozen=True)
class Removal:
    """Something that the run can have created. `remove` also succeeds if it does not exist."""

    what: str
    remove: Callable[[], None]


def removals(account: Account, chapters: Iterable[Names]) -> list[Removal]:
    """Everything that the run can have created, in an order in which it can be removed.

    The provider comes last: the stacks need its function for their own deletion.
    """
    stacks = [
        Removal(f"stack {names.stack} and its domains", partial(remove_chapter, account, names)) for names in chapters
    ]
    provider = Removal(f"stack {account.provider_stack}", partial(remove_stack, account, account.provider_stack))
    code = Removal(f"the provider's code in the bucket of {SAM_STACK}", account.remove_artifacts)
    return [*stacks, provider, code]


def clean_up(found: Iterable[Removal], page: Page) -> list[str]:
    """Remove one after the other. Return what could not be removed, and why.

    After Ctrl-C the rest is not removed.
    """
    left, stopped = [], False
    for removal in found:
        try:
            if stopped:
                raise EngineError("not tried, since the cleanup was stopped")
            removal.remove()
        except KeyboardInterrupt:
            stopped = True
            left.append(f"{removal.what}: stopped before it was removed")
        except FAILURES as error:
            left.append(f"{removal.what}: {error}")
            page.mark(left[-1], good=False)
        else:
            page.mark(f"removed: {removal.what}", good=True)
    return left


def remove_chapter(account: Account, names: Names) -> None:
    """Remove a chapter's stack and domains.

    Raises:
        EngineError: The stack could not be deleted.
    """
    try:
        remove_stack(account, names.stack)
    except EngineError:
        # A domain that its stack may not delete, such as a protected one. Without it, the stack can be deleted.
        _delete_domains(account, names)
        remove_stack(account, names.stack)
    _delete_domains(account, names)


def remove_stack(account: Account, name: str) -> None:
    """Delete a stack, if it is there.

    Raises:
        EngineError: It is still there.
    """
    if _status_at_rest(account, name) is None:
        return
    events = list(account.delete(name))
    if account.status(name) is not None:
        raise EngineError(f"{name} is {account.status(name)}: {[event.reason for event in events if event.failed]}")


def _status_at_rest(account: Account, name: str) -> str | None:
    """Wait until no operation runs on the stack, and return its status. A stack cannot be deleted during an update."""
    deadline = time.monotonic() + account.stack_seconds
    while True:
        status = account.status(name)
        if status is None or not status.endswith("_IN_PROGRESS"):
            return status
        if time.monotonic() > deadline:
            raise EngineError(f"{name} is still {status}")
        time.sleep(account.poll_seconds)


def _delete_domains(account: Account, names: Names) -> None:
    for domain in all_domains(names):
        account.delete_domain(domain)
