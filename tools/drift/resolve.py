"""Replaces a template's intrinsic functions by the values that CloudFormation passed to the resource.

A value that cannot be known is an `Unknown` with its reason. Nothing is guessed.

cfn-lint and moto can resolve intrinsic functions too, but neither answers the question asked here. cfn-lint (1.58)
looks for all values that a template allows, not for the one that a stack has: Fn::FindInMap with AWS::Region yields a
value for every region, and a condition on Fn::FindInMap none. It also leaves `${!Name}` as it is, and joins `true` as
`True`. moto's parser needs a resource of moto's own for each one in the template, and has no unknown
values. So this module has a table with one small function for each intrinsic function.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Unknown:
    """A value that can't be known. `failed`: it could be known, but something that was needed failed."""

    reason: str
    failed: bool = False


NO_VALUE = object()  # the value of Ref AWS::NoValue: the property is removed

_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:([a-z-]+):([^}]*)\}\}")


@dataclass(frozen=True)
class Scope:
    """What the functions of a stack's template can refer to; each value may be Unknown.

    `references` are parameters, pseudo parameters and physical ids by name. `attribute` takes a logical id and the name
    of an attribute, `export` the name of an export, `ssm_parameter` a name or NAME:VERSION.
    """

    references: Mapping[str, Any]
    attribute: Callable[[str, str], Any]
    export: Callable[[str], Any]
    ssm_parameter: Callable[[str], Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)


def resolve(node: Any, scope: Scope) -> Any:
    """The node of a template with every function and dynamic reference replaced by its value, or by an Unknown."""
    return _dynamic(_value(node, scope), scope)


def without_unknowns(value: Any, path: tuple[str | int, ...] = ()) -> tuple[Any, dict[tuple[str | int, ...], Unknown]]:
    """The value without the members that are unknown, and those by their paths.

    A list with an unknown entry is unknown as a whole: without that entry it would be another list. Tags as a list of
    Key and Value are the exception, since each entry is a tag of its own.
    """
    if isinstance(value, Unknown):
        return None, {path: value}
    unknown: dict[tuple[str | int, ...], Unknown] = {}
    if isinstance(value, Mapping):
        known = {}
        for name, item in value.items():
            item, inside = without_unknowns(item, (*path, name))
            unknown |= inside
            if (*path, name) not in inside:
                known[name] = item
        return known, unknown
    if not isinstance(value, list):
        return value, {}
    entries = [without_unknowns(item, (*path, index)) for index, item in enumerate(value)]
    if path == ("Tags",):
        unknown = {_tag_path(value, at): why for _, inside in entries for at, why in inside.items()}
        return [item for item, inside in entries if not inside], unknown
    reasons = [why for _, inside in entries for why in inside.values()]
    return (None, {path: reasons[0]}) if reasons else ([item for item, _ in entries], {})


