"""Convergence: what brings a live domain to the claims, tags and settings that it is to have. Pure functions.

Claims and tags come first, and settings only after another look at the domain: another stack's event may have claimed
it at the same time. So settings change only in a domain that is known to be the resource's own, and a takeover that
fails can be put back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import StructureShape

from handler import changes, ownership, refusals
from handler.changes import Changes
from handler.event import Event
from handler.ownership import Claims, Owner, is_ownership_key, owner, read_claims, tags_of
from handler.plans import Change, Leave, Live, Plan
from handler.properties import Desired


def converge(
    desired: Desired, old: Desired, live: Live, claims: Claims, shape: StructureShape, *, takes_over: bool = False
) -> Plan:
    """Bring the domain to the desired state, with these claims; `old` is what the template asked for before."""
    if old.name != desired.name:
        old = Desired(old.name)  # it speaks of another domain, and says nothing of what this one was asked to be
    found = changes.find(desired, old, live, tags_of(claims), shape)
    count, most = _tags_after(found, live.get("Tags", {})), int(shape.members["Tags"].metadata["max"])
    if count > most:
        return refusals.has_no_room(desired.name, count, most)
    if any(map(is_ownership_key, (*found.tag, *found.untag))):
        found = Changes(found.untag_first, found.tag, untag=found.untag)
        return Change(desired.name, found, and_look=True, takes_over=takes_over)
    return Change(desired.name, found)


def reclaim(live: Live, claims: Claims) -> Change:
    """Give the domain these claims and change nothing else; without another look if no claim is left."""
    tags, wanted = live.get("Tags", {}), tags_of(claims)
    return Change(
        live["DomainName"],
        Changes(
            tag={key: value for key, value in wanted.items() if tags.get(key) != value},
            untag=tuple(sorted(key for key in tags if is_ownership_key(key) and key not in wanted)),
        ),
        and_look=bool(claims),
    )


def put_back(event: Event, desired: Desired, found: Live, live: Live | None, shape: StructureShape) -> Plan:
    """Put a domain back as it was found, after a takeover that failed; `desired` is what the takeover wanted."""
    if live is None:
        return Leave("the domain that was taken over is gone")
    claims = read_claims(live.get("Tags", {}))
    whose = owner(claims, event)
    if whose is Owner.FOREIGN and claims != read_claims(found.get("Tags", {})):
        return Leave(f"domain {desired.name} now belongs to {refusals.holder(claims)}")
    if whose is Owner.OWN:
        claims = ownership.give_back(claims)
    elif whose is Owner.LENT:
        claims = ownership.let_go(claims, event)
    before = Desired(
        desired.name,
        {name: _askable(found[name], shape.members[name]) for name in desired.settings if name in found},
        {key: value for key, value in found.get("Tags", {}).items() if key in desired.tags},
    )
    return Change(desired.name, changes.find(before, desired, live, tags_of(claims), shape))


def _askable(value: Any, shape: Any) -> Any:
    """A reported value without what the API only reports, such as a status."""
    if isinstance(value, Mapping) and shape.type_name == "structure":
        return {name: _askable(item, shape.members[name]) for name, item in value.items() if name in shape.members}
    return value


def _tags_after(found: Changes, live_tags: Mapping[str, str]) -> int:
    """How many tags the domain would have once they are set. A native resource's system tags don't count."""
    return sum(not key.startswith("aws:") for key in {*live_tags, *found.tag}.difference(found.untag_first))
