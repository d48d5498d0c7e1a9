"""Reads CloudFormation and other services in one account and region, and returns plain values.

Every call here only reads; docs/drift.md has the policy that allows them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tools.drift import template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ExportTypeDef, StackTypeDef

RESOURCE_TYPE = "Custom::CustomerProfilesDomain"

# CloudFormation allows few reads a second, and `--all` makes one for each stack.
_CONFIG = Config(retries={"mode": "adaptive", "max_attempts": 10})

_T = TypeVar("_T")


class CannotTellError(Exception):
    """Something required is missing, or a call failed. The message says what."""


@dataclass(frozen=True)
class Resource:
    """A resource in the stack's list."""

    logical_id: str
    physical_id: str
    resource_type: str
    status: str

    @property
    def is_domain(self) -> bool:
        """Whether it is an existing resource of this project. CloudFormation also lists deleted and retained ones."""
        return self.resource_type == RESOURCE_TYPE and self.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")


class Account:
    """An account in one region. Every method raises CannotTellError if a call fails."""

    def __init__(self, session: boto3.Session) -> None:
        self._cloudformation = session.client("cloudformation", config=_CONFIG)
        self._customer_profiles = session.client("customer-profiles", config=_CONFIG)
        self._ssm = functools.cache(lambda: session.client("ssm", config=_CONFIG))  # only few templates need it
        self.exports = functools.cache(self._exports)
        self.ssm_parameter = functools.cache(self._ssm_parameter)
        self.passes_stack_tags_on = functools.cache(self._passes_stack_tags_on)

    @property
    def shape(self) -> Any:
        """The input shape of CreateDomain: the one description of the resource's properties."""
        return self._customer_profiles.meta.service_model.operation_model("CreateDomain").input_shape

    def stacks(self, name: str = "") -> list[StackTypeDef]:
        """The response of DescribeStacks for the stack of that name, or for every stack."""
        paginator = self._cloudformation.get_paginator("describe_stacks")
        return _read(lambda: [s for page in paginator.paginate(**_named(name)) for s in page["Stacks"]])

    def resources(self, stack_id: str) -> tuple[Resource, ...]:
        """All resources in the stack's list."""
        paginator = self._cloudformation.get_paginator("list_stack_resources")
        pages = paginator.paginate(StackName=stack_id)
        summaries = _read(lambda: [item for page in pages for item in page["StackResourceSummaries"]])
        return tuple(
            Resource(
                logical_id=item["LogicalResourceId"],
                physical_id=item.get("PhysicalResourceId", ""),
                resource_type=item["ResourceType"],
                status=item["ResourceStatus"],
            )
            for item in summaries
        )

    def template(self, stack_id: str) -> Mapping[str, Any]:
        """The stack's template after its transforms."""
        response = _read(lambda: self._cloudformation.get_template(StackName=stack_id, TemplateStage="Processed"))
        body: Any = response["TemplateBody"]  # a mapping where the template is JSON
        try:
            return template.read(body) if isinstance(body, str) else body
        except ValueError as error:
            raise CannotTellError(f"The stack's template can't be read: {error}") from error

    def domain(self, name: str) -> dict[str, Any] | None:
        """The live domain as GetDomain reports it, None if there is none."""
        try:
            return _read(lambda: dict(self._customer_profiles.get_domain(DomainName=name)))
        except CannotTellError as error:
            if isinstance(error.__cause__, self._customer_profiles.exceptions.ResourceNotFoundException):
                return None
            raise

    def provider_function(self, stack_name: str) -> str:
        """The ServiceToken of the provider that was deployed as the stack of that name."""
        for stack in self.stacks(stack_name):
            for output in stack.get("Outputs", []):
                if output["OutputKey"] == "ServiceToken":
                    return output["OutputValue"]
        raise CannotTellError(f"Stack {stack_name} has no output ServiceToken")

    def _exports(self) -> dict[str, ExportTypeDef]:
        pages = self._cloudformation.get_paginator("list_exports").paginate()
        return _read(lambda: {export["Name"]: export for page in pages for export in page["Exports"]})

    def _ssm_parameter(self, reference: str) -> str | None:
        """The value of the parameter NAME or NAME:VERSION, None for a SecureString."""
        parameter = _read(lambda: self._ssm().get_parameter(Name=reference)["Parameter"])
        return None if parameter["Type"] == "SecureString" else str(parameter["Value"])

    def _passes_stack_tags_on(self, service_token: str) -> bool | None:
        """Whether the provider with that function sets the tags of a stack on its domains. None if unknown."""
        # The provider's stack exports its function's ARN.
        try:
            exports = self.exports().values()
            (provider,) = self.stacks(next(e["ExportingStackId"] for e in exports if e["Value"] == service_token))
        except (CannotTellError, StopIteration):
            return None
        given = {item["ParameterKey"]: item["ParameterValue"] for item in provider.get("Parameters", [])}
        return {"true": True, "false": False}.get(given.get("PropagateStackTags", ""))


def _named(name: str) -> dict[str, Any]:
    return {"StackName": name} if name else {}


def _read(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except (ClientError, BotoCoreError) as error:
        raise CannotTellError(str(error)) from error
