"""The unchanged handler accepts, checks and sends a property that a newer botocore adds.

The function runs in another process, with a changed copy of the model in its AWS_DATA_PATH.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

ROOT = Path(__file__).parents[2]

# One member for each type of shape, with all constraints that a shape can have.
NEW_SHAPES: dict[str, Any] = {
    "Retention": {
        "type": "structure",
        "required": ["Mode"],
        "members": {
            "Mode": {"shape": "RetentionMode"},
            "Label": {"shape": "RetentionLabel"},
            "IsStrict": {"shape": "RetentionFlag"},
            "Budget": {"shape": "RetentionBudget"},
            "Ratio": {"shape": "RetentionRatio"},
            "Steps": {"shape": "RetentionSteps"},
            "DaysByKind": {"shape": "RetentionDaysByKind"},
        },
    },
    "RetentionMode": {"type": "string", "enum": ["KEEP", "ERASE"]},
    "RetentionLabel": {"type": "string", "min": 2, "max": 8, "pattern": "^[a-z]+$"},
    "RetentionFlag": {"type": "boolean"},
    "RetentionBudget": {"type": "long", "min": 0},
    "RetentionRatio": {"type": "double", "min": 0.0, "max": 1.0},
    "RetentionDays": {"type": "integer", "min": 1, "max": 10},
    "RetentionSteps": {"type": "list", "member": {"shape": "RetentionStep"}, "min": 1, "max": 2},
    "RetentionStep": {
        "type": "structure",
        "required": ["Days"],
        "members": {"Days": {"shape": "RetentionDays"}},
    },
    "RetentionDaysByKind": {
        "type": "map",
        "key": {"shape": "RetentionLabel"},
        "value": {"shape": "RetentionDays"},
        "max": 1,
    },
}

INVOKE = """
import json, sys
from types import SimpleNamespace
from handler.app import lambda_handler
context = SimpleNamespace(
    get_remaining_time_in_millis=lambda: 20_000,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:provider",
    aws_request_id="1", log_stream_name="stream",
)
answer = lambda_handler(json.load(sys.stdin), context)
print(); print(json.dumps(answer))
"""


class Api(ThreadingHTTPServer):
    """Accepts every CreateDomain and records the request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        self.server.requests.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        body = json.dumps(
            {"DomainName": "customers", "DefaultExpirationDays": 366, "CreatedAt": 0, "LastUpdatedAt": 0}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def newer_model(tmp_path: Path) -> Path:
    """A folder for AWS_DATA_PATH, with a model that has one more property."""
    loader = Loader()
    version = loader.determine_latest_version("customer-profiles", "service-2")
    model = loader.load_service_model("customer-profiles", "service-2")
    request = model["operations"]["CreateDomain"]["input"]["shape"]
    model["shapes"][request]["members"]["Retention"] = {"shape": "Retention"}
    model["shapes"].update(NEW_SHAPES)
    folder = tmp_path / "customer-profiles" / version
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))
    return tmp_path


def create(api: Api, model: Path, retention: Any) -> dict[str, Any]:
    """Invoke the function with a Create with this Retention. Returns its answer."""
    event = {
        "RequestType": "Create",
        "RequestId": "r-1",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1",
        "LogicalResourceId": "Domain",
        "ResourceProperties": {
            "ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:provider",
            "DomainName": "customers",
            "DefaultExpirationDays": "366",
            "Retention": retention,
        },
    }
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_DATA_PATH": str(model),
        "AWS_SAM_LOCAL": "true",  # so the answer is returned only
        "AWS_ENDPOINT_URL_CUSTOMER_PROFILES": f"http://127.0.0.1:{api.server_port}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    done = subprocess.run(
        [sys.executable, "-c", INVOKE],
        input=json.dumps(event),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_property_that_a_newer_model_brings_is_accepted_converted_and_sent(api: Api, newer_model: Path) -> None:
    answer = create(
        api,
        newer_model,
        {
            "Mode": "ERASE",
            "Label": "label",
            "IsStrict": "True",
            "Budget": "5000000000",
            "Ratio": "0.25",
            "Steps": [{"Days": "3"}, {"Days": "10"}],
            "DaysByKind": {"calls": "7"},
        },
    )
    assert (answer["Status"], answer["Reason"]) == ("SUCCESS", "")
    ((path, body),) = api.requests
    assert path == "/domains/customers"
    assert body["DefaultExpirationDays"] == 366
    assert body["Retention"] == {
        "Mode": "ERASE",
        "Label": "label",
        "IsStrict": True,
        "Budget": 5_000_000_000,
        "Ratio": 0.25,
        "Steps": [{"Days": 3}, {"Days": 10}],
        "DaysByKind": {"calls": 7},
    }


def test_a_property_that_a_newer_model_brings_is_checked_before_any_call(api: Api, newer_model: Path) -> None:
    answer = create(
        api,
        newer_model,
        {
            "Label": "LABEL",
            "IsStrict": "yes",
            "Budget": "-1",
            "Ratio": "1.5",
            "Steps": [{"Days": "0"}, {}, {"Day": "1", "Days": "1"}],
            "DaysByKind": ["calls"],
        },
    )
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].splitlines() == [
        "Retention.Label: 'LABEL' does not match ^[a-z]+$; not allowed in it: 'L' 'A' 'B' 'E'",
        "Retention.IsStrict: must be true or false, not 'yes'; write true",
        "Retention.Budget: is -1; at least 0 is allowed",
        "Retention.Ratio: is 1.5; 0.0 to 1.0 is allowed",
        "Retention.Steps: has 3 entries; 1 to 2 is allowed",
        "Retention.Steps[0].Days: is 0; 1 to 10 is allowed",
        "Retention.Steps[1].Days: is missing; it is required",
        "Retention.Steps[2].Day: is not a property here; did you mean Days?",
        "Retention.DaysByKind: must be a map, not a list",
        "Retention.Mode: is missing; it is required",
    ]
    assert api.requests == []
