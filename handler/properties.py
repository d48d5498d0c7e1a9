"""Properties translated: CloudFormation's strings become the API's types, or a list of everything that is wrong.

The conversion along botocore's input shape for CreateDomain does both. The shape alone says which properties there are,
which are required, and what each may hold: a property that a newer botocore knows needs no change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.model import Shape, StructureShape

from handler import hints
from handler.claims import OWNERSHIP_KEYS, is_ownership_key
from handler.problems import Path, Problem, described, quoted
from handler.shapes import INVALID, Converter

# What the API's documentation states in words only, so that no shape can say it.
# UpdateDomain, DefaultEncryptionKey and DeadLetterQueueUrl: "if specified as an empty string, it will clear any
# existing value".
CLEARED_BY_EMPTY = frozenset({"DefaultEncryptionKey", "DeadLetterQueueUrl"})
# Matching, RuleBasedMatching and DataStore are features, and each is off with this member false.
SWITCH = "Enabled"
# ConflictResolution, SourceName: "the ObjectType name that is used ... when choosing SOURCE as the
# ConflictResolvingModel".
NEEDS = {("ConflictResolvingModel", "SOURCE"): "SourceName"}

# A Connect instance may use a domain only if its name begins like this: its service-linked role's policy
# (AmazonConnectServiceLinkedRolePolicy, statement AllowCustomerProfilesForConnectDomain) allows profile:* on
# domains/amazon-connect-* alone.
CONNECT_PREFIX = "amazon-connect-"

# CloudFormation's own properties of every custom resource.
IGNORED = frozenset({"ServiceToken", "ServiceTimeout"})
# What this resource adds to the API's properties, described like them.
OWN_PROPERTIES = {
    name: Shape("Boolean", {"type": "boolean", "documentation": documentation})
    for name, documentation in {
        "AdoptExisting": "Whether to take over a domain of that name that exists already. Default: false.",
        "DeletionProtection": "Whether the Delete of a domain in use fails and leaves it alone. In use is a domain "
        "that holds profiles or objects, or has an integration or an object type. Default: false for a domain that the "
        "resource made. One that it took over is given back instead, unless this says false and nobody else owned it: "
        "then it is deleted. A rename keeps the old domain only if this was true, and deployed, before.",
    }.items()
}


class InvalidPropertiesError(ValueError):
    """The resource's properties can't be sent to the API; str() has every problem on a line of its own."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Desired:
    """The state that a template asks for: the API's arguments, and the resource's own properties."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)  # CreateDomain's arguments, DomainName and Tags apart
    tags: Mapping[str, str] = field(default_factory=dict)
    adopt_existing: bool = False
    deletion_protection: bool | None = None


def translate(properties: Any, shape: StructureShape, reported: StructureShape | None = None) -> Desired:
    """Translate ResourceProperties into the desired state.

    `shape` is the input shape of CreateDomain; `reported` the output shape of GetDomain, where a mistake is to be
    explained to a user. Raises InvalidPropertiesError with every problem there is.
    """
    desired, problems = _translate(properties, shape, reported)
    if problems:
        raise InvalidPropertiesError(problems)
    return desired


def translate_leniently(properties: Any, shape: StructureShape) -> Desired:
    """Translate what can be translated, and leave the rest out: a Delete follows a Create with mistakes, too."""
    return _translate(properties, shape, None)[0]


def default_of(name: str, shape: StructureShape) -> Any:
    """What UpdateDomain takes to put a property back to the API's default; None where the API has no word for it."""
    if name in CLEARED_BY_EMPTY:
        return ""
    return {SWITCH: False} if SWITCH in getattr(shape.members[name], "members", {}) else None


def is_domain_name(value: Any, shape: StructureShape) -> bool:
    """Whether the API would take the value as a domain's name."""
    return Converter().convert(shape.members["DomainName"], value, ()) is not INVALID


def is_usable_by_connect(name: str) -> bool:
    """Whether a Connect instance may use a domain of this name. A name can't be changed without making a new domain."""
    return name.startswith(CONNECT_PREFIX)


def with_more_tags(desired: Desired, more: Mapping[str, str], shape: StructureShape) -> Desired:
    """The desired state with more tags, those that the API takes and as many as it takes; the ones it has win."""
    tags = shape.members["Tags"]
    takeable = {**_PropertiesConverter(shape).convert(tags, more, ()), **desired.tags}
    room = most_tags(tags)
    chosen = [*desired.tags, *sorted(takeable.keys() - desired.tags.keys())][:room]
    return replace(desired, tags={key: takeable[key] for key in chosen})


