"""Properties translated: CloudFormation's strings become the API's types, or a list of everything that is wrong.

One walk over botocore's input shape for CreateDomain does both. The shape alone says which properties there are, which
are required, and what each may hold: a property that a newer botocore knows needs no change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.model import Shape, StructureShape

from handler.ownership import OWNERSHIP_KEYS
from handler.problems import Path, Problem, described, quoted
from handler.shapes import INVALID, Walk

# What the API's documentation states in words only, so that no shape can say it.
# UpdateDomain, DefaultEncryptionKey and DeadLetterQueueUrl: "if specified as an empty string, it will clear any
# existing value".
CLEARED_BY_EMPTY = frozenset({"DefaultEncryptionKey", "DeadLetterQueueUrl"})
# Matching, RuleBasedMatching and DataStore are features, and each is off with this member false.
SWITCH = "Enabled"
# ConflictResolution, SourceName: "the ObjectType name that is used ... when choosing SOURCE as the
# ConflictResolvingModel".
NEEDS = {("ConflictResolvingModel", "SOURCE"): "SourceName"}

# CloudFormation's own properties of every custom resource.
IGNORED = frozenset({"ServiceToken", "ServiceTimeout"})
# What this resource adds to the API's properties, described like them.
OWN_PROPERTIES = {
    name: Shape("Boolean", {"type": "boolean", "documentation": documentation})
    for name, documentation in {
        "AdoptExisting": "Whether to take over a domain of that name that exists already. Default: false.",
        "DeletionProtection": "Whether to refuse to delete a domain that holds profiles or objects. Default: false, "
        "but true for a domain that was taken over.",
    }.items()
}


class InvalidPropertiesError(ValueError):
    """The resource's properties can't be sent to the API; str() has every problem on a line of its own."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Desired:
    """The state that a template asks for: the API's arguments, and what the resource itself is told to do."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)  # CreateDomain's arguments, DomainName and Tags apart
    tags: Mapping[str, str] = field(default_factory=dict)
    adopt_existing: bool = False
    deletion_protection: bool | None = None


def translate(properties: Any, shape: StructureShape) -> Desired:
    """Translate ResourceProperties into the desired state.

    `shape` is the input shape of CreateDomain. Raises InvalidPropertiesError with every problem there is.
    """
    desired, problems = _translate(properties, shape)
    if problems:
        raise InvalidPropertiesError(problems)
    return desired


def translate_leniently(properties: Any, shape: StructureShape) -> Desired:
    """Translate as much as can be: OldResourceProperties may be those of an update that failed for its mistakes."""
    return _translate(properties, shape)[0]


def default_of(name: str, shape: StructureShape) -> Any:
    """What UpdateDomain takes to put a property back to the API's default; None where the API has no word for it."""
    if name in CLEARED_BY_EMPTY:
        return ""
    return {SWITCH: False} if SWITCH in getattr(shape.members[name], "members", {}) else None


def is_domain_name(value: Any, shape: StructureShape) -> bool:
    """Whether the API would take the value as a domain's name."""
    return Walk().value(shape.members["DomainName"], value, ()) is not INVALID


def with_more_tags(desired: Desired, more: Mapping[str, str], shape: StructureShape) -> Desired:
    """The desired state with more tags, those that the API takes and as many as it takes; the ones it has win."""
    tags = shape.members["Tags"]
    takeable = {**_Walk(tags).value(tags, more, ()), **desired.tags}
    room = most_tags(tags)
    chosen = [*desired.tags, *sorted(takeable.keys() - desired.tags.keys())][:room]
    return replace(desired, tags={key: takeable[key] for key in chosen})


def _translate(properties: Any, shape: StructureShape) -> tuple[Desired, list[Problem]]:
    walk = _Walk(tags=shape.members["Tags"])
    if isinstance(properties, Mapping):
        properties = {name: value for name, value in properties.items() if name not in IGNORED}
    members = {**shape.members, **OWN_PROPERTIES}
    values = walk.structure(members, shape.required_members, properties, ())
    if values is INVALID:
        return Desired(name=""), walk.problems
    desired = Desired(
        name=values.pop("DomainName", ""),
        tags=values.pop("Tags", {}),
        adopt_existing=values.pop("AdoptExisting", False),
        # A word that nobody can read protects, until somebody writes another one.
        deletion_protection=values.pop("DeletionProtection", True if "DeletionProtection" in properties else None),
        settings=values,
    )
    return desired, walk.problems


def most_tags(shape: Shape) -> int:
    """How many tags of its own a template may have; the resource needs some of the API's number for itself."""
    return int(shape.metadata["max"]) - len(OWNERSHIP_KEYS)


class _Walk(Walk):
    """The walk, with the facts in words and with tags in both their forms."""

    def __init__(self, tags: Shape) -> None:
        super().__init__()
        self._tags_shape = tags

    def value(self, shape: Shape, raw: Any, path: Path) -> Any:
        return self._tags(shape, raw, path) if shape is self._tags_shape else super().value(shape, raw, path)

    def structure(self, members: Mapping[str, Shape], required: list[str], raw: Any, path: Path) -> Any:
        values = super().structure(members, required, raw, path)
        if values is not INVALID:
            for (name, value), needed in NEEDS.items():
                if values.get(name) == value and needed not in raw:
                    self.wrong((*path, needed), f"is missing; {name}: {value} needs it")
        return values

    def _tags(self, shape: Any, raw: Any, path: Path) -> Any:
        """Convert tags, given as a map or, as the native resource type has them, as a list of Key and Value."""
        if not isinstance(raw, (Mapping, list)):
            return self.wrong(path, f"must be a map of tags, or a list of Key and Value, not {described(raw)}")
        if len(raw) > most_tags(shape):
            self.wrong(path, f"has {len(raw)} tags; at most {most_tags(shape)} are possible beside the resource's own")
        tags: dict[str, str] = {}
        for at, key, value in self._tag_entries(shape, raw, path):
            if key in OWNERSHIP_KEYS:
                self.wrong(at, "is a tag that the resource keeps for itself; choose another key")
            elif key in tags:
                self.wrong(at, f"names the tag {quoted(key)} a second time")
            else:
                tags[key] = value
        return tags

    def _tag_entries(self, shape: Any, raw: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
        """The tags that are right in themselves: where the key stands, the key, the value."""
        if isinstance(raw, Mapping):
            for key, value in raw.items():
                at = (*path, key)
                pair = (self.value(shape.key, key, at), self.value(shape.value, value, at))
                if INVALID not in pair:
                    yield (at, *pair)
        else:
            for index, entry in enumerate(raw):
                at = (*path, index)
                tag = self.structure({"Key": shape.key, "Value": shape.value}, ["Key", "Value"], entry, at)
                if tag is not INVALID and len(tag) == 2:
                    yield (*at, "Key"), tag["Key"], tag["Value"]
