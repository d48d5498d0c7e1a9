"""Of a developer's settings for pip only those about the package index have an effect on a build."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from handler import package_index
from local.artifact import PROJECT

SCRIPT = PROJECT / "handler" / "package_index.py"

# With each of them `pip install --target` fails, installs nothing, or installs something else.
HARMFUL = {
    "require-virtualenv": "1",
    "user": "1",
    "prefix": "/nowhere/prefix",
    "target": "/nowhere/target",
    "constraint": "/nowhere/constraints.txt",
    "dry-run": "1",
    "no-binary": ":all:",
    "pre": "1",
}
ABOUT_THE_INDEX = {
    "index-url": "https://packages.example.com/simple",
    "extra-index-url": "https://more.example.com/simple https://others.example.com/simple",
    "find-links": "/opt/wheels",
    "trusted-host": "packages.example.com",
    "cert": "/etc/ssl/company.pem",
    "proxy": "http://proxy.example.com:3128",
}


def seen_by_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of a pip that runs under the script."""
    command = [sys.executable, str(SCRIPT), sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, env=dict(environ), capture_output=True, text=True, check=True)
    seen = package_index.parsed(done.stdout)
    assert seen.pop("config-file") == os.devnull
    return seen


@pytest.fixture
def clean() -> dict[str, str]:
    """This process's environment without pip's variables and files; a file for the whole machine can't be left out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**kept, "PIP_CONFIG_FILE": os.devnull}


def test_environment_variables_that_change_what_is_installed_are_removed(
    clean: dict[str, str],
) -> None:
    harmful = {"PIP_" + name.upper().replace("-", "_"): value for name, value in HARMFUL.items()}

    seen = seen_by_pip({**clean, **harmful, "PIP_PROXY": ABOUT_THE_INDEX["proxy"]})

    assert seen == {"proxy": ABOUT_THE_INDEX["proxy"]}


@pytest.mark.parametrize("section", ["global", "install"])
def test_only_the_index_settings_of_a_pip_conf_are_kept(clean: dict[str, str], tmp_path: Path, section: str) -> None:
    lines = [f"{name} = {value}" for name, value in {**HARMFUL, **ABOUT_THE_INDEX}.items()]
    (tmp_path / "pip.conf").write_text("\n".join([f"[{section}]", *lines]))

    seen = seen_by_pip({**clean, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})

    assert seen.items() >= ABOUT_THE_INDEX.items()
    assert not seen.keys() & HARMFUL.keys()


def test_an_environment_variable_overrides_a_pip_conf(clean: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[install]\nindex-url = https://file.example.com\n")
    environ = {**clean, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_INDEX_URL": "https://variable.example.com"}

    assert seen_by_pip(environ)["index-url"] == "https://variable.example.com"


def test_uv_gets_the_index_too_and_keeps_the_users_own_settings() -> None:
    environ = {
        "UV_DEFAULT_INDEX": "https://uv.example.com",
        "UV_CONSTRAINT": "c.txt",
        "UV_SYSTEM_PYTHON": "1",
        "A": "b",
    }

    made = package_index.environment(environ, {"index-url": "https://pip.example.com", "cert": "/company.pem"})

    assert made == {
        "A": "b",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "https://pip.example.com",
        "PIP_CERT": "/company.pem",
        "UV_DEFAULT_INDEX": "https://uv.example.com",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/company.pem",
    }


def test_an_environment_without_a_pinned_package_or_with_another_version_is_incomplete(tmp_path: Path) -> None:
    from importlib.metadata import version

    pinned = tmp_path / "pinned.txt"
    present = f"boto3=={version('boto3')} \\\n    --hash=sha256:00\nmoto[server]=={version('moto')}\n"
    pinned.write_text(present + "colorama==1 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n")
    assert package_index.main(["--check", str(pinned)]) == 0

    pinned.write_text(present + "botocore==1.0 \\\n    --hash=sha256:00\n")
    assert package_index.main(["--check", str(pinned)]) == 1

    pinned.write_text(present + "nobody-has-this==1.0\n")
    assert package_index.main(["--check", str(pinned)]) == 1


def test_the_artifact_is_built_despite_all_harmful_settings_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in HARMFUL.items():
        monkeypatch.setenv("PIP_" + name.upper().replace("-", "_"), value)
    command = ["make", "--silent", "build-Function", f"ARTIFACTS_DIR={tmp_path}", f"PYTHON={sys.executable}"]

    subprocess.run(command, cwd=PROJECT / "handler", check=True)

    assert (tmp_path / "crhelper" / "__init__.py").is_file()
    assert (tmp_path / "handler" / "app.py").is_file()
