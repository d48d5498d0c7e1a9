"""What CloudFormation answers when the function asks about an event's stack and its resource.

DescribeStackResource and DescribeStacks in the form of the AWS Query protocol, as CloudFormation's API reference has
them. The requests are caught where botocore hands them to the network.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from tests.handler.faults import Clock
from tests.handler.stacks import Stack

_NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"


class Refusal(enum.Enum):
    """Why CloudFormation can't be asked."""

    DENIED = "denied"
    THROTTLED = "throttled"
    BROKEN = "broken"
    SILENT = "no answer"


class Questions:
    """Answers the function's questions from the stacks as they are at that moment."""

    def __init__(self, stacks: Callable[[], Mapping[str, Stack]], clock: Clock) -> None:
        self._stacks = stacks  # by ARN, those included that are gone: CloudFormation knows them for 90 days
        self._clock = clock
        self.asked: list[str] = []
        self.on_question: Callable[[str], None] = lambda operation: None
        self.refusal: Callable[[str], Refusal | None] = lambda operation: None

    def attach(self, client: Any) -> None:
        """Put it between CloudFormation's client and the network."""
        events = client.meta.events
        events.unregister("before-send", botocore_stubber)
        events.unregister("before-send.cloudformation", unique_id="questions")  # another test's
        events.register("before-send.cloudformation", self._answer, unique_id="questions")

    def _answer(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        self.asked.append(operation)
        self.on_question(operation)
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
        asked = dict(parse_qsl(body))
        match self.refusal(operation):
            case Refusal.DENIED:
                return _error(request, 403, "AccessDenied", f"not authorized to perform: cloudformation:{operation}")
            case Refusal.THROTTLED:
                return _error(request, 400, "Throttling", "Rate exceeded")
            case Refusal.BROKEN:
                return _error(request, 500, "InternalFailure", "An internal failure occurred")
            case Refusal.SILENT:
                self._clock.now += 5
                raise ReadTimeoutError(endpoint_url=request.url)
        stack = self._stacks().get(asked["StackName"])
        if stack is None:
            message = f"Stack with id {asked['StackName']} does not exist"
            return _error(request, 400, "ValidationError", message)
        if operation == "DescribeStacks":
            return _result(request, operation, f"<Stacks><member>{self._stack(stack)}</member></Stacks>")
        assert operation == "DescribeStackResource"
        return self._resource(request, stack, asked["LogicalResourceId"])

    def _stack(self, stack: Stack) -> str:
        return _elements(
            StackId=stack.arn,
            StackName=stack.arn.split("/")[1],
            CreationTime=_iso(self._clock.time()),
            StackStatus=stack.status,
        )

    def _resource(self, request: AWSPreparedRequest, stack: Stack, logical_id: str) -> AWSResponse:
        listing = stack.listed.get(logical_id)
        if listing is None:
            message = f"Resource {logical_id} does not exist for stack {stack.arn.split('/')[1]}"
            return _error(request, 400, "ValidationError", message)
        known = {"PhysicalResourceId": listing.physical_id} if listing.physical_id else {}
        detail = _elements(
            StackId=stack.arn,
            StackName=stack.arn.split("/")[1],
            LogicalResourceId=logical_id,
            **known,
            ResourceType="Custom::CustomerProfilesDomain",
            LastUpdatedTimestamp=_iso(listing.since),
            ResourceStatus=listing.status,
        )
        return _result(request, "DescribeStackResource", f"<StackResourceDetail>{detail}</StackResourceDetail>")


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _elements(**values: str) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())


def _result(request: AWSPreparedRequest, operation: str, result: str) -> AWSResponse:
    body = (
        f'<{operation}Response xmlns="{_NAMESPACE}"><{operation}Result>{result}</{operation}Result>'
        f"<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{operation}Response>"
    )
    return _response(request, 200, body)


def _error(request: AWSPreparedRequest, status: int, code: str, message: str) -> AWSResponse:
    error = _elements(Type="Sender", Code=code, Message=message)
    body = f'<ErrorResponse xmlns="{_NAMESPACE}"><Error>{error}</Error><RequestId>1</RequestId></ErrorResponse>'
    return _response(request, status, body)


def _response(request: AWSPreparedRequest, status: int, body: str) -> AWSResponse:
    headers: Any = {"Content-Type": "text/xml"}
    raw: Any = MockRawResponse(body.encode())
    return AWSResponse(request.url, status, headers, raw)
