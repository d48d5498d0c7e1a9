"""Drift: what is different between the desired state and the live domain, and so has to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.model import StructureShape

from handler.ownership import OWNERSHIP_KEYS
from handler.properties import SENT_ONLY_WHEN_CHANGED, SWITCH, Desired, default_of


@dataclass(frozen=True)
class Drift:
    """The arguments of the calls that make the live domain the desired one; empty where nothing differs."""

    update: Mapping[str, Any] = field(default_factory=dict)
    tag: Mapping[str, str] = field(default_factory=dict)
    untag: tuple[str, ...] = ()


def find(
    desired: Desired, old: Desired, live: Mapping[str, Any], claim: Mapping[str, str], shape: StructureShape
) -> Drift:
    """Compare the desired state with the live domain.

    `old` is what the template asked for before, to know what it has dropped since; `live` the domain as GetDomain
    reports it; `claim` the ownership tags to set; `shape` the input shape of CreateDomain.
    A property that neither names is left as it is, and so is a member that the service filled in.
    """
    put_back = {name: default_of(name, shape) for name in old.settings.keys() - desired.settings.keys()}
    update = {name: value for name, value in put_back.items() if value is not None and _differs(value, live.get(name))}
    for name, value in desired.settings.items():
        if _differs(value, live.get(name), old.settings.get(name), only_changes=name in SENT_ONLY_WHEN_CHANGED):
            update[name] = value
    tags = {**desired.tags, **claim}
    live_tags = live.get("Tags", {})
    return Drift(
        update=update,
        tag={key: value for key, value in tags.items() if live_tags.get(key) != value},
        untag=tuple(sorted(key for key in old.tags if key in live_tags and key not in {*tags, *OWNERSHIP_KEYS})),
    )


def _differs(desired: Any, live: Any, old: Any = None, *, only_changes: bool = False) -> bool:
    """Whether the live value has to change.

    A member that the template had and dropped counts while the domain still has it. With `only_changes` it counts only
    while the domain still has the value that the template gave it: any other is the service's own default.
    """
    if isinstance(desired, Mapping):
        if live is None:
            # A feature that is off, a structure with nothing in it, and one that nobody set, are the same.
            return any(name != SWITCH or value for name, value in desired.items())
        if not isinstance(live, Mapping):
            return True
        before = old if isinstance(old, Mapping) else {}
        dropped = (before.keys() - desired.keys()) & live.keys()
        return any(not only_changes or not _differs(before[name], live[name]) for name in dropped) or any(
            _differs(value, live.get(name), before.get(name), only_changes=only_changes)
            for name, value in desired.items()
        )
    if isinstance(desired, list):
        if not isinstance(live, list) or len(live) != len(desired):
            return True
        olds = old if isinstance(old, list) and len(old) == len(desired) else [None] * len(desired)
        return any(_differs(*each, only_changes=only_changes) for each in zip(desired, live, olds, strict=True))
    if desired == "":
        return bool(live)  # none asked for, none reported
    return bool(desired != live)