def _tag_path(tags: list[Any], path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """`Tags.KEY` for an entry whose key is known."""
    entry = tags[int(path[1])]
    key = entry.get("Key") if isinstance(entry, Mapping) else None
    return ("Tags", key) if isinstance(key, str) else path


def _value(node: Any, scope: Scope) -> Any:
    if isinstance(node, Mapping):
        if len(node) == 1:
            name, argument = next(iter(node.items()))
            if name == "Ref" or str(name).startswith("Fn::"):
                return _call(name, argument, scope)
        members = {name: _value(item, scope) for name, item in node.items()}
        return {name: item for name, item in members.items() if item is not NO_VALUE}
    if isinstance(node, list):
        return [item for item in (_value(entry, scope) for entry in node) if item is not NO_VALUE]
    return node


class _UnknownError(Exception):
    def __init__(self, unknown: Unknown) -> None:
        self.unknown = unknown


def _call(name: str, argument: Any, scope: Scope) -> Any:
    function = _FUNCTIONS.get(name)
    if function is None:
        return Unknown(f"{name} is not resolved")
    try:
        return function(argument, scope)
    except _UnknownError as error:
        return error.unknown
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return Unknown(f"{name} has arguments that can't be read", failed=True)


def _known(value: Any) -> Any:
    """The value, if it and everything in it is known. Raises _UnknownError otherwise."""
    if isinstance(value, Unknown):
        raise _UnknownError(value)
    if isinstance(value, list):
        for item in value:
            _known(item)
    return value


def _text(value: Any) -> str:
    """A scalar as CloudFormation writes it into text."""
    value = _known(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    raise TypeError(value)


def _text_of(node: Any, scope: Scope) -> str:
    return _text(_value(node, scope))


def _ref(name: Any, scope: Scope) -> Any:
    return NO_VALUE if name == "AWS::NoValue" else scope.references.get(name, Unknown(f"nothing is named {name}"))


def _get_att(argument: Any, scope: Scope) -> Any:
    parts = argument.split(".") if isinstance(argument, str) else [_text_of(part, scope) for part in argument]
    return scope.attribute(parts[0], ".".join(parts[1:]))


def _sub(argument: Any, scope: Scope) -> str:
    template, variables = (argument, {}) if isinstance(argument, str) else argument

    def replacement(match: re.Match[str]) -> str:
        is_literal, name = match.group(1), match.group(2).strip()
        if is_literal:
            return f"${{{name}}}"
        if name in variables:
            return _text_of(variables[name], scope)
        return _text(_get_att(name, scope) if "." in name else _ref(name, scope))

    return _VARIABLE.sub(replacement, template)


def _join(argument: Any, scope: Scope) -> str:
    delimiter, items = argument
    return _text_of(delimiter, scope).join(map(_text, _known(_value(items, scope))))


def _split(argument: Any, scope: Scope) -> list[str]:
    delimiter, text = argument
    return _text_of(text, scope).split(_text_of(delimiter, scope))


def _select(argument: Any, scope: Scope) -> Any:
    index, items = argument
    values = _value(items, scope)
    if isinstance(values, Unknown):
        return values
    return values[int(_text_of(index, scope))]


def _find_in_map(argument: Any, scope: Scope) -> Any:
    *keys, options = argument if len(argument) == 4 else (*argument, {})
    found: Any = scope.mappings
    for key in (_text_of(key, scope) for key in keys):
        # Keys that are numbers in YAML are text to CloudFormation.
        found = {str(name): item for name, item in found.items()}.get(key, NO_VALUE)
        if found is NO_VALUE:
            return _value(options["DefaultValue"], scope)
    return _value(found, scope)


def _import_value(argument: Any, scope: Scope) -> Any:
    return scope.export(_text_of(argument, scope))


def _if(argument: Any, scope: Scope) -> Any:
    condition, then, otherwise = argument
    return _value(then if _known(_condition(condition, scope)) else otherwise, scope)


def _condition(name: Any, scope: Scope) -> bool | Unknown:
    if name not in scope.conditions:
        return Unknown(f"no condition is named {name}", failed=True)
    return _truth(scope.conditions[name], scope)


def _truth(node: Any, scope: Scope) -> bool | Unknown:
    ((name, argument),) = node.items()
    match name:
        case "Condition":
            return _condition(argument, scope)
        case "Fn::Equals":
            one, other = (_comparable(_value(each, scope)) for each in argument)
            return next((each for each in (one, other) if isinstance(each, Unknown)), one == other)
        case "Fn::Not":
            inside = _truth(argument[0], scope)
            return inside if isinstance(inside, Unknown) else not inside
        case "Fn::And" | "Fn::Or":
            deciding = (
                name == "Fn::Or"
            )  # one true is enough for Or, one false for And, even if other values are unknown
            truths = [_truth(each, scope) for each in argument]
            unknown = next((each for each in truths if isinstance(each, Unknown)), None)
            return deciding if deciding in truths else unknown or not deciding
    return Unknown(f"{name} in a condition is not resolved")


def _comparable(value: Any) -> Any:
    """A scalar as text: `true` and "true" are equal to CloudFormation."""
    return _text(value) if isinstance(value, (bool, int, float)) else value


_FUNCTIONS: Mapping[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
}


def _dynamic(value: Any, scope: Scope) -> Any:
    """The value with its dynamic references resolved; CloudFormation does it after the functions."""
    if isinstance(value, Mapping):
        return {name: _dynamic(item, scope) for name, item in value.items()}
    if isinstance(value, list):
        return [_dynamic(item, scope) for item in value]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        service, reference = match.groups()
        if service != "ssm":
            raise _UnknownError(Unknown(f"a dynamic reference to {service} is a secret"))
        return _text(scope.ssm_parameter(reference))

    try:
        return _DYNAMIC_REFERENCE.sub(replacement, value)
    except _UnknownError as error:
        return error.unknown
