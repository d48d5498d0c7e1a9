"""A stack without a running operation: its template, its resources, and the values that its functions can refer to."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader

from tools.drift.account import RESOURCE_TYPE, Account, CannotTellError, Resource
from tools.drift.resolve import Scope, Unknown, resolve

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef

# What CloudFormation shows instead of a secret:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html (NoEcho)
_MASK = "****"

# Attributes that follow from the physical id, in the formats that the Service Authorization Reference and the resource
# types' own pages document.
_ATTRIBUTES = {
    ("AWS::KMS::Key", "Arn"): "arn:{AWS::Partition}:kms:{AWS::Region}:{AWS::AccountId}:key/{Ref}",
    ("AWS::SQS::Queue", "QueueUrl"): "{Ref}",
    (RESOURCE_TYPE, "DomainName"): "{Ref}",
    (RESOURCE_TYPE, "DomainArn"): "arn:{AWS::Partition}:profile:{AWS::Region}:{AWS::AccountId}:domains/{Ref}",
}


@dataclass(frozen=True)
class Stack:
    """A stack, with everything that its domains are compared with."""

    name: str
    stack_id: str
    tags: Mapping[str, str]
    template: Mapping[str, Any]
    resources: tuple[Resource, ...]
    scope: Scope

    @property
    def domains(self) -> list[Resource]:
        """The stack's domains."""
        return [resource for resource in self.resources if resource.is_domain]

    @property
    def account(self) -> str:
        """The id of the stack's account."""
        return str(self.scope.references["AWS::AccountId"])

    def properties(self, resource: Resource) -> Mapping[str, Any]:
        """The properties of the resource in the template. Raises CannotTellError if it has none."""
        try:
            properties: Mapping[str, Any] = self.template["Resources"][resource.logical_id]["Properties"]
        except LookupError as error:
            raise CannotTellError("The resource is not in the stack's template") from error
        return properties

    def service_token(self, resource: Resource) -> str:
        """The ARN of the resource's function, "" if it cannot be known."""
        token = resolve(self.properties(resource).get("ServiceToken", ""), self.scope)
        return token if isinstance(token, str) else ""


def read(account: Account, description: StackTypeDef, resources: tuple[Resource, ...]) -> Stack:
    """Read a stack. Raises CannotTellError if a call fails, or an operation on the stack is running."""
    status = description["StackStatus"]
    if not status.endswith("_COMPLETE"):
        raise CannotTellError(f"The stack is {status}: its template need not be what its resources were given")
    template = account.template(description["StackId"])
    return Stack(
        name=description["StackName"],
        stack_id=description["StackId"],
        tags={tag["Key"]: tag["Value"] for tag in description.get("Tags", [])},
        template=template,
        resources=resources,
        scope=_scope(account, description, template, resources),
    )


def _scope(
    account: Account, description: StackTypeDef, template: Mapping[str, Any], resources: tuple[Resource, ...]
) -> Scope:
    pseudo_parameters = _pseudo_parameters(description)
    given = {parameter["ParameterKey"]: parameter for parameter in description.get("Parameters", [])}
    physical_ids = {item.logical_id: item.physical_id or Unknown(f"{item.logical_id} has no id") for item in resources}
    parameters = {
        name: _parameter(name, declaration, given.get(name, {}))
        for name, declaration in template.get("Parameters", {}).items()
    }
    attributes = _Attributes(account, description, template, resources, pseudo_parameters)
    return Scope(
        references={**physical_ids, **parameters, **pseudo_parameters},
        attribute=attributes.value,
        export=lambda name: _export(account, name),
        ssm_parameter=lambda reference: _ssm_parameter(account, reference),
        mappings=template.get("Mappings", {}),
        conditions=template.get("Conditions", {}),
    )


def _pseudo_parameters(description: StackTypeDef) -> dict[str, Any]:
    _, partition, _, region, account, _ = description["StackId"].split(":", 5)
    return {
        "AWS::AccountId": account,
        "AWS::NotificationARNs": list(description.get("NotificationARNs", [])),
        "AWS::Partition": partition,
        "AWS::Region": region,
        "AWS::StackId": description["StackId"],
        "AWS::StackName": description["StackName"],
        "AWS::URLSuffix": _dns_suffixes()[partition],
    }


