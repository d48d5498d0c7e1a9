"""Compares a domain with its template, with the handler's own translation and comparison. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import StructureShape

from handler import changes
from handler.claims import LOGICAL_ID, OWNERSHIP_KEYS, STACK_ID, Claim, read_claims
from handler.event import Event
from handler.ownership import Owner, owner
from handler.problems import Path, Problem
from handler.properties import IGNORED, Desired, InvalidPropertiesError, translate, translate_leniently, with_more_tags
from tools.drift.resolve import Unknown, without_unknowns

OWNER = "(owner)"


@dataclass(frozen=True)
class Difference:
    """A property, tag or other value that differs from the template. `live` is None if it is missing."""

    path: str
    template: Any
    live: Any
    note: str = ""


@dataclass(frozen=True)
class NotKnown:
    """A value that could not be compared. `failed`: because of an error."""

    path: str
    reason: str
    failed: bool


@dataclass(frozen=True)
class Comparison:
    """The result of comparing one domain."""

    differences: tuple[Difference, ...] = ()
    not_known: tuple[NotKnown, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A resource as its stack's template has it, its functions resolved.

    `properties` may hold Unknown values. `stack_tags` are those that the provider passes on to the domain.
    """

    stack_id: str
    logical_id: str
    domain_name: str
    properties: Mapping[str, Any]
    stack_tags: Mapping[str, str]


def compare(wanted: Wanted, live: Mapping[str, Any] | None, shape: StructureShape) -> Comparison:
    """Compare a resource with its live domain.

    `live` is the domain as GetDomain reports it, None if there is none. `shape` is the input shape of CreateDomain.
    Only what the template names is compared: an update leaves the rest as it is, too.
    """
    if live is None:
        return Comparison((Difference("DomainName", wanted.domain_name, None, "the domain is gone"),))
    given = {name: value for name, value in wanted.properties.items() if name not in IGNORED}
    known, unknown = without_unknowns(given)
    desired = translate_leniently(known, shape)
    not_known = [NotKnown(_written(path), why.reason, why.failed) for path, why in unknown.items()]
    not_known += [NotKnown(_written(problem.path), problem.text, True) for problem in _problems(known, unknown, shape)]
    stack_tags = _undisputed(wanted.stack_tags, unknown)
    desired = with_more_tags(desired, stack_tags, shape) if stack_tags else desired
    differences = [*_of_owner(wanted, live), *_of_name(wanted, desired), *_of_settings(desired, live, shape)]
    return Comparison(tuple(differences), tuple(not_known))


def _undisputed(stack_tags: Mapping[str, str], unknown: Mapping[Path, Unknown]) -> Mapping[str, str]:
    """The stack's tags, without those that an unknown tag of the template may replace."""
    keys = {path[1] if len(path) > 1 else 0 for path in unknown if path[0] == "Tags"}
    has_unknown_key = any(isinstance(key, int) for key in keys)
    return {} if has_unknown_key else {key: value for key, value in stack_tags.items() if key not in keys}


def _problems(known: Any, unknown: Mapping[Path, Unknown], shape: StructureShape) -> list[Problem]:
    """The mistakes in the properties, without values that are missing only because they are unknown."""
    try:
        translate(known, shape)
    except InvalidPropertiesError as error:
        return [problem for problem in error.problems if not any(_is_within(problem.path, path) for path in unknown)]
    return []


def _is_within(one: Path, other: Path) -> bool:
    """Whether one of the paths is the beginning of the other."""
    return all(step == its for step, its in zip(one, other, strict=False))


def _of_name(wanted: Wanted, desired: Desired) -> Iterator[Difference]:
    if desired.name and desired.name != wanted.domain_name:
        yield Difference("DomainName", desired.name, wanted.domain_name)


def _of_owner(wanted: Wanted, live: Mapping[str, Any]) -> Iterator[Difference]:
    tags = live.get("Tags", {})
    # Only these two fields of an event decide on the owner.
    event = Event("Update", "", wanted.stack_id, wanted.logical_id, wanted.domain_name, {}, {})
    claims = read_claims(tags)
    owned_by = owner(claims, event)
    this = _described(Claim(wanted.stack_id, wanted.logical_id, ""))
    if owned_by is Owner.FOREIGN:
        yield Difference(OWNER, this, _described(claims[0]), "the domain is another's")
    elif owned_by is Owner.LENT:
        yield Difference(OWNER, this, _described(claims[0]), "the domain is lent")
    else:
        expected = {STACK_ID: wanted.stack_id, LOGICAL_ID: wanted.logical_id}
        for key in sorted(OWNERSHIP_KEYS - tags.keys()):
            yield Difference(f"Tags.{key}", expected.get(key), None, "the ownership tag is missing")


def _described(claim: Claim) -> str:
    """`Domain of stack crm`."""
    name = claim.stack_id.split("/")[1] if claim.stack_id.count("/") == 2 else claim.stack_id
    return f"{claim.logical_id or '?'} of stack {name or '?'}"


def _of_settings(desired: Desired, live: Mapping[str, Any], shape: StructureShape) -> Iterator[Difference]:
    # With the template as the state before, too, nothing counts as dropped from it.
    found = changes.find(desired, desired, live, None, shape)
    for name in [*(name for update in found.updates for name in update), *found.postponed]:
        note = "the service is at work on it" if name in found.postponed else ""
        for path, value, there in _differing((name,), desired.settings[name], live.get(name), shape):
            yield Difference(_written(path), value, there, note)
    for key, value in found.tag.items():
        yield Difference(f"Tags.{key}", value, live.get("Tags", {}).get(key))


def _differing(path: Path, value: Any, live: Any, shape: StructureShape) -> list[tuple[Path, Any, Any]]:
    """The innermost differences below a path: each with its path, the template's value and the live value."""
    if not _differs(path, value, live, shape):
        return []
    parts = [(step, part, its) for step, part, its in _parts(path, value, live)]
    inside = [found for step, part, its in parts for found in _differing((*path, step), part, its, shape)]
    return inside or [(path, value, live)]


def _parts(path: Path, value: Any, live: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """The members of a structure, or the entries of a list, each with the live one."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield name, item, live.get(name) if isinstance(live, Mapping) else None
    elif isinstance(value, list) and isinstance(live, list) and len(value) == len(live) and not _is_set(path):
        for index, pair in enumerate(zip(value, live, strict=True)):
            yield index, *pair


def _is_set(path: Path) -> bool:
    pattern = "".join("[]" if isinstance(step, int) else f".{step}" for step in path)
    return pattern.removeprefix(".") in changes.SETS


def _differs(path: Path, value: Any, live: Any, shape: StructureShape) -> bool:
    """Whether the handler's comparison finds a difference in this path alone."""
    desired = Desired("", settings=_wrapped(path, value))
    found = changes.find(desired, desired, _wrapped(path, live), None, shape)
    return bool(found.updates or found.postponed)


def _wrapped(path: Path, value: Any) -> dict[str, Any]:
    """The value at this path, in structures and lists that have no other member."""
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {} if value is None else {step: value}
    wrapped: dict[str, Any] = value
    return wrapped


def _written(path: Path) -> str:
    """`Matching.AutoMerging.Consolidation.MatchingAttributesList[0][1]`, as in the handler's messages."""
    return str(Problem(path, "")).removesuffix(": ")
