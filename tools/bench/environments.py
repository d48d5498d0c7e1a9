"""Runs each event in its own execution environment, all at the same time, as Lambda does.

A process imports the function and then forks once for each event. A fork shares no connection and no retries with
others, and answers one event. The import happens only once: a hundred imports on a few cores would distort the result.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.artifact import Artifact
from local.runtime import lambda_environment

SECONDS = 300  # template.yaml: Timeout

# Runs with the artifact's own libraries and no others.
_FORKS = """
import importlib, json, os, sys, time

module, _, name = sys.argv[1].rpartition(".")
handler = getattr(importlib.import_module(module), name)


class Context:
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]

    def __init__(self):
        self._end = time.monotonic() + int(os.environ["AWS_LAMBDA_FUNCTION_TIMEOUT"])

    def get_remaining_time_in_millis(self):
        return (self._end - time.monotonic()) * 1000


print("ready", flush=True)
children = []
for event in json.load(sys.stdin):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            handler(event, Context())
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children) and 1)
"""


def invoke_at_once(
    artifact: Artifact, python: Path, environment: Mapping[str, str], events: Sequence[Mapping[str, Any]], log: Path
) -> None:
    """Run each event in its own environment, all at the same time, and wait until all have ended.

    Raises RuntimeError if an invocation fails, which Lambda would retry. The function's log is written to `log`.
    """
    variables = {
        **lambda_environment(artifact.folder, artifact.handler, SECONDS),
        "PYTHONPATH": str(artifact.folder),
        **environment,
    }
    command = [str(python), "-S", "-c", _FORKS, artifact.handler]
    with log.open("w") as output:
        done = subprocess.Popen(
            command, cwd=artifact.folder, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
        )
        assert done.stdout
        done.stdout.readline()
        done.communicate(json.dumps(list(events)).encode())
    if done.returncode:
        raise RuntimeError(f"an invocation failed:\n{log.read_text()[-2000:]}")
