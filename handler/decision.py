"""Decision taken on a Create or an Update, given how the live domain looks. Pure functions of plain values.

They guard one rule: no event destroys a domain that the resource does not own, or leaves behind one that it does. What
it made, it deletes; what it took over, it gives back. `ownership.py` says what own, lent, foreign and unowned mean.

    event                     the domain is                what happens
    ------------------------  ---------------------------  -----------------------------------------------------------
    Create                    absent                       it is made
    Create                    own                          converge; if another event made it, it is marked `found`, and
                                                           put back as it was if that fails
    Create                    unowned, lent or foreign     refused; with AdoptExisting taken over, then converged;
                                                           put back as it was if that fails
    Update, same name         own                          converge
    Update, same name         unowned                      claimed (`adopted` with AdoptExisting, else `found`), then
                                                           converged
    Update, same name         foreign, or lent to another  nothing in a rollback, which must not fail for that; else
                              stack                        refused
    Update, same or new name  lent, to resources of the    in the rollback of a rename (of resources that swapped their
                              same stack only              domains) the claims of those that got it in the same
                                                           operation are removed, then converged; nothing, if others
                                                           had it before. Else taken over again, or by a rename taken
                                                           back; then converged
    Update, same name         absent                       it is made again
    Update, new name          absent, own                  as a Create
    Update, new name          unowned, foreign, or lent    nothing in a rollback, which comes back to a domain that the
                              to another stack             resource had; else as a Create (nothing if it is lent and
                                                           CloudFormation can't be asked)
    Update after a            (the domain of that          undone, as after a Create that was never answered; then
    replacement that failed   replacement)                 the event goes on

deletion.py has the rows of a Delete.

Whether the stack is rolling back, whether a domain is in use, and the like is asked only where it decides: the plan is
then a question (`Ask`), and with the answer among the facts the same function decides again.
"""

from __future__ import annotations

from botocore.model import StructureShape

from handler import ownership, refusals
from handler.claims import ADOPTED, FOUND, NATIVE_STACK_ID, Claims, read_claims, tags_of
from handler.convergence import converge
from handler.event import Event
from handler.ownership import Owner, claim_of, owner
from handler.plans import Ask, Facts, Leave, Make, Plan, Refuse
from handler.properties import CLEARED_BY_EMPTY, Desired
from handler.timeliness import Rollback


def create_or_update(event: Event, desired: Desired, old: Desired, shape: StructureShape, facts: Facts) -> Plan:
    """Decide on a Create or an Update, for the domain that the desired state names.

    `old` is what the template asked for before this event, `shape` the input shape of CreateDomain.
    """
    if facts.live is None:
        settings = {k: v for k, v in desired.settings.items() if not (v == "" and k in CLEARED_BY_EMPTY)}
        return Make(desired.name, settings, {**desired.tags, **tags_of((claim_of(event, event.request_id),))})
    claims = ownership.claims_of(event, facts.live.get("Tags", {}), adopts=desired.adopt_existing)
    allowed = _claim(event, desired, old, claims, facts)
    if not isinstance(allowed, tuple):
        return allowed
    comes_back = facts.undone_borrowers is not None  # to a domain that it had before, so it takes nothing over
    was_there = not (comes_back or event.is_for(desired.name) or allowed[0].request_id == event.request_id)
    live, is_refused = facts.live, facts.is_refused
    plan = converge(desired, old, live, allowed, shape, was_there=was_there, only_named=is_refused)
    if event.is_create or old.name == desired.name:
        return plan
    # The old properties are those of another domain, or had a mistake. In a rollback, a structure is sent without what
    # the template does not name, since a sibling that had the domain may have set that. And a property that the service
    # can't change now waits for a later event, so that the rollback does not fail for what was changed by hand. It does
    # not wait if a sibling has had the domain meanwhile.
    before = old if facts.has_come_back else desired
    in_rollback = converge(desired, before, live, allowed, shape, was_there=was_there, only_named=True)
    if in_rollback != plan and facts.rollback is None:
        return Ask.ROLLBACK
    return in_rollback if facts.rollback and facts.rollback.is_undoing else plan


