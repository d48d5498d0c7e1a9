"""Builds what Lambda gets: the package `handler` and the libraries that it needs, small and quick to start.

    python3 build_artifact.py ARTIFACTS_DIR

Needs a Python of 3.9 or newer, whichever, and pip or uv. The same sources, built with the same Pythons, give the same
files with the same times and modes, and thus the same archive.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BUILDS = ("build_artifact.py", "package_index.py")  # what is here for the build alone
RUNTIME = "3.13"  # template.yaml: Runtime
SEEN_IN_LAMBDA = "/var/task"  # what tracebacks show, wherever the artifact was built

# The API calls of the function. botocore's data is cut down to them; tests/artifact compares with what handler/ calls.
OPERATIONS = {
    "customer-profiles": (
        *("CreateDomain", "DeleteDomain", "GetDomain", "UpdateDomain", "TagResource", "UntagResource"),
        *("ListDomainObjectTypes", "ListIntegrations", "ListProfileObjectTypes"),
    ),
    "cloudformation": ("DescribeStackEvents", "DescribeStackResource", "DescribeStacks"),
}

# Folders that nothing here imports, more than half of what the libraries weigh. No file of a library is changed, so an
# import of what is missing fails with its name. tests/artifact runs every event without them.
UNUSED = (
    "bin",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/[!j]*",  # all but jmespath_utils
    "boto3/data",
    "boto3/dynamodb",
    "boto3/ec2",
    "boto3/examples",
    "boto3/s3",
    "dateutil/zoneinfo",
    "urllib3/contrib",
)


class BuildError(Exception):
    """What is missing on this machine."""


def main(artifact: Path) -> None:
    artifact.mkdir(parents=True, exist_ok=True)
    install(artifact)
    shutil.copytree(HERE, artifact / "handler", ignore=lambda _, names: [n for n in names if not is_module(n)])
    leave_out(artifact)
    cut_data(artifact / "botocore" / "data")
    if python := os.environ.get("COMPILE_FOR") or runtime_python():
        compile_bytecode(artifact, python)
    settle(artifact)


def is_module(name: str) -> bool:
    return name.endswith(".py") and name not in BUILDS


def install(target: Path) -> None:
    """Install the pinned libraries for the runtime's version of Python, whatever version this one is."""
    options = ["--require-hashes", "--no-deps", "--only-binary=:all:", f"--python-version={RUNTIME}", "--quiet"]
    where = ["--target", str(target), "--requirement", str(HERE / "requirements.txt")]
    if output([sys.executable, "-m", "pip", "--version"]):
        pip = [sys.executable, "-m", "pip", "install", "--no-compile", "--disable-pip-version-check"]
        # Else what pip looks at is its own Python's version, not the one that it installs for.
        command = [*pip, "--ignore-requires-python", *options, *where]
    elif uv := shutil.which("uv"):
        # A copy: what is changed below would be changed in uv's cache as well.
        command = [
            uv,
            "pip",
            "install",
            "--no-config",
            "--link-mode=copy",
            "--python",
            sys.executable,
            *options,
            *where,
        ]
    else:
        raise BuildError(f"{sys.executable} has no pip, and there is no uv: install either, or name another PYTHON")
    run([sys.executable, str(HERE / "package_index.py"), *command])


def leave_out(artifact: Path) -> None:
    """Remove what isn't used. Of a library's metadata its name, version and licence stay, for scanners and people."""
    for pattern in (*UNUSED, "**/__pycache__"):
        for folder in filter(Path.is_dir, artifact.glob(pattern)):
            shutil.rmtree(folder)
    for path in (artifact / ".lock", *artifact.glob("*.dist-info/*")):  # the lock is uv's
        if path.is_file() and path.name != "METADATA" and not re.match("LICEN[CS]E|NOTICE", path.name):
            path.unlink()


