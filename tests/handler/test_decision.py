"""The tables of what happens on each event (decision.py, deletion.py), row by row: functions of an event and the facts.

Start with ROWS: they stand in the order of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.model import StructureShape

from handler import app, decision, deletion, undoing
from handler.changes import Changes
from handler.claims import ADOPTED, FOUND, INHERITED, LOGICAL_ID, REQUEST_ID, STACK_ID, Claim, is_ownership_key, tags_of
from handler.event import Aftermath, Event, failed_create_id, read
from handler.plans import Ask, Change, Destroy, Facts, Leave, Make, Plan, Refuse, Use
from handler.properties import Desired, translate, translate_leniently
from handler.timeliness import Rollback
from tests.handler import cloudformation
from tests.handler.situations import LEAST

SHAPE: StructureShape = (
    botocore.session.get_session()  # type: ignore[assignment]
    .get_service_model("customer-profiles")
    .operation_model("CreateDomain")
    .input_shape
)

THIS, EARLIER = "request-of-this-event", "request-of-an-earlier-event"
STACK, ELSEWHERE = cloudformation.STACK, cloudformation.stack_arn("elsewhere")
MADE_UP = "customers-Domain-1ABCDEFGHIJK"
FAILED, UNSETTLED = (failed_create_id(EARLIER, aftermath) for aftermath in (Aftermath.SOMETHING, Aftermath.UNSETTLED))


def mine(request_id: str) -> Claim:
    return Claim(STACK, "Domain", request_id)


# A domain is made in an operation that began at OPERATION, and was there before one that began at LATER_OPERATION.
MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
OPERATION, LATER_OPERATION = MADE_AT.timestamp(), MADE_AT.timestamp() + 60
# It can be inherited in an operation that began an hour later, and was inherited before another one.
INHERITANCE, AFTER_INHERITANCE = OPERATION + 3600, LATER_OPERATION + 3600

MADE, MADE_NOW, TAKEN_OVER, FOUND_AGAIN = mine(EARLIER), mine(THIS), mine(ADOPTED), mine(FOUND)
INHERITED_THEN = mine(f"{INHERITED}:{datetime.fromtimestamp(INHERITANCE, UTC).isoformat()}")
THEIRS, SIBLINGS = Claim(ELSEWHERE, "Domain", "theirs"), Claim(STACK, "Other", "theirs")
THEIRS_ON_LOAN, SIBLINGS_ON_LOAN = Claim(ELSEWHERE, "Domain", ADOPTED), Claim(STACK, "Other", ADOPTED)
RETAINED = Claim(STACK, "-Domain", EARLIER)  # the older claim of a resource whose domain was retained
RETAINED_LOAN = Claim(STACK, "-Domain", ADOPTED)
UNDATED = {STACK_ID: STACK, LOGICAL_ID: "Domain"}


def behind(claim: Claim) -> dict[str, str]:
    """The tags with a number of a domain whose holder's tags were removed, with this claim behind."""
    return {key: value for key, value in tags_of((TAKEN_OVER, claim)).items() if key.endswith(".1")}


LENDER, LENT_TO_NOBODY = behind(THEIRS), behind(MADE)
GIVEN_UP_LOAN, OWN_LOAN_LENT = behind(Claim(STACK, "-Domain", INHERITED)), behind(TAKEN_OVER)
HALF_A_LOAN = {LOGICAL_ID: "Domain", REQUEST_ID: ADOPTED}
HALF_MINE = {LOGICAL_ID: "Domain"}
NATIVE = {
    "aws:cloudformation:stack-id": ELSEWHERE,
    "aws:cloudformation:stack-name": "elsewhere",
    "aws:cloudformation:logical-id": "Native",
}


def live(
    *claims: Claim, tags: Mapping[str, str] | None = None, name: str = "customers", profiles: int = 0, objects: int = 0
) -> dict[str, Any]:
    return {
        "DomainName": name,
        "CreatedAt": MADE_AT,
        "DefaultExpirationDays": 30,
        "Tags": {**tags_of(claims), **(tags or {})},
        "Stats": {"ProfileCount": profiles, "MeteringProfileCount": profiles, "ObjectCount": objects, "TotalSize": 1},
    }


def request(kind: str, physical_id: str | None = None, old_name: str | None = None, **properties: Any) -> Event:
    """An event for the domain `customers`."""
    properties = {"DomainName": "customers", "DefaultExpirationDays": 30, **properties}
    old = None if kind != "Update" else {**properties, "DomainName": old_name or "customers"}
    return read(cloudformation.event(kind, properties, old, physical_id=physical_id) | {"RequestId": THIS})


def decide(event: Event, facts: Facts) -> Plan:
    """Decide as app.py does."""
    if event.request_type == "Delete":
        asked = translate_leniently(event.properties, SHAPE)
        return deletion.delete(event, facts, protection=asked.deletion_protection, adopts=asked.adopt_existing)
    desired, old = translate(event.properties, SHAPE), app.asked_for_before(event, SHAPE)
    return decision.create_or_update(event, desired, old, SHAPE, facts)


@dataclass(frozen=True)
class Row:
    """One case: the event, the live domain, and the plan; whose the domain is afterwards; a part of the reason."""

    says: str
    event: Event
    live: Mapping[str, Any] | None
    plan: type[Plan] | Ask
    claims: tuple[Claim, ...] | None = None
    why: str = ""
    contents: Use | None = None
    rollback: Rollback | None = None
    is_native_gone: bool | None = None
    undone_since: float | None = None
    never_created: frozenset[str] | None = None
    undone_borrowers: frozenset[str] | None = None
    had_before: bool | None = None


CREATE, ADOPTING = request("Create"), request("Create", AdoptExisting=True)
UPDATE, UPDATE_ADOPTING = request("Update", "customers"), request("Update", "customers", AdoptExisting=True)
RENAME = request("Update", "clients", "clients")
RENAME_ADOPTING = request("Update", "clients", "clients", AdoptExisting=True)
DELETE = request("Delete", "customers")
DELETE_ADOPTED = request("Delete", "customers", AdoptExisting=True)
DELETE_PROTECTED = request("Delete", "customers", DeletionProtection=True)
DELETE_UNPROTECTED = request("Delete", "customers", DeletionProtection=False)
DELETE_FAILED = request("Delete", FAILED)
DELETE_UNSETTLED = request("Delete", UNSETTLED)
DELETE_FAILED_ADOPTING = request("Delete", FAILED, AdoptExisting=True)
DELETE_FAILED_UNPROTECTED = request("Delete", FAILED, DeletionProtection=False)
DELETE_MADE_UP = request("Delete", MADE_UP)
DELETE_MADE_UP_UNPROTECTED = request("Delete", MADE_UP, DeletionProtection=False)
LENT_OUT = live(THEIRS_ON_LOAN, MADE)
LENT_TO_SIBLING = live(SIBLINGS_ON_LOAN, MADE)
LENT_ON = live(Claim(STACK, "Third", ADOPTED), SIBLINGS_ON_LOAN, MADE)
LENT_OUT_BY_SIBLING, ASKED = live(THEIRS_ON_LOAN, SIBLINGS_ON_LOAN, MADE), Ask.BORROWERS
EXISTS = "Domain customers already exists and "
INTEGRATION = Use("an integration")
DENIED = Use("possibly integrations: ListIntegrations: not allowed", is_known=False)