@functools.cache
def _dns_suffixes() -> dict[str, str]:
    """The suffix of each partition, as botocore has it."""
    partitions = Loader().load_data("partitions")["partitions"]
    return {partition["id"]: partition["outputs"]["dnsSuffix"] for partition in partitions}


def _parameter(name: str, declaration: Mapping[str, Any], given: ParameterTypeDef) -> Any:
    """The value that Ref returns for a parameter."""
    type_ = str(declaration.get("Type", ""))
    if str(declaration.get("NoEcho", "")).lower() == "true":
        return Unknown(f"parameter {name} is NoEcho")
    # The value of a parameter of such a type is the name of the SSM parameter.
    is_stored = type_.startswith("AWS::SSM::Parameter::Value")
    value = given.get("ResolvedValue") if is_stored else given.get("ParameterValue")
    if value is None or value == _MASK:
        return Unknown(f"CloudFormation does not tell the value of parameter {name}")
    return [item.strip() for item in value.split(",")] if "List" in type_ else value


def _export(account: Account, name: str) -> Any:
    try:
        export = account.exports().get(name)
    except CannotTellError as error:
        return Unknown(str(error), failed=True)
    return _unless_masked(export["Value"]) if export else Unknown(f"no stack exports {name}", failed=True)


def _ssm_parameter(account: Account, reference: str) -> Any:
    try:
        value = account.ssm_parameter(reference)
    except CannotTellError as error:
        return Unknown(str(error), failed=True)
    return Unknown(f"SSM parameter {reference} is a SecureString") if value is None else value


def _unless_masked(value: Any) -> Any:
    return Unknown("CloudFormation masks the value") if value == _MASK else value


class _Attributes:
    """The values for Fn::GetAtt. CloudFormation has no API call for them."""

    def __init__(
        self,
        account: Account,
        description: StackTypeDef,
        template: Mapping[str, Any],
        resources: tuple[Resource, ...],
        pseudo_parameters: Mapping[str, Any],
    ) -> None:
        self._account = account
        self._resources = {resource.logical_id: resource for resource in resources}
        self._pseudo_parameters = pseudo_parameters
        self._in_outputs = _attributes_in_outputs(template, _outputs(description))

    def value(self, logical_id: str, name: str) -> Any:
        if (logical_id, name) in self._in_outputs:
            return _unless_masked(self._in_outputs[logical_id, name])
        resource = self._resources.get(logical_id)
        if resource is None:
            return Unknown(f"the stack has no resource {logical_id}", failed=True)
        if resource.resource_type == "AWS::CloudFormation::Stack" and name.startswith("Outputs."):
            return self._output_of_nested(resource.physical_id, name.removeprefix("Outputs."))
        if form := _ATTRIBUTES.get((resource.resource_type, name)):
            for variable, value in {**self._pseudo_parameters, "Ref": resource.physical_id}.items():
                form = form.replace(f"{{{variable}}}", str(value))
            return form
        return Unknown(f"CloudFormation tells {logical_id}.{name} only if the stack has it as an output")

    def _output_of_nested(self, stack_id: str, name: str) -> Any:
        try:
            (description,) = self._account.stacks(stack_id)
        except CannotTellError as error:
            return Unknown(str(error), failed=True)
        missing = Unknown(f"the nested stack has no output {name}", failed=True)
        return _unless_masked(_outputs(description).get(name, missing))


def _outputs(description: StackTypeDef) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}


def _attributes_in_outputs(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """The attributes that are the whole value of one of the stack's outputs."""
    attributes = {}
    for name, output in template.get("Outputs", {}).items():
        match output.get("Value"):
            case {"Fn::GetAtt": [str(logical_id), *rest]} if name in values and all(isinstance(r, str) for r in rest):
                attributes[logical_id, ".".join(rest)] = values[name]
            case {"Fn::GetAtt": str(text)} if name in values:
                logical_id, _, attribute = text.partition(".")
                attributes[logical_id, attribute] = values[name]
    return attributes
