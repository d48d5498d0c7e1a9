"""Advice: what the API accepts but the user probably did not mean. Advice never stops an event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler import advice
from handler.properties import CONNECT_PREFIX, is_usable_by_connect, translate, translate_leniently
from tests.handler.strategies import as_cloudformation_writes, as_native_tags, create_domain_shape, domains, json_values

SHAPE = create_domain_shape()
LEAST = {"DomainName": "amazon-connect-customers", "DefaultExpirationDays": "30"}
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

ADVICE: dict[str, tuple[dict[str, Any], str]] = {
    "a name that no Connect instance can use": (
        {"DomainName": "customers"},
        "DomainName: 'customers' can't be used by a Connect instance: its domain's name has to begin with "
        "amazon-connect-, and another name later means another domain",
    ),
    "the prefix in another case": (
        {"DomainName": "Amazon-Connect-customers"},
        "DomainName: 'Amazon-Connect-customers' can't be used by a Connect instance: its domain's name has to begin "
        "with amazon-connect-, and another name later means another domain",
    ),
    "a key's alias": (
        {"DefaultEncryptionKey": "alias/customers"},
        "DefaultEncryptionKey: 'alias/customers' is an alias: if the API reports the key by its ARN, every update "
        "sends the alias again; give the key's ARN (!GetAtt Key.Arn)",
    ),
    "an alias's ARN": (
        {"DefaultEncryptionKey": "arn:aws:kms:eu-west-1:123456789012:alias/customers"},
        "DefaultEncryptionKey: 'arn:aws:kms:eu-west-1:123456789012:alias/customers' is an alias: if the API reports "
        "the key by its ARN, every update sends the alias again; give the key's ARN (!GetAtt Key.Arn)",
    ),
    "a queue's ARN": (
        {"DeadLetterQueueUrl": "arn:aws:sqs:eu-west-1:123456789012:failed"},
        "DeadLetterQueueUrl: 'arn:aws:sqs:eu-west-1:123456789012:failed' is an ARN, and the API asks for the queue's "
        "URL (!Ref Queue)",
    ),
    "a list of tags without its dashes": (
        {"Tags": {"Key": "team", "Value": "data"}},
        "Tags: is one map, so the tags are named Key and Value; a list of tags has a dash in front of each Key",
    ),
}


@pytest.mark.parametrize("case", ADVICE)
def test_probable_mistakes_are_accepted_with_advice(case: str) -> None:
    changes, line = ADVICE[case]
    assert [str(each) for each in advice.find(translate({**LEAST, **changes}, SHAPE))] == [line]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"DefaultEncryptionKey": "", "DeadLetterQueueUrl": "", "Tags": {}},
        {"DefaultEncryptionKey": KEY_ARN},
        {"DefaultEncryptionKey": KEY_ARN.rpartition("/")[2]},
        {"DeadLetterQueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/failed"},
        {"Tags": as_native_tags({"Key": "team"})},
        {"Tags": {"Key": "a", "Value": "b", "Other": "c"}},
    ],
)
def test_anything_else_gets_no_advice(changes: dict[str, Any]) -> None:
    assert advice.find(translate({**LEAST, **changes}, SHAPE)) == []


def test_a_name_with_the_prefix_alone_decides_whether_connect_can_use_it() -> None:
    assert is_usable_by_connect(CONNECT_PREFIX + "x")
    assert not is_usable_by_connect("x-" + CONNECT_PREFIX)
    assert not is_usable_by_connect("")


@given(st.one_of(json_values, domains().flatmap(as_cloudformation_writes)))
@settings(deadline=None)
def test_looking_for_advice_never_raises_an_error(properties: Any) -> None:
    for each in advice.find(translate_leniently(properties, SHAPE)):
        assert "\n" not in str(each)
