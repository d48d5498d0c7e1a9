"""The suite runs in several processes. Tests that share a slow fixture must run in the same one."""

from __future__ import annotations

import os

import pytest


@pytest.mark.usefixtures("engine")
def test_all_tests_that_use_the_engine_run_in_one_process(request: pytest.FixtureRequest) -> None:
    assert "PYTEST_XDIST_WORKER" not in os.environ or request.node.nodeid.endswith("@engine")
