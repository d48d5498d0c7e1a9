"""Convergence: what brings a live domain to the claims, tags and settings that it is to have. Pure functions.

Claims and tags come first, and settings only after another look at the domain: another stack's event may have claimed
it at the same time. So settings change only in a domain that is known to be the resource's own, and a takeover that
fails can be put back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.model import StructureShape

from handler import changes, ownership, refusals
from handler.changes import Changes, Live
from handler.event import Event
from handler.ownership import Claims, Owner, is_ownership_key, owner, read_claims, tags_of
from handler.plans import Change, Leave, Plan
from handler.properties import Desired


def converge(
    desired: Desired, old: Desired, live: Live, claims: Claims, shape: StructureShape, *, takes_over: bool = False
) -> Plan:
    """Bring the domain to the desired state, with these claims; `old` is what the template asked for before."""
    if old.name != desired.name:
        old = Desired(old.name)  # the template asked that of another domain, so this one did not get it from there
    needed = changes.find(desired, old, live, tags_of(claims), shape)
    count, most = _tags_after(needed, live.get("Tags", {})), int(shape.members["Tags"].metadata["max"])
    if count > most:
        return refusals.has_no_room(desired.name, count, most)
    if any(map(is_ownership_key, (*needed.tag, *needed.untag))):
        needed = Changes(needed.untag_first, needed.tag, untag=needed.untag)
        return Change(desired.name, needed, and_look=True, takes_over=takes_over)
    return Change(desired.name, needed)


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


def go_back(event: Event, desired: Desired, old: Desired, live: Live | None, shape: StructureShape) -> Plan:
    """Bring a domain back to what the template asked for before, after an Update that is being rolled back.

    The Update that rolls it back may have looked at the domain before this one changed it, and does not look again.
    """
    claims = read_claims(live.get("Tags", {})) if live else ()
    if live is None or old.name != desired.name or owner(claims, event) is not Owner.OWN:
        return Leave(f"domain {desired.name} is gone, has another owner, or was another one before")
    return converge(old, desired, live, claims, shape)


def put_back_settings(event: Event, desired: Desired, before: Live, live: Live | None, shape: StructureShape) -> Plan:
    """Put the settings back after a takeover that failed, while the domain is still claimed.

    `desired` is what the takeover wanted, `before` the domain as it was.
    """
    plan = _put_back(event, desired, before, live, shape)
    if isinstance(plan, Leave):
        return plan
    return replace(plan, changes=Changes(updates=plan.changes.updates, postponed=plan.changes.postponed))


def put_back_claims(event: Event, desired: Desired, before: Live, live: Live | None, shape: StructureShape) -> Plan:
    """Put claims and tags back after a takeover that failed, even if the settings could not be."""
    plan = _put_back(event, desired, before, live, shape)
    if isinstance(plan, Leave):
        return plan
    return replace(plan, changes=replace(plan.changes, updates=(), postponed=()))


def _put_back(event: Event, desired: Desired, before: Live, live: Live | None, shape: StructureShape) -> Change | Leave:
    if live is None:
        return Leave("the domain that was taken over is gone")
    claims = read_claims(live.get("Tags", {}))
    whose = owner(claims, event)
    if whose is Owner.FOREIGN and claims != read_claims(before.get("Tags", {})):
        return Leave(f"domain {desired.name} now belongs to {refusals.holder(claims)}")
    if whose is Owner.OWN:
        claims = ownership.give_back(claims)
    elif whose is Owner.LENT:
        claims = ownership.let_go(claims, event)
    wanted = Desired(
        desired.name,
        {name: _askable(before[name], shape.members[name]) for name in desired.settings if name in before},
        {key: value for key, value in before.get("Tags", {}).items() if key in desired.tags},
    )
    return Change(desired.name, changes.find(wanted, desired, live, tags_of(claims), shape))


def _askable(value: Any, shape: Any) -> Any:
    """A reported value without what the API only reports, such as a status."""
    if isinstance(value, Mapping) and shape.type_name == "structure":
        return {name: _askable(item, shape.members[name]) for name, item in value.items() if name in shape.members}
    return value


def _tags_after(needed: Changes, live_tags: Mapping[str, str]) -> int:
    """How many tags the domain would have once they are set. A native resource's system tags don't count."""
    return sum(not key.startswith("aws:") for key in {*live_tags, *needed.tag}.difference(needed.untag_first))
