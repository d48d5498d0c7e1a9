"""The time from event to answer, cold and warm. The functions run in turn, so the machine's load affects all alike."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from local import events
from local.artifact import Artifact
from local.endpoints import Endpoints
from local.runtime import Runtime


@dataclass
class Times:
    """The measurements of one function, in milliseconds and MiB."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def __iadd__(self, other: Times) -> Times:
        self.cold += other.cold
        self.warm += other.warm
        self.memory += other.memory
        return self


def measure(
    contenders: Sequence[Artifact], endpoints: Endpoints, python: Path, *, rounds: int, warm_events: int
) -> dict[str, Times]:
    """Measure Creates. In each round every function has one cold start."""
    times = {contender.name: Times() for contender in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            measured = _one_environment(contender, endpoints, python, warm_events)
            if number > 0:  # the first round loads the files into the system's cache
                times[contender.name] += measured
    return times


def _one_environment(contender: Artifact, endpoints: Endpoints, python: Path, warm_events: int) -> Times:
    endpoints.limit({})
    with Runtime(
        contender.folder,
        contender.handler,
        environment=endpoints.environment,
        python=python,
        bootstrap=contender.bootstrap,
    ) as runtime:
        # The process of the runtime itself starts with the first event, so that it is part of the cold start.
        cold, *warm = [_from_event_to_answer(contender, runtime, endpoints) for _ in range(1 + warm_events)]
        return Times([cold], [median(warm)] if warm else [], [runtime.peak_memory / 1024])


def _from_event_to_answer(contender: Artifact, runtime: Runtime, endpoints: Endpoints) -> float:
    make_event = events.create_by_cdk if contender.bootstrap else events.create
    event = make_event(endpoints.response_url, f"domain-{uuid.uuid4()}")
    started = time.monotonic()
    returned = runtime.invoke(event)
    try:
        answer, arrived = endpoints.seen().answers[event["RequestId"]]
    except KeyError:
        raise RuntimeError(f"No answer came, but {returned}\n{runtime.log}") from None
    if answer["Status"] != "SUCCESS":
        raise RuntimeError(f"Answered with {answer}\n{runtime.log}")
    return (arrived - started) * 1000
