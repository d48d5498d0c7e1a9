from __future__ import annotations

import io

from local.cleanup import Removal, clean_up
from local.page import Page
from local.processes import EngineError


def test_the_rest_is_removed_if_something_cannot_be_removed() -> None:
    removed: list[str] = []

    def refuse() -> None:
        raise EngineError("it is in use")

    found = [Removal("first", refuse), Removal("second", lambda: removed.append("second"))]

    assert clean_up(found, Page(io.StringIO())) == ["first: it is in use"]
    assert removed == ["second"]


def test_after_ctrl_c_the_rest_is_not_removed_but_listed() -> None:
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
