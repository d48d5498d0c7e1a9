"""Runs a built function in Lambda's own runtime, on this machine and without Docker.

Lambda's Runtime Interface Emulator is inside the package aws-sam-cli, its runtime client is the package awslambdaric;
the environment .venv/sam has both. The function gets the environment variables that Lambda sets, its artifact, the
runtime client and Python's own library, and nothing else of this machine's Python.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import ipaddress
import json
import os
import platform
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

SAM_PYTHON = Path(__file__).resolve().parents[1] / ".venv" / "sam" / "bin" / "python"

# What the runtime client consists of, as modules to import.
_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")

_FIND = """
import importlib.util, json, sys
found = {name: importlib.util.find_spec(name) for name in sys.argv[1:]}
print(json.dumps({name: spec and spec.origin for name, spec in found.items()}))
"""


class RuntimeMissingError(Exception):
    """The emulator or the runtime client was not found."""


class Runtime:
    """An execution environment of a function, as Lambda would have it: cold until the first event, then warm.

    with Runtime(artifact, "handler.start.lambda_handler", environment={"POWERTOOLS_LOG_LEVEL": "DEBUG"}) as runtime:
        answer = runtime.invoke({"RequestType": "Create", ...})
        assert "..." in runtime.log
    """

    def __init__(
        self,
        artifact: Path,
        handler: str,
        *,
        environment: Mapping[str, str] | None = None,
        seconds: int = 300,
        python: Path = SAM_PYTHON,
        bootstrap: Sequence[str] = (),
    ) -> None:
        """`seconds` is the function's timeout, `python` an interpreter that has awslambdaric, if not that of SAM.

        `bootstrap` is the command that runs the function's process, for a function that isn't one of Python.
        """
        self._directory = tempfile.TemporaryDirectory(prefix="runtime-")
        folder = Path(self._directory.name)
        client = folder / "client"
        client.mkdir()
        for origin in _origins(python, _CLIENT):
            (client / origin.name).symlink_to(origin)
        self._address, runtime_api = _own_addresses(2)
        self._command = [
            str(_emulator()),
            f"--runtime-interface-emulator-address={':'.join(map(str, self._address))}",
            f"--runtime-api-address={':'.join(map(str, runtime_api))}",
            # Without site-packages: those of this environment have a boto3 of their own.
            *(bootstrap or (str(python), "-S", "-m", "awslambdaric")),
            handler,
        ]
        self._artifact = artifact
        self._environment = {
            **lambda_environment(artifact, handler, seconds),
            "PYTHONPATH": os.pathsep.join([str(artifact), str(client)]),
            **(environment or {}),
        }
        self._log = folder / "log"
        self._last_log = ""
        self._emulator: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Runtime:
        with self._log.open("wb") as log:
            self._emulator = subprocess.Popen(
                self._command,
                cwd=self._artifact,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(self._address):
                return self
            if self._emulator.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RuntimeMissingError(f"Lambda's emulator didn't start:\n{self.log}")
            time.sleep(0.002)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._emulator is not None:
            processes = [self._emulator.pid, *_children(self._emulator.pid)]
            for process in processes:  # each has a session of its own
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self._emulator.wait()
        self._last_log = self.log  # a failed test shows it
        self._directory.cleanup()

    def invoke(self, event: Mapping[str, Any], *, patience: float = 330) -> Any:
        """Invoke the function and wait. Returns what the function returned, or the error that Lambda would report."""
        connection = http.client.HTTPConnection(*self._address, timeout=patience)
        with contextlib.closing(connection):
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
            body = connection.getresponse().read()
        try:
            return json.loads(body)
        except ValueError:  # a timeout is reported as plain text
            return body.decode()

    @property
    def log(self) -> str:
        """All that the function and the emulator wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else self._last_log

    @property
    def peak_memory(self) -> int:
        """The most memory that the function's process has held, in KiB; 0 while there is none."""
        assert self._emulator
        for process in _children(self._emulator.pid):
            for line in Path(f"/proc/{process}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
        return 0


def lambda_environment(artifact: Path, handler: str, seconds: int) -> dict[str, str]:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
    return {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/function",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
        "LAMBDA_TASK_ROOT": str(artifact),
        "_HANDLER": handler,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        # Lambda's file system is read-only, so a run never finds the bytecode of an earlier run.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _emulator() -> Path:
    machine = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    (samcli,) = _origins(SAM_PYTHON, ("samcli",))
    return samcli / "local" / "rapid" / f"aws-lambda-rie-{machine}"


@functools.cache
def _origins(python: Path, modules: tuple[str, ...]) -> list[Path]:
    """The files or folders of these modules in that interpreter's environment."""
    try:
        found = subprocess.run([str(python), "-c", _FIND, *modules], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeMissingError(f"{python} can't be run; `make environments` makes it ({error})") from error
    origins: dict[str, str | None] = json.loads(found)
    missing = [name for name, origin in origins.items() if not origin]
    if missing:
        raise RuntimeMissingError(f"{python} has no {', '.join(missing)}; `make environments` makes one that has")
    paths = [Path(origin) for origin in origins.values() if origin]
    return [path.parent if path.name == "__init__.py" else path for path in paths]


def _own_addresses(count: int) -> list[tuple[str, int]]:
    """Different addresses and ports that are free, and stay free until the emulator listens on them.

    On 127.0.0.1 another process could take such a port in the meantime, and the emulator would end with "address
    already in use". So each emulator listens on its own address of the loopback network. (Linux has all of 127.0.0.0/8;
    the emulator runs on nothing else.)
    """
    own = str(ipaddress.IPv4Address("127.1.0.0") + secrets.randbelow(2**23))
    with contextlib.ExitStack() as held:
        servers = [held.enter_context(socket.create_server((own, 0))) for _ in range(count)]
        return [(own, int(server.getsockname()[1])) for server in servers]


def _children(process: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    return children
