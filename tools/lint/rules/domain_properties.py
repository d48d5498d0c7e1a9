"""Two rules for cfn-lint, for templates with a Custom::CustomerProfilesDomain.

    cfn-lint --append-rules tools/lint/rules template.yaml
    cfn-lint --append-rules tools/lint/rules --include-checks I -- template.yaml

E9365 finds mistakes for which a deployment would fail. I9365 finds what is allowed but probably not meant, such as a
name that no Connect instance can use. cfn-lint runs I9365 only with the option for informational rules.

They run the handler's own translation on the properties as CloudFormation would send them: scalars as text, once for
each combination of conditions. Values that are known only at the deployment (Ref, Fn::Sub, dynamic references, ...) are
not checked. The rules need only this repository and cfn-lint, and work in any directory.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path as File
from typing import Any

from botocore.model import ShapeResolver
from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

_ROOT = str(File(__file__).resolve().parents[3])
sys.path.insert(0, _ROOT)  # cfn-lint loads a rule by its file's name, wherever it is
try:
    from handler import advice
    from handler.problems import Path, Problem
    from handler.properties import IGNORED, InvalidPropertiesError, translate, translate_leniently
finally:
    sys.path.remove(_ROOT)

_TYPE = "Custom::CustomerProfilesDomain"
_NOTHING: Any = object()  # what { Ref: AWS::NoValue } stands for
# https://github.com/mixja/cfn-lambda-handler/issues/4: a custom resource gets the reference itself.
_DYNAMIC = (
    "a dynamic reference may reach a custom resource as it is written, and is refused then; "
    "pass the value in as a template parameter of type AWS::SSM::Parameter::Value<String>"
)

Place = list[Any]  # the steps from the template's root to a value


class DomainProperties(CloudFormationLintRule):  # type: ignore[misc]  # cfn-lint has no types
    """Checks the properties of each Custom::CustomerProfilesDomain as its function does."""

    id = "E9365"  # 9xxx is for rules that are not cfn-lint's own
    shortdesc = "Properties of Custom::CustomerProfilesDomain"
    description = "The properties of a Customer Profiles domain have to be what the API takes"
    tags = ["resources", "customer-profiles"]  # noqa: RUF012 (cfn-lint's own declaration)

    def __init__(self) -> None:
        super().__init__()
        self._shape, self._reported = _shapes()

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each problem of each such resource, at its place in the template."""
        return _matches(cfn, self._problems)

    def _problems(self, handed_over: HandedOver) -> list[Problem]:
        try:
            translate(handed_over.properties, self._shape, self._reported)
        except InvalidPropertiesError as error:
            return handed_over.certain(error.problems)
        return []


