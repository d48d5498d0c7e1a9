"""The version in template.yaml, for the Serverless Application Repository, is the changelog's latest release."""

from __future__ import annotations

import re

from cfnlint.decode import cfn_yaml

from local.engine import PROJECT


def test_the_changelogs_latest_release_is_the_templates_version() -> None:
    template = cfn_yaml.load(str(PROJECT / "template.yaml"))
    version = template["Metadata"]["AWS::ServerlessRepo::Application"]["SemanticVersion"]

    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", (PROJECT / "CHANGELOG.md").read_text(), re.M)
    assert releases[0] == version
