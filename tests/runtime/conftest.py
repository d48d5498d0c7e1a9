"""The built function in Lambda's own runtime, with an API that can hold calls, and a mailbox for the answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.runtime.api import Api

if TYPE_CHECKING:
    from tests.handler.cloudformation import Mailbox


@pytest.fixture
def api() -> Iterator[Api]:
    """The stand-in, empty."""
    with Api() as api:
        yield api


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    # Imported here, since the import creates the function's client. tests/conftest.py must set the environment before.
    from tests.handler.cloudformation import Mailbox

    mailbox = Mailbox()
    yield mailbox
    mailbox.close()
