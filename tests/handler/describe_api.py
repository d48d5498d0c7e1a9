"""A fake of CloudFormation's API: DescribeStackResource, DescribeStacks and DescribeStackEvents.

The function asks these whether an event is still wanted. The fake takes each request where botocore would send it,
and answers from the simulated stacks (stacks.py) in the XML of the AWS Query protocol.
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

EVENTS_IN_A_PAGE = 5  # a hundred on AWS


class DescribeError(enum.Enum):
    """An error instead of an answer."""

    ACCESS_DENIED = "access denied"
    THROTTLED = "throttled"
    INTERNAL_FAILURE = "internal failure"
    READ_TIMEOUT = "read timeout"


class DescribeApi:
    """Answers from the state of the stacks at that moment."""

    def __init__(self, stacks: Callable[[], Mapping[str, Stack]], clock: Clock) -> None:
        self._stacks = stacks  # by ARN, with deleted ones: CloudFormation reports them for 90 days
        self._clock = clock
        self.on_call: Callable[[str], None] = lambda operation: None
        self.error_for: Callable[[str], DescribeError | None] = lambda operation: None

    def attach(self, client: Any) -> None:
        """Answer this client's requests."""
        events = client.meta.events
        events.unregister("before-send", botocore_stubber)
        events.unregister("before-send.cloudformation", unique_id="describe-api")  # of another test
        events.register("before-send.cloudformation", self._answer, unique_id="describe-api")

    def _answer(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        self.on_call(operation)
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
        arguments = dict(parse_qsl(body))
        match self.error_for(operation):
            case DescribeError.ACCESS_DENIED:
                return _error(request, 403, "AccessDenied", f"not authorized to perform: cloudformation:{operation}")
            case DescribeError.THROTTLED:
                return _error(request, 400, "Throttling", "Rate exceeded")
            case DescribeError.INTERNAL_FAILURE:
                return _error(request, 500, "InternalFailure", "An internal failure occurred")
            case DescribeError.READ_TIMEOUT:
                self._clock.now += 5
                raise ReadTimeoutError(endpoint_url=request.url)
        stack = self._stacks().get(arguments["StackName"])
        if stack is None:
            message = f"Stack with id {arguments['StackName']} does not exist"
            return _error(request, 400, "ValidationError", message)
        if operation == "DescribeStacks":
            return _result(request, operation, f"<Stacks><member>{self._stack(stack)}</member></Stacks>")
        if operation == "DescribeStackEvents":
            return self._events(request, stack, int(arguments.get("NextToken", 0)))
        assert operation == "DescribeStackResource"
        return self._resource(request, stack, arguments["LogicalResourceId"])

    def _stack(self, stack: Stack) -> str:
        optional = {"StackStatusReason": stack.status_reason, "ParentId": stack.parent_id}
        tags = "".join(f"<member>{_elements(Key=key, Value=value)}</member>" for key, value in stack.tags.items())
        return f"<Tags>{tags}</Tags>" + _elements(
            StackId=stack.arn,
            StackName=stack.arn.split("/")[1],
            CreationTime=_iso(self._clock.time()),
            StackStatus=stack.status,
            **{name: value for name, value in optional.items() if value},
        )

    def _resource(self, request: AWSPreparedRequest, stack: Stack, logical_id: str) -> AWSResponse:
        reported_resource = stack.reported.get(logical_id)
        if reported_resource is None:
            message = f"Resource {logical_id} does not exist for stack {stack.arn.split('/')[1]}"
            return _error(request, 400, "ValidationError", message)
        known = {"PhysicalResourceId": reported_resource.physical_id} if reported_resource.physical_id else {}
        detail = _elements(
            StackId=stack.arn,
            StackName=stack.arn.split("/")[1],
            LogicalResourceId=logical_id,
            **known,
            ResourceType=reported_resource.resource_type,
            LastUpdatedTimestamp=_iso(reported_resource.since),
            ResourceStatus=reported_resource.status,
        )
        return _result(request, "DescribeStackResource", f"<StackResourceDetail>{detail}</StackResourceDetail>")

    def _events(self, request: AWSPreparedRequest, stack: Stack, first: int) -> AWSResponse:
        newest_first = stack.events[::-1]
        lines = "".join(
            "<member>"
            + _elements(
                StackId=stack.arn,
                StackName=stack.arn.split("/")[1],
                EventId=str(number),
                LogicalResourceId=line.logical_id,
                PhysicalResourceId=line.physical_id,
                ResourceType=line.resource_type,
                Timestamp=_iso(line.at),
                ResourceStatus=line.status,
            )
            + "</member>"
            for number, line in enumerate(newest_first[first : first + EVENTS_IN_A_PAGE])
        )
        following = first + EVENTS_IN_A_PAGE
        more = _elements(NextToken=str(following)) if following < len(newest_first) else ""
        return _result(request, "DescribeStackEvents", f"<StackEvents>{lines}</StackEvents>{more}")


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
