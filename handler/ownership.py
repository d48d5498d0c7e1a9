"""Ownership: whose a domain is, read from its tags as a list of claims.

A claim is three tags: stack-id, logical-id and request-id. The holder's claim is in the plain keys. The claims behind
it have the same keys with a suffix: `.1`, `.2`, and so on. The request-id says how the resource got the domain:

    a RequestId   the Create, or the Update to a new name, that made it
    found         the resource made it earlier and found it again, or its tags had been removed
    inherited:... the resource that made it, in another stack, has let go of it; a rollback compares
                  the time with the beginning of its operation
    adopted       the resource took it over: on loan from the next claim; without a next claim it was unowned before

The first claim that is not `adopted` ends the list: that resource made the domain.

A takeover is a loan, so a rollback can put everything back. Three basic operations change it:

    take over   put a claim in front
    give back   remove one's own claim from the front: the next claim holds the domain again
    let go      remove one's own claim from further down; the claim above it inherits its request-id, or becomes
                `inherited` where the maker was in another stack: the rollback of the borrower's stack must not delete
                data that was there before

Three operations treat an older claim of the same resource further down specially:

    take over again   an Update, from resources of its own stack: an older loan ends, so that two resources of one
                      stack on one domain do not add a claim with each update
    come back         the rollback of a rename, from resources of its own stack that took the domain over in the
                      operation that is undone: their claims are removed. Their own events leave the same claims, so it
                      does not matter which event is the first, or if both run at the same time. If others had the
                      domain before that operation, nothing is changed
    take back         a Create, or an Update to a new name: the resource lent the domain, and the domain was retained
                      when its template dropped it. The older claim (a loan, too, if CloudFormation lists that the
                      domain was retained) stays with `-` before its logical id, so that a rollback does not end
                      it, and what was retained is deleted by nobody. (A later Delete ends such a loan.) If it is the
                      first claim again, a Create finds the domain again as its resource's own

Example: a resource A made a domain, and its logical id is changed to B in the template. CloudFormation sends a Create
for B (take over: B, A), then, after the update, a Delete for A (let go: B, now the maker). If the update fails, it
sends a Delete for B instead (give back: A).

Two claims of one resource next to each other count as one, with the request-id of the lower one. With that, and with
tags set before others are removed, a change of claims that is interrupted half way reads as either done or not done:
B gives back (B adopted, A made) by setting the plain keys to A's claim and then removing the keys with the suffix `.1`.
In between the tags say (A made, A made), which is read as (A made): done.

What follows from a claim's place in the list:

    own       the event's resource has the first claim
    lent      it has a claim further down
    foreign   only others have claims
    unowned   there is no claim, or tags were removed and the rest does not tell whose the domain is
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from handler.claims import ADOPTED, FOUND, INHERITED, NO_ID, REQUEST_ID, Claim, Claims, merged, read_claims
from handler.event import Event


class Owner(enum.Enum):
    """Whose a domain is, as the resource of an event sees it."""

    OWN = "own"
    LENT = "lent"
    FOREIGN = "foreign"
    UNOWNED = "unowned"


def owner(claims: Claims, event: Event) -> Owner:
    """Tell whose the domain with these claims is."""
    if claims and (claims[0].is_of(event) or (not event.is_delete and claims[0].was_given_up_by(event))):
        return Owner.OWN
    if any(claim.is_of(event) for claim in claims):
        return Owner.LENT
    if not claims or claims[0].may_be_of(event):
        return Owner.UNOWNED
    return Owner.FOREIGN


def claims_of(event: Event, tags: Mapping[str, str], *, adopts: bool) -> Claims:
    """The claims in a domain's tags, as the event's resource reads them.

    If somebody has removed the request-id of its only claim, the tags do not say whether it made the domain. With
    AdoptExisting in its template (`adopts`) the domain counts as taken over, as it does if all tags were removed.
    """
    claims = read_claims(tags)
    if adopts and len(claims) == 1 and claims[0].is_of(event) and REQUEST_ID not in tags:
        return (claim_of(event, ADOPTED),)
    return claims


def claim_held_by(event: Event, claims: Claims) -> Claim | None:
    """The claim of the event's resource among these, the first one; None if it has none."""
    return next((claim for claim in claims if claim.is_of(event)), None)


def is_as_before(claims: Claims, before: Claims, event: Event) -> bool:
    """Whether the event's resource has its claim in the same place as before, whoever is in front of it by now.

    Then it has taken nothing over.
    """
    own, own_before = (each[len(borrowers(each, event)) :] for each in (claims, before))
    return bool(own and own_before) and own[1:] == own_before[1:]


def is_lent_within_stack(claims: Claims, event: Event) -> bool:
    """Whether everybody who has the domain from the event's resource is in the same stack."""
    return all(claim.stack_id == event.stack_id for claim in borrowers(claims, event))


def borrowers(claims: Claims, event: Event) -> Claims:
    """The claims in front of the one of the event's resource: everybody who has the domain from it."""
    return tuple(itertools.takewhile(lambda claim: not claim.is_of(event), claims))


def without_borrowers(claims: Claims, event: Event, logical_ids: Collection[str]) -> Claims:
    """The claims without those of these resources of the event's stack in front of the one of the event's resource."""
    in_front = borrowers(claims, event)
    left = [each for each in in_front if each.stack_id != event.stack_id or each.logical_id not in logical_ids]
    return merged([*left, *claims[len(in_front) :]])


