"""Runs a CloudFormation engine and the Customer Profiles stand-in on this machine, and stacks on them.

    with running_engine() as engine:
        engine.build_provider()
        engine.deploy_provider()
        for event in engine.deploy("customers", template):
            print(event.status, event.logical_id, event.reason)
        engine.customer_profiles.get_domain(DomainName="customers")

The engine is ministack: CloudFormation, Lambda, IAM, S3 and Logs in one process, the function in a worker of it. The
stand-in is `local.server`. Both listen on free ports of the loopback interface, and both are gone when the block is
left, however it is left: normally, by an exception, by Ctrl-C or by SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef
    from mypy_boto3_customer_profiles import CustomerProfilesClient
    from mypy_boto3_logs import CloudWatchLogsClient

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = PROJECT / ".venv"

ACCOUNT = "123456789012"
REGION = "eu-central-1"
# samconfig.toml and the ServiceToken that the examples import name the stack so, too.
PROVIDER_STACK = "customer-profiles-domain-provider"

ENGINE_LOG = "ministack.log"

POLL_SECONDS = 0.1
START_SECONDS = 60
STOP_SECONDS = 5
SAM_SECONDS = 600
STACK_SECONDS = 90

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EngineError(Exception):
    """Something of the local engine did not start, did not end or failed; the message has its last output."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived. A KeyboardInterrupt, since pytest stops for that and takes SystemExit for a failed test."""


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's history."""

    time: str
    logical_id: str
    resource_type: str
    status: str
    reason: str
    physical_id: str

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")