class DomainAdvice(CloudFormationLintRule):  # type: ignore[misc]
    """Finds properties of a Custom::CustomerProfilesDomain that are allowed but probably not meant."""

    id = "I9365"
    shortdesc = "Advice on the properties of Custom::CustomerProfilesDomain"
    description = "Some properties that the API takes are probably not what was meant"
    tags = ["resources", "customer-profiles"]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._shape, _ = _shapes()

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each piece of advice on each such resource, at its place in the template."""
        return _matches(cfn, self._advice)

    def _advice(self, handed_over: HandedOver) -> list[Problem]:
        found = advice.find(translate_leniently(handed_over.properties, self._shape))
        dynamic = [path for path in handed_over.dynamic if not IGNORED.intersection(path[:1])]
        return handed_over.certain(found) + [Problem(path, _DYNAMIC) for path in dynamic]


def _shapes() -> tuple[Any, Any]:
    """The input shape of CreateDomain and the output shape of GetDomain.

    They are from the model of the function's pinned botocore, not from cfn-lint's own botocore.
    """
    model = json.loads(File(__file__).with_name("model.json").read_text(encoding="utf-8"))
    resolver = ShapeResolver(model["shapes"])
    return resolver.get_shape_by_name(model["input"]), resolver.get_shape_by_name(model["reported"])


def _matches(cfn: Template, find: Callable[[HandedOver], list[Problem]]) -> list[RuleMatch]:
    """Each finding in any resource of the type, once for all combinations of conditions."""
    matches: list[RuleMatch] = []
    for logical_id, resource in cfn.get_resources(_TYPE).items():
        for conditions in _scenarios(cfn, resource):
            place = ["Resources", logical_id, "Properties"]
            handed_over = HandedOver(resource.get("Properties", {}), conditions, place)
            for problem in find(handed_over):
                match = RuleMatch(handed_over.place(problem.path), handed_over.explained(problem))
                if match not in matches:
                    matches.append(match)
    return matches


class HandedOver:
    """A resource's properties as CloudFormation would send them, and the place of each value in the template.

    `properties` has None for a value that only the deployment knows.
    """

    def __init__(self, properties: Any, conditions: Mapping[str, bool], place: Place) -> None:
        self._conditions = conditions
        self._places: dict[Path, Place] = {}
        self._unknown: set[Path] = set()
        self._may_have_others: set[Path] = set()  # lists and maps with more or fewer entries than can be seen
        self._present: set[Path] = set()
        self._numbers: dict[Path, str] = {}
        self.dynamic: list[Path] = []  # where dynamic references are
        self.properties = self._value(properties, (), place)

    def place(self, path: Path) -> Place:
        """The place in the template of the value at this path; for a missing value, where it should be."""
        known = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in self._places)
        return [*self._places[known], *path[len(known) :]]

    def explained(self, problem: Problem) -> str:
        """The function's message for the problem, with a hint if the YAML reader converted a text to a number."""
        number = self._numbers.get(problem.path)
        is_about_it = number is not None and problem.text.startswith(f"'{number}'")
        if is_about_it and "YAML" not in problem.text:  # 0123 without quotes is 83
            return f"{problem} (YAML takes it for a number; write it in quotes)"
        return str(problem)

    def certain(self, problems: list[Problem]) -> list[Problem]:
        """The problems that will still be there once the template is deployed, whatever the deployment adds."""
        return [problem for problem in problems if not self._may_be_right(problem.path)]

    def _may_be_right(self, path: Path) -> bool:
        is_missing = path not in self._present
        return (
            any(path[:length] in self._unknown for length in range(len(path) + 1))
            or path in self._may_have_others
            or (is_missing and path[:-1] in self._may_have_others)
        )

    def _value(self, node: Any, path: Path, place: Place) -> Any:
        self._places[path] = place
        function, argument = _function(node)
        if function == "Fn::If" and _is_condition(argument, self._conditions):
            branch = 1 if self._conditions[argument[0]] else 2
            return self._value(argument[branch], path, [*place, function, branch])
        if function == "Ref" and argument == "AWS::NoValue":
            return _NOTHING
        self._present.add(path)
        if isinstance(node, str) and "{{resolve:" in node:
            self.dynamic.append(path)
            self._unknown.add(path)
            return None
        if function or isinstance(node, datetime.datetime):
            self._unknown.add(path)
            if function == "Fn::If":  # of which one branch may be AWS::NoValue
                self._may_have_others.add(path[:-1])
            return None
        if isinstance(node, Mapping):
            return self._map(node, path, place)
        if isinstance(node, list):
            return self._list(node, path, place)
        if isinstance(node, (int, float)) and not isinstance(node, bool):
            self._numbers[path] = as_text(node)
        return as_text(node)

    def _map(self, node: Mapping[Any, Any], path: Path, place: Place) -> dict[Any, Any]:
        values = {}
        for key, item in node.items():
            name = as_text(key)
            if isinstance(name, str) and name.startswith("Fn::"):  # Fn::Transform and Fn::ForEach add entries
                self._may_have_others.add(path)
                continue
            value = self._value(item, (*path, name), [*place, key])
            if value is not _NOTHING:
                values[name] = value
        return values

    def _list(self, node: list[Any], path: Path, place: Place) -> list[Any]:
        values: list[Any] = []
        for index, item in enumerate(node):
            value = self._value(item, (*path, len(values)), [*place, index])
            if value is not _NOTHING:
                values.append(value)
        return values


def as_text(scalar: Any) -> Any:
    """A scalar as CloudFormation sends it. The YAML reader has already converted some to numbers and dates."""
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    if isinstance(scalar, (int, float)):
        return repr(scalar)
    return scalar.isoformat() if isinstance(scalar, datetime.date) else scalar


def _function(node: Any) -> tuple[str, Any]:
    """The intrinsic function that the node is, and its argument; "" for any other node."""
    if isinstance(node, Mapping) and len(node) == 1:
        ((name, argument),) = node.items()
        if isinstance(name, str) and (name == "Ref" or name.startswith("Fn::")):
            return str(name), argument
    return "", None


def _is_condition(argument: Any, conditions: Mapping[str, bool]) -> bool:
    is_form = isinstance(argument, list) and len(argument) == 3 and isinstance(argument[0], str)
    return is_form and argument[0] in conditions


def _scenarios(cfn: Template, resource: Mapping[str, Any]) -> list[dict[str, bool]]:
    """Each combination of the conditions in the resource's properties; {} if they are not known."""
    values = {name: {True, False} for name in _conditions(resource.get("Properties")) if cfn.conditions.get(name)}
    if not values:
        return [{}]
    own_condition = resource.get("Condition")
    if isinstance(own_condition, str) and cfn.conditions.get(own_condition):
        values[own_condition] = {True}
    return list(cfn.conditions.build_scenarios(values)) or [{}]


def _conditions(node: Any) -> Iterator[str]:
    """The names of the conditions in each Fn::If of the node."""
    function, argument = _function(node)
    if function == "Fn::If" and isinstance(argument, list) and argument and isinstance(argument[0], str):
        yield argument[0]
    children = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    for child in children:
        yield from _conditions(child)
