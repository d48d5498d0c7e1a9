"""Reads a request as its operation's input shape describes it, as strictly as the service does.

moto's own parser (moto.core.parse) converts what it can and checks nothing. This one walks the same shapes, converts
only text in a path or a query string, and checks each constraint of the model.

Two things are no mistakes in rest-json, and so not here: a member that the model does not know is ignored, and a JSON
null in a structure is an absent member (https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from werkzeug.datastructures import MultiDict

from .exceptions import BadRequestException

JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "list": list,
    "map": dict,
    "structure": dict,
}


class RequestReader:
    """Reads one request of one operation.

    >>> reader = RequestReader(operation_model)
    >>> request = reader.read(uri={"DomainName": "amazon-connect-shop"}, query=MultiDict(), body=b"{}")
    >>> reader.raise_problems()

    Two steps, because the service checks permissions before it reports mistakes.
    """

    def __init__(self, operation_model: OperationModel):
        # Every operation of this service has an input structure.
        self._input_shape = cast(StructureShape, operation_model.input_shape)
        self._problems: list[str] = []

    def read(self, uri: Mapping[str, str], query: MultiDict[str, str], body: bytes) -> dict[str, Any]:
        """Return the request's members under the model's names, without those that the model does not know.

        A value that breaks a constraint is returned unchanged. Raises BadRequestException if the body is not a JSON
        object.
        """
        in_body = {
            name: member for name, member in self._input_shape.members.items() if "location" not in member.serialization
        }
        document = _json_object(body) if in_body else {}
        given: dict[str, Any] = {}
        for name, member in self._input_shape.members.items():
            serialized_name = member.serialization.get("name", name)
            location = member.serialization.get("location")
            if location == "uri":
                given[name] = _from_text(member, uri.get(serialized_name))
            elif location == "querystring" and isinstance(member, ListShape):
                given[name] = query.getlist(serialized_name) or None
            elif location == "querystring":
                given[name] = _from_text(member, query.get(serialized_name))
            else:
                given[name] = document.get(serialized_name)
        return self._read_members(self._input_shape, given, "")

    def raise_problems(self) -> None:
        """Raise BadRequestException, naming the path of each value that broke a constraint, if there is any."""
        if self._problems:
            count = f"{len(self._problems)} validation error{'s' if len(self._problems) > 1 else ''} detected: "
            raise BadRequestException(count + "; ".join(self._problems))

    def _read(self, shape: Shape, value: Any, path: str, constraint: str = "{}") -> Any:
        """Return `value` without the members that `shape` does not know; note what is wrong with it.

        `constraint` is the frame of the message, which a map's keys and values have of their own.
        """

        def problem(requirement: str) -> None:
            shown = "null" if value is None else f"'{value}'"
            self._problems.append(
                f"Value {shown} at '{path}' failed to satisfy constraint: {constraint.format(requirement)}"
            )

        if value is None:
            problem("Member must not be null")
        elif not _has_json_type(shape, value):
            problem(f"Member must be of type {shape.type_name}")
        else:
            _check_bounds(shape, value, problem)
            _check_text(shape, value, problem)
            if isinstance(shape, StructureShape):
                given = {
                    name: value.get(member.serialization.get("name", name)) for name, member in shape.members.items()
                }
                return self._read_members(shape, given, f"{path}.")
            if isinstance(shape, ListShape):
                return [self._read(shape.member, item, f"{path}[{index}]") for index, item in enumerate(value)]
            if isinstance(shape, MapShape):
                return {
                    self._read(shape.key, key, path, "Map keys must satisfy constraint: [{}]"): self._read(
                        shape.value, item, f"{path}.{key}", "Map value must satisfy constraint: [{}]"
                    )
                    for key, item in value.items()
                }
        return value

    def _read_members(self, shape: StructureShape, given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        return {
            name: self._read(member, given[name], prefix + name)
            for name, member in shape.members.items()
            if given[name] is not None or name in shape.required_members
        }


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body.decode("utf-8")) if body else {}
    except (ValueError, RecursionError) as error:
        raise BadRequestException(f"The request's body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadRequestException("The request's body is not a JSON object")
    return document


def _from_text(shape: Shape, text: str | None) -> Any:
    """Convert text from a path or a query string; text that can't be converted is left for the type check."""
    if text is None:
        return None
    if shape.type_name in ("integer", "long") and re.fullmatch("-?[0-9]{1,19}", text):
        return int(text)
    if shape.type_name == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _has_json_type(shape: Shape, value: Any) -> bool:
    if isinstance(value, bool) or shape.type_name == "boolean":  # to Python, a boolean is an integer too
        return isinstance(value, bool) and shape.type_name == "boolean"
    if isinstance(value, float) and not math.isfinite(value):  # NaN and Infinity, which Python reads, are not JSON
        return False
    return isinstance(value, JSON_TYPES[shape.type_name])


def _check_bounds(shape: Shape, value: Any, problem: Callable[[str], None]) -> None:
    sized = isinstance(value, (str, list, dict))
    measure = len(value) if sized else value
    noun = "length" if sized else "value"
    if "min" in shape.metadata and measure < shape.metadata["min"]:
        problem(f"Member must have {noun} greater than or equal to {shape.metadata['min']}")
    if "max" in shape.metadata and measure > shape.metadata["max"]:
        problem(f"Member must have {noun} less than or equal to {shape.metadata['max']}")


def _check_text(shape: Shape, value: Any, problem: Callable[[str], None]) -> None:
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not _matches(pattern, value):
        problem(f"Member must satisfy regular expression pattern: {pattern}")
    enum = shape.metadata.get("enum")
    if enum is not None and value not in enum:
        problem(f"Member must satisfy enum value set: [{', '.join(enum)}]")


def _matches(pattern: str, text: str) -> bool:
    """Tell whether `text` matches as a whole.

    A pattern that is anchored at the start only, such as that of a tagged ARN, describes a beginning.
    """
    beginning_only = pattern.startswith("^") and not pattern.endswith("$")
    # fullmatch and not match: before a line break at the end `$` would match too.
    match = re.match if beginning_only else re.fullmatch
    return match(pattern, text, re.ASCII) is not None
