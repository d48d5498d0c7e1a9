"""Each chapter of the demo and of the acceptance run keeps its promises on the local engine."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from uuid import uuid4

import pytest

from local import api_behaviour, chapters
from local.engine import Engine
from local.page import Page
from local.story import Names, Step, Story, step

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
def test_each_chapter_keeps_its_promises_and_removes_everything(engine: Engine, steps: tuple[Step, ...]) -> None:
    name = f"amazon-connect-{uuid4().hex[:8]}"
    names = Names(f"story-{name}", name, f"{name}-renamed", f"{name}-by-hand")
    story = Story(engine, Page(io.StringIO()), names)

    story.play(steps)

    promises = [promise for outcome in story.outcomes for promise in outcome.promises]
    assert [promise for promise in promises if not promise.kept] == []
    assert all(outcome.good for outcome in story.outcomes)
    assert engine.status(names.stack) is None
    assert story.existing(names.domain, names.renamed, names.made_by_hand) == set()


def test_a_customers_key_can_be_set_and_removed(engine: Engine) -> None:
    kms, role = engine.client("kms"), engine.outputs(engine.provider_stack)["RoleArn"]
    statement = {"Effect": "Allow", "Resource": "*"}
    policy = [
        statement | {"Principal": {"AWS": role}, "Action": "kms:CreateGrant"},
        statement | {"Principal": {"Service": "profile.amazonaws.com"}, "Action": ["kms:*"]},
    ]
    key = kms.create_key(Policy=json.dumps({"Statement": policy}))["KeyMetadata"]["Arn"]
    name = f"amazon-connect-{uuid4().hex[:8]}"
    names = Names(name, name, f"{name}-renamed", f"{name}-by-hand")
    story = Story(replace(engine, key=key), Page(io.StringIO()), names)

    story.play(api_behaviour.CUSTOMER_KEY)

    assert [promise for promise in story.outcomes[0].promises if not promise.kept] == []
    assert story.outcomes[0].notes[0].seen == key


def test_if_stats_do_not_count_a_profile_in_time_an_object_type_is_added(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"amazon-connect-{uuid4().hex[:8]}"
    story = Story(engine, Page(io.StringIO()), Names(name, name, f"{name}-renamed", f"{name}-by-hand"))
    client = engine.customer_profiles

    @step("Put a profile in", "the domain is in use")
    def put_profile_in(story: Story) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(client, "create_profile", lambda **_: None)  # Stats stay at 0
            chapters.put_profile_in(story, name, at_most=0)

    client.create_domain(DomainName=name, DefaultExpirationDays=1)
    story.play([put_profile_in])

    assert story.outcomes[0].notes[0].seen == "not within 0 s"
    assert len(client.list_profile_object_types(DomainName=name)["Items"]) == 1
    client.delete_domain(DomainName=name)
