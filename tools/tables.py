"""Generates the tables in docs/properties-and-outputs.md from botocore's model of the API and the handler's code.

    python -m tools.tables

writes them between their markers, `<!-- properties: ... -->` to `<!-- /properties -->` and the same for outputs.
A newer boto3 brings new properties; tests/tools/test_tables.py fails until the tables have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from handler.outputs import outputs
from handler.properties import CONNECT_PREFIX, OWN_PROPERTIES, most_tags

PAGE = Path(__file__).resolve().parent.parent / "docs/properties-and-outputs.md"

# For properties that the model's first sentence does not explain, and for the attribute that the API does not report.
OWN_WORDS = {
    "DefaultEncryptionKey": "ARN of the KMS key that encrypts the data. Empty: a key of AWS's own.",
    "DeadLetterQueueUrl": "URL of the SQS queue for data that could not be ingested. Empty: none.",
    "RuleBasedMatching.MatchingRules": "The rules, from the surest to the least sure; the first is level 1.",
    "RuleBasedMatching.MatchingRules[].Rule": "The attributes in which profiles have to agree.",
    "RuleBasedMatching.MaxAllowedRuleLevelForMatching": "Up to which level rules find duplicates.",
    "RuleBasedMatching.MaxAllowedRuleLevelForMerging": "Up to which level the duplicates found are merged.",
    "RuleBasedMatching.AttributeTypesSelector.Address": "The kinds of address that `Address` in a rule stands for.",
    "RuleBasedMatching.AttributeTypesSelector.PhoneNumber": "The kinds that `PhoneNumber` in a rule stands for.",
    "RuleBasedMatching.AttributeTypesSelector.EmailAddress": "The kinds that `EmailAddress` in a rule stands for.",
    "DataStore": "Whether the domain has a data store.",
    "DataStore.Enabled": "The flag that enables the data store.",
    "Tags": "A map of tags, or a list of `Key` and `Value` as the native type has them.",
    "DomainArn": "The domain's ARN, for policies.",
    "RuleBasedMatching.Status": "`PENDING`, `IN_PROGRESS` or `ACTIVE`, while rule-based matching is on.",
    "DataStore.Readiness.ProgressPercentage": "How far the data store is from being ready, roughly.",
    "DataStore.Readiness.Message": "What the API says of that.",
}
# Additional warnings for users of a property.
WARNINGS = {
    "DomainName": f"A Connect instance may use only domains whose names begin with `{CONNECT_PREFIX}`. Another name "
    "makes a new, empty domain, and the clean-up after the update deletes the old one with its data, unless "
    "`UpdateReplacePolicy: Retain` keeps it or `DeletionProtection` was deployed before the rename.",
}
TYPES = {
    "boolean": "true or false",
    "double": "number",
    "float": "number",
    "integer": "whole number",
    "long": "whole number",
    "string": "text",
    "timestamp": "time, ISO 8601 in UTC",
}


def service_model() -> ServiceModel:
    """The API as the pinned botocore describes it."""
    return ServiceModel(Loader().load_service_model("customer-profiles", "service-2"), "customer-profiles")


def property_table(model: ServiceModel) -> str:
    """All properties of the resource, each structure followed by its members."""
    shape: Any = model.operation_model("CreateDomain").input_shape
    rows: list[tuple[str, ...]] = [
        (f"`{path}`", _type(member), "yes" if required else "", _allowed(member), _words_for_setting(path, member))
        for path, member, required in _members(shape)
        if path != "Tags"
    ]
    # Fewer than the API allows, since some tags are the resource's own.
    tags = shape.members["Tags"]
    rows.append(("`Tags`", _type(tags), "", f"at most {most_tags(tags)}", _words("Tags", tags)))
    rows += [(f"`{name}`", _type(member), "", "", member.documentation) for name, member in OWN_PROPERTIES.items()]
    return _table(("property", "type", "required", "allowed", "what it is"), rows)


def output_table(model: ServiceModel) -> str:
    """All attributes for Fn::GetAtt: the handler's answer for a domain with every attribute."""
    asked: Any = model.operation_model("CreateDomain").input_shape
    reported: Any = model.operation_model("GetDomain").output_shape
    rows: list[tuple[str, ...]] = []
    for name in outputs(_sample(reported), "", reported, asked):
        shape = reported
        for step in name.split("."):
            shape = shape.members.get(step, Shape(name, {"type": "string"}))
        rows.append((f"`{name}`", _type(shape), _words(name, shape)))
    return _table(("attribute", "type", "what it is"), rows)