ROWS = [
    Row("a Create makes an absent domain", CREATE, None, Make, (MADE_NOW,)),
    Row("a Create whose answer was lost finds its own domain", CREATE, live(MADE_NOW), Change, (MADE_NOW,)),
    Row("a Create whose answer was lost finds profiles in it", CREATE, live(MADE_NOW, profiles=1), Change, (MADE_NOW,)),
    Row("a Create marks an earlier event's domain as found", CREATE, live(MADE), Change, (FOUND_AGAIN,)),
    Row(
        "a Create marks an earlier event's domain with profiles as found",
        CREATE,
        live(MADE, profiles=1),
        Change,
        (FOUND_AGAIN,),
    ),
    Row(
        "a Create marks an own domain without a request-id as found",
        CREATE,
        live(tags=UNDATED),
        Change,
        (FOUND_AGAIN,),
    ),
    Row(
        "a domain that was taken over stays taken over", CREATE, live(TAKEN_OVER, THEIRS), Change, (TAKEN_OVER, THEIRS)
    ),
    Row("a Create finds again what its resource has given up", CREATE, live(RETAINED), Change, (FOUND_AGAIN,)),
    Row("a Create refuses what a sibling has given up", CREATE, live(replace(RETAINED, logical_id="-Other")), Refuse),
    Row("a Create refuses an unowned domain", CREATE, live(), Refuse, why=EXISTS + "belongs to no stack"),
    Row("a Create refuses a domain with others' tags", CREATE, live(tags={"team": "x"}), Refuse, why="to no stack"),
    Row("a Create refuses another stack's domain", CREATE, live(THEIRS), Refuse, why=f"to Domain of stack {ELSEWHERE}"),
    Row("a Create refuses a sibling's domain", CREATE, live(SIBLINGS), Refuse, why="belongs to Other of stack"),
    Row("a Create refuses what may be another's", CREATE, live(tags={STACK_ID: ELSEWHERE}), Refuse, why=ELSEWHERE),
    Row("a Create refuses what lost one of its tags", CREATE, live(tags=HALF_MINE), Refuse, why=EXISTS),
    Row("a Create refuses what it has lent", CREATE, live(THEIRS_ON_LOAN, MADE), Refuse, why=ELSEWHERE),
    Row("a Create refuses what it has lent to a sibling", CREATE, live(SIBLINGS_ON_LOAN, MADE), Refuse),
    Row(
        "an adopting Create takes back what it has lent to a sibling, without a question",
        ADOPTING,
        live(SIBLINGS_ON_LOAN, MADE),
        Change,
        (TAKEN_OVER, SIBLINGS_ON_LOAN, RETAINED),
    ),
    Row(
        "a Create names the stack of a native domain",
        CREATE,
        live(tags=NATIVE),
        Refuse,
        why=f"belongs to Native of stack {ELSEWHERE} (AWS::CustomerProfiles::Domain)",
    ),
    Row("an adopting Create makes an absent domain", ADOPTING, None, Make, (MADE_NOW,)),
    Row("an adopting Create takes an unowned domain over", ADOPTING, live(profiles=7), Change, (TAKEN_OVER,)),
    Row("an adopting Create takes another stack's over", ADOPTING, live(THEIRS), Change, (TAKEN_OVER, THEIRS)),
    Row("an adopting Create takes a sibling's over", ADOPTING, live(SIBLINGS), Change, (TAKEN_OVER, SIBLINGS)),
    Row(
        "an adopting Create takes back what it has lent, and its older claim becomes its stack's",
        ADOPTING,
        live(THEIRS_ON_LOAN, MADE),
        Change,
        (TAKEN_OVER, THEIRS_ON_LOAN, RETAINED),
    ),
    Row(
        "an adopting Create keeps the claims behind the holder's removed tags",
        ADOPTING,
        live(tags=LENDER),
        Change,
        (TAKEN_OVER, THEIRS),
    ),
    Row("an adopting Create finds what it has made", ADOPTING, live(MADE_NOW), Change, (MADE_NOW,)),
    Row("an adopting Create finds what it has taken over", ADOPTING, live(TAKEN_OVER), Change, (TAKEN_OVER,)),
    Row("an Update converges what it made", UPDATE, live(MADE, profiles=7), Change, (MADE,)),
    Row("an Update converges what it took over", UPDATE, live(TAKEN_OVER, THEIRS), Change, (TAKEN_OVER, THEIRS)),
    Row("an Update converges what it found again", UPDATE, live(FOUND_AGAIN, profiles=7), Change, (FOUND_AGAIN,)),
    Row("an Update marks a domain without a request-id as found", UPDATE, live(tags=UNDATED), Change, (FOUND_AGAIN,)),
    Row(
        "an Update keeps a loan as a loan whose request-id was removed",
        UPDATE,
        live(tags={**UNDATED, **LENDER}),
        Change,
        (TAKEN_OVER, THEIRS),
    ),
    Row("an Update claims a domain that lost its tags", UPDATE, live(), Change, (FOUND_AGAIN,)),
    Row("an Update claims a loan that lost a tag", UPDATE, live(tags=HALF_A_LOAN), Change, (TAKEN_OVER,)),
    Row(
        "an Update counts as a loan what lost its request-id",
        UPDATE_ADOPTING,
        live(tags=UNDATED),
        Change,
        (TAKEN_OVER,),
    ),
    Row("an Update without AdoptExisting does not", UPDATE, live(tags=UNDATED), Change, (FOUND_AGAIN,)),
    Row("an Update claims a domain that lost one tag", UPDATE, live(tags=HALF_MINE), Change, (FOUND_AGAIN,)),
    Row("an adopting Update claims it as taken over", UPDATE_ADOPTING, live(), Change, (TAKEN_OVER,)),
    Row(
        "an adopting Update keeps the claims behind the holder's removed tags",
        UPDATE_ADOPTING,
        live(tags=LENDER),
        Change,
        (TAKEN_OVER, THEIRS),
    ),
    Row(
        "an Update without AdoptExisting keeps those claims, too",
        UPDATE,
        live(tags=LENDER),
        Change,
        (TAKEN_OVER, THEIRS),
    ),
    Row("an Update claims a native resource's domain as taken over", UPDATE, live(tags=NATIVE), Change, (TAKEN_OVER,)),
    *(
        row
        for says, event, there, why in (
            ("what another stack took over", UPDATE, live(THEIRS), "now belongs to Domain"),
            ("what another stack took over, with AdoptExisting", UPDATE_ADOPTING, live(THEIRS), ELSEWHERE),
            ("what a sibling took over for good", UPDATE, live(SIBLINGS), "belongs to Other"),
            ("what may be another's", UPDATE, live(tags={STACK_ID: ELSEWHERE}), ELSEWHERE),
            (
                "what is lent to another stack",
                UPDATE,
                live(THEIRS_ON_LOAN, MADE),
                "belongs to Domain of stack " + ELSEWHERE,
            ),
            (
                "what is lent to a sibling and by it to another stack",
                UPDATE,
                live(THEIRS_ON_LOAN, SIBLINGS_ON_LOAN, MADE),
                ELSEWHERE,
            ),
        )
        for row in (
            Row(f"{says}: is it a rollback?", event, there, Ask.ROLLBACK),
            Row(f"an Update refuses {says}", event, there, Refuse, why=why, rollback=Rollback.NO),
            Row(
                f"an Update refuses {says} where CloudFormation cannot be asked",
                event,
                there,
                Refuse,
                why=why,
                rollback=Rollback.UNKNOWN,
            ),
            Row(f"a rollback leaves {says}", event, there, Leave, why=why, rollback=Rollback.YES),
        )
    ),
    Row(
        "an adopting Create takes back what it has lent on: did it have it before?",
        ADOPTING,
        live(THEIRS_ON_LOAN, TAKEN_OVER, SIBLINGS),
        Ask.HAD_BEFORE,
    ),
    Row(
        "an adopting Create takes back what it has retained and lent on: its older loan is given up",
        ADOPTING,
        live(THEIRS_ON_LOAN, TAKEN_OVER, SIBLINGS),
        Change,
        (TAKEN_OVER, THEIRS_ON_LOAN, RETAINED_LOAN, SIBLINGS),
        had_before=True,
    ),
    Row(
        "an adopting Create takes back what it has lent on: its older loan, of an earlier delivery, ends",
        ADOPTING,
        live(THEIRS_ON_LOAN, TAKEN_OVER, SIBLINGS),
        Change,
        (TAKEN_OVER, THEIRS_ON_LOAN, SIBLINGS),
        had_before=False,
    ),
    *(
        Row(
            f"an Update after a replacement that failed takes over again what is lent to a sibling, {words}",
            request("Update", "customers", "clients"),
            live(SIBLINGS_ON_LOAN, MADE),
            plan,
            (TAKEN_OVER, SIBLINGS_ON_LOAN, MADE),
            rollback=rollback,
        )
        for words, rollback, plan in (
            ("in a rollback?", None, Ask.ROLLBACK),
            ("in no rollback", Rollback.NO, Change),
            ("nobody can be asked", Rollback.UNKNOWN, Change),
        )
    ),
    Row(
        "an Update takes over again what is lent to a sibling",
        UPDATE,
        live(SIBLINGS_ON_LOAN, MADE),
        Change,
        (TAKEN_OVER, SIBLINGS_ON_LOAN, MADE),
    ),
    Row("an Update makes a domain again that is gone", UPDATE, None, Make, (MADE_NOW,)),
    Row("a rename makes the new domain", RENAME, None, Make, (MADE_NOW,)),
    Row("a rename that comes back marks its domain as found", RENAME, live(MADE, profiles=7), Change, (FOUND_AGAIN,)),
    Row("a rename whose answer was lost finds what it made", RENAME, live(MADE_NOW, profiles=7), Change, (MADE_NOW,)),
    *(
        row
        for says, there, why, claims in (
            ("an unowned domain", live(), "belongs to no stack", (TAKEN_OVER,)),
            ("another stack's", live(THEIRS), "belongs to Domain", (TAKEN_OVER, THEIRS)),
        )
        for can, rollback in (("", Rollback.NO), (", CloudFormation cannot be asked", Rollback.UNKNOWN))
        for row in (
            Row(f"a rename to {says}: is it a rollback?", RENAME, there, Ask.ROLLBACK),
            Row(f"a rename refuses {says}{can}", RENAME, there, Refuse, why=EXISTS + why, rollback=rollback),
            Row(
                f"an adopting rename takes over {says}{can}", RENAME_ADOPTING, there, Change, claims, rollback=rollback
            ),
            Row(f"a rollback comes back to {says}", RENAME, there, Leave, why=why, rollback=Rollback.YES),
            Row(f"an adopting rollback comes back to {says}", RENAME_ADOPTING, there, Leave, rollback=Rollback.YES),
        )
    ),
    Row("a rename to what is lent to a sibling: is it a rollback?", RENAME, LENT_TO_SIBLING, Ask.ROLLBACK),
    *(
        Row(
            f"a rename to what is lent to a sibling, {words}",
            RENAME,
            LENT_TO_SIBLING,
            Change,
            claims,
            rollback=rollback,
        )
        for words, rollback, claims in (
            (
                "CloudFormation cannot be asked: taken over again",
                Rollback.UNKNOWN,
                (TAKEN_OVER, SIBLINGS_ON_LOAN, MADE),
            ),
            ("in no rollback: taken back", Rollback.NO, (TAKEN_OVER, SIBLINGS_ON_LOAN, RETAINED)),
        )
    ),
    Row(
        "a rename to what is lent to a sibling, in a rollback: since when?",
        RENAME,
        LENT_TO_SIBLING,
        Ask.UNDONE_BORROWERS,
        rollback=Rollback.YES,
    ),
    *(
        Row(
            f"a rename to what is lent to siblings, in a rollback: {words}",
            RENAME,
            there,
            plan,
            claims,
            rollback=Rollback.YES,
            undone_borrowers=frozenset({undone}),
        )
        for words, there, undone, plan, claims in (
            ("they got it in the same operation: it comes back", LENT_TO_SIBLING, "Other", Change, (FOUND_AGAIN,)),
            ("they had it before: nothing", LENT_TO_SIBLING, "None", Leave, None),
            ("one of them had it before: nothing", LENT_ON, "Third", Leave, None),
        )
    ),
    Row("a Delete leaves what its resource has given up, and its stack has retained", DELETE, live(RETAINED), Leave),
    Row(
        "a rename to what its resource asked for before, lent to a sibling: is it a rollback?",
        request("Update", "clients", "customers"),
        LENT_TO_SIBLING,
        Ask.ROLLBACK,
    ),
    Row("a rename to what is lent to another stack: is it a rollback?", RENAME, LENT_OUT, Ask.ROLLBACK),
    Row("a rollback comes back to what is lent to another stack", RENAME, LENT_OUT, Leave, rollback=Rollback.YES),
    Row(
        "an adopting rollback comes back to it",
        RENAME_ADOPTING,
        LENT_OUT,
        Leave,
        why="now belongs to Domain",
        rollback=Rollback.YES,
    ),
    Row("a rename to it, where CloudFormation cannot be asked", RENAME, LENT_OUT, Leave, rollback=Rollback.UNKNOWN),
    Row("a rename to it in no rollback", RENAME, LENT_OUT, Refuse, why=EXISTS + "belongs", rollback=Rollback.NO),
    Row(
        "an adopting rename to it in no rollback",
        RENAME_ADOPTING,
        LENT_OUT,
        Change,
        (TAKEN_OVER, THEIRS_ON_LOAN, RETAINED),
        rollback=Rollback.NO,
    ),
    Row(
        "an Update takes over again, and its older loan ends",
        UPDATE,
        live(SIBLINGS_ON_LOAN, TAKEN_OVER, THEIRS),
        Change,
        (TAKEN_OVER, SIBLINGS_ON_LOAN, THEIRS),
    ),
    Row("a Delete finds nothing", DELETE, None, Leave),
    Row("a Delete deletes what its resource made", DELETE, live(MADE), Destroy),
    Row("a Delete deletes it with its data", DELETE, live(MADE, profiles=7, objects=7), Destroy),
    Row("a protected domain with profiles", DELETE_PROTECTED, live(MADE, profiles=7), Refuse, why="7 profiles and 0"),
    Row("a protected domain with objects", DELETE_PROTECTED, live(MADE, objects=3), Refuse, why="3 objects"),
    Row("a protected domain without either is asked about", DELETE_PROTECTED, live(MADE), Ask.CONTENTS),
    Row(
        "a protected domain with an integration",
        DELETE_PROTECTED,
        live(MADE),
        Refuse,
        why="it holds an integration",
        contents=INTEGRATION,
    ),
    Row("a protected domain with nothing in it", DELETE_PROTECTED, live(MADE), Destroy, contents=Use()),
    Row(
        "a protected domain without counts counts as in use",
        DELETE_PROTECTED,
        live(MADE) | {"Stats": {}},
        Refuse,
        why="an unknown number of",
    ),
    Row("a domain found again is asked about", DELETE, live(FOUND_AGAIN), Ask.CONTENTS),
    *(
        Row(
            f"a domain found again with nothing in it, {words}",
            event,
            live(FOUND_AGAIN),
            plan,
            (),
            contents=Use(),
            rollback=rollback,
            undone_since=began,
        )
        for words, event, rollback, began, plan in (
            ("is it a rollback?", DELETE, None, None, Ask.ROLLBACK),
            ("in no rollback", DELETE, Rollback.NO, None, Destroy),
            ("CloudFormation cannot be asked", DELETE, Rollback.UNKNOWN, None, Destroy),
            ("in a rollback: was it there before?", DELETE, Rollback.YES, None, Ask.UNDONE_SINCE),
            ("made before what is rolled back", DELETE, Rollback.YES, LATER_OPERATION, Leave),
            ("made in what is rolled back", DELETE, Rollback.YES, OPERATION, Destroy),
            ("in a rollback of which nobody knows the beginning", DELETE, Rollback.YES, 0.0, Leave),
            ("made in a creation's rollback", DELETE_ADOPTED, Rollback.ENDS, OPERATION, Destroy),
            ("clocks that differ", DELETE, Rollback.YES, OPERATION + 2, Destroy),
            ("protected", DELETE_PROTECTED, Rollback.NO, None, Destroy),
            ("left by its lender, in a creation's rollback", DELETE_ADOPTED, Rollback.ENDS, LATER_OPERATION, Change),
        )
    ),
    *(
        Row(
            f"an empty domain that was inherited, {words}",
            event,
            live(claim),
            plan,
            (),
            contents=Use(),
            rollback=rollback,
            undone_since=began,
        )
        for words, event, claim, rollback, began, plan in (
            ("is it a rollback?", DELETE, INHERITED_THEN, None, None, Ask.ROLLBACK),
            ("in no rollback", DELETE, INHERITED_THEN, Rollback.NO, None, Destroy),
            ("in a rollback: was it there before?", DELETE, INHERITED_THEN, Rollback.YES, None, Ask.UNDONE_SINCE),
            ("in what is rolled back", DELETE_ADOPTED, INHERITED_THEN, Rollback.YES, INHERITANCE, Destroy),
            ("in a creation's rollback", DELETE_ADOPTED, INHERITED_THEN, Rollback.ENDS, INHERITANCE, Destroy),
            ("before what is rolled back", DELETE, INHERITED_THEN, Rollback.YES, AFTER_INHERITANCE, Leave),
            ("nobody knows when the rollback began", DELETE, INHERITED_THEN, Rollback.YES, 0.0, Destroy),
            ("nobody knows when", DELETE, mine(INHERITED), Rollback.YES, AFTER_INHERITANCE, Destroy),
            ("in an unanswered Create", DELETE_MADE_UP, INHERITED_THEN, None, INHERITANCE, Destroy),
            ("before an unanswered Create", DELETE_MADE_UP, INHERITED_THEN, Rollback.YES, AFTER_INHERITANCE, Leave),
            ("in a failed Create", DELETE_FAILED, INHERITED_THEN, None, INHERITANCE, Destroy),
            ("before a failed Create", DELETE_FAILED, INHERITED_THEN, Rollback.YES, AFTER_INHERITANCE, Leave),
        )
    ),
    *(
        Row(
            f"a domain in use that was inherited in a failed Create, {words}",
            event,
            live(INHERITED_THEN, profiles=7),
            plan,
            (),
            rollback=rollback,
            undone_since=INHERITANCE,
        )
        for words, event, rollback, plan in (
            ("in a rollback?", DELETE_FAILED_ADOPTING, None, Ask.ROLLBACK),
            ("of an update", DELETE_FAILED_ADOPTING, Rollback.YES, Leave),
            ("of a creation: loses its claim", DELETE_FAILED_ADOPTING, Rollback.ENDS, Change),
            ("of a creation that takes nothing over", DELETE_FAILED, Rollback.ENDS, Leave),
            ("with protection lifted", DELETE_FAILED_UNPROTECTED, Rollback.YES, Leave),
        )
    ),
    Row(
        "a domain in use that was inherited, in a rollback",
        DELETE,
        live(mine(INHERITED), profiles=7),
        Leave,
        rollback=Rollback.YES,
    ),
    *(
        Row(
            f"a domain that is lent, {words}",
            event,
            live(THEIRS_ON_LOAN, claim),
            plan,
            (Claim(ELSEWHERE, "Domain", INHERITED),),
            undone_since=began,
        )
        for words, event, claim, began, plan in (
            ("made in an unanswered Create?", DELETE_MADE_UP, MADE, None, Ask.UNDONE_SINCE),
            ("made in an unanswered Create: loses its claim", DELETE_MADE_UP, MADE, OPERATION, Change),
            ("made before an unanswered Create: keeps it", DELETE_MADE_UP, MADE, LATER_OPERATION, Leave),
            ("made, nobody knows when: keeps it", DELETE_MADE_UP, MADE, 0.0, Leave),
            ("inherited in an unanswered Create?", DELETE_MADE_UP, INHERITED_THEN, None, Ask.UNDONE_SINCE),
            ("inherited in an unanswered Create: loses its claim", DELETE_MADE_UP, INHERITED_THEN, INHERITANCE, Change),
            ("inherited before an unanswered Create", DELETE_MADE_UP, INHERITED_THEN, AFTER_INHERITANCE, Leave),
            ("inherited in a failed Create: loses its claim", DELETE_FAILED, INHERITED_THEN, INHERITANCE, Change),
            ("inherited before a failed Create: keeps it", DELETE_FAILED, INHERITED_THEN, AFTER_INHERITANCE, Leave),
            ("inherited, nobody knows when: keeps it", DELETE_MADE_UP, mine(INHERITED), INHERITANCE, Leave),
        )
    ),
    Row("a domain found again in use: is it a rollback?", DELETE, live(FOUND_AGAIN, profiles=7), Ask.ROLLBACK),
    *(
        Row(
            f"a domain found again in use, in a rollback, {words}",
            event,
            live(FOUND_AGAIN, profiles=7),
            Leave,
            why="was there before",
            rollback=Rollback.YES,
        )
        for words, event in (
            ("protection absent", DELETE),
            ("protected", DELETE_PROTECTED),
            ("protection lifted", DELETE_UNPROTECTED),
        )
    ),
    *(
        Row(
            f"a domain left by its lender, in use, {words}",
            event,
            live(FOUND_AGAIN, profiles=7),
            plan,
            (),
            rollback=rollback,
        )
        for words, event, rollback, plan in (
            ("in the rollback of its stack's creation", DELETE_ADOPTED, Rollback.ENDS, Change),
            ("in the rollback of an update", DELETE_ADOPTED, Rollback.YES, Leave),
            ("in the rollback of a creation that takes nothing over", DELETE, Rollback.ENDS, Leave),
        )
    ),
    *(
        Row(
            f"a domain found again in use, {words}",
            event,
            live(FOUND_AGAIN, profiles=7),
            plan,
            rollback=rollback,
        )
        for words, event, rollback, plan in (
            ("in no rollback, protection absent", DELETE, Rollback.NO, Destroy),
            ("in no rollback, protected", DELETE_PROTECTED, Rollback.NO, Refuse),
            ("in no rollback, protection lifted", DELETE_UNPROTECTED, Rollback.NO, Destroy),
            ("CloudFormation cannot be asked, protection absent", DELETE, Rollback.UNKNOWN, Refuse),
            ("CloudFormation cannot be asked, protected", DELETE_PROTECTED, Rollback.UNKNOWN, Refuse),
            ("CloudFormation cannot be asked, protection lifted", DELETE_UNPROTECTED, Rollback.UNKNOWN, Destroy),
        )
    ),
    Row("an own domain without a request-id counts as found", DELETE, live(tags=UNDATED, profiles=7), Ask.ROLLBACK),
    Row("a domain taken over is given back to its owner", DELETE, live(TAKEN_OVER, THEIRS), Change, (THEIRS,)),
    Row("a domain taken over with data is given back", DELETE, live(TAKEN_OVER, THEIRS, profiles=7), Change, (THEIRS,)),
    Row("a domain taken over from nobody is unowned again", DELETE, live(TAKEN_OVER, profiles=7), Change, ()),
    Row("a protected domain taken over is given back", DELETE_PROTECTED, live(TAKEN_OVER, profiles=7), Change, ()),
    Row("an unprotected domain taken over: is it a rollback?", DELETE_UNPROTECTED, live(TAKEN_OVER), Ask.ROLLBACK),
    Row(
        "an unprotected domain taken over from nobody, in no rollback, is deleted",
        DELETE_UNPROTECTED,
        live(TAKEN_OVER, profiles=7),
        Destroy,
        rollback=Rollback.NO,
    ),
    *(
        Row(
            f"an unprotected domain of the native type, {words}",
            DELETE_UNPROTECTED,
            live(TAKEN_OVER, tags=NATIVE),
            plan,
            (),
            rollback=Rollback.NO,
            is_native_gone=is_gone,
        )
        for words, is_gone, plan in (
            ("is asked about", None, Ask.NATIVE),
            ("is given back to the native resource that still exists", False, Change),
            ("is deleted if the native resource has left its stack", True, Destroy),
        )
    ),
    *(
        Row(
            f"{what} that a native resource has imported, {words}",
            DELETE,
            live(claim, tags=NATIVE, profiles=profiles),
            plan,
            () if plan is Change else None,
            contents=Use(),
            rollback=Rollback.NO,
            is_native_gone=is_gone,
        )
        for what, claim, profiles in (
            ("a domain of its own", MADE, 7),
            ("a domain found again in use", FOUND_AGAIN, 7),
            ("a domain found again with nothing in it", FOUND_AGAIN, 0),
        )
        for words, is_gone, plan in (
            ("is asked about", None, Ask.NATIVE),
            ("is left to it, without a claim", False, Change),
            ("is deleted if it has left its stack", True, Destroy),
        )
    ),
    Row(
        "an unprotected domain taken over from nobody, in a rollback, is given back",
        DELETE_UNPROTECTED,
        live(TAKEN_OVER),
        Change,
        (),
        rollback=Rollback.YES,
    ),
    Row(
        "an unprotected domain taken over from nobody is given back where CloudFormation cannot be asked",
        DELETE_UNPROTECTED,
        live(TAKEN_OVER),
        Change,
        (),
        rollback=Rollback.UNKNOWN,
    ),
    Row(
        "an unprotected domain taken over from an owner is given back",
        DELETE_UNPROTECTED,
        live(TAKEN_OVER, THEIRS),
        Change,
        (THEIRS,),
    ),
    Row(
        "a Delete lets go of what is lent, and the borrower becomes the maker",
        DELETE,
        live(SIBLINGS_ON_LOAN, MADE),
        Change,
        (Claim(STACK, "Other", EARLIER),),
        never_created=frozenset(),
    ),
    Row("what is lent to a sibling: does that have it?", DELETE, live(SIBLINGS_ON_LOAN, MADE), Ask.BORROWERS),
    *(
        Row(
            f"what is lent to a sibling that was never created, {words}",
            event,
            there,
            plan,
            left,
            never_created=frozenset({"Other"}),
        )
        for words, event, there, plan, left in (
            ("is deleted", DELETE, live(SIBLINGS_ON_LOAN, MADE, profiles=7), Destroy, None),
            ("protected and in use", DELETE_PROTECTED, live(SIBLINGS_ON_LOAN, MADE, profiles=7), Refuse, None),
            ("found again", DELETE, live(SIBLINGS_ON_LOAN, FOUND_AGAIN), Ask.CONTENTS, None),
            ("taken over", DELETE, live(SIBLINGS_ON_LOAN, TAKEN_OVER, THEIRS), Change, (THEIRS,)),
            ("and lent on by it", DELETE, LENT_ON, Change, (Claim(STACK, "Third", EARLIER),)),
            ("and lent on by it to another stack", DELETE, LENT_OUT_BY_SIBLING, Ask.ROLLBACK, None),
        )
    ),
    Row("what is lent to a sibling and by it to another stack: was that created?", DELETE, LENT_OUT_BY_SIBLING, ASKED),
    *(
        Row(
            f"a domain found again and lent to another stack, {words}",
            DELETE,
            live(THEIRS_ON_LOAN, FOUND_AGAIN, profiles=7),
            plan,
            (Claim(ELSEWHERE, "Domain", INHERITED),),
            rollback=rollback,
            undone_since=undone_since,
        )
        for words, rollback, undone_since, plan in (
            ("is it a rollback?", None, None, Ask.ROLLBACK),
            ("in a rollback: was it there before?", Rollback.YES, None, Ask.UNDONE_SINCE),
            ("made before what is rolled back: keeps its claim", Rollback.YES, LATER_OPERATION, Leave),
            ("in a rollback of which nobody knows the beginning: keeps its claim", Rollback.YES, 0.0, Leave),
            ("made in what is rolled back: loses its claim", Rollback.YES, OPERATION, Change),
            ("in no rollback: loses its claim", Rollback.NO, None, Change),
            ("nobody can be asked: loses its claim", Rollback.UNKNOWN, None, Change),
        )
    ),
    *(
        Row(
            f"an unowned domain with the tags of a native resource {words}",
            DELETE,
            live(tags=NATIVE),
            plan,
            is_native_gone=is_gone,
        )
        for words, is_gone, plan in (
            ("is asked about", None, Ask.NATIVE),
            ("is left to it", False, Leave),
            ("that has gone is refused", True, Refuse),
        )
    ),
    Row(
        "a domain found again and lent to a sibling loses its claim",
        DELETE,
        live(SIBLINGS_ON_LOAN, FOUND_AGAIN),
        Change,
        (Claim(STACK, "Other", FOUND),),
        never_created=frozenset(),
    ),
    *(
        Row(
            f"what was taken over again after its retention {words}",
            DELETE,
            live(TAKEN_OVER, THEIRS_ON_LOAN, RETAINED_LOAN, SIBLINGS),
            plan,
            claims,
            rollback=rollback,
        )
        for words, rollback, plan, claims in (
            ("is asked about: a rollback?", None, Ask.ROLLBACK, None),
            ("is given back for good", Rollback.NO, Change, (THEIRS_ON_LOAN, SIBLINGS)),
            ("is retained again in a rollback", Rollback.YES, Change, (THEIRS_ON_LOAN, RETAINED_LOAN, SIBLINGS)),
            (
                "is retained again if that is not known",
                Rollback.UNKNOWN,
                Change,
                (THEIRS_ON_LOAN, RETAINED_LOAN, SIBLINGS),
            ),
        )
    ),
    *(
        row
        for holds, mine in {"was inherited": INHERITED_THEN, "the resource made": MADE}.items()
        for row in (
            Row(
                f"what {holds} and lent to another stack: a rollback?", DELETE, live(THEIRS_ON_LOAN, mine), Ask.ROLLBACK
            ),
            Row(
                f"what {holds} and lent to another stack, in no rollback",
                DELETE,
                live(THEIRS_ON_LOAN, mine),
                Change,
                (Claim(ELSEWHERE, "Domain", INHERITED),),
                rollback=Rollback.NO,
            ),
        )
    ),
    *(
        Row(
            f"what the resource made and lent to another stack, in a rollback of what began {words}",
            DELETE,
            live(THEIRS_ON_LOAN, MADE),
            plan,
            (Claim(ELSEWHERE, "Domain", INHERITED),) if plan is Change else None,
            rollback=Rollback.YES,
            undone_since=undone_since,
        )
        for words, undone_since, plan in (
            ("before it was made", OPERATION, Change),
            ("after it was made", LATER_OPERATION, Leave),
            ("nobody knows when", 0.0, Change),
        )
    ),
    Row(
        "what the resource made and lent to another stack, with a stack that ends",
        DELETE,
        live(THEIRS_ON_LOAN, MADE),
        Change,
        (Claim(ELSEWHERE, "Domain", INHERITED),),
        rollback=Rollback.ENDS,
        undone_since=LATER_OPERATION,
    ),
    Row(
        "a Delete lets go of what is lent on",
        DELETE,
        live(SIBLINGS_ON_LOAN, TAKEN_OVER, THEIRS),
        Change,
        (SIBLINGS_ON_LOAN, THEIRS),
        never_created=frozenset(),
    ),
    Row("a Delete leaves what another stack has", DELETE, live(THEIRS), Leave, why="now belongs to Domain"),
    Row("a Delete leaves what a sibling has", DELETE, live(SIBLINGS), Leave, why="now belongs to Other"),
    Row("a Delete leaves what may be another's", DELETE, live(tags={STACK_ID: ELSEWHERE}), Leave, why="now belongs"),
    Row("protection is no claim", DELETE_PROTECTED, live(THEIRS, profiles=7), Leave),
    Row("a Delete leaves what was given back before", DELETE_ADOPTED, live(), Leave, why="was given back before"),
    Row(
        "a Delete refuses what its resource had lent, and whose borrower's tags were removed",
        DELETE_ADOPTED,
        live(tags=LENT_TO_NOBODY),
        Refuse,
        why="This resource had lent it",
    ),
    Row("a Delete gives back what may be a loan", DELETE_ADOPTED, live(tags=UNDATED, profiles=7), Change, ()),
    Row(
        "a Create says who lent a domain whose borrower's tags were removed",
        CREATE,
        live(tags=LENDER),
        Refuse,
        why="is on loan from Domain of stack",
    ),
    Row(
        "a Delete refuses what its resource has taken back, and whose tags were removed",
        DELETE_ADOPTED,
        live(tags=GIVEN_UP_LOAN),
        Refuse,
        why="deleted by this resource",
    ),
    Row("a Delete refuses an unowned domain", DELETE, live(), Refuse, why="has lost its ownership tags"),
    Row("a Delete refuses it without protection, too", DELETE_UNPROTECTED, live(), Refuse, why="has lost its owner"),
    Row("a Delete refuses what lost one tag", DELETE, live(tags=HALF_MINE), Refuse, why="has lost its ownership tags"),
    Row("a failed Create's domain is asked about", DELETE_FAILED, live(MADE), Ask.CONTENTS),
    Row("a failed Create's domain is deleted", DELETE_FAILED, live(MADE), Destroy, contents=Use()),
    Row("an unsettled Create's domain is deleted", DELETE_UNSETTLED, live(MADE), Destroy, contents=Use()),
    Row("a failed Create's domain with profiles stays", DELETE_FAILED, live(MADE, profiles=7), Leave, why="7 profiles"),
    Row("a failed Create's domain with an integration stays", DELETE_FAILED, live(MADE), Leave, contents=INTEGRATION),
    Row("a failed Create's domain, whose contents are not known", DELETE_FAILED, live(MADE), Refuse, contents=DENIED),
    Row("a failed Create's domain with protection lifted", DELETE_FAILED_UNPROTECTED, live(MADE, profiles=7), Destroy),
    Row("a failed Create leaves what a later one has made", DELETE_FAILED, live(MADE_NOW), Leave),
    Row("a failed Create leaves what was found again", DELETE_FAILED, live(FOUND_AGAIN), Leave),
    Row("a failed Create leaves what has no request-id", DELETE_FAILED, live(tags=UNDATED), Leave),
    Row("a failed Create gives back what it took over", DELETE_FAILED, live(TAKEN_OVER, THEIRS), Change, (THEIRS,)),
    Row(
        "a failed Create lets go of what another took over from it: did it have it before?",
        DELETE_FAILED,
        live(SIBLINGS_ON_LOAN, TAKEN_OVER, THEIRS),
        Ask.HAD_BEFORE,
    ),
    Row(
        "a failed Create lets go of what another took over from it",
        DELETE_FAILED,
        live(SIBLINGS_ON_LOAN, TAKEN_OVER, THEIRS),
        Change,
        (SIBLINGS_ON_LOAN, THEIRS),
        had_before=False,
    ),
    Row(
        "a failed Create keeps a loan that its resource had before",
        DELETE_FAILED,
        live(SIBLINGS_ON_LOAN, TAKEN_OVER, THEIRS),
        Leave,
        had_before=True,
    ),
    Row(
        "a failed Create lets go of its own loan, not of the older one that it gave up",
        DELETE_FAILED,
        live(SIBLINGS_ON_LOAN, TAKEN_OVER, THEIRS_ON_LOAN, RETAINED_LOAN),
        Change,
        (SIBLINGS_ON_LOAN, THEIRS_ON_LOAN, RETAINED_LOAN),
    ),
    Row(
        "a failed Create lets go of what another took over after it was made",
        DELETE_FAILED,
        live(SIBLINGS_ON_LOAN, MADE),
        Change,
        (Claim(STACK, "Other", EARLIER),),
    ),
    Row("a failed Create leaves what is lent and not its work", DELETE_FAILED, live(SIBLINGS_ON_LOAN, MADE_NOW), Leave),
    Row(
        "a failed Create leaves another's of that request-id",
        DELETE_FAILED,
        live(Claim(ELSEWHERE, "Domain", EARLIER)),
        Leave,
    ),
    Row("a failed Create leaves an unowned domain", DELETE_FAILED, live(), Leave),
    Row("a failed Create left nothing", DELETE_FAILED, None, Leave),
    *(
        Row(
            f"an unanswered Create's domain {words}",
            DELETE_MADE_UP,
            live(MADE),
            plan,
            contents=contents,
            undone_since=began,
        )
        for words, contents, began, plan in (
            ("is asked about", None, None, Ask.UNDONE_SINCE),
            ("is asked about again", None, OPERATION, Ask.CONTENTS),
            ("is deleted", Use(), OPERATION, Destroy),
            ("is deleted where nobody knows the operation", Use(), 0.0, Destroy),
            ("stays if it was there before", None, LATER_OPERATION, Leave),
        )
    ),
    Row(
        "an unanswered Create's domain that a native resource has imported",
        DELETE_MADE_UP,
        live(MADE, tags=NATIVE),
        Change,
        (),
        contents=Use(),
        is_native_gone=False,
        undone_since=OPERATION,
    ),
    Row("an unanswered Create's domain with profiles stays", DELETE_MADE_UP, live(MADE, profiles=7), Leave),
    Row(
        "its domain with objects stays with protection lifted", DELETE_MADE_UP_UNPROTECTED, live(MADE, objects=7), Leave
    ),
    Row(
        "an unanswered Create's domain without counts stays",
        DELETE_MADE_UP,
        live(MADE) | {"Stats": {}},
        Refuse,
        undone_since=OPERATION,
    ),
    Row(
        "an unanswered Create's domain stays where its contents are not known",
        DELETE_MADE_UP,
        live(MADE),
        Refuse,
        why="ListIntegrations: not allowed",
        contents=DENIED,
        undone_since=OPERATION,
    ),
    Row("an unanswered Create gives back what it took over", DELETE_MADE_UP, live(TAKEN_OVER), Change, ()),
    Row("an unanswered Create leaves what it only found", DELETE_MADE_UP, live(FOUND_AGAIN, profiles=7), Leave),
    Row(
        "what an unanswered Create found is deleted if empty",
        DELETE_MADE_UP,
        live(FOUND_AGAIN),
        Destroy,
        contents=Use(),
        undone_since=OPERATION,
    ),
    Row("an unanswered Create leaves another stack's", DELETE_MADE_UP, live(THEIRS), Leave),
    Row("an unanswered Create leaves an unowned domain", DELETE_MADE_UP, live(), Leave),
    Row("an unanswered Create left nothing", DELETE_MADE_UP, None, Leave),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.event.request_type}: {row.says}")
