"""Plans: what a decision comes to, as plain values, and the facts that it is taken from."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handler.changes import Changes, Live
from handler.claims import Claims
from handler.timeliness import Rollback, Unwanted


@dataclass(frozen=True)
class Make:
    """Make the domain."""

    name: str
    settings: Mapping[str, Any]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """Remove tags that have to make room, set tags, send settings, remove other tags, in this order.

    `and_look`: claims change, so the domain is looked at and decided on again: another stack's event may have changed
    them at the same time. `was_there`: the domain was there before the event that gives it to the resource. If anything
    fails later in this event, it is put back as it was. `claims`: those that it leaves, if it changes claims.
    """

    name: str
    changes: Changes
    and_look: bool = False
    was_there: bool = False
    claims: Claims = ()


@dataclass(frozen=True)
class Destroy:
    """Delete the domain and everything in it.

    `asks`: the domain was there before its resource, and the stack goes on. So CloudFormation is asked whether it wants
    that, at any age of the event: a clean-up may send a Delete for the current domain.
    """

    name: str
    asks: bool = False


@dataclass(frozen=True)
class Leave:
    """Do nothing to the domain; `why` goes into the log. It is no error."""

    why: str


@dataclass(frozen=True)
class Refuse:
    """Do nothing and answer FAILED; `why` tells the user what to do."""

    why: str


class Ask(enum.Enum):
    """A question whose answer decides."""

    CONTENTS = "what is in the domain that Stats does not count"
    ROLLBACK = "is the stack rolling back"
    UNDONE_SINCE = "when did the operation begin that is undone"
    BORROWERS = "which resources of the stack that have the domain on loan were never created"
    UNDONE_BORROWERS = "which resources of the stack have it on loan since the operation began that is undone"
    HAD_BEFORE = "did the resource have the domain before this operation, and was not deleted with it"
    NATIVE = "does the resource of the native type still exist that the domain's system tags name"


Plan = Make | Change | Destroy | Leave | Refuse | Ask


@dataclass(frozen=True)
class Use:
    """What a domain is in use for, in words, "" for nothing. Where that can't be known, it counts as in use."""

    words: str = ""
    is_known: bool = True

    def __bool__(self) -> bool:
        return bool(self.words)


@dataclass(frozen=True)
class Facts:
    """What is known when the decision is taken; None stands for a question that was not asked."""

    live: Live | None
    contents: Use | None = None  # what is in the domain that Stats does not count
    rollback: Rollback | None = None
    undone_since: float | None = None  # when the operation began that is undone, in seconds since 1970; 0 if not known
    never_created: frozenset[str] | None = None  # borrowers in the stack whose Create came to nothing
    undone_borrowers: frozenset[str] | None = None  # borrowers in the stack since the operation began that is undone
    had_before: bool | None = None  # the resource had the domain before this operation, and was not deleted with it
    is_native_gone: bool | None = None
    has_taken_over: bool = False  # this event took the domain over
    has_come_back: bool = False  # this event has removed claims in front of its resource's
    has_claimed: bool = False  # it is known that this event took the domain over, or found it again
    has_changed: bool = False  # this event has made, claimed, given back or changed the domain, or may have
    is_refused: bool = False  # the API has refused settings that this event wanted to change
    sent: Mapping[str, Any] = field(default_factory=dict)  # settings that this event has changed, or may have
    seen_since: float | None = None  # since when the event sees these claims, in seconds since 1970


class RefusedError(Exception):
    """The event is refused; str() says how the user can go on."""


class ContinuedError(RefusedError):
    """Undoing stops: another delivery, or a later event of the resource, goes on with the domain."""

    def __init__(self) -> None:
        super().__init__("a later event of the resource goes on with the domain")


class UnwantedError(RefusedError):
    """CloudFormation no longer wants the change that the event was about to make."""

    def __init__(self, unwanted: Unwanted) -> None:
        super().__init__(f"{unwanted.why}. Nothing more was changed")
        self.unwanted = unwanted
