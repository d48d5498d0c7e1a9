"""Shared by all tests: isolation from real AWS accounts, Hypothesis's settings, one local engine with the provider."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from local.artifact import Artifact, Interpreter, build_project
from local.engine import Engine, aws_out_of_reach, running_engine
from local.runtime import SAM_PYTHON

# A test may set its number of examples; all other settings are here. None of them measures time, so that the result
# does not depend on the machine's speed.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `make test`: every run of a commit tests the same examples.
settings.register_profile("test", _UNTIMED, derandomize=True, database=None, stateful_step_count=12)
# `make soak`: every run tests different examples, and many more.
settings.register_profile(
    "soak",
    _UNTIMED,
    derandomize=False,
    max_examples=int(os.environ.get("SOAK_SEQUENCES", "3000")),
    stateful_step_count=25,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))


def pytest_configure(config: pytest.Config) -> None:
    # Before any test module is imported: some make their clients at import.
    isolation = ExitStack()
    isolation.enter_context(aws_out_of_reach())
    config.add_cleanup(isolation.close)
    # A background job of a shell ignores Ctrl-C. Child processes would inherit that, but tests stop them with Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: the engine's tests, and those of the built function, wait for others."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that share a slow fixture in the same process (pytest-xdist), so that it is set up once."""
    for item in items:
        for shared in {"engine", "project"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(shared))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
    """Replace unpaired surrogates in captured output: pytest-xdist cannot send them between processes."""
    data: dict[str, Any] | None = _without_surrogates((yield))
    return data


def _without_surrogates(value: Any) -> Any:
    """The same value, also in its types: pytest expects the place of a skipped test as a tuple."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {key: _without_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(map(_without_surrogates, value))
    return value


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The function, built for Lambda's version of Python. Takes about 10 seconds, once."""
    return build_project(tmp_path_factory.mktemp("build") / "artifact", Interpreter.at(SAM_PYTHON))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The local engine with the provider deployed by `sam build` and `sam deploy`. Takes about 15 seconds, once."""
    with running_engine() as engine:
        engine.build_provider()
        engine.deploy_provider()
        yield engine