def test_what_happens_on_each_event(row: Row) -> None:
    facts = Facts(
        row.live,
        row.contents,
        row.rollback,
        row.undone_since,
        never_created=row.never_created,
        undone_borrowers=row.undone_borrowers,
        had_before=row.had_before,
        is_native_gone=row.is_native_gone,
    )
    plan = decide(row.event, facts)
    if isinstance(row.plan, Ask):
        assert plan is row.plan
        return
    assert type(plan) is row.plan
    match plan:
        case Make(name, settings, tags):
            assert (name, settings) == ("customers", {"DefaultExpirationDays": 30})
            assert tags == tags_of(row.claims or ())
        case Change(name, changes, and_look, was_there):
            assert row.live is not None
            assert (name, changes.updates) == ("customers", ())
            before = row.live["Tags"]
            after = {key: value for key, value in {**before, **changes.tag}.items() if key not in changes.untag}
            kept = {key: value for key, value in after.items() if is_ownership_key(key)}
            assert kept == tags_of(row.claims or ())
            is_unowned_again = row.claims == ()
            assert and_look == (kept != before and not is_unowned_again)
            is_another_domain = row.event.request_type != "Delete" and not row.event.is_for("customers")
            is_known = not is_another_domain or row.undone_borrowers is not None
            assert was_there == (not is_known and row.claims is not None and row.claims[0] != MADE_NOW)
        case Destroy(name):
            assert name == "customers"
        case Leave(why) | Refuse(why):
            assert row.why in why


