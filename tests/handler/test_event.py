"""Reading an event: any input becomes plain values, and nothing is raised."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.event import Aftermath, failed_create_id, read
from tests.handler import cloudformation

OLD, NEW = {"DomainName": "old"}, {"DomainName": "new", "ServiceTimeout": "60"}


@pytest.mark.parametrize(
    ("physical_id", "name", "old_name", "undone"),
    [
        ("customers", "customers", "other", "other"),
        ("customers", "third", "other", "other"),
        ("customers", "other", "other", ""),
        ("customers", "third", "customers", ""),
        ("customers", "customers", "", ""),
        ("other", "customers", "other", ""),
    ],
    ids=[
        "its rollback",
        "another rename after it",
        "the same rename again",
        "a rename",
        "after an Update with a mistake",
        "the rollback of a rename that was answered",
    ],
)
def test_the_replacement_that_an_update_undoes(physical_id: str, name: str, old_name: str, undone: str) -> None:
    assert (
        read({"RequestType": "Update", "PhysicalResourceId": physical_id}).replacement_to_undo(name, old_name) == undone
    )


def test_every_field_that_cloudformation_sends_is_there() -> None:
    sent = cloudformation.event("Update", NEW, OLD, physical_id="old", response_url="https://a.credential")
    event = read(sent)
    assert (event.request_type, event.request_id, event.stack_id) == ("Update", sent["RequestId"], sent["StackId"])
    assert (event.logical_id, event.physical_id, event.domain_name) == ("Domain", "old", "new")
    assert event.old_properties == sent["OldResourceProperties"]


def test_the_response_url_is_not_in_the_event_that_is_handed_on() -> None:
    event = read(cloudformation.event("Create", NEW, response_url="https://host/?X-Amz-Signature=secret"))
    assert "secret" not in repr(event)


@pytest.mark.parametrize("aftermath", Aftermath)
def test_the_physical_id_of_a_failed_create_says_which_create_it_was_and_what_it_left(aftermath: Aftermath) -> None:
    physical_id = failed_create_id("the-request", aftermath)
    event = read({"PhysicalResourceId": physical_id})
    assert event.failed_create == "the-request"
    assert event.made_nothing == (aftermath is Aftermath.NOTHING)
    assert event.is_unsettled == (aftermath is Aftermath.UNSETTLED)
    assert ":" in physical_id, "a domain's name has no colon"


@pytest.mark.parametrize(
    "physical_id", ["customers", "", "create-failed", "a-create-failed:the-request", "customers-Domain-1A"]
)
def test_no_other_physical_id_looks_like_a_failed_create(physical_id: str) -> None:
    event = read({"PhysicalResourceId": physical_id})
    assert (event.failed_create, event.is_unsettled) == (None, False)


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [("60", 60), (60, 60), (None, 3600), ("", 3600), ("soon", 3600), ("-1", 3600), ("9" * 400, 3600), (["60"], 3600)],
)
def test_the_service_timeout_is_what_the_template_says_or_cloudformations_hour(timeout: Any, seconds: int) -> None:
    assert read({"ResourceProperties": {"ServiceTimeout": timeout}}).service_timeout == seconds
    assert read({}).service_timeout == 3600


@pytest.mark.parametrize(
    ("url", "sent_at"),
    [
        ("https://bucket.s3.amazonaws.com/key?X-Amz-Date=20261125T143005Z&X-Amz-Expires=7200", 1795617005),
        ("https://bucket.s3.amazonaws.com/key?AWSAccessKeyId=a&Expires=1795624205&Signature=s", 1795617005),
        ("https://bucket.s3.amazonaws.com/key?X-Amz-Date=yesterday", None),
        ("https://bucket.s3.amazonaws.com/key?Expires=soon", None),
        ("http://127.0.0.1:4566/response", None),
        ("https://[", None),
        ("...", None),
        ("", None),
    ],
)
def test_an_event_knows_from_its_response_url_when_it_was_sent(url: str, sent_at: int | None) -> None:
    event = read({"ResponseURL": url})
    assert event.sent_at == sent_at
    assert event.age(1795617012.5) == (7.5 if sent_at else float("inf"))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
fields = st.sampled_from(
    [
        "RequestType",
        "RequestId",
        "StackId",
        "LogicalResourceId",
        "PhysicalResourceId",
        "ResourceProperties",
        "OldResourceProperties",
        "ResponseURL",
    ]
)


@given(st.dictionaries(fields, anything))
def test_a_malformed_event_is_read_like_any_other(raw: dict[str, Any]) -> None:
    event = read(raw)
    for text in (event.request_type, event.request_id, event.stack_id, event.logical_id, event.physical_id):
        assert isinstance(text, str)
    assert isinstance(event.service_timeout, (int, float))
    assert event.domain_name is None or raw["ResourceProperties"]["DomainName"] == event.domain_name
