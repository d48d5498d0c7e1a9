"""Changes: what differs between the desired state and the live domain, and so has to be sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.model import StructureShape

from handler.claims import is_ownership_key, tags_to_set
from handler.properties import SWITCH, Desired, default_of

Live = Mapping[str, Any]  # a domain as GetDomain reports it

# Lists that mean sets, each with the sentence of the API's documentation that says so. The order in them has no
# meaning, so another order is no difference. The list of rules is not one of them: a rule's place is its level.
SETS = frozenset(
    {
        # MatchingRule: "You can choose from the following attributes to build the matching Rule".
        "RuleBasedMatching.MatchingRules[].Rule",
        # AttributeTypesSelector: "You can choose from Address, BusinessAddress, MaillingAddress, and ShippingAddress".
        "RuleBasedMatching.AttributeTypesSelector.Address",
        # "You can choose from PhoneNumber, HomePhoneNumber, and MobilePhoneNumber".
        "RuleBasedMatching.AttributeTypesSelector.PhoneNumber",
        # "You can choose from EmailAddress, BusinessEmailAddress and PersonalEmailAddress".
        "RuleBasedMatching.AttributeTypesSelector.EmailAddress",
        # Consolidation: "matching attributes that represent matching criteria"; one entry is one criterion.
        "Matching.AutoMerging.Consolidation.MatchingAttributesList[]",
    }
)

# Properties that can't be changed while the service reports this Status of them. RuleBasedMatching, Status,
# IN_PROGRESS: "Under this status, the system is evaluating the existing data and you can no longer change the
# Rule-based matching configuration". The documentation says nothing like that about PENDING, in which the service only
# waits before it starts.
LOCKED_DURING = {"RuleBasedMatching": "IN_PROGRESS"}

_EMPTY: tuple[Any, ...] = ("", [], {})


@dataclass(frozen=True)
class Changes:
    """What makes the live domain the desired one, in the order of the calls; empty where nothing differs.

    Tags are set before any are removed, so that a change of claims that stops half way still names the right owner.
    Only where the domain would have more tags for a moment than the API allows, tags that the template dropped are
    removed first.
    """

    untag_first: tuple[str, ...] = ()  # keys of dropped tags to remove, to make room for the new ones
    tag: Mapping[str, str] = field(default_factory=dict)  # tags to set
    updates: tuple[Mapping[str, Any], ...] = ()  # the arguments of each UpdateDomain
    untag: tuple[str, ...] = ()  # keys of tags to remove
    postponed: tuple[str, ...] = ()  # properties that differ, but that the service can't change now

    def __bool__(self) -> bool:
        """Whether there is anything to send."""
        return bool(self.untag_first or self.tag or self.updates or self.untag)

    @property
    def of_claims(self) -> bool:
        """Whether ownership tags are set or removed."""
        return any(map(is_ownership_key, (*self.tag, *self.untag)))

    def without_settings(self) -> Changes:
        """Only what changes in the tags."""
        return replace(self, updates=(), postponed=())


def find(
    desired: Desired,
    old: Desired,
    live: Live,
    claims: Mapping[str, str] | None,
    shape: StructureShape,
    *,
    only_named: bool = False,
) -> Changes:
    """Compare the desired state with the live domain.

    `old` is what the template asked for before, to know what it has changed and dropped since. `claims` are the
    ownership tags that the domain is to have, and no others; None leaves them as they are. `shape` is the input shape
    of CreateDomain.

    A property that neither state names is left as it is, and so is a member that the service filled in. With
    `only_named` a structure that is sent does not have such members, and loses them. A property that the service can
    lock is sent in an UpdateDomain of its own, last, so that a refusal holds nothing else up. While it is locked, and
    the template's value is still the one before, it is not sent but named in `postponed`.
    """
    differing = _differing(desired, old, live, shape, only_named=only_named)
    rest = {name: value for name, value in differing.items() if name not in LOCKED_DURING}
    lockable = {name: value for name, value in differing.items() if name in LOCKED_DURING}
    postponed = tuple(name for name in lockable if _is_locked(name, live) and not _is_changed(name, desired, old))
    apart = tuple({name: value} for name, value in lockable.items() if name not in postponed)
    live_tags = live.get("Tags", {})
    tags = {**desired.tags, **(claims or {})}
    untag = sorted(key for key in live_tags if key not in tags and _may_be_removed(key, old, claims))
    untag_first = _removed_first(live_tags, tags, untag, most=shape.members["Tags"].metadata["max"])
    return Changes(
        untag_first=untag_first,
        tag={
            **{key: value for key, value in desired.tags.items() if live_tags.get(key) != value},
            **tags_to_set(claims or {}, live_tags),
        },
        updates=((rest,) if rest else ()) + apart,
        untag=tuple(key for key in untag if key not in untag_first),
        postponed=postponed,
    )


def _differing(
    desired: Desired, old: Desired, live: Live, shape: StructureShape, *, only_named: bool
) -> dict[str, Any]:
    """The settings whose live value has to change."""
    put_back = {name: default_of(name, shape) for name in old.settings.keys() - desired.settings.keys()}
    differing = {
        name: value
        for name, value in sorted(put_back.items())
        if value is not None and _differs(value, _comparable(live.get(name), name))
    }
    for name, value in desired.settings.items():
        wanted, there, before = (_comparable(each, name) for each in (value, live.get(name), old.settings.get(name)))
        if _differs(wanted, there, before, only_changes=name in LOCKED_DURING):
            differing[name] = (
                value if only_named else _with_unnamed(name, value, live.get(name), old.settings.get(name), shape)
            )
    return differing


def _with_unnamed(name: str, value: Any, live: Any, old: Any, parent: Any) -> Any:
    """The value with what the live structure has and the template never named: the API replaces a structure whole.

    Left out are the highest levels of rules, which are whole numbers: the template's rules may not have such a level.
    Left out is also what is empty, which the API may report but not take.
    """
    shape = parent.members.get(name)
    if not (isinstance(value, Mapping) and isinstance(live, Mapping) and hasattr(shape, "members")):
        return value
    before = old if isinstance(old, Mapping) else {}
    unnamed = {
        member: item
        for member, item in askable(live, shape).items()
        if member not in {*value, *before}
        and item not in _EMPTY
        and not (name in LOCKED_DURING and shape.members[member].type_name == "integer")
    }
    named = {
        member: _with_unnamed(member, item, live.get(member), before.get(member), shape)
        for member, item in value.items()
    }
    return {**unnamed, **named}


def askable(value: Any, shape: Any) -> Any:
    """A reported value without what the API only reports, such as a status."""
    if isinstance(value, Mapping) and shape.type_name == "structure":
        return {name: askable(item, shape.members[name]) for name, item in value.items() if name in shape.members}
    return value


def _is_locked(name: str, live: Live) -> bool:
    value = live.get(name)
    return isinstance(value, Mapping) and value.get("Status") == LOCKED_DURING[name]


def _is_changed(name: str, desired: Desired, old: Desired) -> bool:
    now, before = desired.settings.get(name), old.settings.get(name)
    return bool(_comparable(now, name) != _comparable(before, name))


def _may_be_removed(key: str, old: Desired, claims: Mapping[str, str] | None) -> bool:
    return claims is not None if is_ownership_key(key) else key in old.tags


def count_tags(keys: Iterable[str]) -> int:
    """How many of these tags count towards the API's limit. AWS's own (`aws:...`) don't."""
    return sum(not key.startswith("aws:") for key in keys)