UNDONE = [
    ("its own, made and empty", live(MADE), Use(), Destroy),
    ("its own, made, with profiles", live(MADE, profiles=1), None, Leave),
    ("its own, made, with objects", live(MADE, objects=1), None, Leave),
    ("its own, made, with an object type", live(MADE), Use("an object type"), Leave),
    ("its own, made, without counts", live(MADE) | {"Stats": {}}, None, Refuse),
    ("its own, made, with contents that are not known", live(MADE), DENIED, Refuse),
    ("its own, found again and in use", live(FOUND_AGAIN, profiles=7), None, Leave),
    ("its own, found again and empty", live(FOUND_AGAIN), Use(), Destroy),
    ("taken over from another", live(TAKEN_OVER, THEIRS), None, Change),
    ("taken over from nobody", live(TAKEN_OVER), None, Change),
    ("taken over and lent on", live(THEIRS_ON_LOAN, TAKEN_OVER), None, Change),
    ("made and lent", live(THEIRS_ON_LOAN, MADE), None, Change),
    ("another stack's", live(THEIRS), None, Leave),
    ("unowned", live(), None, Leave),
    ("absent", None, None, Leave),
]


@pytest.mark.parametrize(
    ("there", "contents", "plan"), [row[1:] for row in UNDONE], ids=[f"the domain is {row[0]}" for row in UNDONE]
)
def test_a_rollback_undoes_only_what_the_replacement_did(there: Any, contents: Use | None, plan: type[Plan]) -> None:
    event = request("Update", "clients", "customers", DomainName="clients")
    assert event.replacement_to_undo("clients", "customers") == "customers"
    assert type(undoing.undo(event, Facts(there, contents, undone_since=OPERATION, had_before=False))) is plan


