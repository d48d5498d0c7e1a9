"""Each chapter of the story that the demo and the acceptance run play keeps its promises on the local engine."""

from __future__ import annotations

import io
from uuid import uuid4

import pytest

from local import chapters
from local.engine import Engine
from local.page import Page
from local.story import Names, Step, Story

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(chapters.LIFE, id="life"),
        pytest.param(chapters.FAILURES, id="failures"),
        pytest.param(chapters.ADOPTION, id="adoption"),
        pytest.param(chapters.PROTECTION, id="protection"),
    ],
)
def test_a_chapter_keeps_its_promises_and_leaves_nothing_behind(engine: Engine, steps: tuple[Step, ...]) -> None:
    name = f"amazon-connect-{uuid4().hex[:8]}"
    names = Names(f"story-{name}", name, f"{name}-renamed", f"{name}-by-hand")
    story = Story(engine, Page(io.StringIO()), names)

    story.play(steps)

    promises = [promise for outcome in story.outcomes for promise in outcome.promises]
    assert [promise for promise in promises if not promise.kept] == []
    assert all(outcome.good for outcome in story.outcomes)
    assert engine.status(names.stack) is None
    assert story.existing(names.domain, names.renamed, names.made_by_hand) == set()
