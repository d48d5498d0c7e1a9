"""What all tests share: no way to a real AWS account, and one local engine with the provider deployed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from local.engine import Engine, aws_out_of_reach, running_engine


def pytest_configure(config: pytest.Config) -> None:
    # Before any test module is imported: some make their clients at import.
    isolation = ExitStack()
    isolation.enter_context(aws_out_of_reach())
    config.add_cleanup(isolation.close)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The local engine with the provider deployed by `sam build` and `sam deploy`: some 15 seconds, once."""
    with running_engine() as engine:
        engine.build_provider()
        engine.deploy_provider()
        yield engine