@pytest.mark.parametrize(
    ("there", "plan"),
    [(live(MADE_NOW), Destroy), (live(MADE), Leave), (live(TAKEN_OVER, THEIRS), Change), (None, Leave)],
    ids=["made by it", "made by an earlier event", "taken over", "absent"],
)
def test_an_event_that_is_no_longer_wanted_undoes_its_own_work_only(there: Any, plan: type[Plan]) -> None:
    assert type(undoing.undo(CREATE, Facts(there, contents=Use()), made_by=THIS)) is plan


def test_a_domain_is_created_with_everything_that_the_template_says_and_with_its_owner() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    event = request(
        "Create", DeadLetterQueueUrl="", DefaultEncryptionKey=key, Tags={"team": "red"}, Matching={"Enabled": "true"}
    )
    plan = decide(event, Facts(None))
    # An empty queue means none, which CreateDomain has no word for.
    settings = {"DefaultExpirationDays": 30, "DefaultEncryptionKey": key, "Matching": {"Enabled": True}}
    assert plan == Make("customers", settings, {"team": "red", **tags_of((MADE_NOW,))})


def test_a_rename_does_not_put_back_what_the_other_domain_had() -> None:
    old = {"DomainName": "clients", "DefaultExpirationDays": 30, "Matching": {"Enabled": True}, "Tags": {"team": "red"}}
    new = {"DomainName": "customers", "DefaultExpirationDays": 30}
    event = read(cloudformation.event("Update", new, old, physical_id="clients") | {"RequestId": THIS})
    there = live(MADE_NOW, tags={"team": "red"}) | {"Matching": {"Enabled": True}}
    assert decide(event, Facts(there)) == Change("customers", Changes())


