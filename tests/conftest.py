"""What all tests share: no way to a real AWS account, Hypothesis's settings, and one local engine with the provider."""

from __future__ import annotations

import json
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

# A test may say how many examples it needs; everything else is set here, once. No setting measures time, so that a slow
# machine gives the same verdict as a fast one.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `make test`: every run of a commit tests the same examples.
settings.register_profile("test", _UNTIMED, derandomize=True, database=None, stateful_step_count=12)
# `make soak`: every run tests others, and many more.
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
    # A shell's background job ignores Ctrl-C, and so would the processes that tests start and end with it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share something slow to make run in the same process, which makes it once (pytest-xdist)."""
    for item in items:
        for shared in {"engine", "project"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(shared))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
    """What a test captured may hold half a surrogate pair, which pytest-xdist can't send from process to process."""
    data = yield
    return json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")) if data else data


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The function as it is built for Lambda's own version of Python: some 10 seconds, once."""
    return build_project(tmp_path_factory.mktemp("build") / "artifact", Interpreter.at(SAM_PYTHON))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The local engine with the provider deployed by `sam build` and `sam deploy`: some 15 seconds, once."""
    with running_engine() as engine:
        engine.build_provider()
        engine.deploy_provider()
        yield engine
