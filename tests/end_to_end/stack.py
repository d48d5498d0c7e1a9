"""A stack with a domain, for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.engine import PROVIDER_STACK, Engine, StackEvent


@dataclass(frozen=True)
class Stack:
    """A stack with one Custom::CustomerProfilesDomain named Domain, and optionally other resources."""

    engine: Engine
    name: str

    def deploy(
        self,
        properties: Mapping[str, Any],
        *,
        domain: Mapping[str, Any] | None = None,
        beside: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> list[StackEvent]:
        """Create or update the stack with these properties of the domain.

        Args:
            domain: The resource's other attributes, such as a DeletionPolicy.
            beside: Other resources by their logical id.
            outputs: The stack's outputs by name.
        """
        resources = {"Domain": {**domain_resource(properties), **(domain or {})}, **(beside or {})}
        values = {"Name": {"Ref": "Domain"}, **(outputs or {})}
        template = {"Resources": resources, "Outputs": {key: {"Value": value} for key, value in values.items()}}
        return list(self.engine.deploy(self.name, template))

    def delete(self) -> list[StackEvent]:
        return list(self.engine.delete(self.name))

    def outputs(self) -> dict[str, str]:
        return self.engine.outputs(self.name)


def domain_resource(properties: Mapping[str, Any]) -> dict[str, Any]:
    service_token = {"Fn::ImportValue": f"{PROVIDER_STACK}-ServiceToken"}
    return {"Type": "Custom::CustomerProfilesDomain", "Properties": {"ServiceToken": service_token, **properties}}


def failures(events: list[StackEvent]) -> dict[str, str]:
    """The reasons of the events in which a resource failed, by logical id."""
    return {event.logical_id: event.reason for event in events if event.failed}
