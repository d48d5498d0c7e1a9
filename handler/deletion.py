"""Decision taken on a Delete, given how the live domain looks. Pure functions of plain values.

They guard the same rule as decision.py, which has the rows of the other events.

    event                     the domain is                what happens
    ------------------------  ---------------------------  -----------------------------------------------------------
    Delete, physical id is the domain's name:
                              absent                       nothing
                              own, made                    deleted; refused if it is protected and in use
                              own, `found` or `inherited`  left*** in a rollback*, if it is in use, or was there before
                                                           the operation**; refused if it is in use, and protected or
                                                           not said to be unprotected while CloudFormation can't be
                                                           asked; else deleted
                              own, taken over              given back; deleted if it was unowned before, protection is
                                                           lifted, and the stack is not rolling back* (a resource of
                                                           the native type that still exists is an owner, too)
                              lent, only to resources of   as an own one
                              the same stack that were
                              never created
                              lent                         let go; nothing in a rollback*, if it was there before the
                                                           operation**, not on loan, and is lent to another stack,
                                                           which would own it then (only if it is `found`, or the stack
                                                           goes on)
                              foreign                      nothing: the domain has moved on
                              unowned                      nothing with AdoptExisting (it was given back before, unless
                                                           a tag with a number is of this resource's own claim), or
                                                           if it is that of a native resource; else refused
    Delete after a failed Create (its physical id says which):
                              own, made by that Create     deleted; left if it is in use, unless protection is lifted;
                                                           refused if the API does not tell
                              own, inherited in the        deleted; left*** if it is in use; refused if the API does not
                              operation**                  tell
                              lent, made by that Create,   let go
                              or inherited in the
                              operation**
                              taken over                   given back, or let go
                              anything else                nothing
    Delete after a Create that was never answered (CloudFormation made the physical id up):
                              own, not taken over          deleted; left*** if it is in use, or was there before the
                                                           operation**; refused if the API does not tell
                              lent, not taken over         let go, if it was not there before the operation**
                              taken over                   given back, or let go
                              anything else                nothing

*  Or the stack was never complete with the domain (history.py).
** That is rolled back. A domain was there before if it was made before, or, if it is `inherited`, inherited before.
*** With AdoptExisting without its claim, if it is `found` or `inherited`, and the stack does not exist after that: no
    event to come would remove the claim.

A domain with the system tags of a resource of the native type that still exists is that one's: it is not deleted, but
the claim is removed.

A domain is in use if it holds profiles or objects, or if there are integrations or object types in it.
"""

from __future__ import annotations

from handler import ownership, refusals
from handler.claims import FOUND, NATIVE_STACK_ID, Claims, read_claims
from handler.convergence import reclaim
from handler.event import Event
from handler.ownership import Owner, owner
from handler.plans import Ask, Facts, Leave, Plan, Use
from handler.timeliness import Rollback
from handler.undoing import destroy, undo, use_of, was_there_before


def delete(event: Event, facts: Facts, *, protection: bool | None, adopts: bool) -> Plan:
    """Decide on a Delete; `protection` and `adopts` are DeletionProtection and AdoptExisting as the template has them.

    The live domain is the one that the physical id names, or where there is none the one that ResourceProperties names.
    """
    if facts.live is None:
        return Leave("there is no such domain; nothing to delete")
    name = facts.live["DomainName"]
    tags = facts.live.get("Tags", {})
    claims = ownership.claims_of(event, tags, adopts=adopts)
    if not event.is_for(name):
        undone = undo(event, facts, made_by=event.failed_create, even_in_use=protection is False)
        is_left = isinstance(undone, Leave) and owner(claims, event) is Owner.OWN and claims[0].is_inherited
        return _leave(facts, undone, adopts=adopts) if is_left else undone
    whose, left = owner(claims, event), _without_given_up(event, facts, claims)
    if isinstance(left, Ask):
        return left
    match whose:
        case Owner.OWN:
            return _delete_own(event, facts, left, protection, adopts=adopts)
        case Owner.LENT:
            return _delete_lent(event, facts, left, protection, adopts=adopts)
        case Owner.FOREIGN:
            return Leave(f"domain {name} now belongs to {refusals.holder(claims)}")
    behind = read_claims(tags, first=1)
    ends = ownership.let_go_of_given_up_loan(ownership.take_over(behind, event), event, facts.seen_since)
    # A Delete that gives the domain back leaves no claim of its resource, and no loan that it has given up.
    was_given_back = ends[1:] == behind and ownership.claim_held_by(event, behind) is None
    if (adopts and was_given_back) or facts.has_changed:
        return Leave(f"domain {name} was given back before")
    if NATIVE_STACK_ID in tags and facts.is_native_gone is None:
        return Ask.NATIVE
    if facts.is_native_gone is False:
        return Leave(f"domain {name} {refusals.belongs((), tags)}")
    return refusals.lost_its_tags(event, name, tags, ends, is_unprotected=protection is False)


