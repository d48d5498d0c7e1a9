from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from local.policies import Decision, Request, UnsupportedPolicyError, decide

DOMAIN = "arn:aws:profile:eu-central-1:123456789012:domains/customers"
SERVICE = "profile.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/function"


def policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **item} for item in statements]}


def decided(statement: Mapping[str, Any], request: Request) -> Decision:
    return decide([policy(statement)], request)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("profile:GetDomain", Decision.ALLOWED),
        ("profile:getdomain", Decision.ALLOWED),
        ("profile:Get*", Decision.ALLOWED),
        (["profile:DeleteDomain", "profile:GetDomain"], Decision.ALLOWED),
        ("*", Decision.ALLOWED),
        ("profile:DeleteDomain", Decision.NOT_ALLOWED),
        ("profile:Get", Decision.NOT_ALLOWED),
    ],
)
def test_an_action_matches_in_any_case_and_by_its_wildcards(action: Any, expected: Decision) -> None:
    assert decided({"Action": action}, Request("profile:GetDomain", DOMAIN)) is expected


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (DOMAIN, Decision.ALLOWED),
        ("*", Decision.ALLOWED),
        ("arn:aws:profile:eu-central-1:123456789012:domains/*", Decision.ALLOWED),
        ("arn:aws:profile:*:123456789012:domains/customer?", Decision.ALLOWED),
        (DOMAIN.upper(), Decision.NOT_ALLOWED),
        ("arn:aws:profile:eu-central-1:999999999999:domains/*", Decision.NOT_ALLOWED),
        ("arn:aws:profile:*/customers", Decision.NOT_ALLOWED),
    ],
)
def test_a_resource_matches_part_by_part_in_its_own_case(resource: str, expected: Decision) -> None:
    assert decided({"Action": "*", "Resource": resource}, Request("profile:GetDomain", DOMAIN)) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, Decision.ALLOWED),
        ({"StringEquals": {"AWS:sourceaccount": ["1", "123456789012"]}}, Decision.ALLOWED),
        ({"StringEquals": {"aws:SourceAccount": "123456789012", "aws:SourceArn": "other"}}, Decision.NOT_ALLOWED),
        ({"StringEquals": {"kms:ViaService": "profile"}}, Decision.NOT_ALLOWED),
        ({"StringEquals": {"aws:SourceAccount": "1234*"}}, Decision.NOT_ALLOWED),
        ({"StringLike": {"aws:SourceAccount": "1234*"}}, Decision.ALLOWED),
        ({"ArnEquals": {"aws:SourceArn": DOMAIN}}, Decision.ALLOWED),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:profile:*:*:domains/*"}}, Decision.ALLOWED),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:profile:*:domains/*"}}, Decision.NOT_ALLOWED),
        ({"Bool": {"aws:SecureTransport": "true"}}, Decision.ALLOWED),
        ({"Bool": {"aws:SecureTransport": False}}, Decision.NOT_ALLOWED),
    ],
)
def test_an_allow_counts_only_if_every_condition_holds(condition: Mapping[str, Any], expected: Decision) -> None:
    context = {"aws:SourceAccount": "123456789012", "aws:SourceArn": DOMAIN}
    assert decided({"Action": "*", "Condition": condition}, Request("sqs:SendMessage", "queue", context)) is expected


def test_a_deny_wins_over_an_allow_of_another_policy() -> None:
    allow, deny = policy({"Action": "*"}), policy({"Effect": "Deny", "Action": "profile:Delete*"})

    assert decide([allow, deny], Request("profile:DeleteDomain", DOMAIN)) is Decision.DENIED
    assert decide([allow, deny], Request("profile:GetDomain", DOMAIN)) is Decision.ALLOWED


def test_a_deny_whose_condition_does_not_hold_does_not_count() -> None:
    plain_http = {"Effect": "Deny", "Action": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}

    assert decide([policy({"Action": "*"}, plain_http)], Request("s3:PutObject", "object")) is Decision.ALLOWED


@pytest.mark.parametrize(
    ("named", "principal", "expected"),
    [
        ({"Service": SERVICE}, SERVICE, Decision.ALLOWED),
        ({"Service": ["sqs.amazonaws.com", SERVICE]}, SERVICE, Decision.ALLOWED),
        ({"Service": "sqs.amazonaws.com"}, SERVICE, Decision.NOT_ALLOWED),
        ({"AWS": ROLE}, ROLE, Decision.ALLOWED),
        ({"AWS": "arn:aws:iam::123456789012:root"}, ROLE, Decision.NOT_ALLOWED),
        ("*", SERVICE, Decision.ALLOWED),
    ],
)
def test_a_resources_policy_counts_for_the_principals_that_it_names(
    named: Any, principal: str, expected: Decision
) -> None:
    request = Request("kms:Decrypt", "*", principal=principal)
    assert decided({"Action": "kms:*", "Principal": named}, request) is expected


@pytest.mark.parametrize(
    "statement",
    [
        {"NotAction": "profile:DeleteDomain"},
        {"Action": "*", "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}},
        {"Action": "*", "Principal": {"Federated": "accounts.example.com"}},
        {"Action": "*", "Effect": "allow"},
    ],
    ids=["element", "operator", "principal", "effect"],
)
def test_anything_that_is_not_supported_is_an_error(statement: Mapping[str, Any]) -> None:
    with pytest.raises(UnsupportedPolicyError):
        decided(statement, Request("profile:GetDomain", DOMAIN))
