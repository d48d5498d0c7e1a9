"""Claims: the tags of a domain, read as a list of claims, and back. ownership.py says what a claim means.

A claim is three tags: stack-id, logical-id and request-id. The holder's is in the plain keys. The claims behind it have
the same keys with a suffix: `.1`, `.2`, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from handler.event import Event

STACK_ID = "cloudformation:stack-id"
LOGICAL_ID = "cloudformation:logical-id"
REQUEST_ID = "cloudformation:request-id"
OWNERSHIP_KEYS = frozenset({STACK_ID, LOGICAL_ID, REQUEST_ID})

# The native type and its system tags. They stay after a deletion that retains the domain.
NATIVE_TYPE = "AWS::CustomerProfiles::Domain"
NATIVE_STACK_ID = "aws:cloudformation:stack-id"
NATIVE_LOGICAL_ID = "aws:cloudformation:logical-id"

ADOPTED = "adopted"
FOUND = "found"
INHERITED = "inherited"  # then `:` and the time, if it is known
NO_ID = "-"  # instead of an id whose tag was removed, and before a logical id that was given up; no id begins with it

_OWNERSHIP_KEY = re.compile(f"({'|'.join(OWNERSHIP_KEYS)})([.][1-9][0-9]*)?")


@dataclass(frozen=True)
class Claim:
    """One resource's claim to a domain; an id whose tag was removed is empty, or NO_ID once it was written again."""

    stack_id: str
    logical_id: str
    request_id: str

    @property
    def resource(self) -> tuple[str, str]:
        """Whose claim it is."""
        return self.stack_id, self.logical_id

    @property
    def is_adopted(self) -> bool:
        """Whether the domain was taken over, and not made."""
        return self.request_id == ADOPTED

    @property
    def is_inherited(self) -> bool:
        """Whether the resource that made the domain, in another stack, has left it to this one."""
        return self.request_id.partition(":")[0] == INHERITED

    @property
    def inherited_at(self) -> float | None:
        """When the domain was inherited, in seconds since 1970; None if that is not known."""
        try:
            return datetime.fromisoformat(self.request_id.partition(":")[2]).timestamp()
        except (ValueError, OverflowError):  # there is none, or it was written by hand
            return None

    @property
    def is_given_up(self) -> bool:
        """Whether it is an older claim of a resource that has taken the domain back since."""
        return self.logical_id.startswith(NO_ID)

    def is_of(self, event: Event) -> bool:
        """Whether it is the claim of the event's resource."""
        return self.resource == event.resource

    def was_given_up_by(self, event: Event) -> bool:
        """Whether it is an older claim of the event's resource, which has taken its retained domain back since."""
        return self.resource == (event.stack_id, NO_ID + event.logical_id)

    def may_be_of(self, event: Event) -> bool:
        """Whether no id that is left says that it is another resource's."""
        return self.stack_id in ("", event.stack_id) and self.logical_id in ("", event.logical_id)


Claims = tuple[Claim, ...]


def is_ownership_key(key: str) -> bool:
    """Whether the resource keeps this tag key for itself."""
    return _OWNERSHIP_KEY.fullmatch(key) is not None


def read_claims(tags: Mapping[str, str], first: int = 0) -> Claims:
    """The claims in a domain's tags, the holder's first; with `first=1` those behind the holder's.

    Without the holder's there are none. A gap behind it is skipped: two events that change the claims at the same time
    can leave one, and the maker's claim behind it.
    """
    numbers = {int((match[2] or ".0")[1:]) for match in map(_OWNERSHIP_KEY.fullmatch, tags) if match} | {first}
    claims: list[Claim] = []
    for index in sorted(number for number in numbers if number >= first):
        stack_id, logical_id, request_id = (tags.get(key, "") for key in _keys(index))
        if stack_id or logical_id:
            # Without a request-id it is not known which event made it. But only a borrower has another claim behind it.
            is_loan = index < max(numbers)
            claims.append(Claim(stack_id, logical_id, request_id or (ADOPTED if is_loan else FOUND)))
        elif index == 0:
            break
    return merged(claims)


def tags_of(claims: Claims) -> dict[str, str]:
    """The tags that say these claims.

    Each claim has all of its three tags, so that none is left of the claim that had these keys before, should the
    change of claims stop before the tags that are no longer needed are removed.
    """
    return {
        key: value or NO_ID
        for index, claim in enumerate(claims)
        for key, value in zip(_keys(index), (claim.stack_id, claim.logical_id, claim.request_id), strict=True)
    }


def tags_to_set(wanted: Mapping[str, str], live: Mapping[str, str]) -> Mapping[str, str]:
    """The tags that say the claims, `wanted`, if any of them is not among the live tags: all of them or none.

    Another event may change the claims at the same time. With a part of them, it would make up claims of nobody.
    """
    return wanted if any(live.get(key) != value for key, value in wanted.items()) else {}


def _keys(index: int) -> tuple[str, str, str]:
    suffix = f".{index}" if index else ""
    return STACK_ID + suffix, LOGICAL_ID + suffix, REQUEST_ID + suffix


def merged(claims: list[Claim]) -> Claims:
    """Count neighbours of one resource as one claim, the lower one; end with the first that is not `adopted`."""
    left: list[Claim] = []
    for claim in claims:
        if left and left[-1].resource == claim.resource:
            left.pop()
        left.append(claim)
        if not claim.is_adopted:
            break
    return tuple(left)
