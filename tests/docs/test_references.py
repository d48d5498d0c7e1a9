"""Everything named in documentation, comments and docstrings exists: files, headings, make targets, modules.

test_contents.py compares the contents of the pages with the code that they describe.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MOST_LINES_OF_README = 130

FOLDERS = ("docs", "events", "examples", "handler", "local", "requirements", "tests", "tools")
FILES = [
    path
    for place in (PROJECT.glob("*"), *((PROJECT / folder).rglob("*") for folder in (*FOLDERS, ".ci", ".github")))
    for path in place
    if path.is_file() and "__pycache__" not in path.parts
]
PAGES = sorted(path for path in FILES if path.suffix == ".md")
COMMENTED = {".in", ".tf", ".toml", ".yaml", ".yml"}  # with a comment behind a #, as a Makefile has
TEXTS = [path for path in FILES if path.suffix in {".py", ".md", *COMMENTED} or path.name == "Makefile"]

# A name may be written without its folder. The last one is what `make verify` writes.
FILE_NAMES = {path.name for path in FILES} | {"verify-report.md"}

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(rf"(?<![\w/.:-])(?:\.github|{'|'.join(FOLDERS)})/[\w./-]*\w")
FILE = re.compile(r"(?<![\w/.*-])\w[\w-]*\.(?:py|md|toml)\b(?!/)")
HEADING = re.compile(r'((?:docs/)?[\w-]+\.md), "([^"]+)"')
MODULE = re.compile(rf"-m ((?:{'|'.join(FOLDERS)})(?:\.\w+)*)")
ENVIRONMENT = re.compile(r"\.venv/([a-z]+)\b")


def relative(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def written_for_people(path: Path) -> str:
    """The text of a page, or the comments and docstrings of a source file."""
    text = path.read_text()
    if path.suffix == ".md":
        return text
    if path.suffix == ".py":
        return "\n".join(prose_of_python(text))
    return "\n".join(line.partition("#")[2] for line in text.splitlines() if "#" in line)


def prose_of_python(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def named_files(prose: str) -> Iterator[str]:
    for name in (*PATH.findall(prose), *FILE.findall(prose)):
        if not name.rpartition("/")[2].isupper():  # tools/bench/NAME stands for any name
            yield name


def named_targets(path: Path) -> Iterator[str]:
    """The targets in backticks, in blocks of code (indented in a docstring), and in the commands of a workflow."""
    prose = path.read_text() if path.suffix == ".yml" else written_for_people(path)
    yield from re.findall(r"`make ([\w./-]+)", prose)
    commands = {
        ".md": "\n".join(re.findall(r"^ *```sh(?:ell)?\n(.*?)^ *```", prose, re.DOTALL | re.MULTILINE)),
        ".py": "\n".join(line for line in prose.splitlines() if line.startswith("    ")),
        ".yml": prose.replace("run: ", "\n"),
    }.get(path.suffix, "")
    yield from re.findall(r"^ *make ([\w./-]+)", commands, re.MULTILINE)


def headings(page: Path) -> list[str]:
    without_code = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):(?!=)", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def is_target(name: str) -> bool:
    environment = re.fullmatch(r"\.venv/(\w+)/\.complete", name)
    return is_environment(environment[1]) if environment else name in targets()


def is_environment(name: str) -> bool:
    return (PROJECT / f"requirements/{name}.txt").is_file()


def is_module(name: str) -> bool:
    path = PROJECT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_readme_has_at_most_130_lines() -> None:
    assert len((PROJECT / "README.md").read_text().splitlines()) <= MOST_LINES_OF_README


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_link_of_a_page_points_to_an_existing_file_and_heading(page: Path) -> None:
    missing = []
    for link in LINK.findall(page.read_text()):
        if "://" in link:
            continue
        name, _, fragment = link.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (fragment and fragment not in map(anchor, headings(file))):
            missing.append(link)
    assert missing == []


def test_readme_links_to_every_page() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall((PROJECT / "README.md").read_text())}
    assert {relative(page) for page in PAGES if page.parent == PROJECT / "docs"} - linked == set()


def test_every_file_named_in_a_text_exists() -> None:
    missing = {
        (relative(path), name)
        for path in TEXTS
        for name in named_files(written_for_people(path))
        if not any((folder / name).exists() for folder in (PROJECT, path.parent)) and name not in FILE_NAMES
    }
    assert missing == set()


def test_every_heading_named_in_a_text_exists() -> None:
    missing = {
        (relative(path), page, heading)
        for path in TEXTS
        for page, heading in HEADING.findall(written_for_people(path))
        if heading not in headings(PROJECT / page)
    }
    assert missing == set()


def test_every_command_named_in_a_text_exists() -> None:
    missing = [
        (relative(path), name)
        for path in TEXTS
        for names, exists in (
            (named_targets(path), is_target),
            (MODULE.findall(written_for_people(path)), is_module),
            (ENVIRONMENT.findall(written_for_people(path)), is_environment),
        )
        for name in names
        if not exists(name)
    ]
    assert missing == []


def test_these_checks_find_missing_names(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("""# A title
`handler/gone.py` and gone.md, `make gone`, `.venv/gone/bin/python -m tools.gone` and README.md, "No such heading".

```shell
make missing
```
""")
    text = page.read_text()

    assert list(named_files(text)) == ["handler/gone.py", "gone.md", "README.md"]
    assert list(named_targets(page)) == ["gone", "missing"]
    assert HEADING.findall(text) == [("README.md", "No such heading")]
    assert (MODULE.findall(text), ENVIRONMENT.findall(text)) == (["tools.gone"], ["gone"])
    assert [is_target("gone"), is_module("tools.gone"), is_environment("gone")] == [False] * 3
    assert (anchor("What happens on each event"), headings(page)) == ("what-happens-on-each-event", ["A title"])
