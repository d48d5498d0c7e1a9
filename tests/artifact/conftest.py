"""The built artifact, and the endpoints that it calls when it runs in Lambda's runtime."""

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
    """The Python for which the function is built, and with which it runs here."""
    return Interpreter.at(SAM_PYTHON)


@pytest.fixture(scope="session")
def artifact(project: Artifact) -> Path:
    return project.folder


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    with Endpoints(make_certificates(tmp_path_factory.mktemp("certificates"))) as endpoints:
        yield endpoints
