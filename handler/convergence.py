"""Convergence: what brings a live domain to the claims, tags and settings that it is to have. Pure functions.

Claims and tags come first, and settings only after another look at the domain: another stack's event may have claimed
it at the same time. So settings change only in a domain that is known to be the resource's own, and a takeover that
fails can be put back.
"""

from __future__ import annotations

from collections.abc import Mapping

from botocore.model import StructureShape

from handler import changes, refusals
from handler.changes import Changes, Live
from handler.claims import Claims, is_ownership_key, tags_of, tags_to_set
from handler.plans import Change, Plan
from handler.properties import Desired


def converge(
    desired: Desired,
    old: Desired,
    live: Live,
    claims: Claims,
    shape: StructureShape,
    *,
    was_there: bool = False,
    only_named: bool = False,
) -> Plan:
    """Bring the domain to the desired state, with these claims; `old` is what the template asked for before.

    `was_there` is that of the plan, `only_named` that of `changes.find`.
    """
    if old.name != desired.name:
        old = Desired(old.name)  # the old properties were for another domain, so nothing in this one comes from them
    needed = changes.find(desired, old, live, tags_of(claims), shape, only_named=only_named)
    count, most = _tags_after(needed, live.get("Tags", {})), int(shape.members["Tags"].metadata["max"])
    if count > most:
        return refusals.has_no_room(desired.name, count, most)
    if needed.of_claims:
        return Change(desired.name, needed.without_settings(), and_look=True, was_there=was_there, claims=claims)
    return Change(desired.name, needed, was_there=was_there)


def reclaim(live: Live, claims: Claims) -> Change:
    """Give the domain these claims and change nothing else; without another look if no claim is left."""
    tags, wanted = live.get("Tags", {}), tags_of(claims)
    return Change(
        live["DomainName"],
        Changes(
            tag=tags_to_set(wanted, tags),
            untag=tuple(sorted(key for key in tags if is_ownership_key(key) and key not in wanted)),
        ),
        and_look=bool(claims),
        claims=claims,
    )


def _tags_after(needed: Changes, live_tags: Mapping[str, str]) -> int:
    """How many tags the domain would have once they are set."""
    return changes.count_tags({*live_tags, *needed.tag}.difference(needed.untag_first))
