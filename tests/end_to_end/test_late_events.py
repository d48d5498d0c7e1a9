"""Late events for the deployed function.

The local engine never cancels an event, so the tests send late events themselves. For a resource that is not complete,
the engine answers that it does not exist. CloudFormation gives the same answer for a resource whose creation was
cancelled and cleaned up.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest

from local.engine import Engine
from tests.end_to_end.stack import Stack

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def mailbox() -> Iterator[str]:
    """The URL of a server that accepts every answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/answer"
    server.shutdown()
    server.server_close()


@pytest.fixture
def stack_id(engine: Engine) -> Iterator[str]:
    """A stack with a domain named Domain, and with no other resource."""
    stack = Stack(engine, f"late-{uuid4().hex[:8]}")
    stack.deploy({"DomainName": f"amazon-connect-{stack.name}", "DefaultExpirationDays": 30})
    yield engine.cloudformation.describe_stacks(StackName=stack.name)["Stacks"][0]["StackId"]
    stack.delete()


def invoke(engine: Engine, mailbox: str, age: float, **event: Any) -> dict[str, Any]:
    """Invoke the deployed function with an event that was sent this many seconds ago. Returns the answer."""
    signed = (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y%m%dT%H%M%SZ")
    sent = {"RequestId": str(uuid4()), "ResponseURL": f"{mailbox}?X-Amz-Date={signed}&X-Amz-Signature=secret", **event}
    function = engine.outputs(engine.provider_stack)["ServiceToken"]
    response = engine.client("lambda").invoke(FunctionName=function, Payload=json.dumps(sent).encode())
    answer: dict[str, Any] = json.loads(response["Payload"].read())
    return answer


@pytest.mark.parametrize(
    ("age", "status"),
    # The first one was signed in the future: a slow machine does not make it late.
    [(-3600, "SUCCESS"), (5, "FAILED"), (120, "FAILED")],
    ids=["answered at once", "slow, and cancelled meanwhile", "delivered after its stack moved on"],
)
def test_a_late_create_leaves_no_domain(age: float, status: str, engine: Engine, mailbox: str, stack_id: str) -> None:
    name = f"amazon-connect-{uuid4().hex[:8]}"
    properties = {"DomainName": name, "DefaultExpirationDays": "30"}
    event = {"RequestType": "Create", "StackId": stack_id, "LogicalResourceId": "Cancelled"}

    answer = invoke(engine, mailbox, age, **event, ResourceProperties=properties)

    api = engine.customer_profiles
    domains = {item["DomainName"] for item in api.list_domains()["Items"]}
    assert answer["Status"] == status, answer
    assert (name in domains) == (status == "SUCCESS")
    if status == "FAILED":
        assert "CloudFormation no longer asks for this Create" in answer["Reason"]
    else:
        api.delete_domain(DomainName=name)


def test_a_late_duplicate_delete_keeps_the_domain_of_its_stack(engine: Engine, mailbox: str, stack_id: str) -> None:
    name = engine.outputs(stack_id)["Name"]
    properties = {"DomainName": name, "DefaultExpirationDays": "30"}
    event = {"RequestType": "Delete", "StackId": stack_id, "LogicalResourceId": "Domain", "PhysicalResourceId": name}

    answer = invoke(engine, mailbox, 3600, **event, ResourceProperties=properties)

    assert answer["Status"] == "FAILED"
    assert f"Domain {name} was left alone" in answer["Reason"]
    assert f"with the physical id {name}" in answer["Reason"]
    assert engine.customer_profiles.get_domain(DomainName=name)["DomainName"] == name
