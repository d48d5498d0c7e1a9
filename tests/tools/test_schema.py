"""The JSON Schema accepts what the handler accepts, and agrees with the pinned model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.model import ServiceModel
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from handler.properties import IGNORED, InvalidPropertiesError, translate
from tests.handler.strategies import (
    Mistake,
    as_cloudformation_writes,
    as_native_tags,
    create_domain_shape,
    domains,
    mistakes,
)
from tools import schema
from tools.lint.rules.domain_properties import as_text

FILES = schema.generated()
SCHEMA = json.loads(FILES[schema.FOLDER / "schema.json"])
VALIDATOR = Draft7Validator(SCHEMA)
LEAST = {"ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:provider", "DomainName": "customers"}
LEAST |= {"DefaultExpirationDays": "366"}


def as_text_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_text_all(item) for key, item in value.items()}
    return [as_text_all(item) for item in value] if isinstance(value, list) else as_text(value)


def described(value: Any) -> list[tuple[str, str]]:
    """Every description in a schema, with the name of what it describes."""
    found = []
    for name, part in value.items() if isinstance(value, dict) else ():
        if isinstance(part, dict):
            found += [(name, part["description"])] if isinstance(part.get("description"), str) else []
            found += described(part)
        elif isinstance(part, list):
            found += [each for item in part for each in described(item)]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(schema.FOLDER)))
def test_the_file_is_up_to_date_with_the_model(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path], "run make schema"


def test_it_has_the_properties_that_cloudformation_adds_and_the_handler_ignores() -> None:
    assert schema.OF_CLOUDFORMATION.keys() == IGNORED


def test_it_is_a_valid_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)
    Draft7Validator.check_schema(json.loads(FILES[schema.FOLDER / "template.json"]))


def test_every_property_of_the_api_has_a_description_without_markup() -> None:
    texts = dict(described(SCHEMA["properties"]))
    assert {*create_domain_shape().members, "AdoptExisting", "DeletionProtection"} <= texts.keys()
    for text in texts.values():
        assert len(text) <= 301
        assert "<" not in text


@pytest.mark.parametrize(
    ("documentation", "text"),
    [
        ("<p>The <code>unique</code>\n name.</p>", "The unique name."),
        ("<p>One.</p> <p>Two.</p>", "One."),
        ("<p> </p><p>A &amp; B</p>", "A & B"),
        ("", ""),
        ("<p>" + "Much to say. " * 40 + "</p>", ("Much to say. " * 23).strip()),
        ("<p>" + "x" * 400 + "</p>", "x" * 300 + "…"),
    ],
)
def test_a_description_is_the_first_paragraph_in_plain_text(documentation: str, text: str) -> None:
    assert schema.first_paragraph(documentation) == text


@given(domains(), st.data(), st.booleans())
@settings(max_examples=50)
def test_a_valid_template_satisfies_it(request: Any, data: st.DataObject, native_tags: bool) -> None:
    if native_tags and "Tags" in request:
        request = {**request, "Tags": as_native_tags(request["Tags"])}
    properties = data.draw(as_cloudformation_writes(request))
    assert [*VALIDATOR.iter_errors({**LEAST, **properties, "AdoptExisting": "True"})] == []


@given(mistakes())
def test_what_it_refuses_the_handler_refuses_too(mistake: Mistake) -> None:
    properties = {"ServiceToken": "x", **mistake.properties}
    if not VALIDATOR.is_valid(properties):
        with pytest.raises(InvalidPropertiesError):
            translate(as_text_all(properties), create_domain_shape())


@pytest.mark.parametrize(
    "changes",
    [
        {"DomainName": "not a name"},
        {"DefaultExpirationDays": 0},
        {"DefaultExpirationDays": "30 days"},
        {"ExpirationDays": 30},
        {"AdoptExisting": "yes"},
        {"DeletionProtection": "on"},
        {"Matching": {}},
        {"Matching": {"Enabled": "TRUE", "JobSchedule": {"DayOfTheWeek": "Sunday", "Time": "12:30"}}},
        {"RuleBasedMatching": {"Enabled": True, "ConflictResolution": {"ConflictResolvingModel": "SOURCE"}}},
        {"RuleBasedMatching": {"Enabled": True, "MatchingRules": []}},
        {"Tags": {"aws:owner": "x"}},
        {"Tags": {"cloudformation:stack-id": "x"}},
        {"Tags": [{"Key": "cloudformation:stack-id", "Value": "x"}]},
        {"Tags": [{"Key": "a"}]},
        {"Tags": {f"key{index}": "x" for index in range(48)}},
        {"Tags": "a=b"},
        {"DataStore": {"Enabled": {"Ref": "A", "Fn::Sub": "B"}}},
    ],
    ids=str,
)
def test_a_mistake_is_refused(changes: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(LEAST)
    assert not VALIDATOR.is_valid({**LEAST, **changes})


@pytest.mark.parametrize("missing", LEAST)
def test_what_is_required_is_required(missing: str) -> None:
    assert not VALIDATOR.is_valid({name: value for name, value in LEAST.items() if name != missing})


@pytest.mark.parametrize(
    "changes",
    [
        {"DomainName": {"Ref": "Name"}, "DefaultExpirationDays": {"Fn::FindInMap": ["A", "B", "C"]}},
        {"DomainName": "{{resolve:ssm:/name}}", "DefaultExpirationDays": "{{resolve:ssm:/days}}"},
        {"DomainName": 2024, "DefaultExpirationDays": 30, "ServiceTimeout": 60},
        {"Matching": {"Fn::If": ["IsProduction", {"Enabled": True}, {"Ref": "AWS::NoValue"}]}},
        {"Matching": {"Enabled": "FALSE", "Fn::Transform": {"Name": "Some"}}},
        {"Tags": {"Fn::Transform": {"Name": "Some"}}},
        {"Tags": [{"Fn::If": ["A", {"Key": "a", "Value": "b"}, {"Ref": "AWS::NoValue"}]}]},
        {"Tags": [{"Key": {"Ref": "A"}, "Value": 4711}]},
        {"Tags": {"a": "b", "Fn::Transform": {"Name": "Some"}}},
        {"Tags": {"a": 4711, "b": True, "c": {"Ref": "A"}}},
        {"DeadLetterQueueUrl": "", "DefaultEncryptionKey": ""},
    ],
    ids=str,
)
def test_whatever_a_template_may_contain_is_accepted(changes: dict[str, Any]) -> None:
    assert [*VALIDATOR.iter_errors({**LEAST, **changes})] == []


def test_an_editor_s_schema_looks_at_resources_of_this_type_only() -> None:
    base = "file:///lint/"
    resources = [
        (base + path.name, Resource.from_contents(json.loads(FILES[path])))
        for path in FILES
        if path.parent == schema.FOLDER
    ]
    registry: Registry[Any] = Registry().with_resources(resources)
    editor = Draft7Validator({"$ref": base + "template.json"}, registry=registry)

    def template(properties: Any, type_name: str = "Custom::CustomerProfilesDomain") -> dict[str, Any]:
        return {"Resources": {"Domain": {"Type": type_name, "Properties": properties}}}

    assert editor.is_valid(template(LEAST))
    assert not editor.is_valid(template({**LEAST, "DomainName": "not a name"}))
    assert not editor.is_valid({"Resources": {"Domain": {"Type": "Custom::CustomerProfilesDomain"}}})
    assert editor.is_valid(template({"DomainName": "not a name"}, type_name="AWS::CustomerProfiles::Domain"))
    for path in sorted(schema.FOLDER.parents[1].glob("examples/**/*.yaml")):
        assert [*editor.iter_errors(yaml.load(path.read_text(), _LongForms))] == [], path


class _LongForms(yaml.SafeLoader):
    """Reads !Sub as { Fn::Sub: ... }."""


def _long_form(loader: _LongForms, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        argument: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        argument = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": argument}


_LongForms.add_multi_constructor("!", _long_form)


def test_a_property_that_a_newer_model_brings_is_in_it() -> None:
    model = {
        "metadata": {"protocol": "rest-json"},
        "operations": {},
        "shapes": {
            "Input": {
                "type": "structure",
                "required": ["Mode"],
                "members": {name: {"shape": name} for name in ("Mode", "Limits", "Labels", "Tags", "Weight")},
            },
            "Mode": {"type": "string", "enum": ["KEEP", "ERASE"]},
            "Limits": {"type": "map", "key": {"shape": "Label"}, "value": {"shape": "Long"}, "max": 1},
            "Labels": {"type": "list", "member": {"shape": "Label"}, "min": 1, "max": 2},
            "Label": {"type": "string", "pattern": "[a-z]+"},
            "Long": {"type": "long", "min": 0},
            "Weight": {"type": "double", "max": 1.0},
            "Tags": {"type": "map", "key": {"shape": "Label"}, "value": {"shape": "Label"}, "max": 50},
        },
    }
    shape: Any = ServiceModel(model).shape_for("Input")
    newer = Draft7Validator(schema.resource_schema(shape))
    right = {"ServiceToken": "x", "Mode": "KEEP", "Limits": {"a": "1"}, "Labels": ["a"], "Weight": "0.5"}
    assert [*newer.iter_errors(right)] == []
    for wrong in ({"Mode": "keep"}, {"Limits": {"A": 1}}, {"Limits": {"a": -1}}, {"Labels": ["1"]}, {"Weight": 2}):
        assert not newer.is_valid({**right, **wrong}), wrong