def _without_given_up(event: Event, facts: Facts, claims: Claims) -> Claims | Ask:
    """The claims without a loan that was retained and taken over again since: that ends with the resource, too.

    But not in a rollback: then the resource was not there before.
    """
    left = ownership.let_go_of_given_up_loan(claims, event, facts.seen_since)
    if left == claims or ownership.claim_held_by(event, claims) is None:
        return claims
    if facts.rollback is None:
        return Ask.ROLLBACK
    return left if facts.rollback.is_forward else claims


def _delete_own(event: Event, facts: Facts, claims: Claims, protection: bool | None, *, adopts: bool) -> Plan:
    if claims[0].is_adopted:
        return _delete_taken_over(facts, claims, protection)
    if claims[0].request_id == FOUND or claims[0].is_inherited:
        return _delete_found(event, facts, claims, protection, adopts=adopts)
    return _delete_made(event, facts, protection)


def _delete_made(event: Event, facts: Facts, protection: bool | None) -> Plan:
    assert facts.live is not None
    use = use_of(facts) if protection else Use()
    if isinstance(use, Ask):
        return use
    return refusals.is_protected(event, facts.live["DomainName"], use) if use else destroy(facts)


def _delete_found(event: Event, facts: Facts, claims: Claims, protection: bool | None, *, adopts: bool) -> Plan:
    assert facts.live is not None
    name = facts.live["DomainName"]
    use = use_of(facts)
    if isinstance(use, Ask):
        return use
    if facts.rollback is None:
        return Ask.ROLLBACK
    if facts.rollback.is_undoing:
        if_unknown = not claims[0].is_inherited  # nobody else wants an empty one that was inherited
        was_there = bool(use) or was_there_before(facts, claims[0], if_unknown=if_unknown)
        if isinstance(was_there, Ask):
            return was_there
        if was_there:
            why = f"domain {name} is in use, or was there before the operation that is rolled back"
            return _leave(facts, Leave(why), adopts=adopts)
    elif use and protection:
        return refusals.is_protected(event, name, use)
    elif use and protection is None and facts.rollback is Rollback.UNKNOWN:
        return refusals.may_be_rolled_back(event, name, use)
    return destroy(facts, asks=True)


def _leave(facts: Facts, plan: Plan, *, adopts: bool) -> Plan:
    """Leave a domain that was there before; without a claim if the stack ends: no event to come would remove it."""
    assert facts.live is not None
    if facts.rollback is None:
        return Ask.ROLLBACK
    return reclaim(facts.live, ()) if facts.rollback is Rollback.ENDS and adopts else plan


def _delete_lent(event: Event, facts: Facts, claims: Claims, protection: bool | None, *, adopts: bool) -> Plan:
    assert facts.live is not None
    if any(claim.stack_id == event.stack_id for claim in ownership.borrowers(claims, event)):
        if facts.never_created is None:
            return Ask.BORROWERS
        claims = ownership.without_borrowers(claims, event, facts.never_created)
    if owner(claims, event) is Owner.OWN:
        return _delete_own(event, facts, claims, protection, adopts=adopts)
    mine = ownership.claim_held_by(event, claims)
    if mine and not mine.is_adopted and not ownership.is_lent_within_stack(claims, event):
        if facts.rollback is None:
            return Ask.ROLLBACK
        is_found = mine.request_id == FOUND
        is_undoing = facts.rollback.is_undoing if is_found else facts.rollback is Rollback.YES
        was_there = is_undoing and was_there_before(facts, mine, if_unknown=is_found)
        if isinstance(was_there, Ask):
            return was_there
        if was_there:  # the borrower would own it then, and its stack would delete what was there before
            return Leave(f"domain {facts.live['DomainName']} was there before the operation that is rolled back")
    return reclaim(facts.live, ownership.let_go(claims, event, facts.seen_since))


def _delete_taken_over(facts: Facts, claims: Claims, protection: bool | None) -> Plan:
    assert facts.live is not None
    given_back = reclaim(facts.live, ownership.give_back(claims))
    if len(claims) > 1 or protection is not False:
        return given_back
    if facts.rollback is None:
        return Ask.ROLLBACK
    return destroy(facts, asks=True) if facts.rollback.is_forward else given_back
