"""Runs other programs during a block, and stops them at its end.

`process_group` stops the program and all its child processes, also after an exception, Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

PROJECT = Path(__file__).resolve().parent.parent
# One environment for the tests, one for SAM, one for the local engine: see requirements/.
ENVIRONMENTS = PROJECT / ".venv"

POLL_SECONDS = 0.1
START_SECONDS = 120  # even a slow machine is faster, unless something hangs
STOP_SECONDS = 5

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EngineError(Exception):
    """A program or a stack did not start, did not end or failed; the message has the last output."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived. It is a KeyboardInterrupt because that stops pytest; a SystemExit would only fail one test."""


@contextmanager
def process_group(
    command: list[str],
    environment: Mapping[str, str],
    *,
    pass_fds: Sequence[int] = (),
    stdout: IO[str],
    stderr: IO[str],
) -> Iterator[subprocess.Popen[str]]:
    """Run a command during the block. At the end of the block it and its child processes are stopped."""
    # A group of its own, so that the terminal's Ctrl-C reaches this process only, which then stops the others in order.
    with stop_signals_held_back():
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with stop_signals_held_back():
            _stop_group(process)


def run(command: list[str], environment: Mapping[str, str], *, seconds: float) -> str:
    """Run a command until it ends and return its output.

    Raises:
        EngineError: It failed, or took longer.
    """
    with (
        tempfile.TemporaryFile("w+") as output,
        process_group(command, environment, stdout=output, stderr=output) as process,
    ):
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        output.seek(0)
        printed = output.read()
    if code != 0:
        how = f"took longer than {seconds} s" if code is None else f"failed with exit code {code}"
        raise EngineError(f"{Path(command[0]).name} {command[1]} {how}:\n{printed}")
    return printed


def wait_until(name: str, ready: Callable[[], bool], process: subprocess.Popen[str], log: Path) -> None:
    """Wait until a program that was just started is ready.

    Raises:
        EngineError: It ended, or is not ready after a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None:
            raise EngineError(f"{name} ended with exit code {process.returncode}:\n{_last_lines(log)}")
        if time.monotonic() > deadline:
            raise EngineError(f"{name} does not answer after {START_SECONDS} s:\n{_last_lines(log)}")
        time.sleep(POLL_SECONDS)


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Make SIGTERM raise an exception as Ctrl-C does. By default Python would end without stopping other programs."""
    if not _in_main_thread():
        yield
        return

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    original = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, original)


@contextmanager
def stop_signals_held_back() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the end of the block, so that it is not interrupted."""
    if not _in_main_thread():
        yield
        return
    arrived: list[int] = []
    originals = {
        number: signal.signal(number, lambda number, _frame: arrived.append(number)) for number in STOP_SIGNALS
    }
    try:
        yield
    finally:
        for stop_signal, original in originals.items():
            signal.signal(stop_signal, original)
        if arrived:
            signal.raise_signal(arrived[0])


def _stop_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    # The leader may have left other processes; the group keeps its number until the last one ends.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_lines(log: Path, count: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
