"""Evaluates IAM policy documents, as far as the policies of this project need it.

    decide([document], Request("profile:GetDomain", domain_arn)) is Decision.ALLOWED

An unknown element, principal or condition operator raises UnsupportedPolicyError, so that no policy is evaluated
wrongly. Two existing evaluators cannot be used. moto's treats an Allow whose condition does not hold as a Deny, and
ignores every operator except StringEquals. The local engine's IAM simulator accepts no condition keys.
The rules are those of
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

# The condition keys of a request and their values.
Context = Mapping[str, str | Sequence[str]]

ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
# Every call of an AWS SDK or service is made over TLS; a condition may still ask for it.
EVERY_REQUEST = {"aws:SecureTransport": "true"}


class UnsupportedPolicyError(Exception):
    """A policy uses something that is not evaluated here."""


class Decision(Enum):
    """An explicit deny wins over an allow; without either, a request is not allowed."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not allowed"
    DENIED = "denied"


@dataclass(frozen=True)
class Request:
    """One action on one resource.

    `principal` is the principal that a resource's policy must name: an ARN for `AWS` principals, a name such as
    profile.amazonaws.com for services. It is compared literally: a policy that names an account's root does not match
    the account's roles. It is None for the policies of the caller's own role, which name no principal.
    """

    action: str
    resource: str
    context: Context = field(default_factory=dict)
    principal: str | None = None


def decide(documents: Iterable[Mapping[str, Any]], request: Request) -> Decision:
    """Evaluate a request against all policies together.

    Raises:
        UnsupportedPolicyError: A statement uses something that is not evaluated here.
    """
    effects = {
        statement["Effect"]
        for document in documents
        for statement in statements(document)
        if _applies(statement, request)
    }
    if "Deny" in effects:
        return Decision.DENIED
    return Decision.ALLOWED if "Allow" in effects else Decision.NOT_ALLOWED


def statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The document's statements. Raises UnsupportedPolicyError for what is not evaluated here."""
    found = document["Statement"]
    for statement in [found] if isinstance(found, Mapping) else found:
        unknown = statement.keys() - ELEMENTS
        if unknown or statement["Effect"] not in ("Allow", "Deny"):
            raise UnsupportedPolicyError(f"{sorted(unknown) or statement['Effect']} in {statement}")
        yield statement


def listed(value: Any) -> list[str]:
    """A policy's value as a list of strings. A policy may also have a single value, and a boolean without quotes."""
    return [str(item) for item in (value if isinstance(value, (list, tuple)) else [value])]


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    return (
        _names_principal(statement.get("Principal"), request.principal)
        and any(_like(request.action.lower(), action.lower()) for action in listed(statement["Action"]))
        and any(_arn_like(request.resource, resource) for resource in listed(statement["Resource"]))
        and _conditions_hold(statement.get("Condition", {}), {**EVERY_REQUEST, **request.context})
    )


def _names_principal(principals: str | Mapping[str, str | Sequence[str]] | None, principal: str | None) -> bool:
    if principals is None or principals == "*":
        return principals == "*" or principal is None
    if isinstance(principals, str) or principals.keys() - {"AWS", "Service"}:
        raise UnsupportedPolicyError(f"Principal {principals}")
    named = [name for names in principals.values() for name in listed(names)]
    return principal in named or "*" in named


def _conditions_hold(conditions: Mapping[str, Mapping[str, str | Sequence[str]]], context: Context) -> bool:
    given = {key.lower(): listed(values) for key, values in context.items()}
    for operator, tests in conditions.items():
        if operator not in OPERATORS:
            raise UnsupportedPolicyError(f"the condition operator {operator}")
        for key, wanted in tests.items():
            if not any(
                OPERATORS[operator](value, item) for value in given.get(key.lower(), []) for item in listed(wanted)
            ):
                return False
    return True


def _like(text: str, pattern: str) -> bool:
    parts = ({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _arn_like(arn: str, pattern: str) -> bool:
    """Compare part by part, since a wildcard does not match a colon, except in the last part."""
    if pattern == "*":
        return True
    texts, patterns = arn.split(":", 5), pattern.split(":", 5)
    return len(texts) == len(patterns) and all(map(_like, texts, patterns))


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": _like,
    # Both take wildcards: IAM's documentation says that they behave identically.
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
}
