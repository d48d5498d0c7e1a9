"""Values along shapes: what CloudFormation sends, made into what a botocore shape asks for.

CloudFormation hands every scalar over as a string; the shape says what it becomes. Nothing is guessed, and Python's own
leniencies (int(" 12 "), 1_000, nan) are errors. Real JSON booleans and numbers are taken too.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import Shape

Path = tuple[str | int, ...]

INVALID: Any = object()

_INTEGER = re.compile(r"[+-]?[0-9]+")
_MOST_DIGITS = 40  # more than any bound of the API has; int() refuses some thousands with an error of its own
_MOST_QUOTED = 64  # characters
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the resource's properties, and where."""

    path: Path
    text: str

    def __str__(self) -> str:
        """`Matching.AutoMerging.Consolidation.MatchingAttributesList[0][1]: what is wrong`."""
        steps = "".join(f".{step}" if _is_plain(step) else f"[{described(step)}]" for step in self.path)
        return f"{steps.removeprefix('.') or 'Properties'}: {self.text}"


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
                self.wrong((*path, name), f"is not a property here{_suggestion(name, members)}")
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
        return self.structure(shape.members, shape.required_members, raw, path)

    def _list(self, shape: Any, raw: Any, path: Path) -> Any:
        if not isinstance(raw, list):
            return self.wrong(path, f"must be a list, not {described(raw)}")
        self._bounded(shape, len(raw), path, "has", " entries")
        return [self.value(shape.member, item, (*path, index)) for index, item in enumerate(raw)]

    def _map(self, shape: Any, raw: Any, path: Path) -> Any:
        if not isinstance(raw, Mapping):
            return self.wrong(path, f"must be a map, not {described(raw)}")
        self._bounded(shape, len(raw), path, "has", " entries")
        return {
            self.value(shape.key, key, (*path, key)): self.value(shape.value, item, (*path, key))
            for key, item in raw.items()
        }

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
            return self.wrong(path, f"{quoted(raw)} is not one of {', '.join(enum)}{_suggestion(raw, enum)}")
        if self._bounded(shape, len(raw), path, f"{quoted(raw)} has", " characters") is INVALID:
            return INVALID
        pattern = shape.metadata.get("pattern")
        if pattern and not _matches(pattern, raw):
            return self.wrong(path, f"{quoted(raw)} does not match {pattern}")
        return raw

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
        return self.wrong(path, f"{has} {number}{what}; {allowed} allowed")


def _is_plain(step: str | int) -> bool:
    return isinstance(step, str) and re.fullmatch(r"[\w:./@=+-]{1,128}", step) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The API's pattern for Python, None if Python can't read it: the API is then the one to refuse the value."""
    # Written with both anchors or with none, a pattern speaks of the whole string. One that has only the first (the
    # model has some, for ARNs) speaks of the beginning.
    only_beginning = pattern.startswith("^") and not pattern.endswith("$")
    try:
        return re.compile(pattern + ".*" if only_beginning else pattern, re.ASCII)
    except re.error:
        return None


def _matches(pattern: str, text: str) -> bool:
    # fullmatch, since `$` with match would take a newline at the end.
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(text) is not None


def _suggestion(name: Any, known: Iterable[str]) -> str:
    import difflib  # only for somebody's mistake, so not at every cold start

    def likeness(candidate: str) -> float:
        meant, typed = candidate.lower(), str(name)[:_MOST_QUOTED].lower()
        # The beginning alone too, so that a name which was typed half is found.
        return max(difflib.SequenceMatcher(None, typed, text).ratio() for text in (meant, meant[: len(typed)]))

    return f"; did you mean {max(known, key=likeness)}?" if known else ""


def quoted(text: str) -> str:
    """Text from the user for a message: on one line, and shortened if long."""
    return repr(text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "…")


def described(raw: Any) -> str:
    """A value of the wrong type, in words."""
    if isinstance(raw, str):
        return quoted(raw)
    if isinstance(raw, Mapping):
        return "a map"
    if isinstance(raw, list):
        return "a list"
    return "null" if raw is None else quoted(json.dumps(raw, default=str)).strip("'")
