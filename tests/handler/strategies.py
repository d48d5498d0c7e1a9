"""Hypothesis strategies from botocore's shapes: valid values, the same as CloudFormation sends them, and mistakes.

No property is named here. Rules that only the API's documentation states are taken from handler.properties.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from hypothesis import strategies as st

from handler.claims import OWNERSHIP_KEYS
from handler.properties import IGNORED, NEEDS, OWN_PROPERTIES

Path = tuple[str | int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]

_MISSING = object()
_DEEPEST = 6  # shapes of other operations than CreateDomain contain themselves

# An unpaired surrogate, an integer too large for a float, a text longer than any property, and others.
_ODD_SCALARS = ("\ud800", 10**400, -(10**400), "x" * 100_000, "{}", "%s", "nan", "true", "12")

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(_ODD_SCALARS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4),
    max_leaves=20,
)


@functools.cache
def service_model() -> ServiceModel:
    """The pinned botocore's model of Customer Profiles."""
    return botocore.session.Session().get_service_model("customer-profiles")


def create_domain_shape() -> StructureShape:
    """The input shape of CreateDomain."""
    shape = service_model().operation_model("CreateDomain").input_shape
    assert shape is not None
    return shape


def api_values(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Valid values of the shape, in the API's own types."""
    if isinstance(shape, StructureShape):
        return _structures(shape, depth)
    if isinstance(shape, ListShape):
        return st.lists(api_values(shape.member, depth + 1), **_sizes(shape, depth))
    if isinstance(shape, MapShape):
        keys = api_values(shape.key, depth + 1).filter(lambda key: key not in OWNERSHIP_KEYS)
        return st.dictionaries(keys, api_values(shape.value, depth + 1), **_sizes(shape, depth))
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name == "boolean":
        return st.booleans()
    if shape.type_name in ("integer", "long"):
        return st.integers(least if least is not None else -(2**31), most if most is not None else 2**31 - 1)
    if shape.type_name in ("float", "double"):
        return st.floats(least, most, allow_nan=False, allow_infinity=False)
    return _texts(shape)


@functools.cache
def domains(tag_limit: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Valid requests of CreateDomain."""
    shape = create_domain_shape()
    tags = shape.members["Tags"]
    assert isinstance(tags, MapShape)
    keys = api_values(tags.key).filter(lambda key: key not in OWNERSHIP_KEYS)
    some_tags = st.dictionaries(keys, api_values(tags.value), max_size=tag_limit)
    return st.builds(
        lambda request, tags: {**request, **({} if tags is None else {"Tags": tags})},
        api_values(shape).map(lambda request: {name: value for name, value in request.items() if name != "Tags"}),
        st.none() | some_tags,
    )


@st.composite
def as_cloudformation_writes(draw: Draw, value: Any) -> Any:
    """The value with its scalars as strings, in one of the valid notations."""
    if isinstance(value, dict):
        return {name: draw(as_cloudformation_writes(item)) for name, item in value.items()}
    if isinstance(value, list):
        return [draw(as_cloudformation_writes(item)) for item in value]
    if isinstance(value, bool):
        letters = str(value)
        typed = "".join(draw(st.sampled_from((letter.upper(), letter.lower()))) for letter in letters)
        return draw(st.sampled_from((typed, str(value).lower(), value)))
    if isinstance(value, int):
        sign = draw(st.sampled_from(("", "+"))) if value >= 0 else ""
        return draw(st.sampled_from((f"{sign}{value}", str(value), value)))
    if isinstance(value, float):
        return draw(st.sampled_from((repr(value), value)))
    return value


def as_native_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags in the native resource type's form."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@dataclass(frozen=True)
class Mistake:
    """Properties with one mistake, and its path."""

    properties: dict[str, Any]
    path: Path


@st.composite
def mistakes(draw: Draw) -> Mistake:
    """Valid properties, except for one mistake at a known path."""
    request = draw(domains())
    shape = create_domain_shape()
    properties = draw(as_cloudformation_writes(request))
    at, part = draw(st.sampled_from([*_parts(shape, request)]))
    value = _get(request, at)
    if isinstance(part, StructureShape) and (not at or draw(st.booleans())):
        name, wrong = draw(_wrong_members(part, value, is_top=not at))
        at = (*at, name)
    else:
        wrong = draw(_wrong_values(part, value))
    holder = _get(properties, at[:-1])
    if wrong is _MISSING:
        del holder[at[-1]]
    else:
        holder[at[-1]] = wrong
    return Mistake(properties, at)


def _structures(shape: StructureShape, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    required = {name: api_values(shape.members[name], depth + 1) for name in shape.required_members}
    optional = {
        name: api_values(member, depth + 1)
        for name, member in shape.members.items()
        if name not in required and depth < _DEEPEST
    }
    if shape.is_tagged_union:
        return st.one_of([st.fixed_dictionaries({name: values}) for name, values in optional.items()])
    needs = [(name, value, needed) for (name, value), needed in NEEDS.items() if needed in optional]

    @st.composite
    def with_documented_requirements(draw: Draw) -> dict[str, Any]:
        members: dict[str, Any] = draw(st.fixed_dictionaries(required, optional=optional))
        for name, value, needed in needs:
            if members.get(name) == value and needed not in members:
                members[needed] = draw(optional[needed])
        return members

    return with_documented_requirements()


def _sizes(shape: Shape, depth: int) -> dict[str, Any]:
    least = shape.metadata.get("min", 0)
    most = shape.metadata.get("max", least + 3)
    return {"min_size": least, "max_size": min(most, least + (3 if depth < _DEEPEST else 0))}


@functools.cache
def _texts_of(enum: tuple[str, ...], pattern: str | None, least: int, most: int | None) -> st.SearchStrategy[str]:
    if enum:
        return st.sampled_from(enum)
    if pattern:
        matching = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
        return matching.filter(lambda text: least <= len(text) <= (most if most is not None else 10_000))
    return st.text(min_size=least, max_size=min(most if most is not None else 300, least + 40)) | st.sampled_from(
        ["é" * least, "x" * (most if most is not None else 300)]
    )


def _texts(shape: Shape) -> st.SearchStrategy[str]:
    metadata = shape.metadata
    return _texts_of(
        tuple(metadata.get("enum", ())), metadata.get("pattern"), metadata.get("min", 0), metadata.get("max")
    )


def _get(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _parts(shape: Shape, value: Any, path: Path = ()) -> Iterator[tuple[Path, Shape]]:
    """The path and the shape of each value inside a value."""
    yield path, shape
    if isinstance(shape, StructureShape):
        for name, item in value.items():
            yield from _parts(shape.members[name], item, (*path, name))
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            yield from _parts(shape.member, item, (*path, index))
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _parts(shape.value, item, (*path, key))


def _wrong_values(shape: Shape, value: Any) -> st.SearchStrategy[Any]:
    """Values that the shape does not allow instead of this value."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    wrong: list[Any] = [None]
    if isinstance(shape, StructureShape):
        wrong += ["true", [value], 1]
    elif isinstance(shape, ListShape):
        wrong += ["a,b", {"0": value}, *(value[:1] * size for size in _sizes_outside(shape))]
    elif isinstance(shape, MapShape):
        wrong += ["a=b", 7]
    elif shape.type_name == "boolean":
        wrong += ["yes", "1", "", " true", "true\n", "tru\u0435", 1, 0, 0.0, [True], {"Enabled": True}]
    elif shape.type_name in ("integer", "long"):
        wrong += ["", " 12 ", "1_000", "\u0663", "12\n", "3.5", "3.0", "1e2", "0x1F", "+", "ten", 3.5, True, [1], {}]
        wrong += [form(number) for number in _outside(least, most) for form in (str, int)]
    elif shape.type_name in ("float", "double"):
        wrong += ["", " 0.5", "0,5", "nan", "inf", "1e999", "1_0.5", "\u0660.5", "0.5\n", ".", "0x1p-1", False, [0.5]]
        wrong += [form(number) for number in _outside(least, most) for form in (str, float)]
    else:
        wrong += [12, 0.5, True, ["a"], {"a": "b"}]
        texts = [value + "\n", value + "!", *("a" * size for size in _sizes_outside(shape))]
        wrong += [text for text in texts if not _allows(shape, text)]
        return st.sampled_from(wrong) | st.text().filter(lambda text: not _allows(shape, text))
    return st.sampled_from(wrong)


def _wrong_members(shape: StructureShape, value: Any, *, is_top: bool) -> st.SearchStrategy[tuple[str, Any]]:
    """An unknown member, or a required one that is missing."""
    known = {*shape.members, *(OWN_PROPERTIES if is_top else ()), *(IGNORED if is_top else ())}
    near = [form for name in shape.members for form in (name.lower(), name + "s", name[:-1])]
    unknown = (st.sampled_from([*near, "Fn::Transform", ""]) | st.text()).filter(lambda name: name not in known)
    needed_by_documentation = [needed for (name, asking), needed in NEEDS.items() if value.get(name) == asking]
    missing = [*shape.required_members, *needed_by_documentation]
    absent = [st.tuples(st.sampled_from(missing), st.just(_MISSING))] if missing else []
    return st.one_of(st.tuples(unknown, json_values), *absent)


def _allows(shape: Shape, text: str) -> bool:
    metadata = shape.metadata
    return (
        text in metadata.get("enum", [text])
        and metadata.get("min", 0) <= len(text) <= metadata.get("max", len(text))
        and re.fullmatch(metadata.get("pattern", "(?s:.*)"), text, re.ASCII) is not None
    )


def _sizes_outside(shape: Shape) -> list[int]:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    return [*([least - 1] if least else []), *([most + 1, most * 10] if most is not None else [])]


def _outside(least: float | None, most: float | None) -> list[float]:
    below = [] if least is None else [least - 1, least - 10**15]
    return below + ([] if most is None else [most + 1, most + 10**15])