@pytest.mark.parametrize(
    ("rollback", "is_sent"),
    [(Rollback.YES, False), (Rollback.NO, True), (Rollback.UNKNOWN, True)],
    ids=["in a rollback", "in no rollback", "nobody can be asked"],
)
@pytest.mark.parametrize(
    ("physical_id", "old"),
    [("clients", {**LEAST, "DomainName": "clients"}), ("customers", {**LEAST, "DefaultExpirationDays": "ninety"})],
    ids=["after a rename", "after an Update with a mistake"],
)
def test_rules_that_the_service_is_at_work_on_are_sent_only_if_the_template_may_have_changed_them(
    physical_id: str, old: dict[str, Any], rollback: Rollback, is_sent: bool
) -> None:
    rules = {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}], "MaxAllowedRuleLevelForMatching": 1}
    by_hand = {**rules, "MatchingRules": [{"Rule": ["EmailAddress"]}], "Status": "IN_PROGRESS"}
    event = replace(request("Update", physical_id, RuleBasedMatching=rules), old_properties=old)
    there = {**live(FOUND_AGAIN), "RuleBasedMatching": by_hand}
    assert decide(event, Facts(there)) is Ask.ROLLBACK
    plan = decide(event, Facts(there, rollback=rollback))
    assert isinstance(plan, Change)
    assert [*plan.changes.updates] == ([{"RuleBasedMatching": rules}] if is_sent else [])
    assert plan.changes.postponed == (() if is_sent else ("RuleBasedMatching",))