def described(model: ServiceModel) -> set[str]:
    """The names of all rows in both tables."""
    return set(re.findall(r"^\| `([^`]+)`", property_table(model) + "\n" + output_table(model), re.MULTILINE))


def with_tables(text: str, model: ServiceModel) -> str:
    """The text with both current tables. Raises ValueError if the markers of one are missing."""
    for name, table in (("properties", property_table(model)), ("outputs", output_table(model))):
        place = re.compile(rf"(<!-- {name}\b[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not place.search(text):
            raise ValueError(f"there is no place for the table: <!-- {name} --> to <!-- /{name} -->")
        text = place.sub(lambda match, table=table: f"{match[1]}\n{table}\n\n{match[2]}", text)  # type: ignore[misc]
    return text


def _members(shape: Any, path: str = "") -> Iterator[tuple[str, Any, bool]]:
    """Every member of a structure and of the structures in it: its path, its shape, whether its structure needs it."""
    for name, member in shape.members.items():
        yield path + name, member, name in shape.required_members
        inner, steps = member, ""
        while inner.type_name == "list":
            inner, steps = inner.member, steps + "[]"
        if inner.type_name == "structure":
            yield from _members(inner, f"{path}{name}{steps}.")


def _type(shape: Any) -> str:
    if shape.type_name == "list":
        return f"list of {_type(shape.member)}".replace("list of list of", "list of lists of")
    if shape.type_name == "map":
        return f"map of {_type(shape.value)}"
    return TYPES.get(shape.type_name, str(shape.type_name))


def _allowed(shape: Any) -> str:
    """The values that the API accepts."""
    rules = []
    if "enum" in shape.metadata:
        rules.append(", ".join(f"`{value}`" for value in shape.metadata["enum"]))
    what = {"string": " characters", "list": " entries", "map": " entries"}.get(shape.type_name, "")
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and most is not None:
        rules.append(f"{_number(least)} to {_number(most)}{what}")
    elif least is not None:
        rules.append(f"at least {_number(least)}{what}")
    elif most is not None:
        rules.append(f"at most {_number(most)}{what}")
    if shape.metadata.get("pattern", ".*") != ".*":
        rules.append(f"`{shape.metadata['pattern']}`")
    if shape.type_name == "list":
        each = _allowed(shape.member)
        rules += [f"each {each}"] if each else []
    return "; ".join(rules)


def _number(number: float) -> str:
    return f"{number:g}"


def _words(path: str, shape: Shape) -> str:
    """The description from this module, or the first sentence of the model's description."""
    if path in OWN_WORDS:
        return OWN_WORDS[path]
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", shape.documentation)).split())
    sentence = re.split(r"(?<=[.:])\s", text, maxsplit=1)[0]
    return re.sub(r"\s+([,.])", r"\1", sentence)


def _words_for_setting(path: str, shape: Shape) -> str:
    return " ".join(filter(None, [_words(path, shape), WARNINGS.get(path)]))


def _sample(shape: Any) -> Any:
    """A response of that shape with every member in it."""
    values = {"list": [], "map": {}, "timestamp": datetime.fromtimestamp(0, UTC), "string": "", "boolean": True}
    if shape.type_name == "structure":
        return {name: _sample(member) for name, member in shape.members.items()}
    return values.get(shape.type_name, 0)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def main() -> None:
    """Write the tables into their page."""
    PAGE.write_text(with_tables(PAGE.read_text(), service_model()))


if __name__ == "__main__":
    main()
