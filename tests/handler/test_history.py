"""A stack that was never complete with a domain, and is then deleted or deployed without it: that undoes, too.

DescribeStacks calls it no rollback, so the stack's events decide (handler/history.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from handler import cloudformation
from handler.history import History, StackEvent, was_never_complete
from tests.handler.cloudformation import STACK, stack_arn
from tests.handler.describe_api import DescribeError
from tests.handler.faults import Clock, live_domains
from tests.handler.listed import ListedStacks
from tests.handler.listed_resource import ListedResource
from tests.handler.situations import ADOPTING, LEAST, MADE, OTHER, THEIRS, UNPROTECTED, existing_domain, holder
from tests.handler.stacks import STACK_TYPE, succeeded

PARENT = stack_arn("parent")
ME, DOMAIN = "Domain", "customers"

# What happens to a stack or to the resource, in this order.
CREATED = [("CREATE_IN_PROGRESS", ""), ("CREATE_COMPLETE", DOMAIN)]
RENAMED = [("UPDATE_IN_PROGRESS", "old"), ("UPDATE_COMPLETE", DOMAIN)]
CHANGED = [("UPDATE_IN_PROGRESS", DOMAIN), ("UPDATE_COMPLETE", DOMAIN)]


def events(*happened: str | Sequence[tuple[str, str]]) -> list[StackEvent]:
    """A stack's events, the newest first: a text is a status of the stack, a list has those of the resource.

    The stack has the same name as the resource.
    """
    lines: list[StackEvent] = []
    for each in happened:
        for status, physical_id in [(each, STACK)] if isinstance(each, str) else each:
            is_stack = isinstance(each, str)
            lines.insert(0, StackEvent(float(len(lines) + 1), ME, physical_id, status, is_stack))
    return lines


@pytest.mark.parametrize(
    ("happened", "is_undone"),
    [
        (["CREATE_IN_PROGRESS", CREATED, "CREATE_COMPLETE", "DELETE_IN_PROGRESS"], False),
        (["CREATE_IN_PROGRESS", CREATED, "DELETE_IN_PROGRESS"], True),
        (["CREATE_IN_PROGRESS", CREATED, "CREATE_FAILED", "DELETE_IN_PROGRESS"], True),
        (["CREATE_IN_PROGRESS", CREATED, "ROLLBACK_FAILED", "DELETE_IN_PROGRESS"], True),
        (["CREATE_IN_PROGRESS", CREATED, "ROLLBACK_FAILED", "DELETE_FAILED", "DELETE_IN_PROGRESS"], True),
        (["CREATE_IN_PROGRESS", CREATED, "CREATE_COMPLETE", "DELETE_FAILED", "DELETE_IN_PROGRESS"], False),
        (["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", CREATED, "UPDATE_FAILED", "DELETE_IN_PROGRESS"], True),
        (["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", RENAMED, "UPDATE_FAILED", "DELETE_IN_PROGRESS"], True),
        (["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", CHANGED, "UPDATE_FAILED", "DELETE_IN_PROGRESS"], False),
        (["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", RENAMED, "UPDATE_ROLLBACK_COMPLETE", "DELETE_IN_PROGRESS"], True),
        (["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", RENAMED, "UPDATE_COMPLETE", "DELETE_IN_PROGRESS"], False),
        ([CHANGED, "DELETE_IN_PROGRESS"], False),
        (["CREATE_IN_PROGRESS", [*CREATED, ("CREATE_COMPLETE", STACK)], "CREATE_FAILED", "DELETE_IN_PROGRESS"], True),
        (["UPDATE_IN_PROGRESS", CREATED, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS"], False),
        (["CREATE_IN_PROGRESS", [("CREATE_COMPLETE", DOMAIN)], "DELETE_IN_PROGRESS"], True),
        (["DELETE_IN_PROGRESS"], False),
        (
            [
                "CREATE_COMPLETE",
                "UPDATE_IN_PROGRESS",
                CREATED,
                "UPDATE_FAILED",
                "UPDATE_IN_PROGRESS",
                "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            ],
            True,
        ),
        (
            [
                "CREATE_IN_PROGRESS",
                CREATED,
                "CREATE_COMPLETE",
                "UPDATE_IN_PROGRESS",
                "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            ],
            False,
        ),
        (
            [
                "CREATE_IN_PROGRESS",
                CREATED,
                "CREATE_COMPLETE",
                "UPDATE_IN_PROGRESS",
                [("UPDATE_IN_PROGRESS", DOMAIN), ("UPDATE_COMPLETE", "new")],
                "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            ],
            False,
        ),
    ],
)
def test_whether_a_deletion_undoes_what_never_succeeded(
    happened: list[str | Sequence[tuple[str, str]]], is_undone: bool
) -> None:
    newest_first = events(*happened)
    assert was_never_complete(History(STACK, newest_first), [], ME, DOMAIN) is is_undone


@pytest.mark.parametrize("statuses", [["ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"], ["CREATE_FAILED"], []])
@pytest.mark.parametrize("is_lent", [False, True], ids=["unowned", "its lender has gone"])
def test_a_domain_survives_the_deletion_of_a_stack_whose_creation_never_succeeded(
    is_lent: bool, statuses: list[str], resource: ListedResource, their_resource: ListedResource, clock: Clock
) -> None:
    """Something refers to the domain and cannot be deleted, so its rollback sends no Delete: ROLLBACK_FAILED."""
    properties = ADOPTING if is_lent else UNPROTECTED
    domain = existing_domain(THEIRS if is_lent else {})
    domain.profile_count = 1000
    resource.stack_is("CREATE_IN_PROGRESS")
    assert succeeded(resource.create(properties))
    resource.lists("CREATE_COMPLETE", "customers")
    if is_lent:
        assert succeeded(their_resource.delete(LEAST))
    for status in statuses:
        resource.stack_is(status)
    clock.now += 600
    assert succeeded(resource.delete_with_its_stack(properties))
    assert live_domains() == {"customers": domain}


@pytest.mark.parametrize("properties", [UNPROTECTED, LEAST], ids=["taken over", "found again"])
def test_a_domain_survives_when_the_template_from_before_a_failed_update_is_deployed(
    properties: dict[str, object], resource: ListedResource, clock: Clock
) -> None:
    """The update was deployed with --disable-rollback."""
    domain = existing_domain({} if properties == UNPROTECTED else MADE)
    domain.profile_count = 1000
    resource.stack_is("CREATE_COMPLETE")
    clock.now += 600
    resource.stack_is("UPDATE_IN_PROGRESS")
    assert succeeded(resource.create(properties))
    resource.lists("CREATE_COMPLETE", "customers")
    for status in ("UPDATE_FAILED", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
        clock.now += 60
        resource.stack_is(status)
    assert succeeded(resource.delete(properties))
    assert live_domains() == {"customers": domain}


def test_a_domain_is_deleted_with_its_stack_if_that_was_complete_before_its_last_update_failed(
    resource: ListedResource, clock: Clock
) -> None:
    existing_domain({}).profile_count = 1000
    resource.stack_is("CREATE_IN_PROGRESS")
    assert succeeded(resource.create(UNPROTECTED))
    for status in ("CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"):
        clock.now += 60
        resource.stack_is(status)
        resource.lists("UPDATE_COMPLETE", "customers")
    assert succeeded(resource.delete_with_its_stack(UNPROTECTED))
    assert live_domains() == {}


@pytest.mark.parametrize("is_complete", [False, True], ids=["never complete", "complete"])
def test_a_nested_stack_was_complete_only_if_its_parent_was(
    is_complete: bool, resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    domain = existing_domain({})
    domain.profile_count = 1000
    listed_stacks.stack_is("CREATE_IN_PROGRESS", PARENT)
    listed_stacks.stack_is("CREATE_IN_PROGRESS", STACK, parent_id=PARENT)
    assert succeeded(resource.create(UNPROTECTED))
    resource.lists("CREATE_COMPLETE", "customers")
    listed_stacks.stack_is("CREATE_COMPLETE", STACK, parent_id=PARENT)
    clock.now += 60
    listed_stacks.stack_is("CREATE_COMPLETE" if is_complete else "ROLLBACK_FAILED", PARENT)
    clock.now += 60
    listed_stacks.stack_is("DELETE_IN_PROGRESS", PARENT)
    listed_stacks.stack_is("DELETE_IN_PROGRESS", STACK, parent_id=PARENT)
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == ({} if is_complete else {"customers": domain})


@pytest.mark.parametrize("status", ["gone", "throttled"])
def test_the_rollback_of_a_nested_stack_does_not_depend_on_its_parent(
    status: str, resource: ListedResource, their_resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    """The domain is found, and its template says DeletionProtection: false: not knowing would destroy it."""
    domain = existing_domain(THEIRS)
    domain.profile_count = 1000
    assert succeeded(resource.create(UNPROTECTED))
    assert succeeded(their_resource.delete(LEAST))
    listed_stacks.stack_is("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", STACK, parent_id=PARENT)
    if status == "throttled":
        first = listed_stacks.calls.count("DescribeStacks") + 1
        listed_stacks.error_for = lambda operation: (
            DescribeError.THROTTLED if listed_stacks.calls.count("DescribeStacks") > first else None
        )
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == {"customers": domain}


def test_a_nested_stack_whose_parent_is_gone_is_deleted_with_its_domain(
    resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    """The parent retained it. Whether CloudFormation still names the parent is not documented."""
    existing_domain({})
    assert succeeded(resource.create(UNPROTECTED))
    listed_stacks.stack_is("UPDATE_COMPLETE", STACK, parent_id=PARENT)
    listed_stacks.stack_is("DELETE_IN_PROGRESS", STACK, parent_id=PARENT)
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == {}


@pytest.mark.parametrize(
    "afterwards",
    [
        ["UPDATE_ROLLBACK_COMPLETE"],
        ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"],
        ["UPDATE_FAILED"],
        ["UPDATE_FAILED", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"],
    ],
)
def test_a_nested_stack_that_came_with_an_update_that_failed_was_never_complete(
    afterwards: list[str], resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    """Its own creation was complete. It was left after the rollback, or its parent was deployed without rollback."""
    domain = existing_domain({})
    domain.profile_count = 1000
    listed_stacks.stack_is("CREATE_COMPLETE", PARENT)
    clock.now += 60
    listed_stacks.stack_is("UPDATE_IN_PROGRESS", PARENT)
    clock.now += 1
    listed_stacks.stack_is("CREATE_IN_PROGRESS", STACK, parent_id=PARENT)
    clock.now += 1
    assert succeeded(resource.create(UNPROTECTED))
    resource.lists("CREATE_COMPLETE", "customers")
    listed_stacks.stack_is("CREATE_COMPLETE", STACK, parent_id=PARENT)
    for status in afterwards:
        clock.now += 60
        listed_stacks.stack_is(status, PARENT)
    listed_stacks.stack_is("DELETE_IN_PROGRESS", STACK, parent_id=PARENT)
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == {"customers": domain}


@pytest.mark.parametrize("then", ["DELETE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
@pytest.mark.parametrize("is_parent_first", [True, False])
def test_a_nested_stack_was_not_complete_though_it_says_so_after_its_parent_has_failed(
    is_parent_first: bool, then: str, resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    """An update with --disable-rollback took a domain over. Which of the two stacks ends first is not documented."""

    def are(status: str, *stacks: str) -> None:
        for stack_id in stacks:
            clock.now += 1
            listed_stacks.stack_is(status, stack_id, parent_id=PARENT if stack_id == STACK else "")

    are("CREATE_IN_PROGRESS", PARENT, STACK)
    assert succeeded(resource.create(OTHER))
    resource.lists("CREATE_COMPLETE", "other")
    are("CREATE_COMPLETE", STACK, PARENT)
    clock.now += 3600
    domain = existing_domain({})
    domain.profile_count = 1000
    are("UPDATE_IN_PROGRESS", PARENT, STACK)
    assert succeeded(resource.update(UNPROTECTED, OTHER, "other"))
    resource.lists("UPDATE_COMPLETE", "customers")
    for stack_id in (PARENT, STACK) if is_parent_first else (STACK, PARENT):
        are("UPDATE_FAILED" if stack_id == PARENT else "UPDATE_COMPLETE", stack_id)
    clock.now += 600
    if then == "DELETE_IN_PROGRESS":
        are(then, PARENT, STACK)
    else:  # the template from before is deployed
        are("UPDATE_IN_PROGRESS", PARENT, STACK)
        assert succeeded(resource.update(OTHER, UNPROTECTED))
        resource.lists("UPDATE_COMPLETE", "other")
        are(then, PARENT, STACK)
    assert succeeded(resource.deliver(resource.event("Delete", UNPROTECTED, physical_id="customers")))
    assert live_domains()["customers"] is domain


@pytest.mark.parametrize("was_complete", [False, True])
def test_a_nested_stack_that_an_update_has_removed_was_complete_only_if_an_update_before_was(
    was_complete: bool, resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    """It came with an update that failed (--disable-rollback). Its removal fails, since a bucket in it is not empty.

    The update that removes it is complete all the same. The nested stack is deleted later, by itself.
    """
    domain = existing_domain({})
    domain.profile_count = 1000

    def parent_is(*statuses: str) -> None:
        for status in statuses:
            clock.now += 60
            listed_stacks.stack_is(status, PARENT)

    def nested_is(status: str) -> None:
        clock.now += 60
        listed_stacks.stack_is(status, STACK, parent_id=PARENT)
        listed_stacks.lists(status, STACK, stack_id=PARENT, logical_id="Nested", resource_type=STACK_TYPE)

    parent_is("CREATE_COMPLETE", "UPDATE_IN_PROGRESS")
    nested_is("CREATE_IN_PROGRESS")
    assert succeeded(resource.create(UNPROTECTED))
    resource.lists("CREATE_COMPLETE", "customers")
    nested_is("CREATE_COMPLETE")
    parent_is(*(["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"] if was_complete else ["UPDATE_FAILED"]))
    parent_is("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    nested_is("DELETE_IN_PROGRESS")
    nested_is("DELETE_FAILED")
    parent_is("UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE")
    listed_stacks.stack_is("DELETE_IN_PROGRESS", STACK, parent_id=PARENT)
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == ({} if was_complete else {"customers": domain})


@pytest.mark.parametrize("is_update_complete", [True, False])
def test_a_nested_stack_that_is_deleted_with_its_parent_was_complete_if_the_update_was_that_added_it(
    is_update_complete: bool, resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    domain = existing_domain({})
    domain.profile_count = 1000

    def are(status: str, *stacks: str) -> None:
        for stack_id in stacks:
            clock.now += 10
            listed_stacks.stack_is(status, stack_id, parent_id=PARENT if stack_id == STACK else "")
            if stack_id == STACK:
                listed_stacks.lists(status, STACK, stack_id=PARENT, logical_id="Nested", resource_type=STACK_TYPE)

    are("CREATE_COMPLETE", PARENT)
    are("UPDATE_IN_PROGRESS", PARENT)
    are("CREATE_IN_PROGRESS", STACK)
    assert succeeded(resource.create(UNPROTECTED))
    resource.lists("CREATE_COMPLETE", "customers")
    are("CREATE_COMPLETE", STACK)
    for status in (
        ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"] if is_update_complete else ["UPDATE_FAILED"]
    ):
        are(status, PARENT)
    are("DELETE_IN_PROGRESS", PARENT, STACK)
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == ({} if is_update_complete else {"customers": domain})


def test_a_nested_stack_was_not_complete_if_a_stack_between_it_and_the_outermost_one_has_removed_it(
    resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    """It came with an update that failed (--disable-rollback). The next one removes it, and its removal fails."""
    outermost, middle = stack_arn("outermost"), PARENT
    domain = existing_domain({})
    domain.profile_count = 1000

    def are(status: str, *stacks: str) -> None:
        for stack_id in stacks:
            clock.now += 10
            listed_stacks.stack_is(status, stack_id, parent_id={middle: outermost, STACK: middle}.get(stack_id, ""))
            if stack_id == STACK:
                listed_stacks.lists(status, STACK, stack_id=middle, logical_id="Nested", resource_type=STACK_TYPE)

    are("CREATE_COMPLETE", middle, outermost)
    are("UPDATE_IN_PROGRESS", outermost, middle)
    are("CREATE_IN_PROGRESS", STACK)
    assert succeeded(resource.create(UNPROTECTED))
    resource.lists("CREATE_COMPLETE", "customers")
    are("CREATE_COMPLETE", STACK)
    are("UPDATE_COMPLETE", middle)
    are("UPDATE_FAILED", outermost)
    are("UPDATE_IN_PROGRESS", outermost, middle)
    are("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", outermost, middle)
    are("DELETE_IN_PROGRESS", STACK)
    are("DELETE_FAILED", STACK)
    are("UPDATE_COMPLETE", middle, outermost)
    listed_stacks.stack_is("DELETE_IN_PROGRESS", STACK, parent_id=middle)
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == {"customers": domain}


@pytest.mark.parametrize("then", [[], ["UPDATE_IN_PROGRESS", "UPDATE_FAILED"]], ids=["never", "and failed"])
@pytest.mark.parametrize("before", ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"])
def test_a_nested_stack_that_was_updated_by_itself_was_complete_though_its_parent_was_not_updated_since(
    then: list[str], before: str, resource: ListedResource, listed_stacks: ListedStacks, clock: Clock
) -> None:
    """The parent is updated later, or never. An update of it that failed before says nothing, either."""
    existing_domain({}).profile_count = 1000
    for status in ("CREATE_COMPLETE", "UPDATE_IN_PROGRESS", before):
        clock.now += 60
        listed_stacks.stack_is(status, PARENT)
    clock.now += 60
    listed_stacks.stack_is("UPDATE_IN_PROGRESS", STACK, parent_id=PARENT)
    assert succeeded(resource.create(UNPROTECTED))
    resource.lists("CREATE_COMPLETE", "customers")
    listed_stacks.stack_is("UPDATE_COMPLETE", STACK, parent_id=PARENT)
    for status in (*then, "DELETE_IN_PROGRESS"):
        clock.now += 60
        listed_stacks.stack_is(status, PARENT)
    listed_stacks.stack_is("DELETE_IN_PROGRESS", STACK, parent_id=PARENT)
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == {}


def test_an_update_reads_no_events(resource: ListedResource, listed_stacks: ListedStacks) -> None:
    existing_domain(THEIRS)
    resource.stack_is("UPDATE_IN_PROGRESS")
    assert not succeeded(resource.update(LEAST, LEAST))
    assert "DescribeStacks" in listed_stacks.calls
    assert "DescribeStackEvents" not in listed_stacks.calls


@pytest.mark.parametrize("error", [DescribeError.THROTTLED, DescribeError.ACCESS_DENIED])
def test_a_domain_is_given_back_where_the_parent_cannot_be_asked(
    error: DescribeError, resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    existing_domain({})
    assert succeeded(resource.create(UNPROTECTED))
    for status in ("CREATE_COMPLETE", "DELETE_IN_PROGRESS"):
        listed_stacks.stack_is(status, STACK, parent_id=PARENT)
    listed_stacks.stack_is("DELETE_IN_PROGRESS", PARENT)
    listed_stacks.error_for = lambda operation: (
        error if operation == "DescribeStacks" and listed_stacks.calls.count(operation) > 1 else None
    )
    assert succeeded(resource.delete(UNPROTECTED))
    assert "customers" in live_domains()


def test_the_rollback_of_the_outermost_stack_says_nothing_if_a_parent_between_is_settled(
    resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    existing_domain({})
    assert succeeded(resource.create(UNPROTECTED))
    for status in ("CREATE_COMPLETE", "DELETE_IN_PROGRESS"):
        listed_stacks.stack_is(status, STACK, parent_id=PARENT)
    listed_stacks.stack_is("UPDATE_COMPLETE", PARENT, parent_id=stack_arn("outermost"))
    listed_stacks.stack_is("UPDATE_ROLLBACK_IN_PROGRESS", stack_arn("outermost"))
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == {}


def test_a_domain_is_given_back_where_the_stacks_events_cannot_be_read(
    resource: ListedResource, listed_stacks: ListedStacks
) -> None:
    existing_domain({})
    assert succeeded(resource.create(UNPROTECTED))
    resource.stack_is("CREATE_COMPLETE")
    listed_stacks.error_for = lambda operation: (
        DescribeError.ACCESS_DENIED if operation == "DescribeStackEvents" else None
    )
    assert succeeded(resource.delete_with_its_stack(UNPROTECTED))
    assert "customers" in live_domains()
    assert holder() is None


def test_a_domain_is_given_back_where_a_parent_has_too_many_events_to_read(
    resource: ListedResource, listed_stacks: ListedStacks, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent of many nested stacks was updated often since this one was."""
    monkeypatch.setattr(cloudformation, "_MOST_PAGES", 3)
    domain = existing_domain({})
    listed_stacks.stack_is("CREATE_COMPLETE", PARENT)
    clock.now += 60
    listed_stacks.stack_is("CREATE_IN_PROGRESS", STACK, parent_id=PARENT)
    assert succeeded(resource.create(UNPROTECTED))
    resource.lists("CREATE_COMPLETE", "customers")
    listed_stacks.stack_is("CREATE_COMPLETE", STACK, parent_id=PARENT)
    for _ in range(10):
        for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"):
            clock.now += 60
            listed_stacks.stack_is(status, PARENT)
    listed_stacks.stack_is("DELETE_IN_PROGRESS", STACK, parent_id=PARENT)
    assert succeeded(resource.delete(UNPROTECTED))
    assert live_domains() == {"customers": domain}


