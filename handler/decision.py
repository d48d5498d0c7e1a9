"""Decision taken: what an event does to a domain, given how the live domain looks.

Pure functions of plain values. Their rules are the table in README.md, "What happens to an event". They guard one
sentence: no event destroys a domain that is not the resource's own, or leaves one behind that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.model import StructureShape

from handler import changes
from handler.changes import Changes, Live
from handler.event import Event
from handler.ownership import ADOPTED, LOGICAL_ID, REQUEST_ID, STACK_ID, Owner, claim_of, owner, read_claims, tags_of
from handler.properties import CLEARED_BY_EMPTY, Desired

_COUNTS = {"ProfileCount": "profiles", "ObjectCount": "objects"}  # of Stats: what makes a domain hold data


@dataclass(frozen=True)
class Create:
    """Make the domain."""

    name: str
    settings: Mapping[str, Any]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Converge:
    """Send what differs."""

    name: str
    changes: Changes
    live: Live = field(compare=False)


@dataclass(frozen=True)
class Delete:
    """Delete the domain and everything in it."""

    name: str


@dataclass(frozen=True)
class Leave:
    """Do nothing and answer SUCCESS; `why` goes into the log."""

    why: str


@dataclass(frozen=True)
class Refuse:
    """Do nothing and answer FAILED; `why` tells the user what to do."""

    why: str


Plan = Create | Converge | Delete | Leave | Refuse


class RefusedError(Exception):
    """The event is refused; str() tells the user the way on."""


def create_or_update(
    event: Event, desired: Desired, old: Desired, live: Live | None, shape: StructureShape
) -> Create | Converge | Refuse:
    """Decide on a Create or an Update, for the domain that the desired state names; `live` is None if it is absent."""
    if live is None:
        settings = {k: v for k, v in desired.settings.items() if not (v == "" and k in CLEARED_BY_EMPTY)}
        return Create(desired.name, settings, {**desired.tags, **_claim(event, event.request_id)})
    if old.name != desired.name:
        old = Desired(old.name)  # it speaks of another domain, and says nothing of what this one was asked to be
    tags = live.get("Tags", {})
    whose = owner(read_claims(tags), event)
    is_known = event.physical_id == desired.name  # to CloudFormation, as this resource's domain
    if whose is Owner.OWN:
        claimed = _claim_again(event, live, is_known=is_known)
    elif (is_known and whose is Owner.UNOWNED) or (not is_known and desired.adopt_existing):
        claimed = _claim(event, ADOPTED)
    elif is_known:
        return Refuse(
            f"Domain {desired.name} now belongs to {_owner_in_words(tags)}. It was left alone. Give this resource "
            "another DomainName, or remove it from this stack: its Delete will leave the domain alone."
        )
    else:
        belongs = f"belongs to {_owner_in_words(tags)}" if whose is Owner.FOREIGN else "belongs to no stack"
        return Refuse(
            f"Domain {desired.name} already exists and {belongs}. It was left alone. "
            "Choose another DomainName, or set AdoptExisting: true to take it over."
        )
    return Converge(desired.name, changes.find(desired, old, live, claimed or None, shape), live)


def delete(event: Event, live: Live | None, *, protection: bool | None) -> Delete | Leave | Refuse:
    """Decide on a Delete; `protection` is DeletionProtection as the template has it, None where it doesn't say.

    `live` is the domain that the physical id names, or where there is none the one that ResourceProperties names.
    """
    if live is None:
        return Leave("there is no such domain; nothing to delete")
    name, tags = live["DomainName"], live.get("Tags", {})
    whose = owner(read_claims(tags), event)
    is_failed_create = event.failed_create is not None
    if is_failed_create and not (whose is Owner.OWN and tags.get(REQUEST_ID) == event.failed_create):
        return Leave(f"domain {name} was not made by the Create that failed")
    if not is_failed_create and event.physical_id != name:
        # CloudFormation made the physical id up, because it never had an answer to the Create.
        if _is_leftover(event, live):
            return Delete(name)
        return Leave(
            f"the answer to the Create never came, and domain {name} isn't an empty one that this resource made"
        )
    if whose is Owner.OWN:
        # A stack that is rolled back deletes what it has just taken over, or has failed to make. What was taken over
        # had its data before the stack, and a Create that failed may be in use all the same: both are protected unless
        # the template says that they are not.
        is_doubtful = is_failed_create or tags.get(REQUEST_ID, ADOPTED) == ADOPTED
        is_protected = is_doubtful if protection is None else protection
        return _refuse_to_delete(event, live) if is_protected and not _is_empty(live) else Delete(name)
    if whose is Owner.FOREIGN:
        return Leave(f"domain {name} now belongs to {_owner_in_words(tags)}")
    return Refuse(
        f"Domain {name} has lost its ownership tags, or somebody has made it anew. It was left alone. To delete it "
        f"with this stack, give it the tags {STACK_ID}={event.stack_id} and {LOGICAL_ID}={event.logical_id}, then "
        f"delete again; to keep it, delete the stack and retain {event.logical_id}."
    )


def _claim(event: Event, request_id: str) -> dict[str, str]:
    return tags_of((claim_of(event, request_id),))


def delete_leftover(event: Event, live: Live | None) -> Delete | Leave:
    """Decide on the domain that a replacement made which died half way, once its rollback is done."""
    if live is None:
        return Leave("the replacement left no domain behind")
    if _is_leftover(event, live):
        return Delete(live["DomainName"])
    return Leave(f"domain {live['DomainName']} isn't an empty one that this resource made")


def _claim_again(event: Event, live: Live, *, is_known: bool) -> dict[str, str]:
    """The claim on an own domain whose tags no longer say the whole of it; {} where they may stay."""
    made_by = live["Tags"].get(REQUEST_ID)
    if made_by is None:
        return _claim(event, ADOPTED)  # somebody took the tag away, and nobody can tell any more who made the domain
    if is_known or made_by in (ADOPTED, event.request_id):
        return {}
    if not _is_empty(live):
        # Retained earlier, or left by a rename. If this event is rolled back, CloudFormation sends a Delete for it, and
        # nobody can tell that Delete from any other. So its data is protected, as that of any domain taken over.
        return _claim(event, ADOPTED)
    if event.request_type == "Create" or event.failed_create is not None:
        # Left by an earlier Create that failed. A Delete which still belongs to that one must not reach it any more.
        return _claim(event, event.request_id)
    return {}


def _is_leftover(event: Event, live: Live) -> bool:
    tags = live.get("Tags", {})
    return owner(read_claims(tags), event) is Owner.OWN and tags.get(REQUEST_ID, ADOPTED) != ADOPTED and _is_empty(live)


def _refuse_to_delete(event: Event, live: Live) -> Refuse:
    stats = live.get("Stats", {})
    counts = " and ".join(f"{stats.get(count, 'an unknown number of')} {what}" for count, what in _COUNTS.items())
    return Refuse(
        f"Domain {live['DomainName']} holds {counts}, and is protected. It was left alone. To keep it, delete the "
        f"stack and retain {event.logical_id}. To delete it with all its data, delete the domain itself (aws "
        f"customer-profiles delete-domain --domain-name {live['DomainName']}), then the stack again."
    )


def _is_empty(live: Live) -> bool:
    """Whether the domain is known to hold nothing; where the API reports no counts nobody knows."""
    stats = live.get("Stats", {})
    return all(stats.get(count) == 0 for count in _COUNTS)


def _owner_in_words(tags: Mapping[str, str]) -> str:
    return f"{tags.get(LOGICAL_ID, 'a resource')} of stack {tags.get(STACK_ID, 'unknown')}"
