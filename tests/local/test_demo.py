from __future__ import annotations

import io

import pytest

from local.demo import EXAMPLE, Demo, Page, conclude, edited
from local.engine import PROJECT, Engine


@pytest.fixture
def demo() -> Demo:
    nowhere = Engine("http://127.0.0.1:1", "http://127.0.0.1:1", PROJECT)
    return Demo(nowhere, Page(io.StringIO()))


def test_one_promise_not_kept_spoils_the_demo(demo: Demo) -> None:
    demo.step("Create", "it works")
    demo.promise("kept", 1, 1)
    assert conclude(demo, seconds=1)

    demo.promise("not kept", "found", "promised")
    assert not conclude(demo, seconds=1)


def test_a_demo_that_checked_nothing_proves_nothing(demo: Demo) -> None:
    assert not conclude(demo, seconds=1)
    demo.step("Create", "it works")
    assert not conclude(demo, seconds=1)


def test_what_is_no_terminal_gets_no_colour(demo: Demo) -> None:
    written = io.StringIO()
    Page(written).mark("kept", good=True)
    assert written.getvalue() == "  ✓ kept\n"


def test_an_edit_that_finds_nothing_to_change_is_an_error() -> None:
    template = (PROJECT / EXAMPLE).read_text()
    with pytest.raises(ValueError, match="no-such-text"):
        edited(template, ("no-such-text", ""))
