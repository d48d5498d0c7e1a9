"""GitHub workflows use actions pinned to a commit, and have only the permissions that they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.engine import PROJECT

WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit(path: Path) -> None:
    used = re.findall(r"uses: (?!\./)(\S+)", path.read_text())

    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used), used


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_the_sources_and_only_a_release_may_write(path: Path) -> None:
    workflow: dict[str, Any] = yaml.safe_load(path.read_text())

    assert workflow["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert more in ({}, {"release": {"contents": "write"}})


def test_ci_runs_on_every_python_that_the_project_names() -> None:
    workflow = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text())

    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
