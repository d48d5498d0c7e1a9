"""Counts the API calls of each kind of event, and lists how many each may make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import events
from local.artifact import Artifact
from local.endpoints import Endpoints
from local.runtime import Runtime


@dataclass(frozen=True)
class Calls:
    """An event, the calls that it made, and how many it may make."""

    event: str
    made: list[str]
    budget: int


def count(contender: Artifact, endpoints: Endpoints, python: Path) -> list[Calls]:
    """Send an event of every kind and count the requests that arrive at the API."""
    endpoints.limit({})
    counted = []
    with Runtime(contender.folder, contender.handler, environment=endpoints.environment, python=python) as runtime:
        for description, budget, event in _events(endpoints.response_url):
            returned = runtime.invoke(event)
            seen = endpoints.seen()
            answer = seen.answers.get(event["RequestId"], (returned, 0.0))[0]
            if answer.get("Status") != "SUCCESS":
                raise RuntimeError(f"{description}: {answer}\n{runtime.log}")
            counted.append(Calls(description, sorted(seen.calls.elements()), budget))
    return counted


def _events(url: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Each kind of event, with the number of calls that it may make at most."""
    made = events.create(url, "one", Tags={"team": "a", "stage": "test"})
    yield "Create", 1, made
    yield "Create, the same event again", 2, made
    kept = made["ResourceProperties"]["Tags"]
    yield "Update, nothing to change", 1, events.update(url, made, "one", Tags=kept)
    changed = events.update(url, made, "one", DefaultExpirationDays="30", Tags=kept)
    yield "Update of a property", 2, changed
    changed = events.update(url, changed, "one", DefaultExpirationDays="60", Tags={**kept, "owner": "b"})
    yield "Update of a property and a tag", 3, changed
    changed = events.update(url, changed, "one", DefaultExpirationDays="90", Tags={"team": "c"})
    yield "Update of a property, a tag changed, others removed", 4, changed
    renamed = events.update(url, changed, "another", DefaultExpirationDays="90", Tags={"team": "c"})
    yield "Update to a new name (replacement)", 1, renamed
    yield "Delete of the replaced domain", 2, events.delete(url, changed)
    yield "Delete", 2, events.delete(url, renamed)
    yield "Delete of a domain that is gone", 1, events.delete(url, renamed)
