"""What CloudFormation says of a stack: its tags on the domain, what it lists for a resource, whether it rolls back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.stub import Stubber
from moto.core.botocore_stubber import MockRawResponse

from handler import cloudformation as asking
from handler import stack
from handler.event import Event, read
from handler.timeliness import NOT_LISTED, Listed, Rollback
from tests.handler.cloudformation import STACK, Function, Mailbox, event, stack_arn
from tests.handler.faults import REGION


@pytest.fixture(autouse=True)
def propagation_is_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The template's parameter PropagateStackTags, and a function that has just started."""
    monkeypatch.setenv("PROPAGATE_STACK_TAGS", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    client = asking.client
    client.cache_clear()
    yield
    client.cache_clear()


def make_stack(tags: Mapping[str, str]) -> str:
    """A stack with these tags, in the stand-in. Returns its id."""
    made = boto3.client("cloudformation", region_name=REGION).create_stack(
        StackName="customers",
        TemplateBody=json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}),
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return made["StackId"]


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
    monkeypatch.setattr(asking, "client", lambda: pytest.fail("a client for CloudFormation"))

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


# What CloudFormation lists, and whether a stack rolls back

EVENT: Event = read(event("Delete", {"DomainName": "customers"}, physical_id="customers"))
BEGUN = datetime(2026, 11, 25, 14, 30, 5, 250_000, tzinfo=UTC)
PARENT = stack_arn("parent")


@pytest.fixture
def cloudformation() -> Iterator[Stubber]:
    """CloudFormation, which answers what a test has in store for it, and nothing else."""
    with Stubber(asking.client()) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def detail(**members: Any) -> dict[str, Any]:
    return {
        "StackResourceDetail": {
            "LogicalResourceId": "Domain",
            "ResourceType": "Custom::CustomerProfilesDomain",
            "LastUpdatedTimestamp": BEGUN,
            **members,
        }
    }


def described(status: str, **members: Any) -> dict[str, Any]:
    return {"Stacks": [{"StackId": STACK, "StackName": "s", "CreationTime": BEGUN, "StackStatus": status, **members}]}


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        (
            detail(ResourceStatus="UPDATE_IN_PROGRESS", PhysicalResourceId="customers"),
            Listed("UPDATE_IN_PROGRESS", "customers", BEGUN.timestamp(), "Custom::CustomerProfilesDomain"),
        ),
        (
            detail(ResourceStatus="CREATE_IN_PROGRESS"),
            Listed("CREATE_IN_PROGRESS", "", BEGUN.timestamp(), "Custom::CustomerProfilesDomain"),
        ),
    ],
    ids=["a resource with a physical id", "a resource without one yet"],
)
def test_what_cloudformation_lists_is_read(cloudformation: Stubber, answer: dict[str, Any], listed: Listed) -> None:
    asked = {"StackName": EVENT.stack_id, "LogicalResourceId": EVENT.logical_id}
    cloudformation.add_response("describe_stack_resource", answer, asked)
    assert stack.listed(EVENT) == listed


@pytest.mark.parametrize(
    ("code", "message", "listed"),
    [
        ("ValidationError", "Resource Domain does not exist for stack customers", NOT_LISTED),
        ("ValidationError", f"Stack with id {STACK} does not exist", None),
        ("AccessDenied", "User: arn:... is not authorized to perform: cloudformation:DescribeStackResource", None),
        ("Throttling", "Rate exceeded", None),
    ],
    ids=["the stack has no such resource", "a stack that is not known", "denied", "throttled"],
)
def test_where_cloudformation_cannot_be_asked_nothing_is_known(
    cloudformation: Stubber, code: str, message: str, listed: Listed | None, caplog: pytest.LogCaptureFixture
) -> None:
    cloudformation.add_client_error("describe_stack_resource", code, message)
    assert stack.listed(EVENT) == listed
    assert bool(warnings(caplog)) == (listed is None)