@pytest.mark.parametrize(
    ("happened", "had_it"),
    [
        (["CREATE_IN_PROGRESS", CREATED, "CREATE_COMPLETE"], True),
        (["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", [("DELETE_SKIPPED", DOMAIN)], "UPDATE_COMPLETE"], True),
        (["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", [("UPDATE_COMPLETE", "new")], "UPDATE_COMPLETE"], False),
        ([CREATED, "UPDATE_IN_PROGRESS", [("UPDATE_COMPLETE", "new")], "UPDATE_COMPLETE"], True),
        ([CREATED, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", [("DELETE_COMPLETE", DOMAIN)], "UPDATE_COMPLETE"], False),
        ([], False),
    ],
    ids=["still there", "retained", "another one", "renamed and retained", "deleted", "nothing is known"],
)
def test_a_resource_had_its_domain_before_the_operation_unless_it_was_deleted_with_it(
    happened: list[str | Sequence[tuple[str, str]]], had_it: bool
) -> None:
    own = History(STACK, events(*happened, "UPDATE_IN_PROGRESS", [("DELETE_SKIPPED", DOMAIN)]))
    assert own.had(own.unfinished_since([]), ME, DOMAIN) is had_it


def test_what_a_resource_of_the_native_type_had_under_the_same_id_does_not_count() -> None:
    skipped = StackEvent(1.0, ME, DOMAIN, "DELETE_SKIPPED", is_stack=False, is_native=True)
    began = StackEvent(2.0, "stack", STACK, "UPDATE_IN_PROGRESS", is_stack=True)
    assert not History(STACK, [began, skipped]).had(2.0, ME, DOMAIN)
