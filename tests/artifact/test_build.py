"""The artifact that `sam build` makes: it is small, reproducible, and has everything that the function uses."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import marshal
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from botocore.loaders import Loader

from handler import build_artifact
from local.artifact import PROJECT, Artifact, Interpreter, build_project

LIBRARIES = Path(boto3.__file__).parents[1]


def test_the_same_sources_give_the_same_archive(project: Artifact, interpreter: Interpreter, tmp_path: Path) -> None:
    again = build_project(tmp_path / "elsewhere" / "artifact", interpreter)

    first, second = (built.archive(tmp_path).read_bytes() for built in (project, again))

    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()


def test_the_archive_has_at_most_4_megabytes(project: Artifact, tmp_path: Path) -> None:
    assert project.archive(tmp_path).stat().st_size < 4_000_000


def test_the_package_has_its_modules_and_nothing_else(artifact: Path) -> None:
    modules = {path.name for path in (PROJECT / "handler").glob("*.py")} - {*build_artifact.BUILDS}

    assert {path.name for path in (artifact / "handler").iterdir()} == {*modules, "__pycache__"}


def test_the_artifact_has_no_file_that_lambda_does_not_use(artifact: Path) -> None:
    files = [path.relative_to(artifact) for path in artifact.rglob("*") if path.is_file()]

    # Scanners and auditors need the name, version and licence of each library.
    known = {".py", ".pyc", ".json", ".pem", ".typed", ".pyi"}
    assert [path for path in files if path.suffix not in known and ".dist-info" not in path.parts[0]] == []
    assert [path for path in files if {"test", "tests", "bin", "examples"} & set(path.parts)] == []


def test_every_file_has_the_same_time_and_mode_on_every_machine(artifact: Path) -> None:
    paths = [artifact, *artifact.rglob("*")]

    assert {path.stat().st_mtime for path in paths} == {1577836800}
    assert {oct(path.stat().st_mode & 0o777) for path in paths if path.is_file()} == {"0o644"}


def test_every_module_has_bytecode_that_is_never_checked_and_has_no_local_path(
    artifact: Path, interpreter: Interpreter
) -> None:
    assert (
        interpreter.version == f"{sys.version_info.major}.{sys.version_info.minor}"
    )  # the tests and the artifact need the same Python to read the bytecode
    for source in artifact.rglob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        assert int.from_bytes(compiled[4:8], "little") == 0b01, f"{source} is checked against its source"
        for code in _code_and_all_in_it(marshal.loads(compiled[16:])):
            assert code.co_filename == f"/var/task/{source.relative_to(artifact)}"


def test_the_pinned_requirements_contain_no_url_and_no_path() -> None:
    text = (PROJECT / "handler" / "requirements.txt").read_text()

    assert "://" not in text
    assert "--index-url" not in text
    assert "file:" not in text


@pytest.mark.parametrize("service", build_artifact.OPERATIONS)
def test_the_api_models_contain_exactly_the_operations_that_the_code_calls(service: str) -> None:
    names, attributes = set(), set()
    for path in (PROJECT / "handler").glob("*.py"):
        if path.name not in build_artifact.BUILDS:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant):
                    names.add(node.value)
                elif isinstance(node, ast.Attribute):
                    attributes.add(node.attr)
    model = botocore.session.Session().get_service_model(service)

    called = {name for name in model.operation_names if name in names or xform_name(name) in attributes}

    assert called == set(build_artifact.OPERATIONS[service])


@pytest.mark.parametrize("service", build_artifact.OPERATIONS)
def test_the_reduced_models_equal_botocores_models(artifact: Path, service: str) -> None:
    cut = _load(artifact / "botocore" / "data", service, "service-2")
    whole = _load(LIBRARIES / "botocore" / "data", service, "service-2")

    assert cut["metadata"] == whole["metadata"]
    assert cut["operations"].keys() == set(build_artifact.OPERATIONS[service])
    for kind in ("operations", "shapes"):
        for name, description in cut[kind].items():
            assert description == _without_documentation(whole[kind][name])


@pytest.mark.parametrize("kind", ["endpoint-rule-set-1", "paginators-1"])
@pytest.mark.parametrize("service", build_artifact.OPERATIONS)
def test_the_other_data_of_a_service_can_be_loaded(artifact: Path, service: str, kind: str) -> None:
    cut = _load(artifact / "botocore" / "data", service, kind)

    whole = _load(LIBRARIES / "botocore" / "data", service, kind)
    if kind == "endpoint-rule-set-1":
        assert cut == whole
    else:
        assert cut["pagination"].items() <= whole["pagination"].items()


def test_the_artifact_contains_the_regions_that_have_the_api(artifact: Path, interpreter: Interpreter) -> None:
    """The reason of a failed event names them if the region has no such API."""
    code = "import boto3; print(*boto3.session.Session().get_available_regions('customer-profiles', 'aws'))"
    environment = {**os.environ, "PYTHONPATH": str(artifact), "PYTHONDONTWRITEBYTECODE": "1"}

    known = subprocess.run([interpreter.path, "-c", code], env=environment, capture_output=True, check=True, text=True)

    assert known.stdout.split() == boto3.session.Session().get_available_regions("customer-profiles", "aws")


def test_each_pattern_that_the_build_leaves_out_matches_a_file() -> None:
    for pattern in build_artifact.UNUSED:
        assert pattern == "bin" or list(LIBRARIES.glob(pattern)), f"no library has {pattern} any more"


def test_no_file_of_a_library_is_changed(artifact: Path) -> None:
    """A patched file would silently be wrong with the next version of the library."""
    for path in artifact.rglob("*.py"):
        name = path.relative_to(artifact)
        if name.parts[0] != "handler":
            assert path.read_bytes() == (LIBRARIES / name).read_bytes(), name


def test_the_libraries_are_of_the_versions_that_the_tests_run_with() -> None:
    from importlib.metadata import version

    pinned = (PROJECT / "handler" / "requirements.in").read_text().split()
    for requirement in pinned:
        name, equal, number = requirement.partition("==")
        if equal:
            assert version(name) == number


def test_without_pip_and_uv_the_build_says_what_is_missing(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\n[ "$2" = pip ] && exit 1\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    code = f"import sys; sys.executable = {str(python)!r}; import build_artifact; build_artifact.install(None)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT / "handler",
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert "has no pip, and there is no uv" in done.stderr


def test_the_python_of_the_runtime_is_found_if_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version", "3.11.7 (another than the runtime's)")
    monkeypatch.delenv("RUNTIME_PYTHON", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build_artifact.runtime_python() is None

    _python(tmp_path / "python3.13", "3.13.5")
    assert build_artifact.runtime_python() == "/opt/python"

    monkeypatch.setattr(sys, "version", "3.13.5 (the runtime's own)")
    assert build_artifact.runtime_python() == sys.executable

    monkeypatch.setattr(sys, "version", "3.11.7 (another than the runtime's)")
    monkeypatch.setenv("RUNTIME_PYTHON", _python(tmp_path / "another", "3.12.1"))
    with pytest.raises(build_artifact.BuildError, match=r"is no Python 3\.13"):
        build_artifact.runtime_python()


def _python(path: Path, version: str) -> str:
    path.write_text(f"#!/bin/sh\necho {version}\necho '[GCC]'\necho /opt/python\n")
    path.chmod(0o755)
    return str(path)


def _code_and_all_in_it(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_and_all_in_it(constant)


def _load(data: Path, service: str, kind: str) -> dict[str, Any]:
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    loaded: dict[str, Any] = json.loads(json.dumps(loader.load_service_model(service, kind)))
    return loaded


def _without_documentation(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_documentation(inner) for inner in part]
    if isinstance(part, dict):
        kept = {name: inner for name, inner in part.items() if not (name == "documentation" and isinstance(inner, str))}
        return {name: _without_documentation(inner) for name, inner in kept.items()}
    return part
