"""The tags of a resource's stack, on its domain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest

from handler import stack_tags
from tests.handler.cloudformation import STACK, Function, Mailbox, event
from tests.handler.faults import REGION


@pytest.fixture(autouse=True)
def propagation_is_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The template's parameter PropagateStackTags, and a function that has just started."""
    monkeypatch.setenv("PROPAGATE_STACK_TAGS", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    client = stack_tags._client
    client.cache_clear()
    yield
    client.cache_clear()


def make_stack(tags: Mapping[str, str]) -> str:
    """A stack with these tags, in the stand-in. Returns its id."""
    stack = boto3.client("cloudformation", region_name=REGION).create_stack(
        StackName="customers",
        TemplateBody=json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}),
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return stack["StackId"]


def create(function: Function, mailbox: Mailbox, stack_id: str, tags: Any = None) -> None:
    properties = {"DomainName": "customers", "DefaultExpirationDays": 30, **({"Tags": tags} if tags else {})}
    sent = event("Create", properties, stack_id=stack_id, response_url=mailbox.url("create"))
    answers = function.invoke(sent).answers
    assert [answer["Status"] for answer in answers] == ["SUCCESS"], answers


def tags_of_domain() -> dict[str, str]:
    """The domain's tags, but for those that say whose it is."""
    domain = boto3.client("customer-profiles", region_name=REGION).get_domain(DomainName="customers")
    return {key: value for key, value in domain["Tags"].items() if not key.startswith("cloudformation:")}


def warnings(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.levelname == "WARNING"]


def test_a_domain_gets_the_tags_of_its_stack(function: Function, mailbox: Mailbox) -> None:
    create(function, mailbox, make_stack({"CostCentre": "4711"}), {"Team": "crm"})

    assert tags_of_domain() == {"CostCentre": "4711", "Team": "crm"}


def test_the_resources_own_tags_win(function: Function, mailbox: Mailbox) -> None:
    create(function, mailbox, make_stack({"Team": "platform", "CostCentre": "4711"}), [{"Key": "Team", "Value": "crm"}])

    assert tags_of_domain() == {"CostCentre": "4711", "Team": "crm"}


def test_a_tag_that_the_stack_gets_later_reaches_the_domain_with_the_next_update(
    function: Function, mailbox: Mailbox
) -> None:
    stack_id = make_stack({"CostCentre": "4711"})
    create(function, mailbox, stack_id)
    boto3.client("cloudformation", region_name=REGION).update_stack(
        StackName=stack_id, UsePreviousTemplate=True, Tags=[{"Key": "CostCentre", "Value": "4712"}]
    )
    old = {"DomainName": "customers", "DefaultExpirationDays": 30}
    update = event(
        "Update",
        {**old, "DefaultExpirationDays": 60},
        old,
        physical_id="customers",
        stack_id=stack_id,
        response_url=mailbox.url("update"),
    )

    assert function.invoke(update).answers[0]["Status"] == "SUCCESS"
    assert tags_of_domain() == {"CostCentre": "4712"}


@pytest.mark.parametrize("value", ["false", "", None])
def test_without_the_parameter_the_stack_is_not_even_asked_for(
    function: Function, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("PROPAGATE_STACK_TAGS")
    else:
        monkeypatch.setenv("PROPAGATE_STACK_TAGS", value)
    monkeypatch.setattr(stack_tags, "_client", lambda: pytest.fail("a client for CloudFormation"))

    create(function, mailbox, make_stack({"CostCentre": "4711"}), {"Team": "crm"})

    assert tags_of_domain() == {"Team": "crm"}


def test_a_stack_that_cannot_be_read_costs_a_warning_and_no_failure(
    function: Function, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    create(function, mailbox, STACK, {"Team": "crm"})

    assert tags_of_domain() == {"Team": "crm"}
    assert any("stack's tags could not be read" in line["message"] for line in warnings(caplog))


def test_a_tag_that_customer_profiles_does_not_take_is_left_out_with_a_warning(
    function: Function, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    create(function, mailbox, make_stack({"Cost centre": "4711", "cloudformation:stack-id": "mine", "Team": "crm"}))

    assert tags_of_domain() == {"Team": "crm"}
    assert [line["keys"] for line in warnings(caplog)] == [["Cost centre", "cloudformation:stack-id"]]


@pytest.mark.parametrize("own", [{}, {"Team": "crm"}])
def test_a_stack_with_more_tags_than_fit_costs_a_warning_and_no_failure(
    function: Function, mailbox: Mailbox, caplog: pytest.LogCaptureFixture, own: dict[str, str]
) -> None:
    """A stack may have 50, and a domain 50 with the three that say whose it is."""
    create(function, mailbox, make_stack({f"key{number}": "x" for number in range(50)}), own)

    assert len(tags_of_domain()) == 47
    assert tags_of_domain().items() >= own.items()
    assert warnings(caplog)
