"""Advice: what the API takes, but probably not what was meant. It is no error: a line in the log, a linter's note."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from handler.problems import Problem, quoted
from handler.properties import CONNECT_PREFIX, Desired, is_usable_by_connect


def find(desired: Desired) -> list[Problem]:
    """The advice for these properties, each with the path of the property that it is about."""
    return [Problem((name,), text) for name, advise in _ADVICE for text in advise(desired)]


def _name(desired: Desired) -> Iterator[str]:
    if desired.name and not is_usable_by_connect(desired.name):
        yield (
            f"{quoted(desired.name)} can't be used by a Connect instance: its domain's name has to begin with "
            f"{CONNECT_PREFIX}, and another name later means another domain"
        )


def _key(desired: Desired) -> Iterator[str]:
    key = str(desired.settings.get("DefaultEncryptionKey", ""))
    if key.startswith("alias/") or ":alias/" in key:
        yield (
            f"{quoted(key)} is an alias: if the API reports the key by its ARN, every update sends the alias again; "
            "give the key's ARN (!GetAtt Key.Arn)"
        )


def _queue(desired: Desired) -> Iterator[str]:
    queue = str(desired.settings.get("DeadLetterQueueUrl", ""))
    if queue.startswith("arn:"):
        yield f"{quoted(queue)} is an ARN, and the API asks for the queue's URL (!Ref Queue)"


def _tags(desired: Desired) -> Iterator[str]:
    if desired.tags.keys() == {"Key", "Value"}:
        yield "is one map, so the tags are named Key and Value; a list of tags has a dash in front of each Key"


_ADVICE: tuple[tuple[str, Callable[[Desired], Iterator[str]]], ...] = (
    ("DomainName", _name),
    ("DefaultEncryptionKey", _key),
    ("DeadLetterQueueUrl", _queue),
    ("Tags", _tags),
)
