"""CloudFormation's side of one event: the event itself, the server that takes the answer, and what a valid answer is.

The fields are from AWS's "Custom resource request objects" and "Custom resource response objects". stacks.py decides
which events are sent, and in which order.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

from botocore.client import BaseClient
from moto.core.models import DEFAULT_ACCOUNT_ID

from handler import app
from handler.answer import AnswerNotTakenError
from tests.handler.faults import REGION, Clock, ProcessKilled

ACCOUNT = DEFAULT_ACCOUNT_ID
MOST_BYTES = 4096

Answer = dict[str, Any]

_numbers = itertools.count(1)


def stack_arn(name: str) -> str:
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/5b6c8aa0-{name}"


STACK = stack_arn("customers")


def new_request_id() -> str:
    """A new one for each call, and the same sequence in each run of the tests."""
    return f"4cba9f5c-0000-4000-8000-{next(_numbers):012d}"


def event(
    request_type: str,
    properties: Any,
    old_properties: Any = None,
    *,
    physical_id: str | None = None,
    stack_id: str = STACK,
    logical_id: str = "Domain",
    response_url: str | None = None,
) -> dict[str, Any]:
    """An event as CloudFormation sends it, with a new RequestId."""

    def with_token(properties: Any) -> Any:
        is_map = isinstance(properties, Mapping)
        return {"ServiceToken": _TOKEN, **as_cloudformation_sends(properties)} if is_map else properties

    made = {
        "RequestType": request_type,
        "ServiceToken": _TOKEN,
        "RequestId": new_request_id(),
        "StackId": stack_id,
        "LogicalResourceId": logical_id,
        "ResourceType": "Custom::CustomerProfilesDomain",
        "ResourceProperties": with_token(properties),
    }
    if response_url is not None:
        made["ResponseURL"] = response_url
    if physical_id is not None:
        made["PhysicalResourceId"] = physical_id
    if old_properties is not None:
        made["OldResourceProperties"] = with_token(old_properties)
    return made


_TOKEN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:provider"


def as_cloudformation_sends(value: Any) -> Any:
    """The value with all scalars as strings."""
    if isinstance(value, Mapping):
        return {key: as_cloudformation_sends(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_cloudformation_sends(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Context:
    """Lambda's context of one invocation, on the simulated clock."""

    function_name = "provider"
    function_version = "$LATEST"
    invoked_function_arn = _TOKEN
    memory_limit_in_mb = "512"
    log_group_name = "/aws/lambda/provider"
    log_stream_name = "2025/01/01/[$LATEST]0123456789abcdef0123456789abcdef"

    def __init__(self, clock: Clock, seconds: float = 300.0) -> None:
        self._clock = clock
        self._end = clock.now + seconds
        self.aws_request_id = new_request_id()

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - self._clock.now) * 1000)


@dataclass(frozen=True)
class Put:
    """One PUT request that the mailbox received."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.body)
        return answer


class Mailbox:
    """The HTTP server behind the ResponseURLs. It accepts every answer, with two exceptions.

    `first`: the statuses of the next answers; 0 closes the connection without a response. `refuses`: how often the
    answers to a URL are refused.
    """

    def __init__(self) -> None:
        self.puts: list[Put] = []
        self.first: list[int] = []
        self.refuses: dict[str, int] = {}
        box = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_PUT(self) -> None:
                status = box.status_for(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                box.puts.append(Put(self.path, dict(self.headers), body, status))
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def url(self, secret: str = "its-signature", *, sent_at: float | None = None) -> str:
        """A new pre-signed URL. `sent_at` is when it was signed, in seconds since 1970."""
        host, port = self._server.server_address[:2]
        # AWS cuts off the fraction of the second.
        date = "" if sent_at is None else f"X-Amz-Date={datetime.fromtimestamp(sent_at, UTC):%Y%m%dT%H%M%SZ}&"
        return f"http://{host!s}:{port}/answers/{next(_numbers)}?{date}X-Amz-Expires=7200&X-Amz-Signature={secret}"

    def status_for(self, path: str) -> int:
        """The status for the next answer to the URL with that path."""
        refused = next((url for url, times in self.refuses.items() if times and url.endswith(path)), None)
        if refused is not None:
            self.refuses[refused] -= 1
            return 403
        return self.first.pop(0) if self.first else 200

    def taken(self, request_id: str | None = None) -> list[dict[str, Any]]:
        """The accepted answers, all or those to one request, the earliest first."""
        answers = [put.answer for put in self.puts if put.status == 200]
        return [answer for answer in answers if request_id in (None, answer["RequestId"])]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def another_environment(client: BaseClient) -> ModuleType:
    """Import the function again, as Lambda does for an event while another one runs."""
    spec = importlib.util.find_spec("handler.app")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__["_client"] = client
    return module


@dataclass
class Delivery:
    """One invocation of the function: what it returned (None after an exception), and its accepted answers."""

    returned: dict[str, Any] | None
    answers: list[dict[str, Any]]
    error: BaseException | None = None

    @property
    def answer(self) -> dict[str, Any]:
        """The only answer. Fails if there is none, or more than one."""
        assert self.error is None, f"the function raised {self.error!r}"
        assert len(self.answers) == 1, f"{len(self.answers)} answers"
        assert self.returned == self.answers[0]
        return self.answers[0]


class Function:
    """Invokes the function with events as Lambda does, and checks the answers."""

    def __init__(self, clock: Clock, mailbox: Mailbox, environment: ModuleType = app) -> None:
        self._clock = clock
        self._mailbox = mailbox
        self._environment = environment

    def invoke(self, sent: Mapping[str, Any], *, seconds: float = 300.0) -> Delivery:
        """Deliver an event once."""
        before = len(self._mailbox.puts)
        url = sent.get("ResponseURL", "")
        returned, error = None, None
        try:
            returned = self._environment.lambda_handler(json.loads(json.dumps(sent)), Context(self._clock, seconds))
        except (ProcessKilled, AnswerNotTakenError) as raised:
            error = raised
        answers = [
            put.answer for put in self._mailbox.puts[before:] if put.status == 200 and url.endswith(put.path) and url
        ]
        delivery = Delivery(returned, answers, error)
        assert_answered_as_promised(sent, delivery)
        return delivery


def assert_answered_as_promised(sent: Mapping[str, Any], delivery: Delivery) -> None:
    """Check that there is exactly one answer, or at most one after an exception, and that CloudFormation accepts it."""
    assert len(delivery.answers) <= 1, "there is more than one answer"
    if delivery.error is not None:
        return
    assert delivery.answers == [delivery.returned], "there is no answer, or it is not what the function returned"
    answer = delivery.answers[0]
    assert len(json.dumps(answer, ensure_ascii=False).encode()) <= MOST_BYTES
    assert {key: answer[key] for key in ("StackId", "RequestId", "LogicalResourceId")} == {
        key: sent[key] for key in ("StackId", "RequestId", "LogicalResourceId")
    }
    physical_id, asked = answer["PhysicalResourceId"], sent["ResourceProperties"].get("DomainName")
    assert 0 < len(physical_id.encode()) <= 1024
    if answer["Status"] == "FAILED":
        assert answer["Reason"]
        assert answer["Data"] == {}
        if sent["RequestType"] == "Create":
            assert physical_id.endswith(":" + sent["RequestId"]), (
                "the physical id does not end with the RequestId of the failed Create"
            )
        else:
            assert physical_id == sent["PhysicalResourceId"]
    else:
        assert answer["Status"] == "SUCCESS"
        assert physical_id == (sent["PhysicalResourceId"] if sent["RequestType"] == "Delete" else asked)
