"""Invokes the function with events/*.json as `sam local invoke` does, but without a container."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.engine import PROJECT, running_stand_in

INVOKE = """
import json, sys
from types import SimpleNamespace
from handler.app import lambda_handler
context = SimpleNamespace(
    function_name="Function", memory_limit_in_mb=512, aws_request_id="an-id", log_stream_name="$LATEST",
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:Function",
    get_remaining_time_in_millis=lambda: 300_000,
)
answer = lambda_handler(json.load(open(sys.argv[1])), context)
print("\\n" + json.dumps(answer))
"""


def invoke(event: str, endpoint: str) -> dict[str, Any]:
    """Invoke the function in a new process, as `sam local invoke` does, and return its result."""
    result = subprocess.run(
        [sys.executable, "-c", INVOKE, f"events/{event}.json"],
        cwd=PROJECT,
        env=os.environ | {"AWS_SAM_LOCAL": "true", "AWS_ENDPOINT_URL_CUSTOMER_PROFILES": endpoint},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def test_the_events_create_update_and_delete_a_domain(tmp_path: Path) -> None:
    with running_stand_in(tmp_path) as endpoint:
        api = boto3.client("customer-profiles", endpoint_url=endpoint)

        created = invoke("create", endpoint)
        assert created["Status"] == "SUCCESS"
        name = created["PhysicalResourceId"]
        assert api.get_domain(DomainName=name)["DefaultExpirationDays"] == 366

        assert invoke("update", endpoint)["Status"] == "SUCCESS"
        assert api.get_domain(DomainName=name)["DefaultExpirationDays"] == 90

        assert invoke("delete", endpoint)["Status"] == "SUCCESS"
        with pytest.raises(api.exceptions.ResourceNotFoundException):
            api.get_domain(DomainName=name)


def test_the_environment_file_names_the_function_and_the_port_of_make_standin() -> None:
    ((function, variables),) = json.loads((PROJECT / "events/env.json").read_text()).items()
    assert f"\n  {function}:\n    Type: AWS::Serverless::Function" in (PROJECT / "template.yaml").read_text()

    port = variables["AWS_ENDPOINT_URL_CUSTOMER_PROFILES"].rpartition(":")[2]
    assert f"--port {port}\n" in (PROJECT / "Makefile").read_text()
