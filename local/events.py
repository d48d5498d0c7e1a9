"""CloudFormation's requests, with as few properties as possible."""

from __future__ import annotations

import json
import uuid
from typing import Any

ACCOUNT = "123456789012"
STACK = f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/stack/00000000-0000-0000-0000-000000000000"


def create(response_url: str, name: str, **properties: Any) -> dict[str, Any]:
    """A Create of a domain. CloudFormation sends scalars as strings."""
    return {
        "RequestType": "Create",
        "ResponseURL": response_url,
        "StackId": STACK,
        "RequestId": str(uuid.uuid4()),
        "ResourceType": "Custom::CustomerProfilesDomain",
        "LogicalResourceId": "Domain",
        "ResourceProperties": {"DomainName": name, "DefaultExpirationDays": "366", **properties},
    }


def create_by_cdk(response_url: str, name: str) -> dict[str, Any]:
    """The same for CDK's AwsCustomResource, whose properties describe an API call."""
    call = {
        "service": "CustomerProfiles",
        "action": "createDomain",
        "parameters": {"DomainName": name, "DefaultExpirationDays": 366},
        "physicalResourceId": {"id": name},
    }
    return {**create(response_url, name), "ResourceProperties": {"Create": json.dumps(call)}}


def update(response_url: str, old: dict[str, Any], name: str, **properties: Any) -> dict[str, Any]:
    """An Update of the domain that the request `old` created."""
    return {
        **create(response_url, name, **properties),
        "RequestType": "Update",
        "PhysicalResourceId": old["ResourceProperties"]["DomainName"],
        "OldResourceProperties": old["ResourceProperties"],
    }


def delete(response_url: str, old: dict[str, Any]) -> dict[str, Any]:
    """A Delete of the domain that the request `old` created."""
    return {
        **create(response_url, old["ResourceProperties"]["DomainName"]),
        "RequestType": "Delete",
        "PhysicalResourceId": old["ResourceProperties"]["DomainName"],
        "ResourceProperties": old["ResourceProperties"],
    }