def test_whether_it_is_a_rollback_is_not_asked_where_the_rules_do_not_differ() -> None:
    rules = {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}], "MaxAllowedRuleLevelForMatching": 1}
    event = request("Update", "clients", "clients", RuleBasedMatching=rules)
    there = {**live(FOUND_AGAIN), "RuleBasedMatching": {**rules, "Status": "IN_PROGRESS"}}
    assert decide(event, Facts(there)) == Change("customers", Changes(), was_there=True)


def test_rules_that_a_sibling_has_changed_are_sent_in_a_rollback_though_the_service_is_at_work_on_them() -> None:
    """The reason says how to go on when the API refuses them."""
    rules = {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}], "MaxAllowedRuleLevelForMatching": 1}
    event = request("Update", "clients", "clients", RuleBasedMatching={**rules, "MaxAllowedRuleLevelForMatching": 2})
    there = {**live(FOUND_AGAIN), "RuleBasedMatching": {**rules, "Status": "IN_PROGRESS"}}
    plan = decide(event, Facts(there, rollback=Rollback.YES, has_come_back=True))
    assert isinstance(plan, Change)
    assert plan.changes.updates


@pytest.mark.parametrize(
    ("event", "there"),
    [(DELETE, live(FOUND_AGAIN)), (DELETE_UNPROTECTED, live(TAKEN_OVER))],
    ids=["found again", "taken over"],
)
@pytest.mark.parametrize(("rollback", "asks"), [(Rollback.NO, True), (Rollback.DELETION, False)])
def test_a_delete_of_what_was_there_before_asks_whether_it_is_wanted_unless_the_whole_stack_is_deleted(
    event: Event, there: Any, rollback: Rollback, asks: bool
) -> None:
    assert decide(event, Facts(there, Use(), rollback)) == Destroy("customers", asks=asks)


def test_an_update_puts_back_what_the_template_dropped() -> None:
    queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"
    old = {"DomainName": "customers", "DefaultExpirationDays": 30, "DeadLetterQueueUrl": queue}
    new = {"DomainName": "customers", "DefaultExpirationDays": 30}
    event = read(cloudformation.event("Update", new, old, physical_id="customers"))
    plan = decide(event, Facts(live(MADE) | {"DeadLetterQueueUrl": queue}))
    assert plan == Change("customers", Changes(updates=({"DeadLetterQueueUrl": ""},)))


def test_a_takeover_changes_no_setting_before_the_domain_is_claimed_and_looked_at_again() -> None:
    event = request("Create", AdoptExisting=True, DefaultExpirationDays=60, Tags={"team": "red"})
    there = live(THEIRS)
    first = decide(event, Facts(there))
    assert isinstance(first, Change)
    assert {**there["Tags"], **first.changes.tag} == {"team": "red", **tags_of((TAKEN_OVER, THEIRS))}
    assert not first.changes.updates
    assert first.and_look
    assert first.was_there
    second = decide(event, Facts({**there, "Tags": {**there["Tags"], **first.changes.tag}}))
    assert second == Change("customers", Changes(updates=({"DefaultExpirationDays": 60},)), was_there=True)


