"""Claims: tags read as a list of claims, and claims written as tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.claims import (
    ADOPTED,
    FOUND,
    LOGICAL_ID,
    NO_ID,
    OWNERSHIP_KEYS,
    REQUEST_ID,
    STACK_ID,
    Claim,
    Claims,
    is_ownership_key,
    read_claims,
    tags_of,
)
from tests.handler import cloudformation

STACK, ELSEWHERE = cloudformation.STACK, cloudformation.stack_arn("elsewhere")

MADE_BY_A, MADE_BY_B = Claim(STACK, "A", "request-of-A"), Claim(STACK, "B", "request-of-B")
ADOPTED_BY_A, ADOPTED_BY_B = Claim(STACK, "A", ADOPTED), Claim(STACK, "B", ADOPTED)

some_claims = st.lists(st.sampled_from([ADOPTED_BY_A, ADOPTED_BY_B, MADE_BY_A, MADE_BY_B]), max_size=5).map(
    lambda claims: read_claims(tags_of(tuple(claims)))
)


def test_each_claim_is_written_with_all_of_its_tags_though_one_of_them_was_removed() -> None:
    """Else a tag of the claim that had these keys before would count, should the change of claims stop half way."""
    assert tags_of((Claim(STACK, "B", ADOPTED), Claim(ELSEWHERE, "", "r")))[f"{LOGICAL_ID}.1"] == NO_ID


@pytest.mark.parametrize(
    ("key", "is_kept"),
    [
        *((key, True) for key in sorted(OWNERSHIP_KEYS)),
        *((f"{key}.{index}", True) for key in sorted(OWNERSHIP_KEYS) for index in (1, 2, 10)),
        (f"{STACK_ID}.0", False),
        (f"{STACK_ID}.01", False),
        (f"{STACK_ID}.x", False),
        (f"aws:{STACK_ID}", False),
        ("team", False),
    ],
)
def test_the_resource_keeps_the_keys_of_its_claims_for_itself(key: str, is_kept: bool) -> None:
    assert is_ownership_key(key) is is_kept


@given(some_claims)
def test_claims_survive_being_written_as_tags(claims: Claims) -> None:
    assert read_claims(tags_of(claims)) == claims
    assert all(is_ownership_key(key) for key in tags_of(claims))


@given(some_claims)
def test_only_the_last_claim_is_a_makers(claims: Claims) -> None:
    assert all(claim.is_adopted for claim in claims[:-1])


def numbered(claims: dict[int, Claim]) -> dict[str, str]:
    """The tags of these claims with these numbers."""
    suffixes = {number: f".{number}" if number else "" for number in claims}
    return {
        key + suffixes[number]: value for number, claim in claims.items() for key, value in tags_of((claim,)).items()
    }


@pytest.mark.parametrize(
    ("tags", "claims"),
    [
        ({STACK_ID: STACK, LOGICAL_ID: "A"}, (Claim(STACK, "A", FOUND),)),
        ({**tags_of((ADOPTED_BY_B,)), f"{STACK_ID}.1": STACK}, (ADOPTED_BY_B, Claim(STACK, "", FOUND))),
        ({f"{STACK_ID}.1": STACK, f"{LOGICAL_ID}.1": "A"}, ()),
        ({REQUEST_ID: "r"}, ()),
        (numbered({0: ADOPTED_BY_B, 2: MADE_BY_A}), (ADOPTED_BY_B, MADE_BY_A)),
        (numbered({0: ADOPTED_BY_A, 2: MADE_BY_A}), (MADE_BY_A,)),
        (numbered({0: ADOPTED_BY_B, 3: ADOPTED_BY_A, 10: MADE_BY_B}), (ADOPTED_BY_B, ADOPTED_BY_A, MADE_BY_B)),
        (numbered({2: MADE_BY_A}), ()),
        ({STACK_ID: STACK, LOGICAL_ID: "B"} | numbered({2: MADE_BY_A}), (ADOPTED_BY_B, MADE_BY_A)),
    ],
    ids=[
        "without a request-id it is not known which event made it",
        "a claim in the list that lost two tags",
        "the holder's tags were removed",
        "a request-id alone",
        "two events changed the claims at the same time, and left a gap",
        "a gap between two claims of one resource",
        "several gaps",
        "a gap, and the holder's tags were removed",
        "a gap, and the holder's request-id was removed",
    ],
)
def test_claims_with_removed_tags(tags: dict[str, str], claims: Claims) -> None:
    assert read_claims(tags) == claims


@pytest.mark.parametrize("by_hand", ["inherited", "inherited:", "inherited:yesterday", "inherited:0001-01-01"])
def test_a_time_of_inheritance_that_is_none_is_not_known(by_hand: str) -> None:
    claim = Claim(STACK, "A", by_hand)
    assert claim.is_inherited
    assert claim.inherited_at is None
