"""The examples create domains that a Connect instance may use.

The policy of the instances' service-linked role, AmazonConnectServiceLinkedRolePolicy, allows only domains whose names
begin with `amazon-connect-`, and a domain's name can't be changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cfnlint.decode import cfn_yaml

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "examples"
PREFIX = "amazon-connect-"

TEMPLATES = sorted(EXAMPLES.rglob("*.yaml"))
EVENTS = [path for path in sorted((PROJECT / "events").glob("*.json")) if path.name != "env.json"]


def names_in(template: object, defaults: dict[str, str]) -> Iterator[str]:
    """Every DomainName in the template: literal, in a !Sub, or as the default of the parameter that it refers to.

    A reference to a resource has the name of a domain that is in the template too.
    """
    if isinstance(template, dict):
        name = template.get("DomainName")
        if isinstance(name, str):
            yield name
        elif isinstance(name, dict) and "Fn::Sub" in name:
            yield name["Fn::Sub"]
        elif isinstance(name, dict) and name.get("Ref") in defaults:
            yield defaults[name["Ref"]]
        for value in template.values():
            yield from names_in(value, defaults)
    elif isinstance(template, list):
        for value in template:
            yield from names_in(value, defaults)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(EXAMPLES).as_posix())
def test_every_template_names_domains_that_a_connect_instance_may_use(path: Path) -> None:
    template = cfn_yaml.loads(path.read_text())
    if path.parent.name == "terraform":  # its parameter comes from main.tf
        default = re.search('default += "(.+)"', (path.parent / "main.tf").read_text())
        assert default
        defaults = {"DomainName": default[1]}
    else:
        defaults = {name: item["Default"] for name, item in template.get("Parameters", {}).items()}
    names = list(names_in(template["Resources"], defaults))
    assert names
    assert all(name.startswith(PREFIX) for name in names)


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.name)
def test_every_event_names_a_domain_that_a_connect_instance_may_use(path: Path) -> None:
    event = json.loads(path.read_text())
    assert event["ResourceProperties"]["DomainName"].startswith(PREFIX)


@pytest.mark.parametrize("path", [PROJECT / "README.md", EXAMPLES / "cdk/app.py"], ids=lambda path: path.name)
def test_readme_and_cdk_app_name_domains_that_a_connect_instance_may_use(path: Path) -> None:
    names = re.findall(r'"?DomainName"?: "?([\w-]+)', path.read_text())
    assert names
    assert all(name.startswith(PREFIX) for name in names)
