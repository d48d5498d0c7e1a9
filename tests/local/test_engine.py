from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.engine import PROJECT, EngineError, aws_out_of_reach, running_engine

# Says where both servers listen and what the directory is, then waits to be ended.
HOLD = """
from local.engine import running_engine
with running_engine() as engine:
    print(engine.endpoint_url, engine.stand_in_url, engine.directory, flush=True)
    input()
    raise SystemExit(1)
"""


def listens(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, None], ids=["SIGINT", "SIGTERM", "exception"])
def test_everything_is_stopped_however_the_block_ends(stop: signal.Signals | None) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        *urls, directory = process.stdout.readline().split()
        assert all(listens(url) for url in urls)
        if stop:
            process.send_signal(stop)
            process.wait(60)
        else:
            process.communicate("\n", timeout=60)

    assert process.returncode != 0
    assert not any(listens(url) for url in urls)
    assert not Path(directory).exists()


def test_a_command_that_fails_is_reported_with_what_it_printed() -> None:
    with running_engine() as engine, pytest.raises(EngineError, match=r"sam no-such-command failed.*(?s:.*)No such"):
        engine.sam("no-such-command")


def test_none_of_the_users_aws_settings_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "https://example.com")

    with aws_out_of_reach():
        assert "AWS_PROFILE" not in os.environ
        assert "AWS_ENDPOINT_URL_LAMBDA" not in os.environ
        assert os.environ["AWS_CONFIG_FILE"] == os.devnull

    assert os.environ["AWS_PROFILE"] == "production"
