"""The table of what the function's role must allow: each action, its resource, its conditions, and the source for it.

tests/test_permissions.py compares the built template's policies with it: they allow each row, and nothing else. If the
sources do not answer a question, the row's note says so, and `make verify` tries it on AWS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

AUTHORIZATION_REFERENCE = (
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_customer-profiles.html"
)
STACKS_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html"
CONNECT_FULL_ACCESS = "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonConnect_FullAccess.html"
CONNECT_CONSOLE = "https://docs.aws.amazon.com/connect/latest/adminguide/security-iam-amazon-connect-permissions.html"
LAMBDA_LOGS = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html"
LAMBDA_DESTINATIONS = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"
LAMBDA_VPC = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html"
LAMBDA_TRACING = "https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html"
TRAVEL_SOLUTION = "https://github.com/aws-solutions/unified-profiles-for-travelers-and-guests-on-aws"

DOMAIN = "arn:{partition}:profile:{region}:{account}:domains/{domain}"
INTERFACE = "arn:{partition}:ec2:{region}:{account}:network-interface/{interface}"
SUBNET = "arn:{partition}:ec2:{region}:{account}:subnet/{subnet}"
SECURITY_GROUP = "arn:{partition}:ec2:{region}:{account}:security-group/{security_group}"
STACK = "arn:{partition}:cloudformation:{region}:{account}:stack/{stack}"
SERVICE_LINKED_ROLE = "arn:{partition}:iam::{account}:role/aws-service-role/{service}/AWSServiceRoleForProfile_{suffix}"
THROUGH_THE_SERVICE = {"kms:ViaService": "profile.{region}.amazonaws.com"}

# Placeholders that may have any value, since it is not known beforehand. For every other one, a policy must allow one
# value and refuse the rest.
ANY = frozenset({"partition", "domain", "stack", "suffix", "stream", "interface"})

# The template's parameters with their default values.
Parameters = Mapping[str, str]


def always(_: Parameters) -> bool:
    return True


def with_keys(parameters: Parameters) -> bool:
    return parameters["KeyArns"] != ""


def asks_cloudformation(parameters: Parameters) -> bool:
    return parameters["AskCloudFormation"] == "true"


def reads_stacks(parameters: Parameters) -> bool:
    return asks_cloudformation(parameters) or parameters["PropagateStackTags"] == "true"


def traces(parameters: Parameters) -> bool:
    return parameters["Tracing"] == "Active"


def in_vpc(parameters: Parameters) -> bool:
    return parameters["SubnetIds"] != ""


@dataclass(frozen=True)
class Permission:
    """One row of the table.

    `purpose` is the operation of the function, or what Lambda or Customer Profiles does with the function's role.
    `resource` and the values of `context` (condition keys) have placeholders. `needed` tells for which parameters of
    the template the action is needed.
    """

    purpose: str
    action: str
    resource: str
    source: str
    note: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    needed: Callable[[Parameters], bool] = always
    any_value: frozenset[str] = ANY

    def single_values(self) -> set[str]:
        """The placeholders of the resource for which the policy must allow one value only."""
        return set(re.findall(r"{(\w+)}", self.resource)) - self.any_value


def domain(purpose: str, action: str, note: str = "") -> Permission:
    return Permission(purpose, f"profile:{action}", DOMAIN, AUTHORIZATION_REFERENCE, note)


def key(action: str, source: str, note: str, context: Mapping[str, str] | None = None) -> Permission:
    conditions = {**THROUGH_THE_SERVICE, **(context or {})}
    return Permission(
        "CreateDomain and UpdateDomain with a customer's key", action, "{key}", source, note, conditions, with_keys
    )


def vpc(action: str, resource: str) -> Permission:
    # A shared subnet, and its security groups, may belong to another account.
    any_value = ANY if resource == INTERFACE else ANY | {"region", "account"}
    return Permission(
        "Lambda connects the function to a VPC", f"ec2:{action}", resource, LAMBDA_VPC, "", {}, in_vpc, any_value
    )


PERMISSIONS = (
    domain("CreateDomain", "CreateDomain"),
    domain("CreateDomain with tags, TagResource", "TagResource", "the reference lists it for CreateDomain, too"),
    domain("UntagResource", "UntagResource"),
    domain("GetDomain", "GetDomain"),
    domain("UpdateDomain", "UpdateDomain"),
    domain("DeleteDomain", "DeleteDomain"),
    domain("ListIntegrations", "ListIntegrations"),
    domain("ListProfileObjectTypes", "ListProfileObjectTypes"),
    domain("ListDomainObjectTypes", "ListDomainObjectTypes"),
    Permission(
        "CreateDomain",
        "iam:CreateServiceLinkedRole",
        SERVICE_LINKED_ROLE,
        CONNECT_FULL_ACCESS,
        "the policy allows it beside profile:*; an older edition of the authorization reference has it as a dependent "
        "action of CreateDomain and UpdateDomain, the newest has none. Not tried on AWS",
        {"iam:AWSServiceName": "{service}"},
    ),
    key(
        "kms:CreateGrant",
        CONNECT_CONSOLE,
        "the service makes its grants with the permission of the caller of CreateDomain",
        {"kms:GrantIsForAWSResource": "true"},
    ),
    key("kms:DescribeKey", CONNECT_CONSOLE, "listed for making an instance with its domain. Not tried on AWS"),
    key("kms:Decrypt", TRAVEL_SOLUTION, "in the role that makes domains there. Not tried on AWS"),
    key("kms:GenerateDataKey", TRAVEL_SOLUTION, "in the role that makes domains there. Not tried on AWS"),
    Permission(
        "DescribeStackResource: is this event still wanted",
        "cloudformation:DescribeStackResource",
        STACK,
        STACKS_REFERENCE,
        needed=asks_cloudformation,
    ),
    Permission(
        "DescribeStackEvents: was the stack ever complete with this domain",
        "cloudformation:DescribeStackEvents",
        STACK,
        STACKS_REFERENCE,
        needed=asks_cloudformation,
    ),
    Permission(
        "DescribeStacks: is the stack rolling back; which tags has it",
        "cloudformation:DescribeStacks",
        STACK,
        STACKS_REFERENCE,
        needed=reads_stacks,
    ),
    Permission("Lambda writes the log", "logs:CreateLogStream", "{log_group}:log-stream:{stream}", LAMBDA_LOGS),
    Permission("Lambda writes the log", "logs:PutLogEvents", "{log_group}:log-stream:{stream}", LAMBDA_LOGS),
    Permission("Lambda keeps an event that was not answered", "sqs:SendMessage", "{queue}", LAMBDA_DESTINATIONS),
    vpc("DescribeNetworkInterfaces", "*"),
    vpc("DescribeSubnets", "*"),
    vpc("CreateNetworkInterface", INTERFACE),
    vpc("CreateNetworkInterface", SUBNET),
    vpc("CreateNetworkInterface", SECURITY_GROUP),
    vpc("DeleteNetworkInterface", INTERFACE),
    vpc("AssignPrivateIpAddresses", INTERFACE),
    vpc("UnassignPrivateIpAddresses", INTERFACE),
    Permission("Lambda traces", "xray:PutTraceSegments", "*", LAMBDA_TRACING, needed=traces),
    Permission("Lambda traces", "xray:PutTelemetryRecords", "*", LAMBDA_TRACING, needed=traces),
)
