"""The documentation agrees with the code: parameters, reasons of failed events, the order of the modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml

from handler.properties import InvalidPropertiesError, translate
from tests.handler.strategies import create_domain_shape, service_model

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
HANDLER = PROJECT / "handler"
# Modules that only build the artifact are not part of the function.
BUILDS = {"build_artifact", "package_index", "__init__"}


def first_cells(page: str, heading: str) -> list[list[str]]:
    """The rows of the table under a heading, each as its cells."""
    section = (DOCS / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_operations_has_every_parameter_of_the_template_with_its_default() -> None:
    parameters: Mapping[str, Any] = cfn_yaml.load(str(PROJECT / "template.yaml"))["Parameters"]
    told = {
        name: default.strip("`").replace("none", "")
        for names, default, _ in first_cells("operations.md", "Parameters")
        for name in re.findall(r"\w+", names)
    }

    assert told == {name: str(parameter["Default"]) for name, parameter in parameters.items()}


def test_operations_has_every_alarm_of_the_template() -> None:
    resources: Mapping[str, Any] = cfn_yaml.load(str(PROJECT / "template.yaml"))["Resources"]
    alarms = {name for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}

    assert {row[0].strip("`") for row in first_cells("operations.md", "Alarms")} == alarms


def test_design_has_every_module_once_and_each_imports_only_from_those_below_it() -> None:
    order = [row[0].strip("`").removesuffix(".py") for row in first_cells("design.md", "Modules")]
    assert sorted(order) == sorted({path.stem for path in HANDLER.glob("*.py")} - BUILDS)

    upwards = [
        (name, imported)
        for at, name in enumerate(order)
        for imported in imports(HANDLER / f"{name}.py")
        if imported in order[: at + 1]
    ]
    assert upwards == []


def test_design_has_at_most_twelve_words() -> None:
    assert len(first_cells("design.md", "Words")) <= 12


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "handler":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("handler."):
            yield str(node.module).removeprefix("handler.")


MESSAGES = [message for row in first_cells("operations.md", "Log") for message in re.findall("`([^`]+)`", row[0])]
REASONS = [
    reason
    for heading in ("The template", "The domain and its owner", "Permissions", "The API", "Time", "The function")
    for row in first_cells("errors.md", heading)
    for reason in re.findall("`([^`]+)`", row[0])
]


@pytest.mark.parametrize("text", REASONS + MESSAGES)
def test_every_reason_and_message_in_the_documentation_exists_in_the_code(text: str) -> None:
    parts = re.split(r"\.\.\.|\b(?:PROPERTY|OPERATION|NAME|EVENT|N)\b", text)
    words = _texts_of_the_function()

    assert [part for part in parts if not any(part.strip(" :") in word for word in words)] == []


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"Maching": {}}, "Maching: is not a property here; did you mean Matching?"),
        ({"Stats": {}}, "Stats: is reported by the API and can't be set; leave it out"),
        ({"DeletionProtection": "yes"}, "DeletionProtection: must be true or false, not 'yes'; write true"),
        ({"DataStore": "true"}, "DataStore: must be a map of properties, not 'true'; write Enabled: true inside it"),
        ({"DefaultExpirationDays": "1,000"}, "DefaultExpirationDays: must be a whole number, not '1,000'; write 1000"),
    ],
    ids=["a typo", "a reported value", "yes in quotes", "a switch without its structure", "a number with a comma"],
)
def test_common_mistakes_get_the_answers_in_the_documentation(properties: Mapping[str, Any], reason: str) -> None:
    least = {"DomainName": "amazon-connect-shop", "DefaultExpirationDays": "366"}
    reported: Any = service_model().operation_model("GetDomain").output_shape
    with pytest.raises(InvalidPropertiesError) as caught:
        translate({**least, **properties}, create_domain_shape(), reported)

    assert str(caught.value) == reason
    assert f"| `{reason}` |" in (DOCS / "errors.md").read_text()


def _texts_of_the_function() -> list[str]:
    """Every text in the function's sources, including texts of the API that it searches for."""
    return [
        node.value
        for path in HANDLER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
