"""What Lambda imports: the same function as everywhere, started faster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from cfnlint.decode import cfn_yaml

PROJECT = Path(__file__).resolve().parents[2]

START = """
import gc, json, ssl, sys

collector_is_on, reads, read = {}, [], ssl.create_default_context

class Watch:
    def find_spec(name, path=None, target=None):
        collector_is_on[name] = gc.isenabled()

def create_default_context(*arguments, **more):
    reads.append("while the function starts")
    return read(*arguments, **more)

sys.meta_path.insert(0, Watch)
ssl.create_default_context = create_default_context
import handler.start
from handler import answer, app

collector_is_on["afterwards"] = gc.isenabled()
answer.certificates()
is_the_function = handler.start.lambda_handler is app.lambda_handler
print(json.dumps([is_the_function, collector_is_on, reads]))
"""


class Started(NamedTuple):
    is_the_function: bool
    collector_is_on: dict[str, bool]  # when the module of that name was imported
    reads: list[str]  # of the certificates


@pytest.fixture(scope="module")
def started() -> Started:
    """What a fresh Python sees while it imports the function."""
    command = [sys.executable, "-c", START]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return Started(*json.loads(done.stdout))


def test_lambda_imports_this_module() -> None:
    template = cfn_yaml.load(str(PROJECT / "template.yaml"))

    assert template["Resources"]["Function"]["Properties"]["Handler"] == "handler.start.lambda_handler"


def test_it_is_the_function_of_app(started: Started) -> None:
    assert started.is_the_function


def test_the_garbage_collector_is_off_while_the_function_starts_and_on_afterwards(started: Started) -> None:
    states = [started.collector_is_on[name] for name in ("handler.app", "boto3", "handler.answer", "afterwards")]

    assert states == [False, False, False, True]


def test_the_certificates_are_read_once_while_the_function_starts(started: Started) -> None:
    assert started.reads == ["while the function starts"]
