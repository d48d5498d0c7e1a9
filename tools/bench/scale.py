"""Creates, changes and deletes many domains at once, with an API that limits the calls a second."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import events
from local.artifact import Artifact
from local.customerprofiles.quotas import CALLS_PER_SECOND
from local.endpoints import Endpoints
from tools.bench.environments import invoke_at_once


@dataclass(frozen=True)
class Storm:
    """The result of many events of one kind at once."""

    events: str
    domains: int
    done: int
    failed: int
    throttled: int
    seconds: float
    quota_seconds: float


def measure(artifact: Artifact, endpoints: Endpoints, python: Path, *, sizes: Sequence[int]) -> Iterator[Storm]:
    """For each size create that many domains at once, then change them at once, then delete them at once."""
    for size in sizes:
        endpoints.limit(CALLS_PER_SECOND)
        url = endpoints.response_url
        made = [events.create(url, f"amazon-connect-{number}") for number in range(size)]
        changed = [
            events.update(url, event, event["ResourceProperties"]["DomainName"], DefaultExpirationDays="30")
            for event in made
        ]
        yield _storm("Create", made, ["CreateDomain"], artifact, endpoints, python)
        yield _storm("Update of a property", changed, ["GetDomain", "UpdateDomain"], artifact, endpoints, python)
        deleted = [events.delete(url, event) for event in changed]
        yield _storm("Delete", deleted, ["GetDomain", "DeleteDomain"], artifact, endpoints, python)


def _storm(
    name: str,
    sent: Sequence[Mapping[str, Any]],
    operations: Sequence[str],
    artifact: Artifact,
    endpoints: Endpoints,
    python: Path,
) -> Storm:
    """Send the events at once. Each must call each operation once, in this order."""
    endpoints.seen()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        invoke_at_once(artifact, python, endpoints.environment, sent, Path(folder) / "log")
    seen = endpoints.seen()
    return Storm(
        name,
        len(sent),
        seen.calls[operations[-1]],
        sum(answer["Status"] != "SUCCESS" for answer, _ in seen.answers.values()),
        seen.throttled,
        max(arrived for _, arrived in seen.answers.values()) - started,
        max(_quota_seconds(operation, len(sent)) for operation in operations),
    )


def _quota_seconds(operation: str, calls: int) -> float:
    """The shortest time that the quota allows. The calls of the first second can all be made at once."""
    rate = CALLS_PER_SECOND[operation]
    return max(0.0, (calls - rate) / rate)
