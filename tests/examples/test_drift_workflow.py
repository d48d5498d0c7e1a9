"""The nightly drift workflow: it runs the existing command, with only the permissions that it needs."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml

from local.engine import PROJECT
from tools.drift.__main__ import command_line

TEXT = (PROJECT / "examples/github-actions/drift.yml").read_text()
WORKFLOW: dict[str, Any] = yaml.safe_load(TEXT)


def test_it_runs_the_command_with_existing_options() -> None:
    last = WORKFLOW["jobs"]["drift"]["steps"][-1]["run"]
    program, _, module, *arguments = shlex.split(last)

    assert (program, module) == (".venv/test/bin/python", "tools.drift")
    assert command_line().parse_args(arguments).all


def test_it_uses_the_same_pinned_actions_as_this_projects_workflows() -> None:
    used = re.findall(r"uses: (.*)", TEXT)

    own = (PROJECT / ".github/workflows/ci.yml").read_text()
    assert used
    assert all(f"uses: {action}" in own for action in used)


def test_it_may_only_read_the_sources_and_get_a_token() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read", "id-token": "write"}
