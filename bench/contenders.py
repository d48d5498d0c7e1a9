"""What is compared: this project, and what one would write instead, each as `sam build` leaves it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]

_CDKS_HANDLER = "custom-resources/aws-custom-resource-handler"
_CLIENT_FOR_NODE = "@aws-sdk/client-customer-profiles@3.1019.0"

_TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: {source}, Handler: app.lambda_handler, Runtime: python{version}}}
"""


@dataclass(frozen=True)
class Contender:
    """A built function."""

    name: str
    artifact: Path
    handler: str = "app.lambda_handler"
    bootstrap: Sequence[str] = ()

    def archive(self, folder: Path) -> Path:
        """The archive that Lambda would get, made as `sam deploy` makes it."""
        archive = folder / f"{self.artifact.name}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(self.artifact.rglob("*")):
                if path.is_file():
                    file.write(path, path.relative_to(self.artifact))
        return archive


@dataclass(frozen=True)
class Interpreter:
    """A Python that functions are built for and run with."""

    path: Path
    version: str

    @classmethod
    def at(cls, path: Path) -> Interpreter:
        """What that interpreter says of itself; a virtual environment's is followed to the one that it was made of."""
        code = "import sys; print(sys._base_executable, '%d.%d' % sys.version_info[:2], sep='\\n')"
        base, version = _run([str(path), "-c", code]).splitlines()
        return cls(Path(base), version)


def build(folder: Path, interpreter: Interpreter, sam: Path) -> list[Contender]:
    """Build them all into that folder. This project is the first, the bare handler the second."""
    bare = _build_with_sam("bare", folder, interpreter, sam)
    compiled = folder / "bare-compiled"
    shutil.copytree(bare, compiled)
    _run([str(interpreter.path), "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", str(compiled)])
    return [
        build_project(folder / "project", interpreter),
        Contender("bare boto3 handler", bare),
        Contender("the same with bytecode", compiled),
        Contender("crhelper's defaults, Powertools", _build_with_sam("stock", folder, interpreter, sam)),
        *build_cdks(folder / "cdk"),
    ]


def build_project(artifact: Path, interpreter: Interpreter) -> Contender:
    """Build this project's function, by the recipe that `sam build` follows."""
    target = [
        "build-Function",
        f"ARTIFACTS_DIR={artifact}",
        f"PYTHON={interpreter.path}",
        f"COMPILE_FOR={interpreter.path}",
    ]
    _run(["make", "--silent", "--directory", str(PROJECT / "handler"), *target])
    return Contender("this project", artifact, "handler.app.lambda_handler")


def build_cdks(artifact: Path) -> list[Contender]:
    """The handler of CDK's AwsCustomResource, if there is a Node to run it and .venv/cdk to take it from.

    Lambda has the AWS SDK for JavaScript in the image of its runtime; here npm installs the one client that is used.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    package = next(PROJECT.glob(".venv/cdk/lib/python3*/site-packages/aws_cdk/_jsii/aws-cdk-lib@*.tgz"), None)
    if not (node and npm and package):
        return []
    artifact.mkdir()
    with tarfile.open(package) as archive:
        handler = archive.extractfile(f"package/custom-resource-handlers/dist/{_CDKS_HANDLER}/index.js")
        assert handler
        (artifact / "index.js").write_bytes(handler.read())
    _run([npm, "install", "--silent", "--no-package-lock", "--prefix", str(artifact), _CLIENT_FOR_NODE])
    bootstrap = node, str(PROJECT / "bench" / "cdk" / "bootstrap.js")
    return [Contender("CDK's AwsCustomResource on Node", artifact, "index.handler", bootstrap)]


def _build_with_sam(name: str, folder: Path, interpreter: Interpreter, sam: Path) -> Path:
    """Build bench/NAME with the builder for Python that `sam build` has by itself. Returns the artifact."""
    template = folder / f"{name}.yaml"
    template.write_text(_TEMPLATE.format(source=PROJECT / "bench" / name, version=interpreter.version))
    build_directory = folder / f"build-{name}"
    command = ["build", "--template", str(template), "--build-dir", str(build_directory)]
    _run([str(sam), *command], SAM_CLI_TELEMETRY="0", PATH=f"{interpreter.path.parent}{os.pathsep}{os.environ['PATH']}")
    return (build_directory / "Function").rename(folder / name)


def _run(command: Sequence[str], **environment: str) -> str:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout
