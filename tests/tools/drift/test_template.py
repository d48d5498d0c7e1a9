"""Templates in YAML are read as CloudFormation reads them."""

from __future__ import annotations

from typing import Any

import pytest

from tools.drift.template import read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Name", {"Ref": "Name"}),
        ("!Condition Yes", {"Condition": "Yes"}),
        ("!Sub '${Name}'", {"Fn::Sub": "${Name}"}),
        ("!GetAtt Key.Arn", {"Fn::GetAtt": "Key.Arn"}),
        ("!Join ['-', [!Ref A, !Sub '${B}']]", {"Fn::Join": ["-", [{"Ref": "A"}, {"Fn::Sub": "${B}"}]]}),
        ("!Sub ['${A}', {A: !Ref B}]", {"Fn::Sub": ["${A}", {"A": {"Ref": "B"}}]}),
        ("!Transform {Name: X}", {"Fn::Transform": {"Name": "X"}}),
        ("2026-11-25", "2026-11-25"),
        ("yes", True),
        ("0.90", 0.9),
    ],
)
def test_a_value_is_read_as_cloudformation_reads_it(text: str, value: Any) -> None:
    assert read(f"Value: {text}") == {"Value": value}


@pytest.mark.parametrize("text", ["a: [", "- a list", "text", ""])
def test_what_is_not_a_template_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)
