"""The provider's template, as SAM and the person who deploys it see it."""

from __future__ import annotations

import pytest

from local.engine import PROJECT, PROVIDER_STACK, Engine

pytestmark = pytest.mark.end_to_end


def test_sam_validate_with_its_linter_finds_nothing(engine: Engine) -> None:
    assert "is a valid SAM Template" in engine.sam("validate", "--lint", "--template", str(PROJECT / "template.yaml"))


def test_the_service_token_is_exported_under_the_stacks_name(engine: Engine) -> None:
    exports = {export["Name"]: export["Value"] for export in engine.cloudformation.list_exports()["Exports"]}

    assert exports[f"{PROVIDER_STACK}-ServiceToken"] == engine.outputs(PROVIDER_STACK)["ServiceToken"]
