"""The provider's template, checked with the SAM CLI."""

from __future__ import annotations

import pytest

from local.engine import PROJECT, PROVIDER_STACK, Engine

pytestmark = pytest.mark.end_to_end


def test_sam_validate_with_lint_finds_no_problem(engine: Engine) -> None:
    assert "is a valid SAM Template" in engine.sam("validate", "--lint", "--template", str(PROJECT / "template.yaml"))


def test_the_service_token_is_exported_with_the_stacks_name(engine: Engine) -> None:
    exports = {export["Name"]: export["Value"] for export in engine.cloudformation.list_exports()["Exports"]}

    assert exports[f"{PROVIDER_STACK}-ServiceToken"] == engine.outputs(PROVIDER_STACK)["ServiceToken"]
