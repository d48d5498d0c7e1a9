"""Ownership: whose a domain is, by its tags alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.event import read
from handler.ownership import LOGICAL_ID, OWNERSHIP_KEYS, REQUEST_ID, STACK_ID, Owner, claim, owner
from tests.handler import cloudformation

EVENT = read(cloudformation.event("Create", {}))
STACK, ELSEWHERE = cloudformation.STACK, cloudformation.stack_arn("elsewhere")


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        ({STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "r"}, Owner.OWN),
        ({STACK_ID: STACK, LOGICAL_ID: "Domain"}, Owner.OWN),
        ({STACK_ID: STACK, LOGICAL_ID: "Domain", "team": "red"}, Owner.OWN),
        ({STACK_ID: ELSEWHERE, LOGICAL_ID: "Domain"}, Owner.FOREIGN),
        ({STACK_ID: STACK, LOGICAL_ID: "Other"}, Owner.FOREIGN),
        ({STACK_ID: ELSEWHERE}, Owner.FOREIGN),
        ({LOGICAL_ID: "Other"}, Owner.FOREIGN),
        ({STACK_ID: STACK, LOGICAL_ID: ""}, Owner.FOREIGN),
        ({STACK_ID: STACK.upper(), LOGICAL_ID: "Domain"}, Owner.FOREIGN),
        ({STACK_ID: STACK}, Owner.UNOWNED),
        ({LOGICAL_ID: "Domain"}, Owner.UNOWNED),
        ({REQUEST_ID: EVENT.request_id}, Owner.UNOWNED),
        ({"team": "red"}, Owner.UNOWNED),
        ({}, Owner.UNOWNED),
    ],
)
def test_whose_a_domain_is(tags: dict[str, str], whose: Owner) -> None:
    assert owner(tags, EVENT) is whose


@given(st.dictionaries(st.sampled_from([*OWNERSHIP_KEYS, "team"]), st.sampled_from([STACK, ELSEWHERE, "Domain", "x"])))
def test_only_both_tags_of_this_very_resource_make_a_domain_its_own(tags: dict[str, str]) -> None:
    is_own = tags.get(STACK_ID) == STACK and tags.get(LOGICAL_ID) == "Domain"
    assert (owner(tags, EVENT) is Owner.OWN) == is_own


def test_what_an_event_claims_is_its_resources_own_and_no_others() -> None:
    tags = claim(EVENT, "the-request")
    assert tags.keys() == OWNERSHIP_KEYS
    assert tags[REQUEST_ID] == "the-request"
    assert owner(tags, EVENT) is Owner.OWN
    assert owner(tags, read(cloudformation.event("Create", {}, stack_id=ELSEWHERE))) is Owner.FOREIGN
    assert owner(tags, read(cloudformation.event("Create", {}, logical_id="Other"))) is Owner.FOREIGN
