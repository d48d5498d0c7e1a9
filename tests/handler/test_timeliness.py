"""Whether CloudFormation still wants an event: the table of timeliness.py, row by row, and when it is asked at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handler.event import Event, read
from handler.timeliness import (
    NOT_LISTED,
    Listed,
    has_never_succeeded,
    is_late_to_change,
    is_late_to_start,
    is_wanted,
    why_unwanted,
)
from tests.handler import cloudformation

SENT = 1_795_617_005
URL = "https://bucket.s3.amazonaws.com/key?X-Amz-Date=20261125T143005Z"


def event(kind: str, physical_id: str | None = None) -> Event:
    properties = {"DomainName": "customers", "DefaultExpirationDays": 30}
    old = properties if kind == "Update" else None
    return read(cloudformation.event(kind, properties, old, physical_id=physical_id, response_url=URL))


def kind(sent: object) -> str | None:
    return sent.request_type if isinstance(sent, Event) else None


CREATE, UPDATE, DELETE = event("Create"), event("Update", "customers"), event("Delete", "customers")
RENAME_BACK = event("Update", "clients")  # the rollback of a rename from customers to clients
MADE_UP = event("Delete", "stack-Domain-1ABC")

ROWS = [
    ("a Create that is running", CREATE, Listed("CREATE_IN_PROGRESS"), True),
    ("a Create whose physical id is listed already", CREATE, Listed("CREATE_IN_PROGRESS", "customers"), True),
    ("a Create that was cancelled", CREATE, Listed("CREATE_FAILED"), False),
    ("a Create that was answered", CREATE, Listed("CREATE_COMPLETE", "customers"), False),
    ("a Create whose rollback is running", CREATE, Listed("DELETE_IN_PROGRESS", "stack-Domain-1ABC"), False),
    ("a Create whose stack is gone", CREATE, Listed("DELETE_COMPLETE", "stack-Domain-1ABC"), False),
    ("a Create whose resource has been updated since", CREATE, Listed("UPDATE_IN_PROGRESS", "customers"), False),
    ("a Create whose stack has no such resource", CREATE, NOT_LISTED, False),
    (
        "a Create while a later one of its resource is running",
        CREATE,
        Listed("CREATE_IN_PROGRESS", "", SENT + 60),
        False,
    ),
    ("a Create whose status began by another clock", CREATE, Listed("CREATE_IN_PROGRESS", "", SENT + 3), True),
    ("an Update that is running", UPDATE, Listed("UPDATE_IN_PROGRESS", "customers", SENT - 0.2), True),
    (
        "an Update sent in the second in which its status began",
        UPDATE,
        Listed("UPDATE_IN_PROGRESS", "customers", SENT + 0.9),
        True,
    ),
    ("an Update that is being rolled back", UPDATE, Listed("UPDATE_IN_PROGRESS", "customers", SENT + 1), False),
    ("an Update of a domain that was replaced since", UPDATE, Listed("UPDATE_IN_PROGRESS", "clients", SENT - 1), False),
    ("the rollback of a rename, listed with the new name", RENAME_BACK, Listed("UPDATE_IN_PROGRESS", "clients"), True),
    (
        "the rollback of a rename, listed with the old name",
        RENAME_BACK,
        Listed("UPDATE_IN_PROGRESS", "customers"),
        True,
    ),
    ("an Update that was answered", UPDATE, Listed("UPDATE_COMPLETE", "customers", SENT), False),
    ("an Update that failed", UPDATE, Listed("UPDATE_FAILED", "customers", SENT), False),
    ("an Update whose resource is being deleted", UPDATE, Listed("DELETE_IN_PROGRESS", "customers", SENT), False),
    ("an Update whose stack has no such resource", UPDATE, NOT_LISTED, False),
    ("a Delete that is running", DELETE, Listed("DELETE_IN_PROGRESS", "customers"), True),
    (
        "a Delete of a made-up physical id that is running",
        MADE_UP,
        Listed("DELETE_IN_PROGRESS", "stack-Domain-1ABC"),
        True,
    ),
    ("a Delete in the clean-up after a replacement", DELETE, Listed("UPDATE_COMPLETE", "clients"), True),
    (
        "a Delete in the clean-up while the resource changes again",
        DELETE,
        Listed("UPDATE_IN_PROGRESS", "clients"),
        True,
    ),
    ("a Delete of a domain that came back by a rename", DELETE, Listed("UPDATE_COMPLETE", "customers"), False),
    ("a Delete that was answered", DELETE, Listed("DELETE_COMPLETE", "customers"), False),
    ("a Delete that failed", DELETE, Listed("DELETE_FAILED", "customers"), False),
    ("a Delete of a domain that was created again", DELETE, Listed("CREATE_IN_PROGRESS"), False),
    ("a Delete whose stack has no such resource", DELETE, NOT_LISTED, False),
    (
        "a Delete of a clean-up, after a later replacement that retained the domain",
        DELETE,
        Listed("UPDATE_COMPLETE", "clients", SENT + 60),
        False,
    ),
    (
        "a Delete of a clean-up, while a later Delete is running",
        DELETE,
        Listed("DELETE_IN_PROGRESS", "clients", SENT + 60),
        False,
    ),
]


@pytest.mark.parametrize(("sent", "listed", "wanted"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_whether_cloudformation_still_wants_an_event(sent: Event, listed: Listed, wanted: bool) -> None:
    assert is_wanted(sent, listed) is wanted


@pytest.mark.parametrize(("sent", "wanted"), [(CREATE, False), (UPDATE, False), (DELETE, True)], ids=kind)
def test_only_a_delete_goes_on_where_its_resource_is_no_longer_listed(sent: Event, wanted: bool) -> None:
    assert is_wanted(sent, NOT_LISTED, has_begun=True) is wanted


@pytest.mark.parametrize(
    ("sent", "listed", "never_succeeded"),
    [
        pytest.param(CREATE, Listed("CREATE_FAILED"), True, id="a Create that was cancelled"),
        pytest.param(
            CREATE, Listed("DELETE_COMPLETE", "stack-Domain-1ABC"), True, id="a Create that was deleted unanswered"
        ),
        pytest.param(
            CREATE,
            Listed("DELETE_COMPLETE", f"create-failed:{CREATE.request_id}", SENT + 7200),
            True,
            id="a Create that failed, and was deleted later",
        ),
        pytest.param(
            CREATE,
            Listed("CREATE_FAILED", "", SENT + 904),
            False,
            id="a Create that ended before a later one was cancelled",
        ),
        pytest.param(
            CREATE,
            Listed("CREATE_FAILED", "", SENT + 902),
            True,
            id="a Create that ran as long as Lambda lets it, by clocks that differ by 2 s",
        ),
        pytest.param(
            CREATE,
            Listed("DELETE_COMPLETE", "stack-Domain-1ABC", SENT + 904),
            False,
            id="a Create that ended before a later one was cancelled and deleted",
        ),
        pytest.param(CREATE, Listed("CREATE_COMPLETE", "customers"), False, id="a Create that succeeded"),
        pytest.param(CREATE, Listed("DELETE_SKIPPED", "customers"), False, id="a Create whose domain was retained"),
        pytest.param(CREATE, Listed("UPDATE_COMPLETE", "clients"), False, id="a Create whose domain was replaced"),
        pytest.param(CREATE, NOT_LISTED, False, id="a Create of which CloudFormation knows nothing"),
        pytest.param(UPDATE, Listed("UPDATE_FAILED", "customers"), False, id="an Update"),
    ],
)
def test_what_a_late_create_made_earlier_is_a_leftover_only_if_it_never_succeeded(
    sent: Event, listed: Listed, never_succeeded: bool
) -> None:
    assert has_never_succeeded(sent, listed, "customers") is never_succeeded


@pytest.mark.parametrize(
    ("age", "first", "afterwards"),
    [
        (0, False, False),
        (1.9, False, False),
        (2, False, True),
        (29.9, False, True),
        (30, True, True),
        (7200, True, True),
    ],
)
def test_only_an_event_of_a_certain_age_asks(age: float, first: bool, afterwards: bool) -> None:
    assert is_late_to_start(CREATE, SENT + age) is first
    assert is_late_to_change(CREATE, SENT + age) is afterwards


def test_an_event_older_than_its_service_timeout_asks() -> None:
    impatient = replace(CREATE, properties={**CREATE.properties, "ServiceTimeout": "1"})
    assert not is_late_to_start(impatient, SENT + 0.9)
    assert not is_late_to_change(impatient, SENT + 0.9)
    assert is_late_to_start(impatient, SENT + 1)
    assert is_late_to_change(impatient, SENT + 1)


def test_an_event_that_does_not_say_when_it_was_sent_asks_nothing() -> None:
    undated = replace(CREATE, sent_at=None)
    assert not is_late_to_start(undated, SENT)
    assert not is_late_to_change(undated, SENT)


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (Listed("UPDATE_COMPLETE", "customers"), "it lists Domain as UPDATE_COMPLETE with the physical id customers"),
        (Listed("CREATE_FAILED"), "it lists Domain as CREATE_FAILED with the physical id (none)"),
        (NOT_LISTED, "the stack has no resource Domain now"),
    ],
)
def test_the_reason_names_what_cloudformation_lists(listed: Listed, words: str) -> None:
    assert why_unwanted(DELETE, listed) == f"CloudFormation no longer asks for this Delete: {words}"
