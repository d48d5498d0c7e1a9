"""Runs pip or uv with the user's settings about the package index, and with no other settings of theirs.

    python3 package_index.py COMMAND ARGUMENT...
    python3 package_index.py --check REQUIREMENTS    (is everything installed for this Python? exit code 0 if it is)

Which index packages come from and how it is reached is the user's business: a company's mirror, its certificate, a
proxy. Where packages go and what else is installed is the caller's: `user`, `prefix`, `target`, `constraint`,
`dry-run`, `require-virtualenv` and the like, in pip's environment variables or in a pip.conf, would break that or
install nothing and report success. pip has no option that leaves out some settings, so its own are read
(`pip config list`) and those about the index are handed on.

It needs a Python of 3.9 or newer, and nothing else.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# A setting of pip is named like its option (https://pip.pypa.io/en/stable/cli/pip_install/). Beside it is uv's variable
# of the same meaning (https://docs.astral.sh/uv/reference/environment/), since uv reads none of pip's settings.
ABOUT_THE_INDEX = {
    "index-url": "UV_DEFAULT_INDEX",
    "pypi-url": "UV_DEFAULT_INDEX",  # another name of index-url
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",  # another name of timeout
    "retries": "UV_HTTP_RETRIES",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "use-feature": "",  # truststore, for one
    "use-deprecated": "",
    "cache-dir": "",
    "no-cache-dir": "UV_NO_CACHE",
}
# uv's own variables that change what is installed, or for which Python.
_WHAT_UV_INSTALLS = re.compile(
    "UV_(.*BINARY.*|.*BUILD.*|.*CONSTRAINT|EXCLUDE.*|OVERRIDE|PRERELEASE|PYTHON.*|RESOLUTION|SYSTEM_PYTHON|TARGET)"
)


def environment(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """The environment in which pip and uv know the settings that are about the index, and no others.

    `settings` are pip's, from wherever it has them, by the names that they have in a pip.conf.
    """
    kept = {k: v for k, v in environ.items() if not k.startswith("PIP_") and not _WHAT_UV_INSTALLS.fullmatch(k)}
    kept["PIP_CONFIG_FILE"] = os.devnull  # pip then reads no pip.conf at all
    # As pip does: the best match of all indexes. Every package is pinned by its hash, so it may come from any of them.
    kept.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    for name, value in settings.items():
        if name in ABOUT_THE_INDEX and value:
            kept["PIP_" + name.upper().replace("-", "_")] = value
            if ABOUT_THE_INDEX[name]:
                kept.setdefault(ABOUT_THE_INDEX[name], value)
    return kept


def settings(python: str = sys.executable) -> dict[str, str]:
    """pip's settings for `pip install`, from its files and its environment variables; the latter if there is no pip."""
    command = [python, "-m", "pip", "config", "list"]
    # These three are options of `pip config` too: they would limit the list to one of pip's files.
    all_files = dict.fromkeys(("PIP_GLOBAL", "PIP_SITE", "PIP_USER"), "0")
    listed = subprocess.run(command, env={**os.environ, **all_files}, capture_output=True, text=True)
    if listed.returncode == 0:
        return parsed(listed.stdout)
    return parsed("\n".join(f":env:.{k[4:]}={v!r}" for k, v in os.environ.items() if k.startswith("PIP_")))


def parsed(listing: str) -> dict[str, str]:
    """What `pip config list` has printed, for `pip install`: later sections win, as in pip.

    A line is SECTION.NAME='VALUE', and the name of a variable has underscores in place of hyphens.
    """
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listing.splitlines():
            match = re.fullmatch(rf"{section}\.([\w-]+)=(.*)", line)
            if match:
                found[match[1].lower().replace("_", "-")] = str(ast.literal_eval(match[2]))
    return found


def missing(requirements: str) -> Iterator[str]:
    """The pinned packages that this Python doesn't have in that version; those for some platforms only are left out."""
    for name, pinned in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)(?=\s*\\?$)", requirements, re.MULTILINE):
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "not installed"
        if installed != pinned:
            yield f"{name}=={pinned} ({installed})"


def main(arguments: list[str]) -> int:
    if arguments[0] != "--check":
        return subprocess.run(arguments, env=environment(os.environ, settings())).returncode
    lacking = list(missing(Path(arguments[1]).read_text(encoding="utf-8")))
    if lacking:
        print(f"{sys.prefix} lacks {', '.join(lacking)}", file=sys.stderr)
    return bool(lacking)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
