"""Reads a template in YAML as CloudFormation reads it.

cfn-lint has such a reader, too, but it is large, so the demo's environment does not have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """YAML with the short forms of the intrinsic functions. A date is text: CloudFormation has no type for it."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str) -> Mapping[str, Any]:
    """Read a template in YAML or JSON. Raises ValueError if it is neither, or not a mapping."""
    try:
        # The loader creates only plain values.
        template = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(template, Mapping):
        raise ValueError("not a mapping")
    return template


def _function(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    """`!Sub x` is short for {"Fn::Sub": "x"}; only Ref and Condition have no prefix."""
    argument: Any
    if isinstance(node, yaml.SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        argument = loader.construct_mapping(node, deep=True)
    else:
        argument = node.value
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": argument}


_Loader.add_multi_constructor("!", _function)
