"""Values along shapes: what CloudFormation sends, made into what a botocore shape asks for.

CloudFormation hands every scalar over as a string; the shape says what it becomes. Nothing is guessed, and Python's own
leniencies (int(" 12 "), 1_000, nan) are errors. Real JSON booleans and numbers are taken too.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from typing import Any

from botocore.model import Shape

from handler.problems import Path, Problem, described, quoted, suggestion

INVALID: Any = object()

_INTEGER = re.compile(r"[+-]?[0-9]+")
_MOST_DIGITS = 40  # more than any bound of the API has; int() refuses some thousands with an error of its own
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Walk:
    """Walks a value along a shape, one method for each type of shape; converts it, and collects what is wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def value(self, shape: Shape, raw: Any, path: Path) -> Any:
        """Convert one value; INVALID, with a problem noted, where that can't be.

        A type of shape that has no method here (a timestamp, say) is text to CloudFormation, and botocore reads it.
        """
        convert = getattr(self, f"_{shape.type_name}", self._string)
        return convert(shape, raw, path)

    def structure(self, members: Mapping[str, Shape], required: list[str], raw: Any, path: Path) -> Any:
        """Convert a map of named members; a member with a problem is left out of what comes back."""
        if not isinstance(raw, Mapping):
            return self.wrong(path, f"must be a map of properties, not {described(raw)}")
        values = {}
        for name, item in raw.items():
            if name not in members:
                # No answer has room for a hundred, and finding the nearest name takes a while.
                nearest = suggestion(name, members) if len(self.problems) < 100 else ""
                self.wrong((*path, name), f"is not a property here{nearest}")
                continue
            value = self.value(members[name], item, (*path, name))
            if value is not INVALID:
                values[name] = value
        for name in required:
            if name not in raw:
                self.wrong((*path, name), "is missing; it is required")
        return values

    def wrong(self, path: Path, text: str) -> Any:
        """Note a problem; returns INVALID."""
        self.problems.append(Problem(path, text))
        return INVALID

    def _structure(self, shape: Any, raw: Any, path: Path) -> Any:
        if shape.is_document_type:  # any JSON
            return raw
        if shape.is_tagged_union and isinstance(raw, Mapping) and len(raw) != 1:
            self.wrong(path, f"must have exactly one of {', '.join(shape.members)}")
        return self.structure(shape.members, shape.required_members, raw, path)

    def _list(self, shape: Any, raw: Any, path: Path) -> Any:
        if not isinstance(raw, list):
            return self.wrong(path, f"must be a list, not {described(raw)}")
        self._bounded(shape, len(raw), path, "has", " entries")
        values = [self.value(shape.member, item, (*path, index)) for index, item in enumerate(raw)]
        return [value for value in values if value is not INVALID]

    def _map(self, shape: Any, raw: Any, path: Path) -> Any:
        if not isinstance(raw, Mapping):
            return self.wrong(path, f"must be a map, not {described(raw)}")
        self._bounded(shape, len(raw), path, "has", " entries")
        values = {
            self.value(shape.key, key, (*path, key)): self.value(shape.value, item, (*path, key))
            for key, item in raw.items()
        }
        return {key: value for key, value in values.items() if INVALID not in (key, value)}

    def _boolean(self, shape: Shape, raw: Any, path: Path) -> Any:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw.lower() in ("true", "false"):
            return raw.lower() == "true"
        return self.wrong(path, f"must be true or false, not {described(raw)}")

    def _integer(self, shape: Shape, raw: Any, path: Path) -> Any:
        if isinstance(raw, str) and _INTEGER.fullmatch(raw) and len(raw) <= _MOST_DIGITS:
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool):
            return self.wrong(path, f"must be a whole number, not {described(raw)}")
        return self._bounded(shape, raw, path, "is")

    _long = _integer

    def _float(self, shape: Shape, raw: Any, path: Path) -> Any:
        is_number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
        if not is_number and not (isinstance(raw, str) and _DECIMAL.fullmatch(raw)):
            return self.wrong(path, f"must be a decimal number, not {described(raw)}")
        try:
            number = float(raw)
        except OverflowError:  # a whole number of some hundred digits
            number = math.inf
        if not math.isfinite(number):
            return self.wrong(path, f"must be a finite number, not {described(raw)}")
        return self._bounded(shape, number, path, "is")

    _double = _float

    def _string(self, shape: Shape, raw: Any, path: Path) -> Any:
        if not isinstance(raw, str):
            return self.wrong(path, f"must be text, not {described(raw)}")
        enum = shape.metadata.get("enum")
        if enum and raw not in enum:
            return self.wrong(path, f"{quoted(raw)} is not one of {', '.join(enum)}{suggestion(raw, enum)}")
        length = self._bounded(shape, len(raw), path, f"{quoted(raw)} has", " characters")
        pattern = shape.metadata.get("pattern")
        if pattern and not _matches(pattern, raw):
            return self.wrong(path, f"{quoted(raw)} does not match {pattern}")
        return raw if length is not INVALID else INVALID

    def _bounded(self, shape: Shape, number: float, path: Path, has: str, what: str = "") -> Any:
        """Return the number if the shape's bounds allow it, else note that the value `has` so many of `what`."""
        least, most = shape.metadata.get("min", -math.inf), shape.metadata.get("max", math.inf)
        if least <= number <= most:
            return number
        if most == math.inf:
            allowed = f"at least {least} is"
        elif least == -math.inf:
            allowed = f"at most {most} is"
        else:
            allowed = f"{least} to {most} is"
        return self.wrong(path, f"{has} {described(number)}{what}; {allowed} allowed")


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The API's pattern for Python, None if Python can't read it: the API is then the one to refuse the value."""
    try:
        return re.compile(pattern, re.ASCII)
    except re.error:
        return None


def _matches(pattern: str, text: str) -> bool:
    """Whether the text matches: all of it, since `$` alone would let a newline at the end pass."""
    compiled = _compiled(pattern)
    if compiled is None:
        return True
    # Written with both anchors or with none, a pattern speaks of the whole text. One that has only the first (the
    # model has one, for ARNs) speaks of the beginning.
    only_beginning = pattern.startswith("^") and not pattern.endswith("$")
    return (compiled.match if only_beginning else compiled.fullmatch)(text) is not None
