"""A stack for each test, and a client of the API to look at its domains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from local.engine import Engine
from tests.end_to_end.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient


@pytest.fixture
def stack(engine: Engine) -> Iterator[Stack]:
    yield from _fresh_stack(engine)


@pytest.fixture
def other_stack(engine: Engine) -> Iterator[Stack]:
    yield from _fresh_stack(engine)


def _fresh_stack(engine: Engine) -> Iterator[Stack]:
    stack = Stack(engine, f"stack-{uuid4()}")
    yield stack
    print(engine.diagnosis())  # pytest shows it when the test failed
    if engine.status(stack.name):
        stack.delete()


@pytest.fixture
def api(engine: Engine) -> Iterator[CustomerProfilesClient]:
    """The Customer Profiles API. Domains that a test leaves are removed after it."""
    client = engine.customer_profiles
    yield client
    for item in client.list_domains()["Items"]:
        client.delete_domain(DomainName=item["DomainName"])


@pytest.fixture
def name() -> str:
    """A domain's name that no other test uses."""
    return f"amazon-connect-{uuid4()}"
