"""Permissions on the local engine: the stand-in's policy checks, decided by the engine's IAM, KMS, SQS and S3.

    CustomerProfilesBackend.authorizer = CustomerProfilesBackend.resource_policies = EnginePolicies(engine_url)

The function's session may do what the policies of the function's role allow, as `sam deploy` left them. The
administrator, whose access key this process and the engine have, may do everything. All others may do nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import boto3
from botocore.exceptions import ClientError

from local import policies
from local.customerprofiles.access import ActionRequest, Credentials, Decision, ServiceRequest
from local.servers import client_of

SERVICE = "profile.amazonaws.com"


@dataclass(frozen=True)
class Session:
    """The credentials of a deployed function."""

    function: str
    function_arn: str
    role_arn: str

    @property
    def role(self) -> str:
        return self.role_arn.rpartition("/")[2]

    @property
    def arn(self) -> str:
        account = self.role_arn.split(":")[4]
        return f"arn:aws:sts::{account}:assumed-role/{self.role}/{self.function}"


def access_key_of(function_arn: str, role_arn: str) -> str:
    """The access key id that ministack gives to a function.

    Only the function gets it from the engine; this is how ministack 1.5 makes it (core/lambda_runtime.py,
    execution_credentials). A version that makes it otherwise fails every end-to-end test with "not authorized".
    """
    return f"ASIA{hashlib.sha256(f'{function_arn}:{role_arn}'.encode()).hexdigest()[:16].upper()}"


def decide_on_key(
    key_policies: Sequence[Mapping[str, Any]],
    by_the_role: policies.Decision,
    asked: policies.Request,
    role_arn: str,
) -> policies.Decision:
    """Whether a caller may use a key: its policy names the caller, or it names the account and IAM allows the caller.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    account = f"arn:aws:iam::{role_arn.split(':')[4]}:root"
    named = policies.decide(key_policies, replace(asked, principal=role_arn))
    delegated = policies.decide(key_policies, replace(asked, principal=account))
    if policies.Decision.DENIED in (named, delegated, by_the_role):
        return policies.Decision.DENIED
    if named is policies.Decision.ALLOWED:
        return named
    return by_the_role if delegated is policies.Decision.ALLOWED else delegated


class EnginePolicies:
    """The stand-in's Authorizer and its ResourcePolicies. Policies are read again for each question."""

    def __init__(self, engine_url: str) -> None:
        credentials = boto3.Session().get_credentials()
        self._administrator = credentials.access_key if credentials else None
        # Made here, since making a client is not safe in the server's threads.
        self._clients: dict[str, Any] = {
            service: client_of(engine_url, service) for service in ("iam", "kms", "lambda", "s3", "sqs")
        }

    def principal(self, credentials: Credentials) -> str:
        session = self._session(credentials)
        return session.arn if session else f"unknown, with the access key {credentials.access_key_id}"

    def decide(self, request: ActionRequest) -> Decision:
        if request.credentials.access_key_id == self._administrator:
            return Decision.ALLOWED
        session = self._session(request.credentials)
        if session is None:
            return Decision.NOT_ALLOWED
        asked = policies.Request(request.action, request.resource, request.context)
        by_the_role = policies.decide(self._role_policies(session.role), asked)
        if request.action.startswith("kms:"):
            return Decision[decide_on_key(self._policy(request.resource), by_the_role, asked, session.role_arn).name]
        return Decision[by_the_role.name]

    def allow(self, request: ServiceRequest) -> bool:
        context = {"aws:SourceArn": request.source_arn, "aws:SourceAccount": request.source_account}
        asked = policies.Request(request.action, request.resource, context, principal=SERVICE)
        return policies.decide(self._policy(request.resource), asked) is policies.Decision.ALLOWED

    def _session(self, credentials: Credentials) -> Session | None:
        pages = self._clients["lambda"].get_paginator("list_functions").paginate()
        functions = [function for page in pages for function in page["Functions"]]
        sessions = [Session(item["FunctionName"], item["FunctionArn"], item["Role"]) for item in functions]
        by_key = {access_key_of(session.function_arn, session.role_arn): session for session in sessions}
        return by_key.get(credentials.access_key_id)

    def _role_policies(self, role: str) -> list[Mapping[str, Any]]:
        pages = self._clients["iam"].get_paginator("get_account_authorization_details").paginate(Filter=["Role"])
        roles = {details["RoleName"]: details for page in pages for details in page["RoleDetailList"]}
        return [policy["PolicyDocument"] for policy in roles[role]["RolePolicyList"]]

    def _policy(self, resource: str) -> list[Mapping[str, Any]]:
        """The policy of a key, a queue or an object's bucket; none if there is no such thing, or it has no policy."""
        try:
            return list(self._read_policy(resource))
        except ClientError:
            return []

    def _read_policy(self, resource: str) -> Iterator[Mapping[str, Any]]:
        _, _, service, _, _, name = resource.split(":", 5)
        if service == "kms":
            yield json.loads(self._clients["kms"].get_key_policy(KeyId=resource, PolicyName="default")["Policy"])
        elif service == "sqs":
            sqs = self._clients["sqs"]
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
            if "Policy" in attributes:
                yield json.loads(attributes["Policy"])
        elif service == "s3":
            yield json.loads(self._clients["s3"].get_bucket_policy(Bucket=name.partition("/")[0])["Policy"])
