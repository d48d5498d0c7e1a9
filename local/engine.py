"""Runs a CloudFormation engine and the Customer Profiles stand-in on this machine, and stacks on them.

    with running_engine() as engine:
        engine.build_provider()
        engine.deploy_provider()
        for event in engine.deploy("customers", template):
            print(event.status, event.logical_id, event.reason)
        engine.customer_profiles.get_domain(DomainName="amazon-connect-customers")

The engine is ministack. Both listen on free ports of the loopback interface. Both are stopped at the end of the block,
also after an exception, Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.processes import ENVIRONMENTS, PROJECT, EngineError, Terminated, sigterm_raises
from local.servers import ACCOUNT, ENGINE_LOG, REGION, aws_out_of_reach, client_of, running_ministack, running_stand_in
from local.stacks import StackEvent, Stacks

__all__ = [
    "ACCOUNT",
    "ENVIRONMENTS",
    "PROJECT",
    "PROVIDER_STACK",
    "REGION",
    "Engine",
    "EngineError",
    "StackEvent",
    "Terminated",
    "aws_out_of_reach",
    "running_engine",
    "running_stand_in",
]

# samconfig.toml and the ServiceToken that the examples import name the stack so, too.
PROVIDER_STACK = "customer-profiles-domain-provider"


@dataclass(frozen=True)
class Engine(Stacks):
    """The running engine and stand-in: their addresses, and operations on stacks."""

    endpoint_url: str
    stand_in_url: str
    directory: Path = field(repr=False)
    account: str = ACCOUNT
    region: str = REGION
    provider_stack: str = PROVIDER_STACK
    key: str = ""
    poll_seconds: float = 0.1
    stack_seconds: float = 90

    def client(self, service: str) -> Any:
        """A client of one of the engine's services, with an administrator's permissions."""
        url = self.stand_in_url if service == "customer-profiles" else self.endpoint_url
        return client_of(url, service)

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_CUSTOMER_PROFILES": self.stand_in_url,
            # handler/Makefile: the engine runs functions with its own Python, whichever runtime they name.
            "COMPILE_FOR": str(ENVIRONMENTS / "engine/bin/python"),
        }

    @property
    def provider_parameters(self) -> dict[str, str]:
        return {"CustomerProfilesEndpoint": self.stand_in_url}

    def diagnosis(self, count: int = 20) -> str:
        """The last lines of the function's log, and the engine's own errors: for when a stack failed."""
        # A function that cannot be imported logs nothing itself.
        log = (self.directory / ENGINE_LOG).read_text()
        errors = [line for line in log.splitlines() if " ERROR " in line][-count:]
        return "\n".join([super().diagnosis(count), "The engine's errors:", *(errors or ["none"])])


@contextmanager
def running_engine() -> Iterator[Engine]:
    """Start ministack and the stand-in, wait until both answer, and stop them when the block is left.

    Raises:
        EngineError: One of them did not start.
        Terminated: SIGTERM arrived within the block (from the main thread only).
    """
    with (
        sigterm_raises(),
        aws_out_of_reach(),
        tempfile.TemporaryDirectory(prefix="customer-profiles-domain-", ignore_cleanup_errors=True) as directory,
        running_ministack(Path(directory)) as endpoint_url,
        running_stand_in(Path(directory), endpoint_url) as stand_in_url,
    ):
        yield Engine(endpoint_url, stand_in_url, Path(directory))
