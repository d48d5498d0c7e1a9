from __future__ import annotations

import io

from local.cleanup import Removal, clean_up
from local.page import Page
from local.processes import EngineError


def test_what_cannot_be_removed_does_not_keep_the_rest() -> None:
    removed: list[str] = []

    def refuse() -> None:
        raise EngineError("it is in use")

    found = [Removal("first", refuse), Removal("second", lambda: removed.append("second"))]

    assert clean_up(found, Page(io.StringIO())) == ["first: it is in use"]
    assert removed == ["second"]


def test_ctrl_c_gives_up_the_rest_and_lists_it() -> None:
    removed: list[str] = []

    def stopped() -> None:
        raise KeyboardInterrupt

    found = [
        Removal("first", lambda: removed.append("first")),
        Removal("second", stopped),
        Removal("third", lambda: removed.append("third")),
    ]

    left = clean_up(found, Page(io.StringIO()))

    assert removed == ["first"]
    assert [item.partition(":")[0] for item in left] == ["second", "third"]