@dataclass(frozen=True)
class Engine:
    """What `running_engine` yields: where things listen, and what can be done there."""

    endpoint_url: str
    stand_in_url: str
    directory: Path = field(repr=False)

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment in which an AWS tool talks to the engine."""
        return os.environ | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_CUSTOMER_PROFILES": self.stand_in_url,
            # SAM asks its own registry for a newer version once a week, unless it finds that it did.
            "__SAM_CLI_APP_DIR": str(self._sam_directory()),
            "SAM_CLI_TELEMETRY": "0",
        }

    def client(self, service: str) -> Any:
        """A client of one of the engine's services, such as IAM."""
        return boto3.client(service, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        return boto3.client("cloudformation", endpoint_url=self.endpoint_url)

    @cached_property
    def customer_profiles(self) -> CustomerProfilesClient:
        return boto3.client("customer-profiles", endpoint_url=self.stand_in_url)

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return boto3.client("logs", endpoint_url=self.endpoint_url)

    def sam(self, *arguments: str) -> str:
        """Run SAM in the project's directory and return what it printed.

        Raises:
            EngineError: It failed, or took longer than ten minutes.
        """
        command = [str(ENVIRONMENTS / "sam/bin/sam"), *arguments]
        with (
            tempfile.TemporaryFile("w+") as output,
            _process_group(command, self.environment, stdout=output, stderr=output) as process,
        ):
            try:
                code = process.wait(SAM_SECONDS)
            except subprocess.TimeoutExpired:
                code = None
            output.seek(0)
            printed = output.read()
        if code != 0:
            how = f"took longer than {SAM_SECONDS} s" if code is None else f"failed with exit code {code}"
            raise EngineError(f"sam {arguments[0]} {how}:\n{printed}")
        return printed

    def build_provider(self) -> None:
        """`sam build` of template.yaml, into a directory of this engine's own."""
        self.sam("build", "--build-dir", str(self._build_directory))

    def deploy_provider(self) -> str:
        """`sam deploy` of what `build_provider` built. Return the ServiceToken."""
        self.sam(
            "deploy",
            # SAM looks for its configuration beside the template.
            *("--config-file", str(PROJECT / "samconfig.toml")),
            *("--template-file", str(self._build_directory / "template.yaml")),
            *("--stack-name", PROVIDER_STACK),
            *("--parameter-overrides", f"CustomerProfilesEndpoint={self.stand_in_url}"),
        )
        return self.outputs(PROVIDER_STACK)["ServiceToken"]

    def deploy(
        self, stack_name: str, template: str | Mapping[str, object], parameters: Mapping[str, str] | None = None
    ) -> Iterator[StackEvent]:
        """Create the stack, or update it if it exists, and yield its events as they happen until the end.

        How it ended is the last event's status.

        Raises:
            EngineError: It has not ended within a minute and a half.
        """
        token = str(uuid.uuid4())
        client = self.cloudformation
        create_or_update = client.create_stack if self.status(stack_name) is None else client.update_stack
        stack_id = create_or_update(
            StackName=stack_name,
            TemplateBody=template if isinstance(template, str) else json.dumps(template),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            ClientRequestToken=token,
        )["StackId"]
        yield from self._events(stack_id, token)

    def delete(self, stack_name: str) -> Iterator[StackEvent]:
        """Delete the stack and yield its events as they happen until the end; as `deploy`."""
        token = str(uuid.uuid4())
        # A deleted stack is known by its id only.
        stack_id = self.cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]["StackId"]
        self.cloudformation.delete_stack(StackName=stack_id, ClientRequestToken=token)
        yield from self._events(stack_id, token)

    def status(self, stack_name: str) -> str | None:
        """The stack's status, or None when there is no such stack."""
        try:
            return self.cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise

    def outputs(self, stack_name: str) -> dict[str, str]:
        """The stack's outputs."""
        stack = self.cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def function_log(self) -> list[str]:
        """Everything that the function has logged, oldest first."""
        resource = self.cloudformation.describe_stack_resource(StackName=PROVIDER_STACK, LogicalResourceId="LogGroup")
        group = resource["StackResourceDetail"]["PhysicalResourceId"]
        events = self.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"].rstrip() for page in events for event in page["events"]]

    def diagnosis(self, count: int = 20) -> str:
        """The last lines of the function's log, and the engine's own errors: for when a stack failed."""
        try:
            function = self.function_log()[-count:]
        except ClientError:
            function = ["none: it is not deployed"]
        # A function that can't be imported never gets to log.
        engine = [line for line in self._engine_log.read_text().splitlines() if " ERROR " in line][-count:]
        return "\n".join(["The function's log:", *function, "The engine's errors:", *(engine or ["none"])])

    def _events(self, stack_id: str, token: str) -> Iterator[StackEvent]:
        seen: set[str] = set()
        deadline = time.monotonic() + STACK_SECONDS
        while True:
            # The status before the events: when it says that all is over, the events that follow are complete.
            status = self.cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]
            pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
            events = [event for page in pages for event in page["StackEvents"]]
            for event in reversed(events):
                if event.get("ClientRequestToken") == token and event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    yield _stack_event(event)
            if not status.endswith("_IN_PROGRESS"):
                return
            if time.monotonic() > deadline:
                raise EngineError(f"{stack_id} is still {status} after {STACK_SECONDS} s")
            time.sleep(POLL_SECONDS)

    @property
    def _engine_log(self) -> Path:
        return self.directory / ENGINE_LOG

    @property
    def _build_directory(self) -> Path:
        return self.directory / "build"

    def _sam_directory(self) -> Path:
        directory = self.directory / "sam"
        directory.mkdir(exist_ok=True)
        (directory / "metadata.json").write_text(json.dumps({"lastVersionCheck": time.time()}))
        return directory


@contextmanager
def running_engine() -> Iterator[Engine]:
    """Start the stand-in and ministack, wait until both answer, and stop them when the block is left.

    Raises:
        EngineError: One of them did not start.
        Terminated: SIGTERM arrived within the block (from the main thread only).
    """
    with (
        _sigterm_raises(),
        aws_out_of_reach(),
        tempfile.TemporaryDirectory(prefix="customer-profiles-domain-", ignore_cleanup_errors=True) as directory,
        running_stand_in(Path(directory)) as stand_in_url,
        running_ministack(Path(directory)) as endpoint_url,
    ):
        yield Engine(endpoint_url, stand_in_url, Path(directory))


