"""make installs the environments whichever pip settings a developer has. It uses the developer's package index."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

# What makes pip install nothing, or somewhere else, or fail.
HARMFUL = {
    "require-virtualenv": "1",
    "user": "1",
    "prefix": "elsewhere",
    "target": "elsewhere",
    "constraint": "/nowhere/constraints.txt",
    "dry-run": "1",
}


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A project with this Makefile and one environment with one package, and an index with only that package."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    for folder in ("handler", "requirements", "index"):
        (tmp_path / folder).mkdir()
    shutil.copy(PROJECT / "handler/package_index.py", tmp_path / "handler")
    wheel = tmp_path / "index" / "little-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("little.py", "")
        archive.writestr("little-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: little\nVersion: 1.0\n")
        archive.writestr("little-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("little-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "requirements/little.txt").write_text(f"little==1.0 \\\n    --hash=sha256:{digest}\n")
    (tmp_path / "requirements/uv.txt").write_text("")
    return tmp_path


def make(small_project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Make the environment, with these environment variables and no others of pip."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "MAKE"))}
    command = ["make", "--silent", ".venv/little/.complete", f"PYTHON={sys.executable}"]
    return subprocess.run(command, cwd=small_project, env={**kept, **variables}, capture_output=True, text=True)


def has_the_package(small_project: Path) -> bool:
    code = "import little, sys; sys.exit(not little.__file__.startswith(sys.prefix))"
    return subprocess.run([small_project / ".venv/little/bin/python", "-c", code]).returncode == 0


def test_harmful_environment_variables_of_pip_have_no_effect_and_the_users_index_is_used(small_project: Path) -> None:
    harmful = {"PIP_" + name.upper().replace("-", "_"): value for name, value in HARMFUL.items()}

    done = make(small_project, **harmful, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(small_project / "index"))

    assert done.returncode == 0, done.stderr
    assert has_the_package(small_project)
    assert not (small_project / "elsewhere").exists()


def test_a_harmful_pip_conf_has_no_effect_and_its_index_is_used(small_project: Path) -> None:
    settings = {**HARMFUL, "no-index": "1", "find-links": str(small_project / "index")}
    (small_project / "pip.conf").write_text("\n".join(["[install]", *(f"{k} = {v}" for k, v in settings.items())]))

    done = make(small_project, PIP_CONFIG_FILE=str(small_project / "pip.conf"))

    assert done.returncode == 0, done.stderr
    assert has_the_package(small_project)


def test_an_environment_that_lacks_a_package_is_not_marked_as_complete(small_project: Path) -> None:
    # The environment of uv takes seconds to make and is not what this is about.
    (small_project / ".venv/uv").mkdir(parents=True)
    (small_project / ".venv/uv/.complete").touch()
    # An installer that reports success and has installed nothing.
    shutil.copy(PROJECT / "handler/package_index.py", small_project / "handler/checks.py")
    (small_project / "handler/package_index.py").write_text(
        "import checks, sys\nsys.exit(checks.main(sys.argv[1:]) if sys.argv[1] == '--check' else 0)\n"
    )

    done = make(small_project)

    assert done.returncode != 0
    assert "lacks little==1.0" in done.stderr
    assert not (small_project / ".venv/little/.complete").exists()
