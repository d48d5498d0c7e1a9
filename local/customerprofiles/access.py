"""Permissions: the interfaces with which the stand-in checks policies.

The stand-in has no policies of its own. It asks two objects, which `CustomerProfilesBackend.authorizer` and
`CustomerProfilesBackend.resource_policies` hold; by default both allow everything.

    CustomerProfilesBackend.authorizer = RolePolicies(...)       # any object with the methods of Authorizer
    CustomerProfilesBackend.resource_policies = Policies(...)    # any object with the methods of ResourcePolicies
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from .exceptions import AccessDenied


class Decision(Enum):
    """The decision of a caller's policies. The values are the end of AWS's error message."""

    ALLOWED = ""
    NOT_ALLOWED = "because no identity-based policy allows the {action} action"
    DENIED = "with an explicit deny in an identity-based policy"


@dataclass(frozen=True)
class Credentials:
    """The caller's credentials in a request. `session_token` is None for long-term credentials."""

    access_key_id: str
    session_token: str | None = None


@dataclass(frozen=True)
class ActionRequest:
    """One action that a caller wants to perform on a resource.

    `action` has its service's prefix ("profile:CreateDomain"), `resource` is an ARN or "*", and `context` has the
    condition keys that belong to the action, without those that every request has (such as aws:SourceIp).
    """

    credentials: Credentials
    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]]


class Authorizer(Protocol):
    """Knows the identity-based policies of callers."""

    def principal(self, credentials: Credentials) -> str:
        """Return the ARN that an AccessDeniedException names ("arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION")."""

    def decide(self, request: ActionRequest) -> Decision:
        """Tell whether the caller may perform the action.

        It is asked first, and once, about the request's own action, before the request is validated; then about each
        action that the service performs with its caller's permission (`profile:TagResource` for tags,
        `iam:CreateServiceLinkedRole` for a new domain, `kms:CreateGrant` for a new key). A kms:CreateGrant may also be
        allowed by the key's own policy: the authorizer decides that, too.
        """


@dataclass(frozen=True)
class ServiceRequest:
    """One action that profile.amazonaws.com wants to perform, on behalf of a domain, on a key, a queue or a bucket.

    `resource` is the ARN of the key, of the queue, or of an object in the bucket. `source_arn` is the domain's ARN
    (aws:SourceArn), `source_account` the domain's account (aws:SourceAccount).
    """

    action: str
    resource: str
    source_arn: str
    source_account: str


class ResourcePolicies(Protocol):
    """Knows the policies of keys, queues and buckets."""

    def allow(self, request: ServiceRequest) -> bool:
        """Tell whether the resource's policy allows this to the service principal profile.amazonaws.com."""


class AllowEverything:
    """The default authorizer and resource policies, which allow everything, so that most tests need no permissions."""

    def principal(self, credentials: Credentials) -> str:
        return f"arn:aws:iam::123456789012:user/{credentials.access_key_id}"

    def decide(self, request: ActionRequest) -> Decision:
        return Decision.ALLOWED

    def allow(self, request: ServiceRequest) -> bool:
        return True


@dataclass(frozen=True)
class Caller:
    """The caller of a request, and the authorizer that decides what the caller may do."""

    credentials: Credentials
    authorizer: Authorizer

    def may(self, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None) -> bool:
        return self._decide(action, resource, context) is Decision.ALLOWED

    def require(self, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None) -> None:
        """Raise AccessDenied with AWS's message unless the caller may perform the action."""
        decision = self._decide(action, resource, context)
        if decision is not Decision.ALLOWED:
            principal = self.authorizer.principal(self.credentials)
            raise AccessDenied(principal, action, resource, decision.value.format(action=action))

    def _decide(self, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None) -> Decision:
        return self.authorizer.decide(ActionRequest(self.credentials, action, resource, context or {}))
