"""Ownership: the three tags that say whose a domain is."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from handler.event import Event

STACK_ID = "cloudformation:stack-id"
LOGICAL_ID = "cloudformation:logical-id"
REQUEST_ID = "cloudformation:request-id"
OWNERSHIP_KEYS = frozenset({STACK_ID, LOGICAL_ID, REQUEST_ID})

# The request-id of a domain that the resource took over; one that it made has the RequestId of the event that made it.
ADOPTED = "adopted"


class Owner(enum.Enum):
    """Whose a domain is, as the resource of an event sees it."""

    OWN = "own"
    FOREIGN = "foreign"
    UNOWNED = "unowned"


def owner(tags: Mapping[str, str], event: Event) -> Owner:
    """Tell whose the domain with these tags is.

    A domain that has only one of the two tags has had the other taken away. It is foreign if the one that is left is
    another's; else nobody can tell, and it counts as unowned.
    """
    found = (tags.get(STACK_ID), tags.get(LOGICAL_ID))
    expected = (event.stack_id, event.logical_id)
    if found == expected:
        return Owner.OWN
    if any(is_ not in (None, ours) for is_, ours in zip(found, expected, strict=True)):
        return Owner.FOREIGN
    return Owner.UNOWNED


def claim(event: Event, request_id: str) -> dict[str, str]:
    """The tags that make a domain this event's resource's own."""
    return {STACK_ID: event.stack_id, LOGICAL_ID: event.logical_id, REQUEST_ID: request_id}
