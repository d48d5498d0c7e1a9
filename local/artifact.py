"""Builds the function as `sam build` does, for the Python that it runs with on this machine."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Artifact:
    """A built function."""

    name: str
    folder: Path
    handler: str = "app.lambda_handler"
    bootstrap: Sequence[str] = ()

    def archive(self, into: Path) -> Path:
        """The archive that Lambda would get, made as `sam deploy` makes it."""
        archive = into / f"{self.folder.name}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(self.folder.rglob("*")):
                if path.is_file():
                    file.write(path, path.relative_to(self.folder))
        return archive


@dataclass(frozen=True)
class Interpreter:
    """A Python that functions are built for and run with."""

    path: Path
    version: str

    @classmethod
    def at(cls, path: Path) -> Interpreter:
        """Ask the interpreter itself. For a virtual environment this is the Python that it was created from."""
        code = "import sys; print(sys._base_executable, '%d.%d' % sys.version_info[:2], sep='\\n')"
        base, version = run([str(path), "-c", code]).splitlines()
        return cls(Path(base), version)


def build_project(folder: Path, interpreter: Interpreter) -> Artifact:
    """Build this project's function, by the recipe that `sam build` follows."""
    target = [
        "build-Function",
        f"ARTIFACTS_DIR={folder}",
        f"PYTHON={interpreter.path}",
        f"COMPILE_FOR={interpreter.path}",
    ]
    run(["make", "--silent", "--directory", str(PROJECT / "handler"), *target])
    return Artifact("this project", folder, "handler.start.lambda_handler")


def run(command: Sequence[str], **environment: str) -> str:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout
