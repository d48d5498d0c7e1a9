"""Values along shapes: what CloudFormation sends is converted into what a botocore shape asks for.

CloudFormation hands every scalar over as a string; the shape says what it becomes. Nothing is guessed, and what Python
would take beyond that (int(" 12 "), 1_000, nan) is an error. Real JSON booleans and numbers are taken too.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from typing import Any

from botocore.model import Shape

from handler import hints
from handler.problems import Path, Problem, described, nearest, quoted, suggestion

INVALID: Any = object()

INTEGER = re.compile(r"[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?")

_MOST_DIGITS = 40  # more than any bound of the API has; int() refuses some thousands with an error of its own
_MOST_PROBLEMS = 100  # that get a suggestion: an answer has room for fewer, and finding the nearest name takes a while
_NO_VALUE = "AWS::NoValue"
_UNRESOLVED = (
    "has arrived as {{resolve:...}}, which CloudFormation has not replaced by the value; "
    "pass it in as a template parameter of type AWS::SSM::Parameter::Value<String>"
)


class Converter:
    """Converts a value along a shape, one method for each type of shape, and collects what is wrong.

    >>> converter = Converter()
    >>> converter.convert(Shape("Days", {"type": "integer"}), "30", ("DefaultExpirationDays",))
    30
    >>> converter.problems
    []
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._misspelled: set[Path] = set()  # members that unknown names most likely mean

    def convert(self, shape: Shape, raw: Any, path: Path) -> Any:
        """Convert one value; INVALID, with a problem noted, where that can't be.

        A type of shape that has no method here (a timestamp, say) is text to CloudFormation, and botocore reads it.
        """
        if isinstance(raw, str) and "{{resolve:" in raw:
            return self.wrong(path, _UNRESOLVED)
        if raw == _NO_VALUE:
            return self.wrong(path, f"is the text {_NO_VALUE}; write !Ref {_NO_VALUE}")
        convert = getattr(self, f"_{shape.type_name}", self._string)
        return convert(shape, raw, path)

    def convert_members(self, members: Mapping[str, Shape], required: list[str], raw: Any, path: Path) -> Any:
        """Convert a map of named members; a member with a problem is left out of what comes back."""
        if not isinstance(raw, Mapping):
            return self.wrong(path, f"must be a map of properties, not {described(raw)}{hints.for_map(raw, members)}")
        values = {}
        for name, item in raw.items():
            if name not in members:
                self.wrong((*path, name), self.unknown((*path, name), members))
                continue
            value = self.convert(members[name], item, (*path, name))
            if value is not INVALID:
                values[name] = value
        for name in required:
            if name not in raw and (*path, name) not in self._misspelled:  # one mistake is one problem
                self.wrong((*path, name), "is missing; it is required")
        return values

    def unknown(self, path: Path, members: Mapping[str, Shape]) -> str:
        """The text of the problem that there is no such member."""
        meant = nearest(path[-1], members) if len(self.problems) < _MOST_PROBLEMS else ""
        self._misspelled.add((*path[:-1], meant))
        return f"is not a property here; did you mean {meant}?" if meant else "is not a property here"

    def wrong(self, path: Path, text: str) -> Any:
        """Note a problem; returns INVALID."""
        self.problems.append(Problem(path, text))
        return INVALID

    def _structure(self, shape: Any, raw: Any, path: Path) -> Any:
        if shape.is_document_type:  # any JSON
            return raw
        if shape.is_tagged_union and isinstance(raw, Mapping) and len(raw) != 1:
            self.wrong(path, f"must have exactly one of {', '.join(shape.members)}")
        return self.convert_members(shape.members, shape.required_members, raw, path)

    def _list(self, shape: Any, raw: Any, path: Path) -> Any:
        if not isinstance(raw, list):
            return self.wrong(path, f"must be a list, not {described(raw)}{hints.for_list(raw)}")
        self._bounded(shape, len(raw), path, "has", " entries")
        values = [self.convert(shape.member, item, (*path, index)) for index, item in enumerate(raw)]
        return [value for value in values if value is not INVALID]

    def _map(self, shape: Any, raw: Any, path: Path) -> Any:
        if not isinstance(raw, Mapping):
            return self.wrong(path, f"must be a map, not {described(raw)}{hints.for_map(raw)}")
        self._bounded(shape, len(raw), path, "has", " entries")
        values = {
            self.convert(shape.key, key, (*path, key)): self.convert(shape.value, item, (*path, key))
            for key, item in raw.items()
        }
        return {key: value for key, value in values.items() if INVALID not in (key, value)}

    def _boolean(self, shape: Shape, raw: Any, path: Path) -> Any:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw.lower() in ("true", "false"):
            return raw.lower() == "true"
        return self.wrong(path, f"must be true or false, not {described(raw)}{hints.for_boolean(raw)}")

    def _integer(self, shape: Shape, raw: Any, path: Path) -> Any:
        if isinstance(raw, str) and INTEGER.fullmatch(raw) and len(raw) <= _MOST_DIGITS:
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool):
            hint = hints.for_number(raw, functools.partial(_is_number, INTEGER, shape))
            return self.wrong(path, f"must be a whole number, not {described(raw)}{hint}")
        return self._bounded(shape, raw, path, "is")

    _long = _integer

    def _float(self, shape: Shape, raw: Any, path: Path) -> Any:
        is_number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
        if not is_number and not (isinstance(raw, str) and DECIMAL.fullmatch(raw)):
            hint = hints.for_number(raw, functools.partial(_is_number, DECIMAL, shape))
            return self.wrong(path, f"must be a decimal number, not {described(raw)}{hint}")
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
            text = described(raw)
            hint = "" if allows(shape, text) else hints.for_text(text, functools.partial(allows, shape))
            return self.wrong(path, f"must be text, not {text}{hint}")
        if allows(shape, raw):
            return raw
        enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
        hint = hints.for_text(raw, functools.partial(allows, shape))
        if enum and raw not in enum:
            return self.wrong(path, f"{quoted(raw)} is not one of {', '.join(enum)}{hint or suggestion(raw, enum)}")
        is_match = not pattern or _matches(pattern, raw)
        bounded = self._bounded(shape, len(raw), path, f"{quoted(raw)} has", " characters", hint if is_match else "")
        if is_match or (bounded is INVALID and not raw):
            return INVALID
        hint = hint or hints.for_characters(raw, functools.partial(_takes_character, pattern))
        return self.wrong(path, f"{quoted(raw)} does not match {pattern}{hint}")

    def _bounded(self, shape: Shape, number: float, path: Path, has: str, what: str = "", hint: str = "") -> Any:
        """Return the number if the shape's bounds allow it, else note that the value `has` so many of `what`."""
        least, most = _bounds(shape)
        if least <= number <= most:
            return number
        if most == math.inf:
            allowed = f"at least {least} is"
        elif least == -math.inf:
            allowed = f"at most {most} is"
        else:
            allowed = f"{least} to {most} is"
        return self.wrong(path, f"{has} {described(number)}{what}; {allowed} allowed{hint}")


def allows(shape: Shape, text: str) -> bool:
    """Whether a shape of type string takes this text."""
    least, most = _bounds(shape)
    enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    return (not enum or text in enum) and least <= len(text) <= most and (not pattern or _matches(pattern, text))


# A pattern that speaks of each character alone, but for how the text must not begin.
_OF_CHARACTERS = re.compile(r"\^?(?:\(\?![^)]*\))?(?P<each>\[[^\]]+\])[+*]?\$?")


def _takes_character(pattern: Any, character: str) -> bool:
    """Whether the pattern takes the character at all; True if it does not speak of each character alone."""
    of_characters = _OF_CHARACTERS.fullmatch(pattern)
    return of_characters is None or _matches(of_characters["each"], character)


def _is_number(pattern: re.Pattern[str], shape: Shape, text: str) -> bool:
    least, most = _bounds(shape)
    return pattern.fullmatch(text) is not None and least <= float(text) <= most


def _bounds(shape: Shape) -> tuple[float, float]:
    return shape.metadata.get("min", -math.inf), shape.metadata.get("max", math.inf)


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