@contextmanager
def running_stand_in(directory: Path) -> Iterator[str]:
    """Serve the Customer Profiles stand-in while the block runs, logging to `directory`. Yield its URL."""
    command = [str(ENVIRONMENTS / "test/bin/python"), "-m", "local.server", "--port", "0"]
    environment = os.environ | {"MOTO_ACCOUNT_ID": ACCOUNT}
    printed, log = directory / "stand-in.url", directory / "stand-in.log"
    with (
        printed.open("w") as stdout,
        log.open("w") as stderr,
        _process_group(command, environment, stdout=stdout, stderr=stderr) as process,
    ):
        # It prints its URL and a newline as soon as it takes requests.
        _wait_until("the stand-in", lambda: printed.read_text().endswith("\n"), process, log)
        yield printed.read_text().strip()


@contextmanager
def running_ministack(directory: Path) -> Iterator[str]:
    """Run ministack while the block runs, with its log and all temporary files in `directory`. Yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # ministack takes a port number only. Served by its own web server on a socket that is open already, there is no
        # moment in which another process could take the port.
        port = listening.getsockname()[1]
        command = [
            *(str(ENVIRONMENTS / "engine/bin/python"), "-m", "hypercorn", "ministack.app:app"),
            *("--bind", f"fd://{listening.fileno()}", "--workers", "0"),
        ]
        environment = os.environ | {
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "LOG_LEVEL": "INFO",
            "TMPDIR": str(directory),
            # It opens fixed ports for these two unless told not to.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            # It removes every container of ministack's from a Docker daemon that it finds: they may be somebody's.
            "DOCKER_HOST": "unix:///nonexistent",
        }
        log = directory / ENGINE_LOG
        with (
            log.open("w") as output,
            _process_group(
                command, environment, stdout=output, stderr=output, pass_fds=[listening.fileno()]
            ) as process,
        ):
            _wait_until("ministack", lambda: _answers(port, "/_ministack/ready"), process, log)
            yield f"http://127.0.0.1:{port}"


@contextmanager
def aws_out_of_reach() -> Iterator[None]:
    """While the block runs, keep this process and its children from everything that could lead to an AWS account."""
    original = dict(os.environ)
    kept = {name: value for name, value in original.items() if not name.startswith(("AWS_", "SAM_CLI_"))}
    no_proxy = ",".join(filter(None, (kept.get("NO_PROXY"), kept.get("no_proxy"), "127.0.0.1,localhost")))
    _replace_environment(
        kept
        | {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }
    )
    try:
        yield
    finally:
        _replace_environment(original)


def _replace_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _stack_event(event: StackEventTypeDef) -> StackEvent:
    return StackEvent(
        time=event["Timestamp"].strftime("%H:%M:%S"),
        logical_id=event.get("LogicalResourceId", ""),
        resource_type=event.get("ResourceType", ""),
        status=event.get("ResourceStatus", ""),
        reason=event.get("ResourceStatusReason", ""),
        physical_id=event.get("PhysicalResourceId", ""),
    )


def _wait_until(name: str, ready: Callable[[], bool], process: subprocess.Popen[str], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None:
            raise EngineError(f"{name} ended with exit code {process.returncode}:\n{_last_lines(log)}")
        if time.monotonic() > deadline:
            raise EngineError(f"{name} does not answer after {START_SECONDS} s:\n{_last_lines(log)}")
        time.sleep(POLL_SECONDS)


def _last_lines(log: Path, count: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def _answers(port: int, path: str) -> bool:
    # Not urllib, which would ask a proxy.
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def _process_group(
    command: list[str],
    environment: Mapping[str, str],
    *,
    pass_fds: Sequence[int] = (),
    stdout: IO[str],
    stderr: IO[str],
) -> Iterator[subprocess.Popen[str]]:
    """Run a command while the block runs. It and whatever it started are gone when the block is left."""
    # A group of its own, so that the terminal's Ctrl-C reaches this process only, which then stops the others in order.
    with _stop_signals_held_back():
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
        with _stop_signals_held_back():
            _stop_group(process)


def _stop_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    # The leader may have left somebody behind; its number stays the group's for as long as anybody is in it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _stop_signals_held_back() -> Iterator[None]:
    """Let SIGINT and SIGTERM take effect only when the block ends: they must not leave a process nobody knows of."""
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


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Make SIGTERM unwind the stack as Ctrl-C does; Python would end at once, without stopping anything."""
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