def _claim(event: Event, desired: Desired, old: Desired, claims: Claims, facts: Facts) -> Claims | Ask | Leave | Refuse:
    """Decide on the claims that a Create or an Update gives to a live domain, if it may have it at all."""
    name, whose = desired.name, owner(claims, event)
    if whose is Owner.OWN:
        # This event took the domain over, so it is not `found`, even if the lender has let go since.
        return claims if event.is_for(name) or facts.has_taken_over else _claim_again(event, claims)
    if whose is Owner.LENT and facts.has_taken_over:  # others have taken it over from this event
        return ownership.take_over(ownership.let_go(claims, event, facts.seen_since), event)
    if whose is Owner.LENT and not event.is_create and ownership.is_lent_within_stack(claims, event):
        return _claim_within_stack(event, desired, old, claims, facts)
    return (_claim_known if event.is_for(name) else _claim_another)(event, desired, claims, facts)


def _claim_within_stack(
    event: Event, desired: Desired, old: Desired, claims: Claims, facts: Facts
) -> Claims | Ask | Leave:
    """Decide on the claims of an Update to a domain that its resource has lent, to resources of its own stack only."""
    is_current = event.is_for(desired.name)
    if is_current and old.name == desired.name:
        return ownership.take_over_again(claims, event)
    if facts.rollback is None:
        return Ask.ROLLBACK
    if facts.rollback.is_undoing:
        if facts.undone_borrowers is None:
            return Ask.UNDONE_BORROWERS
        own = ownership.without_borrowers(claims, event, facts.undone_borrowers)
        if owner(own, event) is not Owner.OWN:
            return Leave(f"domain {desired.name} was lent to a resource of its stack before, so nothing was changed")
        return own if is_current else _claim_again(event, own)
    if is_current or not facts.rollback.is_forward:
        return ownership.take_over_again(claims, event)
    return _take_back(event, claims, facts)


def _take_back(event: Event, claims: Claims, facts: Facts) -> Claims | Ask:
    """Decide on the claims to a domain that is taken over; a loan stays that the resource had before, and retained.

    Any other loan of its own is the work of an earlier delivery of this event.
    """
    ours = (claim for claim in claims if claim.is_of(event))
    if facts.had_before is None and any(each.is_adopted or ownership.was_inherited_since(event, each) for each in ours):
        return Ask.HAD_BEFORE
    return ownership.take_back(claims, event, facts.seen_since, keeps_loan=facts.had_before is True)


def _claim_known(event: Event, desired: Desired, claims: Claims, facts: Facts) -> Claims | Ask | Leave | Refuse:
    """Decide on the claims to a domain that CloudFormation knows as the resource's, but that is not its own."""
    assert facts.live is not None
    name, whose, tags = desired.name, owner(claims, event), facts.live.get("Tags", {})
    if whose is Owner.UNOWNED:
        # Somebody removed the holder's tags, but perhaps not those of the claims behind it.
        behind = read_claims(tags, first=1)
        was_loan = bool(claims) and claims[0].is_adopted
        is_loan = desired.adopt_existing or behind or was_loan or NATIVE_STACK_ID in tags
        return ownership.take_over(behind, event) if is_loan else (claim_of(event, FOUND),)
    if facts.rollback is None:
        return Ask.ROLLBACK
    if facts.rollback.is_undoing:
        return Leave(f"domain {name} now belongs to {refusals.holder(claims)}, so nothing was changed")
    return refusals.has_moved_on(event, name, claims, may_be_rolled_back=facts.rollback is Rollback.UNKNOWN)


def _claim_another(event: Event, desired: Desired, claims: Claims, facts: Facts) -> Claims | Ask | Leave | Refuse:
    """Decide on the claims to another domain that a Create or a rename names, and that is not its own."""
    assert facts.live is not None
    name, tags = desired.name, facts.live.get("Tags", {})
    if not event.is_create:
        if facts.rollback is None:
            return Ask.ROLLBACK
        is_lent = owner(claims, event) is Owner.LENT
        # A rollback comes back to a domain that the resource had. It must not fail for what has become of that since.
        if facts.rollback.is_undoing or (is_lent and facts.rollback is Rollback.UNKNOWN):
            return Leave(f"domain {name} now {refusals.belongs(claims, tags)}, so nothing was changed")
    if desired.adopt_existing:
        # Without the holder's tags there may still be those of the claims behind it.
        return _take_back(event, claims or read_claims(tags, first=1), facts)
    return refusals.already_exists(name, claims, tags)


def _claim_again(event: Event, claims: Claims) -> Claims:
    """Decide on the claim to an own domain that another event made: retained, left by a rename or a failed Create.

    It was there before this event, so the rollback of this event must not delete it once it is in use.
    """
    is_known = claims[0].request_id in (ADOPTED, event.request_id)
    return ownership.hold_as(claims, claim_of(event, claims[0].request_id if is_known else FOUND))