def most_tags(shape: Shape) -> int:
    """How many tags of its own a template may have; the resource needs some of the API's number for itself."""
    return int(shape.metadata["max"]) - len(OWNERSHIP_KEYS)


def only_reported(reported: StructureShape, asked: StructureShape, path: Path = ()) -> Iterator[Path]:
    """What the API reports and a template can't set: the paths of members that only `reported` has."""
    for name, member in reported.members.items():
        if name not in asked.members:
            yield (*path, name)
            continue
        inner = asked.members[name]
        if isinstance(member, StructureShape) and isinstance(inner, StructureShape):
            yield from only_reported(member, inner, (*path, name))


def _translate(
    properties: Any, shape: StructureShape, reported: StructureShape | None
) -> tuple[Desired, list[Problem]]:
    converter = _PropertiesConverter(shape, reported)
    if isinstance(properties, Mapping):
        properties = {name: value for name, value in properties.items() if name not in IGNORED}
    members = {**shape.members, **OWN_PROPERTIES}
    values = converter.convert_members(members, shape.required_members, properties, ())
    if values is INVALID:
        return Desired(name=""), converter.problems
    desired = Desired(
        name=values.pop("DomainName", ""),
        tags=values.pop("Tags", {}),
        adopt_existing=values.pop("AdoptExisting", False),
        # A value that can't be read counts as true: fail safe.
        deletion_protection=values.pop("DeletionProtection", True if "DeletionProtection" in properties else None),
        settings=values,
    )
    return desired, converter.problems


class _PropertiesConverter(Converter):
    """Converts as the shapes say, and as the facts above and both forms of tags ask for."""

    def __init__(self, shape: StructureShape, reported: StructureShape | None = None) -> None:
        super().__init__()
        self._shape, self._reported = shape, reported

    def convert(self, shape: Shape, raw: Any, path: Path) -> Any:
        is_tags = shape is self._shape.members["Tags"]
        return self._tags(shape, raw, path) if is_tags else super().convert(shape, raw, path)

    def convert_members(self, members: Mapping[str, Shape], required: list[str], raw: Any, path: Path) -> Any:
        values = super().convert_members(members, required, raw, path)
        if values is not INVALID:
            for (name, value), needed in NEEDS.items():
                if values.get(name) == value and needed not in raw:
                    self.wrong((*path, needed), f"is missing; {name}: {value} needs it")
        return values

    def unknown(self, path: Path, members: Mapping[str, Shape]) -> str:
        if self._reported and path in only_reported(self._reported, self._shape):
            return "is reported by the API and can't be set; leave it out"
        return super().unknown(path, members)

    def _tags(self, shape: Any, raw: Any, path: Path) -> Any:
        """Convert tags, given as a map or, as the native resource type has them, as a list of Key and Value."""
        if not isinstance(raw, (Mapping, list)):
            return self.wrong(
                path, f"must be a map of tags, or a list of Key and Value, not {described(raw)}{hints.for_map(raw)}"
            )
        if len(raw) > most_tags(shape):
            self.wrong(path, f"has {len(raw)} tags; at most {most_tags(shape)} are possible beside the resource's own")
        tags: dict[str, str] = {}
        for at, key, value in self._tag_entries(shape, raw, path):
            if is_ownership_key(key):
                self.wrong(at, "is a tag that the resource keeps for itself; choose another key")
            elif key in tags:
                self.wrong(at, f"names the tag {quoted(key)} a second time")
            else:
                tags[key] = value
        return tags

    def _tag_entries(self, shape: Any, raw: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
        """The tags without a problem of their own: where the key stands, the key, the value."""
        if isinstance(raw, Mapping):
            for key, value in raw.items():
                at = (*path, key)
                pair = (self.convert(shape.key, key, at), self.convert(shape.value, value, at))
                if INVALID not in pair:
                    yield (at, *pair)
        else:
            for index, entry in enumerate(raw):
                at = (*path, index)
                tag = self.convert_members({"Key": shape.key, "Value": shape.value}, ["Key", "Value"], entry, at)
                if tag is not INVALID and len(tag) == 2:
                    yield (*at, "Key"), tag["Key"], tag["Value"]