@pytest.mark.parametrize(("count", "fits"), [(44, True), (45, False)], ids=["just enough room", "one too many"])
def test_a_takeover_is_refused_before_anything_is_changed_where_its_tags_have_no_room(count: int, fits: bool) -> None:
    """It needs three tags for the one who lends the domain, and three for the borrower."""
    of_others = {f"theirs-{index}": "x" for index in range(count)}
    system = {f"aws:{index}": "does not count" for index in range(5)}
    plan = decide(ADOPTING, Facts(live(THEIRS, tags={**of_others, **system})))
    assert isinstance(plan, Change if fits else Refuse)
    assert fits or "would have 51 tags, and the API allows 50" in getattr(plan, "why", "")


@pytest.mark.parametrize(
    ("event", "facts", "way_on"),
    [
        (CREATE, Facts(live()), "set AdoptExisting: true to take it over"),
        (
            UPDATE,
            Facts(live(THEIRS), rollback=Rollback.NO),
            "Give this resource another DomainName, or remove it from this stack",
        ),
        (
            DELETE,
            Facts(live()),
            f"deleted by this resource, tag it {STACK_ID}={STACK}, {LOGICAL_ID}=Domain, {REQUEST_ID}=found, then",
        ),
        (DELETE, Facts(live(tags=LENT_TO_NOBODY)), f"deleted by this resource, tag it {STACK_ID}={STACK}"),
        (DELETE, Facts(live(tags=LENDER)), f"lent by Domain of stack {ELSEWHERE}. It was left alone. To have it given"),
        (DELETE, Facts(live(tags=LENDER)), f"{LOGICAL_ID}=Domain, {REQUEST_ID}=adopted, then delete again"),
        (
            DELETE,
            Facts(live(tags=NATIVE), is_native_gone=True),
            f"Native of stack {ELSEWHERE} (AWS::CustomerProfiles::Domain)",
        ),
        (DELETE, Facts(live(tags=NATIVE), is_native_gone=True), "given back by this resource"),
        (DELETE_UNPROTECTED, Facts(live(tags=NATIVE), is_native_gone=True), "deleted by this resource"),
        (DELETE, Facts(live(tags=HALF_A_LOAN)), "given back by this resource"),
        (DELETE_UNPROTECTED, Facts(live(tags=HALF_A_LOAN)), "deleted by this resource"),
        (DELETE_UNPROTECTED, Facts(live(tags=OWN_LOAN_LENT)), "deleted by this resource"),
        (DELETE_UNPROTECTED, Facts(live(tags=LENDER)), "given back by this resource"),
        (
            DELETE,
            Facts(live(FOUND_AGAIN, profiles=1), rollback=Rollback.UNKNOWN),
            "could not be asked whether that is rolled back (cloudformation:DescribeStacks, DescribeStackEvents)",
        ),
        (DELETE_PROTECTED, Facts(live(MADE, profiles=1)), "retain Domain if you delete the stack again"),
        (
            DELETE_PROTECTED,
            Facts(live(MADE, profiles=1)),
            "aws customer-profiles delete-domain --domain-name customers",
        ),
    ],
    ids=[
        "already exists",
        "moved on",
        "lost its tags",
        "lost its tags, was the lender",
        "lost its tags, names the lender",
        "lost its tags, on loan",
        "lost its tags, names the native owner",
        "lost its tags, native",
        "lost its tags, native and unprotected",
        "lost a tag, on loan",
        "lost a tag, on loan and unprotected",
        "lost its tags, had lent what it had on loan, unprotected",
        "lost its tags, on loan from another, unprotected",
        "cannot ask CloudFormation",
        "protected, keep it",
        "protected, delete it",
    ],
)
def test_each_refusal_tells_the_way_on(event: Event, facts: Facts, way_on: str) -> None:
    plan = decide(event, facts)
    assert isinstance(plan, Refuse)
    assert way_on in plan.why


@pytest.mark.parametrize("event", [DELETE, DELETE_PROTECTED], ids=["unowned", "protected"])
def test_a_delete_in_a_rollback_or_clean_up_is_not_told_to_delete_the_stack(event: Event) -> None:
    plan = decide(event, Facts(live() if event is DELETE else live(MADE, profiles=1)))
    assert isinstance(plan, Refuse)
    assert "delete the stack and" not in plan.why
    assert "then the stack" not in plan.why


def test_an_event_does_not_undo_its_own_domain_for_which_stats_are_missing() -> None:
    """`even_if_unknown` is about what Stats does not count. Without Stats, the domain may hold data."""
    there = live(MADE_NOW) | {"Stats": {}}
    assert type(undoing.undo(CREATE, Facts(there), made_by=THIS, even_if_unknown=True)) is Refuse
    assert type(undoing.undo(CREATE, Facts(live(MADE_NOW), DENIED), made_by=THIS, even_if_unknown=True)) is Destroy


def test_a_delete_in_the_rollback_of_a_creation_does_not_ask_whether_it_is_wanted() -> None:
    facts = Facts(live(mine(FOUND)), contents=Use(), rollback=Rollback.ENDS, undone_since=OPERATION)
    assert decide(DELETE, facts) == Destroy("customers", asks=False)


def test_an_update_that_is_rolled_back_changes_only_its_own_domain_back() -> None:
    desired, old = translate({**LEAST, "DefaultExpirationDays": 90}, SHAPE), translate(LEAST, SHAPE)
    changed = {"DefaultExpirationDays": 90}
    assert type(undoing.go_back(UPDATE, desired, old, live(MADE) | changed, SHAPE)) is Change
    for there in (live(THEIRS) | changed, live(THEIRS_ON_LOAN, MADE) | changed, live() | changed, None):
        assert type(undoing.go_back(UPDATE, desired, old, there, SHAPE)) is Leave
    unknown = Desired(name="")  # the old properties had a mistake
    assert type(undoing.go_back(UPDATE, desired, unknown, live(MADE) | changed, SHAPE)) is Leave


@pytest.mark.parametrize("stats", [{"ProfileCount": 0}, {"ObjectCount": 0}])
def test_a_failed_create_refuses_to_leave_a_domain_of_which_one_count_is_missing(stats: dict[str, int]) -> None:
    assert type(decide(DELETE_FAILED, Facts(live(MADE) | {"Stats": stats}))) is Refuse


@pytest.mark.parametrize("rollback", [None, Rollback.YES])
def test_rules_that_an_update_has_changed_are_sent_in_its_rollback_without_a_question(
    rollback: Rollback | None,
) -> None:
    """The service is at work on them: the refusal's reason says how to go on (continue-update-rollback)."""
    rules = {"Enabled": True, "MatchingRules": [{"Rule": ["Phone"]}], "MaxAllowedRuleLevelForMatching": 1}
    changed = {**rules, "MaxAllowedRuleLevelForMatching": 2}
    event = request("Update", "customers", RuleBasedMatching=rules)
    event = replace(event, old_properties={**LEAST, "RuleBasedMatching": changed})
    there = {**live(MADE), "RuleBasedMatching": {**changed, "Status": "IN_PROGRESS"}}
    plan = decide(event, Facts(there, rollback=rollback))
    assert isinstance(plan, Change)
    assert [*plan.changes.updates] == [{"RuleBasedMatching": rules}]


def test_a_takeover_that_others_have_taken_over_meanwhile_does_not_add_a_claim_each_time() -> None:
    facts = Facts(live(THEIRS_ON_LOAN, TAKEN_OVER, SIBLINGS), has_taken_over=True)
    plan = decide(ADOPTING, facts)
    assert isinstance(plan, Change)
    assert plan.changes.tag == tags_of((TAKEN_OVER, THEIRS_ON_LOAN, SIBLINGS))
