"""The artifact that the recipe builds, and the endpoints that it talks to in Lambda's own runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.certificates import make_certificates
from bench.contenders import Contender, Interpreter
from bench.endpoints import Endpoints
from bench.runtime import SAM_PYTHON


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    """The Python that the function is built for and runs with here."""
    return Interpreter.at(SAM_PYTHON)


@pytest.fixture(scope="session")
def artifact(project: Contender) -> Path:
    return project.artifact


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    with Endpoints(make_certificates(tmp_path_factory.mktemp("certificates"))) as endpoints:
        yield endpoints