def cut_data(data: Path) -> None:
    """Cut botocore's data down to OPERATIONS, without documentation, and not compressed twice."""
    for service in data.iterdir():
        if service.is_dir() and service.name not in OPERATIONS:
            shutil.rmtree(service)
    prefixes = set()
    for service_name, operations in OPERATIONS.items():
        for path in sorted((data / service_name).glob("*/*")):
            content = load(path)
            path.unlink()
            if path.name.startswith("service-2"):
                prefixes.add(content["metadata"]["endpointPrefix"])
                content = cut_model(content, operations)
            elif path.name.startswith("paginators-1"):
                content = {"pagination": only(content.get("pagination", {}), operations)}
            elif path.name.startswith("waiters-2"):
                waiters = content["waiters"].items()
                content["waiters"] = {name: waiter for name, waiter in waiters if waiter["operation"] in operations}
            elif path.name.startswith("examples-1"):
                continue
            write(path.with_suffix("") if path.suffix == ".gz" else path, compact(content))
    endpoints = load(data / "endpoints.json")
    for partition in endpoints["partitions"]:
        partition["services"] = only(partition["services"], prefixes)
    write(data / "endpoints.json", compact(endpoints))


def cut_model(model: dict[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    model = without_documentation(model)
    model["operations"] = {name: model["operations"][name] for name in operations}
    model["shapes"] = only(model["shapes"], shapes_needed(model["shapes"], model["operations"]))
    return model


def shapes_needed(shapes: dict[str, Any], part: Any) -> set[str]:
    """The names of the shapes that a part of a model refers to, directly or through other shapes."""
    needed: set[str] = set()
    found = set(shapes_of(part))
    while found:
        needed |= found
        found = {name for shape in found for name in shapes_of(shapes[shape])} - needed
    return needed


def shapes_of(part: Any) -> Iterator[str]:
    """The names of the shapes that a part of a model refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from shapes_of(inner)


def without_documentation(part: Any) -> Any:
    if isinstance(part, dict):  # a member may be called documentation, too, but is no string
        return {k: without_documentation(v) for k, v in part.items() if k != "documentation" or not isinstance(v, str)}
    return [without_documentation(inner) for inner in part] if isinstance(part, list) else part


def compile_bytecode(artifact: Path, python: str) -> None:
    """Compile every module. The bytecode is never checked against its source: Lambda changes neither."""
    options = ["-q", "--invalidation-mode=unchecked-hash", "-s", str(artifact), "-p", SEEN_IN_LAMBDA]
    run([python, "-m", "compileall", *options, str(artifact)])


def runtime_python() -> str | None:
    """A Python of the runtime's own version, if this machine has one."""
    if sys.version.startswith(f"{RUNTIME}."):
        return sys.executable
    named = os.environ.get("RUNTIME_PYTHON")
    command = [named or f"python{RUNTIME}", "-c", "import sys; print(sys.version, sys.executable, sep='\\n')"]
    # Where pyenv manages them, python3.13 is a script that runs what this variable says.
    version, _, python = output(command, PYENV_VERSION=RUNTIME).rpartition("\n")
    if version.startswith(f"{RUNTIME}."):
        return python
    if named:
        raise BuildError(f"RUNTIME_PYTHON={named} is no Python {RUNTIME}")
    print(f"No python{RUNTIME} here, so in Lambda every cold start compiles every module: see handler/Makefile")
    return None


def settle(artifact: Path) -> None:
    """Give every file the same time and mode, on every machine."""
    time = int(os.environ.get("SOURCE_DATE_EPOCH", 1577836800))  # 2020; zip archives know no time before 1980
    for path in [artifact, *artifact.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (time, time))


def only(table: dict[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name in names}


def load(path: Path) -> Any:
    content = path.read_bytes()
    return json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)


def compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def output(command: list[str], **environment: str) -> str:
    """What the command prints; nothing if it fails."""
    try:
        environment = {**os.environ, **environment}
        return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def run(command: list[str]) -> None:
    if subprocess.run(command).returncode:
        raise BuildError(f"this failed: {' '.join(command)}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve())
    except BuildError as error:
        sys.exit(f"build_artifact.py: {error}")
