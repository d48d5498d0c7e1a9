"""Undoing: how to reverse what a failed, unwanted or rolled back event has done. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from botocore.model import StructureShape

from handler import changes, ownership, refusals
from handler.changes import Changes, Live
from handler.claims import NATIVE_STACK_ID, Claim, Claims, read_claims, tags_of
from handler.convergence import converge, reclaim
from handler.event import Event
from handler.ownership import Owner, owner
from handler.plans import Ask, Change, Destroy, Facts, Leave, Plan, Use
from handler.properties import Desired
from handler.timeliness import BETWEEN_CLOCKS, Rollback

Settings = Mapping[str, Any]

_COUNTS = {"ProfileCount": "profiles", "ObjectCount": "objects"}  # of Stats: customer data


def undo(
    event: Event,
    facts: Facts,
    made_by: str | None = None,
    *,
    even_in_use: bool = False,
    even_if_unknown: bool = False,
    keeps_loan: bool = False,
) -> Plan:
    """Decide on what a Create, or an Update to a new name, did that came to nothing: it failed, or is not wanted.

    `made_by` is the request-id that its domain has, None where that is not known: then the domain's age tells whether
    the operation that is undone has made it. `even_in_use` deletes a domain that it made and that is in use by then,
    `even_if_unknown` one for which Stats counts nothing and the rest is not known: one that this event itself has just
    made. `keeps_loan` leaves a domain that was taken over: most likely that was in an earlier operation.
    """
    if facts.live is None:
        return Leave("it left no domain behind")
    name = facts.live["DomainName"]
    claims = read_claims(facts.live.get("Tags", {}))
    mine = ownership.claim_held_by(event, claims)
    if mine is None:
        return Leave(f"domain {name} is not this resource's")
    if mine.is_adopted and keeps_loan:
        return Leave(f"domain {name} was taken over before")
    is_lent = owner(claims, event) is Owner.LENT
    if mine.is_adopted:
        was_there = is_lent and _is_earlier_loan(event, facts, claims)
    else:
        was_there = _is_earlier(facts, mine, made_by, if_unknown=is_lent)
    if is_lent:
        if isinstance(was_there, Ask):
            return was_there
        if was_there:
            return Leave(f"domain {name} is lent to {refusals.holder(claims)}")
        return reclaim(facts.live, ownership.let_go(claims, event, facts.seen_since))
    if mine.is_adopted:
        return reclaim(facts.live, ownership.give_back(claims))
    even_in_use = even_in_use and mine.request_id == made_by  # not what a lender has left to it
    return _undo_made(facts, was_there, even_in_use=even_in_use, even_if_unknown=even_if_unknown)


def _undo_made(facts: Facts, was_there: bool | Ask, *, even_in_use: bool, even_if_unknown: bool) -> Plan:
    assert facts.live is not None
    name = facts.live["DomainName"]
    use = Use() if even_in_use else use_of(facts)
    if isinstance(use, Use) and use and use.is_known:
        return Leave(f"domain {name} is in use, and left alone: it holds {use.words}")
    if isinstance(was_there, Ask):
        return was_there
    if was_there:
        return Leave(f"domain {name} was there before the operation that is rolled back")
    if isinstance(use, Ask):
        return use
    if use and not (use is facts.contents and even_if_unknown):
        return refusals.may_be_in_use(name, use)
    return destroy(facts)


def _is_earlier_loan(event: Event, facts: Facts, claims: Claims) -> bool | Ask:
    """Whether a loan further down is one that was retained before. A later loan gives that up (`take back`)."""
    if any(claim.was_given_up_by(event) for claim in claims):
        return False
    return Ask.HAD_BEFORE if facts.had_before is None else facts.had_before


def _is_earlier(facts: Facts, mine: Claim, made_by: str | None, *, if_unknown: bool) -> bool | Ask:
    """Whether the domain came to the resource before the event or the operation that is undone.

    The request-id tells it if it is known, and the domain was not inherited; else the time does.
    """
    if mine.request_id == made_by:
        return False
    if made_by is not None and not mine.is_inherited:
        return True
    return was_there_before(facts, mine, if_unknown=if_unknown)


def was_there_before(facts: Facts, mine: Claim, *, if_unknown: bool) -> bool | Ask:
    """Whether the domain was there before the operation began that is undone; a rollback does not delete it then.

    `mine` is the claim of the event's resource. If it is `inherited`, its time counts, not that of the domain.
    `if_unknown` is the answer where that is not known, or if CloudFormation could not be asked for the beginning.
    """
    assert facts.live is not None
    if facts.undone_since is None:
        return Ask.UNDONE_SINCE
    since = mine.inherited_at if mine.is_inherited else facts.live["CreatedAt"].timestamp()
    if since is None or not facts.undone_since:
        return if_unknown
    return bool(since < facts.undone_since - BETWEEN_CLOCKS)


def destroy(facts: Facts, *, asks: bool = False) -> Plan:
    """Delete the domain; but give it up if a resource of the native type has it: it was there before, or imported it.

    `asks`: whether CloudFormation still wants that is asked, unless the stack does not exist after it.
    """
    assert facts.live is not None
    name, tags = facts.live["DomainName"], facts.live.get("Tags", {})
    if NATIVE_STACK_ID in tags and not facts.is_native_gone:
        return Ask.NATIVE if facts.is_native_gone is None else reclaim(facts.live, ())
    return Destroy(name, asks=asks and facts.rollback not in (Rollback.DELETION, Rollback.ENDS))


def go_back(event: Event, desired: Desired, old: Desired, live: Live | None, shape: StructureShape) -> Plan:
    """Bring a domain back to what the template asked for before, after an Update that is being rolled back.

    The Update that rolls it back may have looked at the domain before this one changed it, and does not look again.
    """
    claims = read_claims(live.get("Tags", {})) if live else ()
    if live is None or old.name != desired.name or owner(claims, event) is not Owner.OWN:
        return Leave(f"domain {desired.name} is gone, has another owner, or was another one before")
    return converge(old, desired, live, claims, shape)


def put_back_settings(
    event: Event, desired: Desired, before: Live, facts: Facts, shape: StructureShape, of: Callable[[Settings], bool]
) -> Plan:
    """Put the settings back after a takeover that failed, or a domain found again, while it is still claimed.

    `desired` is what the event wanted, `before` the domain as it was. `facts.live` is as it is now. `of` tells which
    settings: those that name a queue or a key can be refused by now, and must not hold the others up.
    """
    plan = _put_back(event, desired, before, facts, shape)
    if isinstance(plan, Leave):
        return plan
    if not isinstance(plan, Change):  # the domain is to be deleted, or is in use: put_back_claims decides that
        return Change(desired.name, Changes())
    chosen = ({name: value for name, value in update.items() if of({name: value})} for update in plan.changes.updates)
    return replace(plan, changes=Changes(updates=tuple(filter(None, chosen)), postponed=plan.changes.postponed))


def put_back_claims(event: Event, desired: Desired, before: Live, facts: Facts, shape: StructureShape) -> Plan:
    """Put claims and tags back, even if the settings could not be."""
    plan = _put_back(event, desired, before, facts, shape)
    if not isinstance(plan, Change):
        return plan
    needed = plan.changes.without_settings()
    return replace(plan, changes=needed, and_look=needed.of_claims and bool(plan.claims))


def _put_back(event: Event, desired: Desired, before: Live, facts: Facts, shape: StructureShape) -> Plan:
    claims = _claims_put_back(event, desired.name, before, facts)
    if not isinstance(claims, tuple):
        return claims
    # GetDomain may not show yet what this event has changed. (A value that it set and that somebody has put back looks
    # the same. It is then set once more.)
    live = facts.live or {}
    live = {**live, **{name: value for name, value in facts.sent.items() if live.get(name) == before.get(name)}}
    # What is not as the event wanted it, somebody else has changed since.
    updates, tags = changes.find(desired, desired, live, None, shape).updates, live.get("Tags", {})
    names = set(facts.sent).difference(*updates)
    wanted = Desired(
        desired.name,
        {name: changes.askable(before[name], shape.members[name]) for name in names if name in before},
        {key: old for key, old in before.get("Tags", {}).items() if key in tags and tags[key] == desired.tags.get(key)},
    )
    desired = replace(
        desired,
        settings={name: value for name, value in desired.settings.items() if name in names},
        tags={key: value for key, value in desired.tags.items() if tags.get(key) == value},
    )
    return Change(desired.name, changes.find(wanted, desired, live, tags_of(claims), shape), claims=claims)


def _claims_put_back(event: Event, name: str, before: Live, facts: Facts) -> Claims | Plan:
    """The claims that a domain gets that is put back; or what to do instead, if that is not all."""
    if facts.live is None:
        return Leave("the domain that was there before is gone")
    claims, as_before = read_claims(facts.live.get("Tags", {})), read_claims(before.get("Tags", {}))
    whose = owner(claims, event)
    if whose is not Owner.OWN and claims == as_before:  # it never got its claim, or that was given back
        return claims if facts.has_claimed else Leave(f"this {event.request_type} has changed nothing in domain {name}")
    if whose is Owner.FOREIGN:
        return Leave(f"domain {name} now belongs to {refusals.holder(claims)}")
    # The event has found its own domain again, or has taken nothing over. So its claims stay.
    was_own = owner(as_before, event) is Owner.OWN or ownership.is_as_before(claims, as_before, event)
    if whose is Owner.LENT and was_own:
        return Leave(f"domain {name} is lent to {refusals.holder(claims)}")
    if whose is Owner.LENT:  # settings and tags are the borrower's by now
        return replace(reclaim(facts.live, ownership.let_go(claims, event, facts.seen_since)), and_look=False)
    if whose is Owner.UNOWNED or was_own:
        return claims
    if not claims[0].is_adopted:  # the lender has let go, so there is nobody to give it back to
        return undo(event, facts, made_by=claims[0].request_id)
    taken = (ownership.take_back(as_before, event, at=None, keeps_loan=keeps_loan) for keeps_loan in (True, False))
    return as_before if claims in taken else ownership.give_back(claims)


def use_of(facts: Facts) -> Use | Ask:
    """What the domain is in use for."""
    assert facts.live is not None
    stats = facts.live.get("Stats", {})
    if any(stats.get(count) != 0 for count in _COUNTS):
        words = " and ".join(f"{stats.get(count, 'an unknown number of')} {what}" for count, what in _COUNTS.items())
        return Use(words, is_known=all(count in stats for count in _COUNTS))
    return Ask.CONTENTS if facts.contents is None else facts.contents