def has_claim(tags: Mapping[str, str], event: Event) -> bool:
    """Whether the event's resource has a claim to the domain with these tags, the first or another."""
    return claim_held_by(event, read_claims(tags)) is not None


def claim_of(event: Event, request_id: str) -> Claim:
    """A claim of the event's resource."""
    return Claim(event.stack_id, event.logical_id, request_id)


def hold_as(claims: Claims, claim: Claim) -> Claims:
    """Replace the holder's claim."""
    return merged([claim, *claims[1:]])


def take_over(claims: Claims, event: Event) -> Claims:
    """Put the event's resource in front."""
    return merged([claim_of(event, ADOPTED), *claims])


def take_over_again(claims: Claims, event: Event) -> Claims:
    """Put the event's resource in front; an older loan of its own further down ends."""
    return take_over(_without_loans(claims, event), event)


def take_back(claims: Claims, event: Event, at: float | None, *, keeps_loan: bool) -> Claims:
    """Put the event's resource in front of a domain that it may have lent earlier.

    Its older claim as the maker is given up, and so is an older loan with `keeps_loan`, if none was before; else that
    ends. But if this event itself made the domain, or has inherited it by an earlier delivery, that claim is removed,
    and the borrower inherits its request-id, or is `inherited` since `at`.
    """
    is_earlier_delivery = not keeps_loan and any(was_inherited_since(event, claim) for claim in claims)
    if is_earlier_delivery or any(claim.is_of(event) and claim.request_id == event.request_id for claim in claims):
        claims = let_go(claims, event, at)
    keeps_loan = keeps_loan and not any(claim.was_given_up_by(event) for claim in claims)
    left = claims if keeps_loan else _without_loans(claims, event)
    return take_over(tuple(_given_up(claim) if claim.is_of(event) else claim for claim in left), event)


def was_inherited_since(event: Event, claim: Claim) -> bool:
    """Whether a lender has left the domain to the event's resource since the event was sent.

    The loan is then most likely that of an earlier delivery of the event, which did not end.
    """
    since, sent_at = claim.inherited_at, event.sent_at
    return claim.is_of(event) and since is not None and sent_at is not None and since >= sent_at


def _given_up(claim: Claim) -> Claim:
    """A claim that was given up. One that was inherited has no lender: it is not a loan that inherits later."""
    request_id = FOUND if claim.is_inherited else claim.request_id
    return Claim(claim.stack_id, NO_ID + claim.logical_id, request_id)


def _without_loans(claims: Claims, event: Event) -> Claims:
    return tuple(claim for claim in claims if not (claim.is_of(event) and claim.is_adopted))


def give_back(claims: Claims) -> Claims:
    """Remove the holder's claim; () if the domain was unowned before."""
    return claims[1:]


def let_go(claims: Claims, event: Event, at: float | None) -> Claims:
    """Remove the claim of the event's resource from further down; the one above it inherits its request-id.

    A borrower in another stack inherits no RequestId but becomes `inherited`: its own stack may still roll back.
    The time of that is `at`, in seconds since 1970, if it is known: since when the event sees these claims.
    So does a loan that was given up: it ends with its resource, as one that did not inherit does.
    """
    left: list[Claim] = []
    for claim in claims:
        if left and claim.is_of(event):
            is_other = left[-1].stack_id != claim.stack_id or left[-1].is_given_up
            is_from_elsewhere = not claim.is_adopted and is_other
            left[-1] = replace(left[-1], request_id=_inherited(at) if is_from_elsewhere else claim.request_id)
        else:
            left.append(claim)
    return merged(left)


def let_go_of_given_up_loan(claims: Claims, event: Event, at: float | None) -> Claims:
    """Remove the loan that the event's resource has given up (`take back`), if it has."""
    for number, claim in enumerate(claims, 1):
        if claim.was_given_up_by(event) and (claim.is_adopted or claim.is_inherited):
            left = let_go(claims[:number], replace(event, logical_id=claim.logical_id), at)
            return merged([*left, *claims[number:]])
    return claims


def restored(claims: Claims, kept: Claims, event: Event) -> Claims | None:
    """Put the claims that the event has kept behind those in front, if the last of them was lost; None if it was not.

    Tags have no conditional change. A takeover, by an event that had looked before, moves a claim to keys that this
    event then removes for its own. Without its claim a resource that still has the domain could not keep it. A maker
    that has let go meanwhile has marked the one in front as `inherited`. A borrower that has let go has not, so only a
    maker's claim comes back.
    """
    if not kept or not claims or kept[-1].is_adopted or kept[-1] in claims:
        return None
    last = claims[-1]
    is_as_made = last.is_of(event) and last.request_id == kept[-1].request_id
    if not last.is_adopted and not is_as_made:  # the maker has let go, and left the domain to that one
        return None
    ours = {event.resource, *(claim.resource for claim in kept)}
    in_front = tuple(itertools.takewhile(lambda claim: claim.resource not in ours, claims))
    return (*in_front, *kept) if in_front and in_front[-1].is_adopted else None


def _inherited(at: float | None) -> str:
    return INHERITED if at is None else f"{INHERITED}:{datetime.fromtimestamp(int(at), UTC).isoformat()}"
