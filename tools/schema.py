"""Writes the files of tools/lint/ that are generated from the API's model:

    schema.json        JSON Schema of the resource's properties
    template.json      JSON Schema of a whole template, for editors: it looks at resources of this type only
    rules/model.json   the part of the model that cfn-lint's rule needs: cfn-lint has its own botocore, but the model of
                       the function's botocore is the one that counts

    python -m tools.schema

A schema checks less than the handler: it has no bounds for numbers written as text, and finds no duplicates in a list
of tags. Whatever it refuses, the handler refuses too. Instead of any value it accepts an intrinsic function in the long
form (`Fn::Sub: ...`) or a dynamic reference. Whether the short form (`!Sub`) works depends on the editor. cfn-lint
cannot use a schema for a custom resource (it uses AWS::CloudFormation::CustomResource for all), so it needs the rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from handler.build_artifact import shapes_needed, without_documentation
from handler.claims import OWNERSHIP_KEYS
from handler.properties import NEEDS, OWN_PROPERTIES, most_tags
from handler.shapes import DECIMAL, INTEGER

FOLDER = Path(__file__).parent / "lint"
TYPE_NAME = "Custom::CustomerProfilesDomain"

_LONGEST_DESCRIPTION = 300  # characters
_DRAFT = "http://json-schema.org/draft-07/schema#"

# The properties that CloudFormation itself reads
# (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html).
OF_CLOUDFORMATION: dict[str, Shape] = {
    "ServiceToken": Shape("String", {"type": "string", "documentation": "The ARN of the provider's function."}),
    "ServiceTimeout": Shape(
        "Integer",
        {
            "type": "integer",
            "min": 1,
            "max": 3600,
            "documentation": "For how many seconds CloudFormation waits for the function's answer.",
        },
    ),
}

# CloudFormation sends scalars as text, so a template may write them as text or in their own type. If the API expects
# text, a number is also accepted (`CostCentre: 4711`).
_SCALARS: dict[str, dict[str, Any]] = {
    "boolean": {"type": ["boolean", "string"], "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$"},
    "integer": {"type": ["integer", "string"], "pattern": f"^{INTEGER.pattern}$"},
    "number": {"type": ["number", "string"], "pattern": f"^{DECIMAL.pattern}$"},
    "string": {"type": ["string", "number", "boolean"]},
}
_TYPES = {"boolean": "boolean", "integer": "integer", "long": "integer", "float": "number", "double": "number"}

_KNOWN_WHEN_DEPLOYED = {
    "description": "An intrinsic function or a dynamic reference.",
    "anyOf": [
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "propertyNames": {"pattern": "^(Ref$|Fn::)"},
        },
        {"type": "string", "pattern": r"\{\{resolve:"},
    ],
}
_ADDS_PROPERTIES: dict[str, Any] = {"^Fn::(ForEach|Transform)": {}}


def main() -> None:
    """Write the files."""
    for path, content in generated().items():
        path.write_text(content, encoding="utf-8")


def generated() -> dict[Path, str]:
    """The current content of each file."""
    raw = Loader().load_service_model("customer-profiles", "service-2")
    model = ServiceModel(raw)
    shape = model.operation_model("CreateDomain").input_shape
    reported = model.operation_model("GetDomain").output_shape
    assert isinstance(shape, StructureShape)
    assert isinstance(reported, StructureShape)
    contents = {
        FOLDER / "schema.json": resource_schema(shape),
        FOLDER / "template.json": template_schema("schema.json"),
        FOLDER / "rules" / "model.json": model_of(raw["shapes"], input=shape, reported=reported),
    }
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in contents.items()}


def resource_schema(shape: StructureShape) -> dict[str, Any]:
    """The JSON Schema of the resource's properties; `shape` is the input shape of CreateDomain."""
    members = {**OF_CLOUDFORMATION, **shape.members, **OWN_PROPERTIES}
    properties = {name: _value(member) for name, member in members.items()}
    properties["Tags"] = _or_known_when_deployed(_tags(shape.members["Tags"]), shape.members["Tags"].documentation)
    return {
        "$schema": _DRAFT,
        "typeName": TYPE_NAME,
        "description": "An Amazon Connect Customer Profiles domain.",
        **_structure(properties, ["ServiceToken", *shape.required_members]),
        "primaryIdentifier": ["/properties/DomainName"],
        "createOnlyProperties": ["/properties/DomainName"],
        "definitions": {"KnownWhenDeployed": _KNOWN_WHEN_DEPLOYED},
    }


