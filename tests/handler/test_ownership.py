"""Ownership: whose a domain is, by its tags alone, and the operations on the list of claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.claims import (
    ADOPTED,
    FOUND,
    INHERITED,
    LOGICAL_ID,
    OWNERSHIP_KEYS,
    REQUEST_ID,
    STACK_ID,
    Claim,
    Claims,
    read_claims,
    tags_of,
)
from handler.event import Event, read
from handler.ownership import (
    Owner,
    claim_of,
    give_back,
    hold_as,
    let_go,
    let_go_of_given_up_loan,
    owner,
    restored,
    take_back,
    take_over,
    take_over_again,
    without_borrowers,
)
from tests.handler import cloudformation

STACK, ELSEWHERE = cloudformation.STACK, cloudformation.stack_arn("elsewhere")


def event(logical_id: str = "Domain", stack_id: str = STACK) -> Event:
    return read(cloudformation.event("Create", {}, stack_id=stack_id, logical_id=logical_id))


EVENT = event()


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
        ({STACK_ID: STACK.upper(), LOGICAL_ID: "Domain"}, Owner.FOREIGN),
        ({STACK_ID: STACK}, Owner.UNOWNED),
        ({STACK_ID: STACK, LOGICAL_ID: ""}, Owner.UNOWNED),
        ({LOGICAL_ID: "Domain"}, Owner.UNOWNED),
        ({REQUEST_ID: EVENT.request_id}, Owner.UNOWNED),
        ({"aws:cloudformation:stack-id": STACK, "aws:cloudformation:logical-id": "Domain"}, Owner.UNOWNED),
        ({"team": "red"}, Owner.UNOWNED),
        ({}, Owner.UNOWNED),
    ],
)
def test_whose_a_domain_is(tags: dict[str, str], whose: Owner) -> None:
    assert owner(read_claims(tags), EVENT) is whose


@given(st.dictionaries(st.sampled_from([*OWNERSHIP_KEYS, "team"]), st.sampled_from([STACK, ELSEWHERE, "Domain", "x"])))
def test_only_both_tags_of_this_very_resource_make_a_domain_its_own(tags: dict[str, str]) -> None:
    is_own = tags.get(STACK_ID) == STACK and tags.get(LOGICAL_ID) == "Domain"
    assert (owner(read_claims(tags), EVENT) is Owner.OWN) == is_own


def test_what_an_event_claims_is_its_resources_own_and_no_others() -> None:
    claims = (claim_of(EVENT, "the-request"),)
    tags = tags_of(claims)
    assert tags.keys() == OWNERSHIP_KEYS
    assert tags[REQUEST_ID] == "the-request"
    assert owner(claims, EVENT) is Owner.OWN
    assert owner(claims, event(stack_id=ELSEWHERE)) is Owner.FOREIGN
    assert owner(claims, event("Other")) is Owner.FOREIGN


# The list: A made the domain, B and C are other resources.

A, B, C = (claim_of(event(name), f"request-of-{name}") for name in "ABC")


def adopted(claim: Claim) -> Claim:
    return Claim(claim.stack_id, claim.logical_id, ADOPTED)


OPERATIONS = [
    ("a takeover from the maker", (A,), lambda claims: take_over(claims, event("B")), (adopted(B), A)),
    ("a takeover of an unowned domain", (), lambda claims: take_over(claims, event("B")), (adopted(B),)),
    (
        "a takeover from a borrower",
        (adopted(B), A),
        lambda claims: take_over(claims, event("C")),
        (adopted(C), adopted(B), A),
    ),
    ("a second takeover by the holder", (adopted(B), A), lambda claims: take_over(claims, event("B")), (adopted(B), A)),
    (
        "a second takeover by one who has lent it on",
        (adopted(C), adopted(B), A),
        lambda claims: take_over_again(claims, event("B")),
        (adopted(B), adopted(C), A),
    ),
    (
        "a second takeover by the maker",
        (adopted(B), A),
        lambda claims: take_over_again(claims, event("A")),
        (adopted(A), adopted(B), A),
    ),
    (
        "the maker comes back",
        (adopted(C), adopted(B), A),
        lambda claims: without_borrowers(claims, event("A"), {"B", "C"}),
        (A,),
    ),
    (
        "a borrower comes back",
        (adopted(C), adopted(B), A),
        lambda claims: without_borrowers(claims, event("B"), {"C"}),
        (adopted(B), A),
    ),
    ("a takeover from oneself as the maker", (A,), lambda claims: take_over(claims, event("A")), (A,)),
    (
        "the maker takes its own domain over again",
        (adopted(B), A),
        lambda claims: take_over(claims, event("A")),
        (adopted(A), adopted(B), A),
    ),
    ("giving back to the maker", (adopted(B), A), give_back, (A,)),
    ("giving back, unowned again", (adopted(B),), give_back, ()),
    ("giving back to another borrower", (adopted(C), adopted(B), A), give_back, (adopted(B), A)),
    (
        "the maker lets go of what it lent",
        (adopted(B), A),
        lambda claims: let_go(claims, event("A"), at=None),
        (Claim(B.stack_id, B.logical_id, A.request_id),),
    ),
    (
        "a borrower lets go of what it lent on",
        (adopted(C), adopted(B), A),
        lambda claims: let_go(claims, event("B"), at=None),
        (adopted(C), A),
    ),
    (
        "a borrower from nobody lets go of what it lent on",
        (adopted(C), adopted(B)),
        lambda claims: let_go(claims, event("B"), at=None),
        (adopted(C),),
    ),
    (
        "after a swap that was rolled back the maker holds its domain alone",
        (adopted(A), adopted(B), A),
        lambda claims: let_go(claims, event("B"), at=None),
        (A,),
    ),
    (
        "the holder is marked as found",
        (A,),
        lambda claims: hold_as(claims, claim_of(event("A"), FOUND)),
        (claim_of(event("A"), FOUND),),
    ),
    ("an unowned domain is claimed", (), lambda claims: hold_as(claims, A), (A,)),
]


@pytest.mark.parametrize(
    ("before", "operation", "after"), [row[1:] for row in OPERATIONS], ids=[row[0] for row in OPERATIONS]
)
def test_operations_on_the_list_of_claims(before: Claims, operation: Callable[[Claims], Claims], after: Claims) -> None:
    assert operation(before) == after


@pytest.mark.parametrize(
    ("before", "operation", "after"), [row[1:] for row in OPERATIONS], ids=[row[0] for row in OPERATIONS]
)
def test_an_operation_that_is_interrupted_between_setting_and_removing_tags_is_done_or_not_done(
    before: Claims, operation: Callable[[Claims], Claims], after: Claims
) -> None:
    """Tags are set in one call and removed in the next."""
    half_done = {**tags_of(before), **tags_of(after)}
    assert read_claims(half_done) in (before, after)


claims_of_some = st.lists(st.sampled_from([adopted(A), adopted(B), adopted(C), A, B, C]), max_size=5).map(
    lambda claims: read_claims(tags_of(tuple(claims)))
)


@given(claims_of_some, st.sampled_from("ABC"))
def test_giving_back_undoes_a_takeover(claims: Claims, name: str) -> None:
    if owner(claims, event(name)) is not Owner.OWN:
        assert give_back(take_over(claims, event(name))) == claims


def test_a_loan_that_was_given_up_and_has_inherited_ends_with_its_resource() -> None:
    """B was retained, and has taken the domain back from C. Then A, which made it, lets go, and then B."""
    given_up = Claim(STACK, "-B", ADOPTED)
    after_a = let_go((adopted(B), adopted(C), given_up, A), event("A"), at=1.0)
    assert [claim.logical_id for claim in after_a] == ["B", "C", "-B"]
    assert after_a[-1].is_inherited
    after_b = give_back(let_go_of_given_up_loan(after_a, event("B"), at=1.0))
    assert [claim.logical_id for claim in after_b] == ["C"]
    assert after_b[0].is_inherited
    assert let_go_of_given_up_loan((adopted(C), Claim(STACK, "-B", "made")), event("B"), at=1.0)[1:]  # no loan


def test_the_end_of_a_loan_that_was_given_up_leaves_what_its_resource_had_made_and_given_up() -> None:
    loan, given_up = Claim(STACK, "-B", ADOPTED), Claim(STACK, "-B", "made")
    before = (adopted(B), loan, adopted(C), given_up)
    assert let_go_of_given_up_loan(before, event("B"), at=1.0) == (adopted(B), adopted(C), given_up)


@pytest.mark.parametrize("had_before", [True, False])
def test_what_a_lender_has_left_since_the_event_was_sent_is_kept_if_the_loan_is_older(had_before: bool) -> None:
    left = replace(B, request_id="inherited:1970-01-01T00:00:05+00:00")
    after = take_back((adopted(C), left), replace(event("B"), sent_at=4), at=None, keeps_loan=had_before)
    kept, ended = (adopted(B), adopted(C), Claim(STACK, "-B", FOUND)), (adopted(B), replace(left, logical_id="C"))
    assert after == (kept if had_before else ended)


@given(claims_of_some, st.sampled_from("ABC"))
def test_who_lets_go_has_no_claim_left_behind_another(claims: Claims, name: str) -> None:
    left = let_go(claims, event(name), at=None)
    assert owner(left, event(name)) is not Owner.LENT or not claims
    assert left[:1] == () or left[0].logical_id == claims[0].logical_id


@pytest.mark.parametrize(
    ("at", "inherited_at"), [(1_767_225_600.9, 1_767_225_600.0), (None, None)], ids=["dated", "without a date"]
)
def test_a_borrower_in_another_stack_inherits_at_the_time_at_which_the_lender_lets_go(
    at: float | None, inherited_at: float | None
) -> None:
    lender = claim_of(event(stack_id=ELSEWHERE), "its-create")
    [left] = let_go(take_over((lender,), EVENT), event(stack_id=ELSEWHERE), at)
    assert left.is_inherited
    assert left.inherited_at == inherited_at


@pytest.mark.parametrize("lender_stack", [STACK, ELSEWHERE])
def test_who_inherits_is_the_next_borrower_whoever_holds_the_domain(lender_stack: str) -> None:
    """A RequestId is inherited within a stack, a time from another one: the two claims next to each other decide."""
    lender = read(cloudformation.event("Delete", {}, stack_id=lender_stack, logical_id="A"))
    borrower = Claim(STACK, "B", ADOPTED)
    for holder_stack in (STACK, ELSEWHERE):
        made = Claim(lender_stack, "A", "request-of-A")
        holder, left = let_go((Claim(holder_stack, "C", ADOPTED), borrower, made), lender, at=1.0)
        assert holder.is_adopted
        assert left.is_inherited == (lender_stack != STACK)
        assert left.is_inherited or left.request_id == "request-of-A"


def test_a_maker_that_has_let_go_before_the_borrower_gives_back_gets_no_claim_again() -> None:
    """The first attempt to give back was not carried out, and a third stack has taken the domain over meanwhile."""
    lender = Claim(ELSEWHERE, "A", "request-of-A")
    third = Claim("a-third-stack", "C", ADOPTED)
    borrower = claim_of(EVENT, f"{INHERITED}:2026-01-01T00:00:00+00:00")
    assert restored((third, borrower), (lender,), EVENT) is None


def test_a_maker_that_has_let_go_behind_another_borrower_gets_no_claim_again() -> None:
    """The same with a chain of three: the maker has left the domain to the one in the middle."""
    lender, between = Claim(ELSEWHERE, "A", "request-of-A"), Claim("a-third-stack", "C", ADOPTED)
    successor = Claim(ELSEWHERE, "B", ADOPTED)
    inherited = Claim("a-third-stack", "C", f"{INHERITED}:2026-01-01T00:00:00+00:00")
    assert restored((successor, claim_of(EVENT, ADOPTED), inherited), (between, lender), EVENT) is None
