from __future__ import annotations

import io

import pytest

from local.chapters import EXAMPLE, demo_names, example
from local.engine import PROJECT, Engine, EngineError
from local.page import Page
from local.story import Step, Story, conclude, edited


@pytest.fixture
def story() -> Story:
    nowhere = Engine("http://127.0.0.1:1", "http://127.0.0.1:1", PROJECT)
    return Story(nowhere, Page(io.StringIO()), demo_names())


def plays(*promises: tuple[object, object]) -> Step:
    """A step with promises of something found and something promised."""

    def play(story: Story) -> None:
        for found, promised in promises:
            story.promise("a promise", found, promised)

    return Step("Create", "it works", play)


def test_a_story_succeeds_if_all_its_promises_are_kept(story: Story) -> None:
    story.play([plays((1, 1)), plays((2, 2), ("a", "a"))])
    assert conclude(story, seconds=1)


def test_a_story_fails_if_one_promise_is_not_kept(story: Story) -> None:
    story.play([plays((1, 1)), plays((2, 2), ("found", "promised"))])
    assert not conclude(story, seconds=1)


def test_a_story_without_steps_fails(story: Story) -> None:
    assert not conclude(story, seconds=1)


def test_a_step_that_checked_nothing_fails(story: Story) -> None:
    story.play([plays((1, 1)), plays()])
    assert not conclude(story, seconds=1)


def test_an_error_in_a_step_fails_and_ends_the_story(story: Story) -> None:
    def fails(_: Story) -> None:
        raise EngineError("the stack did not end")

    with pytest.raises(EngineError):
        story.play([plays((1, 1)), Step("Update", "it works", fails), plays((1, 1))])

    assert [outcome.good for outcome in story.outcomes] == [True, False]
    assert story.outcomes[1].promises[0].detail == "EngineError: the stack did not end"
    assert not conclude(story, seconds=1)


def test_waiting_ends_when_the_condition_holds_and_after_the_time_that_was_given(story: Story) -> None:
    answers = iter([False, True])
    assert story.wait_for(lambda: next(answers)) > 0
    with pytest.raises(EngineError, match="without success"):
        story.wait_for(lambda: False, at_most=0)


def test_colour_is_used_only_on_a_terminal() -> None:
    written = io.StringIO()
    Page(written).mark("kept", good=True)
    assert written.getvalue() == "  ✓ kept\n"


def test_an_edit_that_changes_nothing_is_an_error() -> None:
    template = (PROJECT / EXAMPLE).read_text()
    with pytest.raises(ValueError, match="no-such-text"):
        edited(template, ("no-such-text", ""))


def test_the_example_is_used_with_the_storys_own_names(story: Story) -> None:
    template = example(story, AdoptExisting="true")
    assert f"DomainName: {story.names.domain}\n" in template
    assert f"{story.engine.provider_stack}-ServiceToken" in template
    assert "      AdoptExisting: true\n" in template
