"""Many domains asked for at once, of an API that takes only so many calls a second."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import events
from bench.contenders import Contender
from bench.endpoints import Endpoints
from bench.runtime import Runtime

ENVIRONMENTS = 12
CALLS_PER_SECOND = 5


@dataclass(frozen=True)
class Storm:
    """So many domains asked for at once, and what became of it."""

    domains: int
    made: int
    failed: int
    throttled: int
    seconds: float

    @property
    def limits_own_seconds(self) -> float:
        """What the limit itself dictates: a Create is one call, and the first second's worth is taken at once."""
        return (self.domains - CALLS_PER_SECOND) / CALLS_PER_SECOND


def measure(contender: Contender, endpoints: Endpoints, python: Path, *, sizes: list[int], rounds: int) -> list[Storm]:
    """Ask for that many domains at once, for each of the sizes so often as there are rounds."""
    with ExitStack() as stack:
        runtimes = [
            stack.enter_context(
                Runtime(contender.artifact, contender.handler, environment=endpoints.environment, python=python)
            )
            for _ in range(ENVIRONMENTS)
        ]
        endpoints.limit(None)
        _ask_for(ENVIRONMENTS * 2, runtimes, endpoints)  # a dozen cold starts on few cores would say nothing of the API
        storms = []
        for size in sizes:
            for _ in range(rounds):
                endpoints.limit(CALLS_PER_SECOND)
                storms.append(_ask_for(size, runtimes, endpoints))
        return storms


def _ask_for(domains: int, runtimes: list[Runtime], endpoints: Endpoints) -> Storm:
    endpoints.seen()
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for _ in range(domains):
        waiting.put(f"domain-{uuid.uuid4()}")

    def work(runtime: Runtime) -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            runtime.invoke(events.create(endpoints.response_url, name))

    started = time.monotonic()
    threads = [threading.Thread(target=work, args=[runtime]) for runtime in runtimes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = endpoints.seen()
    failed = [answer for answer, _ in seen.answers.values() if answer["Status"] != "SUCCESS"]
    last = max(arrived for _, arrived in seen.answers.values())
    return Storm(domains, seen.calls["CreateDomain"], len(failed), seen.throttled, last - started)
