"""The two servers of the local engine, and an environment from which no AWS account can be reached.

ministack is CloudFormation, Lambda, IAM, S3 and Logs in one process, the function in a worker of it. The stand-in for
Customer Profiles is `local.server`. Both listen on free ports of the loopback interface.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSRequest

from local.processes import ENVIRONMENTS, process_group, wait_until

ACCOUNT = "123456789012"
REGION = "eu-central-1"

ENGINE_LOG = "ministack.log"
STAND_IN_LOG = "stand-in.log"


@contextmanager
def running_stand_in(directory: Path, engine_url: str | None = None) -> Iterator[str]:
    """Serve the Customer Profiles stand-in while the block runs, logging to `directory`. Yield its URL.

    With an engine it refuses what the engine's policies do not allow; without one it allows everything.
    """
    command = [sys.executable, "-m", "local.server", "--port", "0"]
    if engine_url:
        command += ["--engine", engine_url]
    environment = os.environ | {"MOTO_ACCOUNT_ID": ACCOUNT}
    printed, log = directory / "stand-in.url", directory / STAND_IN_LOG
    with (
        printed.open("w") as stdout,
        log.open("w") as stderr,
        process_group(command, environment, stdout=stdout, stderr=stderr) as process,
    ):
        # It prints its URL and a newline as soon as it takes requests.
        wait_until("the stand-in", lambda: printed.read_text().endswith("\n"), process, log)
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
            # The function gets a session of its role, which may do what the role's policies allow. This environment's
            # own access key may do everything.
            "AUTH": "true",
            "LOG_LEVEL": "INFO",
            "TMPDIR": str(directory),
            # It would open fixed ports for these two.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            # It would remove every container of ministack's from a Docker daemon, also those of another run.
            "DOCKER_HOST": "unix:///nonexistent",
        }
        log = directory / ENGINE_LOG
        with (
            log.open("w") as output,
            process_group(command, environment, stdout=output, stderr=output, pass_fds=[listening.fileno()]) as process,
        ):
            wait_until("ministack", lambda: _answers(port, "/_ministack/ready"), process, log)
            yield f"http://127.0.0.1:{port}"


def client_of(url: str, service: str) -> Any:
    """A client of a service that one of the servers offers, with an administrator's permissions."""
    # A session of its own: the default one may remember the credentials of tests without a server.
    client = boto3.Session().client(service, endpoint_url=url)  # type: ignore[call-overload]
    # Many policies deny requests without TLS. With this header ministack treats a request as if it had come over TLS to
    # a proxy.
    client.meta.events.register("before-sign", _say_that_it_came_over_tls)
    return client


def _say_that_it_came_over_tls(request: AWSRequest, **_: Any) -> None:
    request.headers["X-Forwarded-Proto"] = "https"


@contextmanager
def aws_out_of_reach() -> Iterator[None]:
    """During the block, hide everything that could give this process and its children access to an AWS account."""
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


def _answers(port: int, path: str) -> bool:
    # Not urllib, which would use a proxy.
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
