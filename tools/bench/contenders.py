"""The functions that are compared: this project and its alternatives, each built by `sam build`."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from local.artifact import PROJECT, Artifact, Interpreter, build_project, run

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


def build(folder: Path, interpreter: Interpreter, sam: Path) -> list[Artifact]:
    """Build all of them into a folder. This project is the first, the bare handler the second."""
    bare = _build_with_sam("bare", folder, interpreter, sam)
    compiled = folder / "bare-compiled"
    shutil.copytree(bare, compiled)
    run([str(interpreter.path), "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", str(compiled)])
    return [
        build_project(folder / "project", interpreter),
        Artifact("bare boto3 handler", bare),
        Artifact("the same with bytecode", compiled),
        Artifact("crhelper's defaults, Powertools", _build_with_sam("stock", folder, interpreter, sam)),
        *build_cdks(folder / "cdk"),
    ]


def build_cdks(artifact: Path) -> list[Artifact]:
    """The handler of CDK's AwsCustomResource, if Node and .venv/cdk are installed.

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
    run([npm, "install", "--silent", "--no-package-lock", "--prefix", str(artifact), _CLIENT_FOR_NODE])
    bootstrap = node, str(Path(__file__).parent / "cdk" / "bootstrap.js")
    return [Artifact("CDK's AwsCustomResource on Node", artifact, "index.handler", bootstrap)]


def _build_with_sam(name: str, folder: Path, interpreter: Interpreter, sam: Path) -> Path:
    """Build tools/bench/NAME with SAM's own builder for Python. Returns the artifact."""
    template = folder / f"{name}.yaml"
    template.write_text(_TEMPLATE.format(source=Path(__file__).parent / name, version=interpreter.version))
    build_directory = folder / f"build-{name}"
    command = ["build", "--template", str(template), "--build-dir", str(build_directory)]
    run([str(sam), *command], SAM_CLI_TELEMETRY="0", PATH=f"{interpreter.path.parent}{os.pathsep}{os.environ['PATH']}")
    return (build_directory / "Function").rename(folder / name)
