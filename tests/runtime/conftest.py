"""The built function in Lambda's own runtime, between an API that hangs on command and a mailbox for its answers."""

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
    # Not above: the function makes its client when it is imported, in the environment that tests/conftest.py has yet to
    # set.
    from tests.handler.cloudformation import Mailbox

    mailbox = Mailbox()
    yield mailbox
    mailbox.close()