@pytest.mark.parametrize(
    ("answers", "rollback"),
    [
        ([described("CREATE_IN_PROGRESS")], Rollback.NO),
        ([described("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")], Rollback.NO),
        ([described("DELETE_IN_PROGRESS")], Rollback.DELETION),
        ([described("DELETE_IN_PROGRESS", StackStatusReason="User Initiated")], Rollback.DELETION),
        (
            [
                described(
                    "DELETE_IN_PROGRESS", StackStatusReason="The following resource(s) failed to delete: [Queue]. "
                )
            ],
            Rollback.DELETION,
        ),
        ([described("ROLLBACK_IN_PROGRESS")], Rollback.ENDS),
        ([described("UPDATE_ROLLBACK_IN_PROGRESS")], Rollback.YES),
        ([described("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")], Rollback.YES),
        (
            [
                described(
                    "DELETE_IN_PROGRESS",
                    StackStatusReason="The following resource(s) failed to create: [Queue]. Delete requested by user.",
                )
            ],
            Rollback.ENDS,
        ),
        (
            [
                described(
                    "DELETE_IN_PROGRESS",
                    StackStatusReason="Stack creation time exceeded the specified timeout. Delete requested by user.",
                )
            ],
            Rollback.ENDS,
        ),
        ([described("DELETE_IN_PROGRESS", ParentId=PARENT), described("ROLLBACK_IN_PROGRESS")], Rollback.ENDS),
        ([described("DELETE_IN_PROGRESS", ParentId=PARENT), described("DELETE_IN_PROGRESS")], Rollback.DELETION),
    ],
    ids=[
        "created",
        "cleaned up after an update",
        "deleted",
        "deleted by a person",
        "deleted again after a deletion that failed",
        "rolled back after a failed creation",
        "rolled back after a failed update",
        "cleaned up after a rollback",
        "deleted because its creation failed (OnFailure DELETE)",
        "deleted because its creation took too long (OnFailure DELETE)",
        "nested in a stack that is rolled back",
        "nested in a stack that is deleted",
    ],
)
def test_whether_a_stack_is_rolling_back(
    cloudformation: Stubber, answers: list[dict[str, Any]], rollback: Rollback
) -> None:
    for answer, stack_id in zip(answers, (EVENT.stack_id, PARENT), strict=False):
        cloudformation.add_response("describe_stacks", answer, {"StackName": stack_id})
    if rollback.is_forward:
        cloudformation.add_response("describe_stack_events", {"StackEvents": []})
    assert stack.rollback(EVENT) is rollback


def test_where_the_stack_cannot_be_asked_it_is_unknown_whether_it_rolls_back(
    cloudformation: Stubber, caplog: pytest.LogCaptureFixture
) -> None:
    cloudformation.add_client_error("describe_stacks", "AccessDenied", "no")
    assert stack.rollback(EVENT) is Rollback.UNKNOWN
    assert warnings(caplog)


def test_nothing_is_asked_where_asking_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASK_CLOUDFORMATION", "false")
    monkeypatch.setattr(asking, "client", lambda: pytest.fail("a client for CloudFormation"))
    assert stack.listed(EVENT) is None
    assert stack.rollback(EVENT) is Rollback.UNKNOWN


def test_a_throttled_question_is_asked_again(wire: object, monkeypatch: pytest.MonkeyPatch, clock: object) -> None:
    statuses = [400, 400, 200]

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        status = statuses.pop(0)
        body = _THROTTLED if status == 400 else _TAGGED
        return AWSResponse(request.url, status, {"Content-Type": "text/xml"}, MockRawResponse(body))  # type: ignore[arg-type]

    events: Any = asking.client().meta.events
    events.register_first("before-send.cloudformation", answer)
    assert stack.tags(EVENT) == {"CostCentre": "4711"}
    assert statuses == []


_THROTTLED = b"<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
_TAGGED = (
    b"<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName><Tags><member>"
    b"<Key>CostCentre</Key><Value>4711</Value></member></Tags></member></Stacks></DescribeStacksResult>"
    b"</DescribeStacksResponse>"
)
