"""The artifact that the recipe builds, and the endpoints that it talks to in Lambda's own runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.artifact import Artifact, Interpreter
from local.certificates import make_certificates
from local.endpoints import Endpoints
from local.runtime import SAM_PYTHON


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    """The Python that the function is built for and runs with here."""
    return Interpreter.at(SAM_PYTHON)


@pytest.fixture(scope="session")
def artifact(project: Artifact) -> Path:
    return project.folder


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    with Endpoints(make_certificates(tmp_path_factory.mktemp("certificates"))) as endpoints:
        yield endpoints