def template_schema(resource: str) -> dict[str, Any]:
    """The JSON Schema of a template; `resource` is where the schema of the properties is."""
    return {
        "$schema": _DRAFT,
        "description": f"A CloudFormation template; only its resources of type {TYPE_NAME} are looked at.",
        "properties": {
            "Resources": {
                "additionalProperties": {
                    "if": {"required": ["Type"], "properties": {"Type": {"const": TYPE_NAME}}},
                    "then": {"required": ["Properties"], "properties": {"Properties": {"$ref": resource}}},
                }
            }
        },
    }


def model_of(shapes: Mapping[str, Any], **roots: Shape) -> dict[str, Any]:
    """The root shapes and all shapes in them, as in the model, without the documentation."""
    names = sorted(shapes_needed(dict(shapes), [{"shape": root.name} for root in roots.values()]))
    return {
        **{name: root.name for name, root in roots.items()},
        "shapes": {name: without_documentation(shapes[name]) for name in names},
    }


def _value(shape: Shape) -> dict[str, Any]:
    if isinstance(shape, StructureShape):
        members = {name: _value(member) for name, member in shape.members.items()}
        schema = _structure(members, shape.required_members)
    elif isinstance(shape, ListShape):
        schema = {"type": "array", "items": _value(shape.member), **_bounds(shape, "minItems", "maxItems")}
    elif isinstance(shape, MapShape):
        schema = {**_map(_text(shape.key), _value(shape.value)), **_bounds(shape, "minProperties", "maxProperties")}
    elif shape.type_name in _TYPES:
        schema = {**_SCALARS[_TYPES[shape.type_name]], **_bounds(shape, "minimum", "maximum")}
    else:
        schema = _text(shape)
    return _or_known_when_deployed(schema, shape.documentation)


def _structure(members: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": dict(members),
        "patternProperties": _ADDS_PROPERTIES,
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    needs = [
        {"if": {"required": [name], "properties": {name: {"const": value}}}, "then": {"required": [needed]}}
        for (name, value), needed in NEEDS.items()
        if needed in members
    ]
    return {**schema, "allOf": needs} if needs else schema


def _text(shape: Shape) -> dict[str, Any]:
    if "enum" in shape.metadata:
        return {"enum": shape.metadata["enum"]}
    schema = {**_SCALARS["string"], **_bounds(shape, "minLength", "maxLength")}
    pattern = shape.metadata.get("pattern")
    if pattern:
        # A pattern without anchors must match the whole text in the API, but any part of it in JSON Schema.
        schema["pattern"] = pattern if pattern.startswith("^") else f"^({pattern})$"
    return schema


def _tags(shape: Any) -> dict[str, Any]:
    """Tags as a map, or in the native resource type's form."""
    most = most_tags(shape)
    key = {**_text(shape.key), "not": {"enum": sorted(OWNERSHIP_KEYS)}}
    value = _value(shape.value)
    pair = _structure({"Key": _or_known_when_deployed(key), "Value": value}, ["Key", "Value"])
    return {
        "anyOf": [
            {**_map(key, value), "maxProperties": most},
            {"type": "array", "items": _or_known_when_deployed(pair), "maxItems": most},
        ]
    }


def _map(key: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": key,
        "patternProperties": _ADDS_PROPERTIES,
        "additionalProperties": value,
    }


def _bounds(shape: Shape, least: str, most: str) -> dict[str, Any]:
    keys = {"min": least, "max": most}
    return {keyword: shape.metadata[key] for key, keyword in keys.items() if key in shape.metadata}


def _or_known_when_deployed(schema: dict[str, Any], documentation: str = "") -> dict[str, Any]:
    description = first_paragraph(documentation)
    alternatives = schema["anyOf"] if list(schema) == ["anyOf"] else [schema]
    return {
        **({"description": description} if description else {}),
        "anyOf": [*alternatives, {"$ref": "#/definitions/KnownWhenDeployed"}],
    }


def first_paragraph(documentation: str) -> str:
    """The first paragraph of botocore's documentation as plain text, cut after a sentence if it is long."""
    reader = _FirstParagraph()
    reader.feed(documentation)
    reader.close()
    text = " ".join("".join(reader.text).split())
    if len(text) <= _LONGEST_DESCRIPTION:
        return text
    sentences = re.match(rf".{{1,{_LONGEST_DESCRIPTION}}}[.!?](?= )", text)
    return sentences[0] if sentences else text[:_LONGEST_DESCRIPTION] + "…"


class _FirstParagraph(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._is_over = False

    def handle_data(self, data: str) -> None:
        if not self._is_over:
            self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._is_over = self._is_over or (tag == "p" and bool("".join(self.text).strip()))


if __name__ == "__main__":
    main()
