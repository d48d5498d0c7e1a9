"""Each value is converted to the type of its shape, only by the documented conversions."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import Shape, ShapeResolver
from hypothesis import given
from hypothesis import strategies as st

from handler.problems import Problem
from handler.shapes import INVALID, Converter
from tests.handler.strategies import api_values, as_cloudformation_writes, json_values, service_model

SHAPES: dict[str, Any] = {
    "Boolean": {"type": "boolean"},
    "Integer": {"type": "integer"},
    "Days": {"type": "integer", "min": 1, "max": 1098},
    "Long": {"type": "long"},
    "Float": {"type": "float"},
    "Score": {"type": "double", "min": 0.0, "max": 1.0},
    "String": {"type": "string"},
    "AtLeastTwo": {"type": "string", "min": 2},
    "Name": {"type": "string", "min": 2, "max": 4, "pattern": "^[a-z]+$"},
    "Unanchored": {"type": "string", "pattern": "[a-z]+|[0-9]+"},
    "Arn": {"type": "string", "pattern": "^arn:[a-z]+:profile"},
    "Word": {"type": "string", "pattern": r"^\w+$"},
    "Letters": {"type": "string", "pattern": r"^\p{L}+$"},
    "Day": {"type": "string", "enum": ["MONDAY", "TUESDAY"]},
    "Moment": {"type": "timestamp"},
    "Names": {"type": "list", "member": {"shape": "Name"}, "min": 1, "max": 2},
    "Scores": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Score"}, "max": 2},
    "Either": {"type": "structure", "union": True, "members": {"A": {"shape": "Days"}, "B": {"shape": "Name"}}},
    "Anything": {"type": "structure", "document": True, "members": {}},
}

TAKEN: list[tuple[str, Any, Any]] = [
    ("Boolean", "true", True),
    ("Boolean", "TRUE", True),
    ("Boolean", "False", False),
    ("Boolean", "fAlSe", False),
    ("Boolean", True, True),
    ("Boolean", False, False),
    ("Integer", "30", 30),
    ("Integer", "+30", 30),
    ("Integer", "-30", -30),
    ("Integer", "0030", 30),
    ("Integer", 30, 30),
    ("Long", "9223372036854775807", 2**63 - 1),
    ("Float", "0.5", 0.5),
    ("Float", ".5", 0.5),
    ("Float", "-2", -2.0),
    ("Float", "1.0E-5", 0.00001),
    ("Float", 1, 1.0),
    ("Float", 0.5, 0.5),
    ("Score", "1", 1.0),
    ("String", "", ""),
    ("String", " text\n", " text\n"),
    ("Unanchored", "12", "12"),
    ("Arn", "arn:aws:profile:eu-west-1", "arn:aws:profile:eu-west-1"),
    ("Letters", "größe", "größe"),  # Python has no \p{L}: the API is the one to check it
    ("Day", "MONDAY", "MONDAY"),
    ("Moment", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("Names", ["ab", "cd"], ["ab", "cd"]),
    ("Scores", {"ab": "0.5", "cd": 1}, {"ab": 0.5, "cd": 1.0}),
    ("Either", {"A": "3"}, {"A": 3}),
    ("Anything", {"a": ["1", None]}, {"a": ["1", None]}),
]

EMPTY = "; an empty text is a value, too: to leave an optional property out, use AWS::NoValue"
REFUSED: list[tuple[str, Any, str]] = [
    ("Boolean", "yes", "must be true or false, not 'yes'; write true"),
    ("Boolean", "1", "must be true or false, not '1'; write true"),
    ("Boolean", 1, "must be true or false, not 1; write true"),
    ("Boolean", "", "must be true or false, not ''" + EMPTY),
    ("Boolean", " true", "must be true or false, not ' true'; write true"),
    ("Boolean", "true\n", r"must be true or false, not 'true\n'; write true"),
    ("Boolean", None, "must be true or false, not null"),
    ("Boolean", ["true"], "must be true or false, not a list"),
    ("Integer", " 12 ", "must be a whole number, not ' 12 '; write 12"),
    ("Integer", "12\n", r"must be a whole number, not '12\n'; write 12"),
    ("Integer", "1_000", "must be a whole number, not '1_000'; write 1000"),
    ("Integer", "١٢", "must be a whole number, not '١٢'"),
    ("Integer", "１２", "must be a whole number, not '１２'"),  # noqa: RUF001
    ("Integer", "²", "must be a whole number, not '²'"),
    ("Integer", "3.5", "must be a whole number, not '3.5'"),
    ("Integer", "1e3", "must be a whole number, not '1e3'"),
    ("Integer", "0x1F", "must be a whole number, not '0x1F'"),
    ("Integer", "", "must be a whole number, not ''" + EMPTY),
    ("Integer", "+", "must be a whole number, not '+'"),
    ("Integer", 3.5, "must be a whole number, not 3.5"),
    ("Integer", 3.0, "must be a whole number, not 3.0; write 3"),
    ("Integer", True, "must be a whole number, not true"),
    ("Integer", {"a": 1}, "must be a whole number, not a map"),
    ("Days", "0", "is 0; 1 to 1098 is allowed"),
    ("Days", "-5", "is -5; 1 to 1098 is allowed"),
    ("Days", 1099, "is 1099; 1 to 1098 is allowed"),
    ("Days", 10**5000, "is a number far too long; 1 to 1098 is allowed"),
    ("Days", "9" * 5000, "must be a whole number, not '" + "9" * 64 + "…'"),
    ("Float", "nan", "must be a decimal number, not 'nan'"),
    ("Float", "Infinity", "must be a decimal number, not 'Infinity'"),
    ("Float", float("nan"), "must be a finite number, not NaN"),
    ("Float", "1e999", "must be a finite number, not '1e999'"),
    ("Float", 10**400, "must be a finite number, not 1" + "0" * 63 + "…"),
    ("Float", "0,5", "must be a decimal number, not '0,5'; write 0.5"),
    ("Float", "1_0.5", "must be a decimal number, not '1_0.5'; write 10.5"),
    ("Float", "\u0660.\u0665", "must be a decimal number, not '\u0660.\u0665'"),
    ("Float", ".", "must be a decimal number, not '.'"),
    ("Float", True, "must be a decimal number, not true"),
    ("Score", "1.5", "is 1.5; 0.0 to 1.0 is allowed"),
    ("String", 12, "must be text, not 12"),
    ("String", True, "must be text, not true"),
    ("String", None, "must be text, not null"),
    ("AtLeastTwo", "a", "'a' has 1 characters; at least 2 is allowed"),
    ("Name", "ab\n", r"'ab\n' does not match ^[a-z]+$; there are spaces or line breaks around it: write 'ab'"),
    ("Unanchored", "12ab", "'12ab' does not match [a-z]+|[0-9]+"),
    ("Arn", "an arn:aws:profile", "'an arn:aws:profile' does not match ^arn:[a-z]+:profile"),
    ("Word", "größe", r"'größe' does not match ^\w+$"),
    ("Day", "Monday", "'Monday' is not one of MONDAY, TUESDAY; did you mean MONDAY?"),
    (
        "Day",
        "MONDAY\n",
        r"'MONDAY\n' is not one of MONDAY, TUESDAY; there are spaces or line breaks around it: write 'MONDAY'",
    ),
    ("Names", {"0": "ab"}, "must be a list, not a map; put the map into a list, in YAML with a dash in front of it"),
    (
        "Names",
        "ab,cd",
        "must be a list, not 'ab,cd'; use !Split [\",\", ...], or a parameter of type CommaDelimitedList",
    ),
    ("Names", [], "has 0 entries; 1 to 2 is allowed"),
    ("Names", ["ab", "cd", "ef"], "has 3 entries; 1 to 2 is allowed"),
    ("Scores", ["ab"], "must be a map, not a list"),
    ("Scores", {"ab": 0, "cd": 0, "ef": 0}, "has 3 entries; at most 2 is allowed"),
    ("Either", {}, "must have exactly one of A, B"),
    ("Either", {"A": "1", "B": "ab"}, "must have exactly one of A, B"),
    ("Either", ["A"], "must be a map of properties, not a list"),
]


def shape_named(name: str) -> Shape:
    return ShapeResolver(SHAPES).get_shape_by_name(name)


def convert(shape: Shape, raw: Any) -> tuple[Any, list[Problem]]:
    converter = Converter()
    return converter.convert(shape, raw, ()), converter.problems


@pytest.mark.parametrize(("shape", "raw", "value"), TAKEN)
def test_a_value_becomes_what_its_shape_says(shape: str, raw: Any, value: Any) -> None:
    converted, problems = convert(shape_named(shape), raw)
    assert problems == []
    assert (type(converted), converted) == (type(value), value)


@pytest.mark.parametrize(("shape", "raw", "text"), REFUSED, ids=lambda case: case if isinstance(case, str) else "")
def test_a_value_that_would_have_to_be_guessed_is_refused(shape: str, raw: Any, text: str) -> None:
    assert [problem.text for problem in convert(shape_named(shape), raw)[1]] == [text]


def test_a_text_with_two_mistakes_has_both_named() -> None:
    converted, problems = convert(shape_named("Name"), "ABCDE")
    assert converted is INVALID
    assert [problem.text for problem in problems] == [
        "'ABCDE' has 5 characters; 2 to 4 is allowed",
        "'ABCDE' does not match ^[a-z]+$; not allowed in it: 'A' 'B' 'C' 'D' 'E'",
    ]


def test_what_is_right_beside_a_mistake_is_kept() -> None:
    assert convert(shape_named("Names"), ["ab", "A"])[0] == ["ab"]
    assert convert(shape_named("Scores"), {"ab": "0.5", "cd": "x", "E": "1"})[0] == {"ab": 0.5}


@given(st.data())
def test_a_request_of_any_operation_written_as_strings_translates_back_to_itself(data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(service_model().operation_names))
    shape = service_model().operation_model(operation).input_shape
    assert shape is not None
    request = data.draw(api_values(shape))
    assert convert(shape, data.draw(as_cloudformation_writes(request))) == (request, [])


@given(st.sampled_from(list(SHAPES)), json_values)
def test_no_value_makes_the_conversion_raise(shape: str, raw: Any) -> None:
    converted, problems = convert(shape_named(shape), raw)
    assert converted is not INVALID or problems
    for problem in problems:
        assert "\n" not in str(problem)
        str(problem).encode()  # no half of a surrogate pair
        assert len(problem.text) < 400


@pytest.mark.parametrize(
    "raw", [10**5000, b"bytes", ("a", 1), {1, 2}, object(), 1j], ids=lambda raw: type(raw).__name__
)
@pytest.mark.parametrize("shape", list(SHAPES))
def test_no_value_that_json_does_not_have_makes_the_conversion_raise(shape: str, raw: Any) -> None:
    for value in (raw, [raw], {"ab": raw}):
        for problem in convert(shape_named(shape), value)[1]:
            assert str(problem)