def _removed_first(live: Mapping[str, str], tags: Mapping[str, str], untag: list[str], *, most: int) -> tuple[str, ...]:
    """The dropped tags that would be too many beside the new ones. Ownership tags are never among them."""
    too_many = max(0, count_tags({*live, *tags}) - most)
    return tuple([key for key in untag if not is_ownership_key(key)][:too_many])


def _comparable(value: Any, path: str) -> Any:
    """The value with each list that means a set as one; `path` has `[]` where a list's entries are meant."""
    if isinstance(value, Mapping):
        return {name: _comparable(item, f"{path}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return frozenset(value) if path in SETS else [_comparable(item, f"{path}[]") for item in value]
    return value


def _differs(desired: Any, live: Any, old: Any = None, *, only_changes: bool = False) -> bool:
    """Whether the live value has to change.

    A member that the template had and dropped counts while the domain still has it. With `only_changes` it counts only
    while the domain still has the value that the template gave it: any other is the service's own default.
    """
    if isinstance(desired, Mapping):
        return _differs_inside(desired, live, old if isinstance(old, Mapping) else {}, only_changes=only_changes)
    if isinstance(desired, list):
        if not isinstance(live, list) or len(live) != len(desired):
            return True
        olds = old if isinstance(old, list) and len(old) == len(desired) else [None] * len(desired)
        return any(_differs(*each, only_changes=only_changes) for each in zip(desired, live, olds, strict=True))
    if desired == "":
        return bool(live)  # none asked for, none reported
    return bool(desired != live) and not (
        isinstance(desired, str) and isinstance(live, str) and _is_same(desired, live)
    )


def _is_same(one: str, other: str) -> bool:
    """Whether two texts that differ stand for the same key or queue.

    A template may give a key by its id, or a queue by its ARN, and the API may report the ARN or the URL. What is
    compared as different then would be sent again with every update.
    """
    for arn, text in ((one, other), (other, one)):
        _, _, service, region, account, resource = arn.split(":") if arn.count(":") == 5 else [""] * 6
        if service == "kms" and text in (resource, resource.removeprefix("key/")):
            return True
        if service == "sqs" and text == f"https://sqs.{region}.amazonaws.com/{account}/{resource}":
            return True
    return False


def _differs_inside(desired: Mapping[str, Any], live: Any, old: Mapping[str, Any], *, only_changes: bool) -> bool:
    """Whether any member of the live structure has to change."""
    if live is None:
        # A feature that is off, an empty structure, and a structure that was never set are the same.
        return any(name != SWITCH or value for name, value in desired.items())
    if not isinstance(live, Mapping):
        return True
    dropped = (old.keys() - desired.keys()) & live.keys()
    return any(not only_changes or not _differs(old[name], live[name]) for name in dropped) or any(
        _differs(value, live.get(name), old.get(name), only_changes=only_changes) for name, value in desired.items()
    )
