"""The table of what happens on each event (README.md), row by row: a pure function of the event and the live domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
import pytest
from botocore.model import StructureShape

from handler import decision
from handler.changes import Changes
from handler.decision import Converge, Create, Delete, Leave, Plan, Refuse
from handler.event import Aftermath, Event, failed_create_id, read
from handler.ownership import ADOPTED, LOGICAL_ID, REQUEST_ID, STACK_ID
from handler.properties import translate, translate_leniently
from tests.handler import cloudformation

SHAPE: StructureShape = (
    botocore.session.get_session()  # type: ignore[assignment]
    .get_service_model("customer-profiles")
    .operation_model("CreateDomain")
    .input_shape
)

THIS, EARLIER = "request-of-this-event", "request-of-an-earlier-event"
ELSEWHERE = cloudformation.stack_arn("elsewhere")
MADE_UP = "customers-Domain-1ABCDEFGHIJK"
FAILED, UNSETTLED = (failed_create_id(EARLIER, aftermath) for aftermath in (Aftermath.SOMETHING, Aftermath.UNSETTLED))


def tags(stack_id: str = cloudformation.STACK, logical_id: str = "Domain", request_id: str = EARLIER) -> dict[str, str]:
    return {STACK_ID: stack_id, LOGICAL_ID: logical_id, REQUEST_ID: request_id}


OWN = tags()
OWN_BY_THIS = tags(request_id=THIS)
OWN_ADOPTED = tags(request_id=ADOPTED)
OWN_UNDATED = {STACK_ID: cloudformation.STACK, LOGICAL_ID: "Domain"}
OF_ANOTHER_STACK = tags(stack_id=ELSEWHERE)
OF_ANOTHER_RESOURCE = tags(logical_id="Other")
OF_ANOTHER_HALF_STRIPPED = {STACK_ID: ELSEWHERE}
NOBODYS: dict[str, str] = {}
OWN_HALF_STRIPPED = {LOGICAL_ID: "Domain", REQUEST_ID: EARLIER}
SOMEBODY_ELSES = {"team": "blue"}


def live(tags: Mapping[str, str], *, name: str = "customers", profiles: int = 0, objects: int = 0) -> dict[str, Any]:
    return {
        "DomainName": name,
        "DefaultExpirationDays": 30,
        "Tags": dict(tags),
        "Stats": {"ProfileCount": profiles, "MeteringProfileCount": profiles, "ObjectCount": objects, "TotalSize": 1},
    }


def request(kind: str, physical_id: str | None = None, old_name: str | None = None, **properties: Any) -> Event:
    """An event for the domain `customers`."""
    properties = {"DomainName": "customers", "DefaultExpirationDays": 30, **properties}
    old = None if kind != "Update" else {**properties, "DomainName": old_name or "customers"}
    return read(cloudformation.event(kind, properties, old, physical_id=physical_id) | {"RequestId": THIS})


def decide(event: Event, live: Mapping[str, Any] | None) -> Plan:
    if event.request_type == "Delete":
        protection = translate(event.properties, SHAPE).deletion_protection
        return decision.delete(event, live, protection=protection)
    desired, old = translate(event.properties, SHAPE), translate_leniently(event.old_properties, SHAPE)
    return decision.create_or_update(event, desired, old, live, SHAPE)


@dataclass(frozen=True)
class Row:
    """One case: the event, the live domain, and the plan; who its domain is claimed for; a part of its reason."""

    says: str
    event: Event
    live: Mapping[str, Any] | None
    plan: type[Plan]
    claimed: str = ""
    why: str = ""


CREATE, ADOPTING = request("Create"), request("Create", AdoptExisting=True)
UPDATE, UPDATE_ADOPTING = request("Update", "customers"), request("Update", "customers", AdoptExisting=True)
RENAME = request("Update", "clients", "clients")
RENAME_ADOPTING = request("Update", "clients", "clients", AdoptExisting=True)
DELETE = request("Delete", "customers")
DELETE_PROTECTED = request("Delete", "customers", DeletionProtection=True)
DELETE_UNPROTECTED = request("Delete", "customers", DeletionProtection=False)
DELETE_FAILED = request("Delete", FAILED)
DELETE_UNSETTLED = request("Delete", UNSETTLED)
DELETE_FAILED_UNPROTECTED = request("Delete", FAILED, DeletionProtection=False)
DELETE_MADE_UP = request("Delete", MADE_UP)
DELETE_MADE_UP_UNPROTECTED = request("Delete", MADE_UP, DeletionProtection=False)
EXISTS = "Domain customers already exists and "

ROWS = [
    Row("a create makes an absent domain", CREATE, None, Create),
    Row("a create whose answer was lost finds its own domain", CREATE, live(OWN_BY_THIS), Converge),
    Row("a create whose answer was lost finds profiles in it already", CREATE, live(OWN_BY_THIS, profiles=1), Converge),
    Row("a create takes an earlier one's domain on", CREATE, live(OWN), Converge, THIS),
    Row("and one without a request id", CREATE, live(OWN_UNDATED), Converge, ADOPTED),
    Row("with data in it, as one taken over", CREATE, live(OWN, profiles=1), Converge, ADOPTED),
    Row("also when it has objects only", CREATE, live(OWN, objects=1), Converge, ADOPTED),
    Row("what was once adopted stays adopted", CREATE, live(OWN_ADOPTED), Converge),
    Row("a create leaves nobody's domain", CREATE, live(NOBODYS), Refuse, why=EXISTS + "belongs to no stack"),
    Row("and one with tags of its own", CREATE, live(SOMEBODY_ELSES), Refuse, why=EXISTS + "belongs to no stack"),
    Row("and another stack's", CREATE, live(OF_ANOTHER_STACK), Refuse, why=f"belongs to Domain of stack {ELSEWHERE}"),
    Row("and another resource's", CREATE, live(OF_ANOTHER_RESOURCE), Refuse, why="belongs to Other of stack"),
    Row("and one that may be another's", CREATE, live(OF_ANOTHER_HALF_STRIPPED), Refuse, why=f"of stack {ELSEWHERE}"),
    Row("and one that may be own", CREATE, live(OWN_HALF_STRIPPED), Refuse, why=EXISTS + "belongs to no stack"),
    Row("an adopting create makes an absent domain", ADOPTING, None, Create),
    Row("an adopting create claims nobody's", ADOPTING, live(NOBODYS, profiles=7), Converge, ADOPTED),
    Row("and another stack's", ADOPTING, live(OF_ANOTHER_STACK, profiles=7), Converge, ADOPTED),
    Row("and another resource's", ADOPTING, live(OF_ANOTHER_RESOURCE), Converge, ADOPTED),
    Row("an adopting create finds what it has made", ADOPTING, live(OWN_BY_THIS), Converge),
    Row("an adopting create finds what it has adopted", ADOPTING, live(OWN_ADOPTED), Converge),
    Row("an update converges its own", UPDATE, live(OWN, profiles=7), Converge),
    Row("and what it adopted", UPDATE, live(OWN_ADOPTED, profiles=7), Converge),
    Row("an update finds the request id gone", UPDATE, live(OWN_UNDATED, profiles=7), Converge, ADOPTED),
    Row("an update claims a domain that lost its tags", UPDATE, live(NOBODYS), Converge, ADOPTED),
    Row("an update claims one that lost one tag", UPDATE, live(OWN_HALF_STRIPPED), Converge, ADOPTED),
    Row("an update leaves what another took over", UPDATE, live(OF_ANOTHER_STACK), Refuse, why="now belongs to Domain"),
    Row("also when it may adopt", UPDATE_ADOPTING, live(OF_ANOTHER_STACK), Refuse, why=ELSEWHERE),
    Row("and what another resource took over", UPDATE, live(OF_ANOTHER_RESOURCE), Refuse, why="now belongs to Other"),
    Row("and what may be another's", UPDATE, live(OF_ANOTHER_HALF_STRIPPED), Refuse, why=ELSEWHERE),
    Row("an update makes a domain anew that is gone", UPDATE, None, Create),
    Row("a rename makes the new one", RENAME, None, Create),
    Row("a rename comes back to the one it left", RENAME, live(OWN), Converge),
    Row("with data in it, as one taken over", RENAME, live(OWN, profiles=7), Converge, ADOPTED),
    Row("a rename whose answer was lost finds what it made", RENAME, live(OWN_BY_THIS, profiles=7), Converge),
    Row("a rename leaves nobody's", RENAME, live(NOBODYS), Refuse, why=EXISTS + "belongs to no stack"),
    Row("a rename leaves another stack's", RENAME, live(OF_ANOTHER_STACK), Refuse, why=EXISTS + "belongs to Domain"),
    Row("an adopting rename claims nobody's", RENAME_ADOPTING, live(NOBODYS), Converge, ADOPTED),
    Row("an adopting rename claims another's", RENAME_ADOPTING, live(OF_ANOTHER_STACK), Converge, ADOPTED),
    Row("an update of a failed create takes its domain on", request("Update", FAILED), live(OWN), Converge, THIS),
    Row("a delete deletes its own", DELETE, live(OWN), Delete),
    Row("with all its data", DELETE, live(OWN, profiles=7, objects=7), Delete),
    Row("but not when nobody knows who made it", DELETE, live(OWN_UNDATED, profiles=7), Refuse, why="7 profiles"),
    Row("a delete finds nothing", DELETE, None, Leave),
    Row(
        "a delete leaves what another stack took over",
        DELETE,
        live(OF_ANOTHER_STACK),
        Leave,
        why="now belongs to Domain",
    ),
    Row("and what another resource took over", DELETE, live(OF_ANOTHER_RESOURCE), Leave, why="now belongs to Other"),
    Row("and what may be another's", DELETE, live(OF_ANOTHER_HALF_STRIPPED), Leave, why="now belongs to"),
    Row("a delete refuses nobody's", DELETE, live(NOBODYS), Refuse, why="has lost its ownership tags"),
    Row("also without protection", DELETE_UNPROTECTED, live(NOBODYS), Refuse, why="has lost its ownership tags"),
    Row(
        "a delete refuses what lost one tag", DELETE, live(OWN_HALF_STRIPPED), Refuse, why="has lost its ownership tags"
    ),
    Row(
        "a protected domain with profiles",
        DELETE_PROTECTED,
        live(OWN, profiles=7),
        Refuse,
        why="7 profiles and 0 objects",
    ),
    Row(
        "a protected domain with objects",
        DELETE_PROTECTED,
        live(OWN, objects=3),
        Refuse,
        why="0 profiles and 3 objects",
    ),
    Row("a protected domain without either", DELETE_PROTECTED, live(OWN), Delete),
    Row(
        "without counts it counts as full",
        DELETE_PROTECTED,
        live(OWN) | {"Stats": {}},
        Refuse,
        why="an unknown number of",
    ),
    Row("protection is no claim", DELETE_PROTECTED, live(OF_ANOTHER_STACK, profiles=7), Leave),
    Row("an adopted domain with data", DELETE, live(OWN_ADOPTED, profiles=7), Refuse, why="7 profiles"),
    Row("an adopted domain without data", DELETE, live(OWN_ADOPTED), Delete),
    Row("an adopted domain, protection lifted", DELETE_UNPROTECTED, live(OWN_ADOPTED, profiles=7), Delete),
    Row("an adopted domain, protected", DELETE_PROTECTED, live(OWN_ADOPTED, profiles=7), Refuse, why="7 profiles"),
    Row("a failed create's domain is deleted", DELETE_FAILED, live(OWN), Delete),
    Row("an unsettled create's too", DELETE_UNSETTLED, live(OWN), Delete),
    Row("not with data", DELETE_FAILED, live(OWN, profiles=7), Refuse, why="7 profiles"),
    Row("but with protection lifted", DELETE_FAILED_UNPROTECTED, live(OWN, profiles=7), Delete),
    Row("not when a later create has taken it on", DELETE_FAILED, live(OWN_BY_THIS), Leave),
    Row("nor when it was adopted", DELETE_FAILED, live(OWN_ADOPTED), Leave),
    Row("nor without a request id", DELETE_FAILED, live(OWN_UNDATED), Leave),
    Row("nor another stack's made by a request of that id", DELETE_FAILED, live(OF_ANOTHER_STACK), Leave),
    Row("nor nobody's", DELETE_FAILED, live(NOBODYS), Leave),
    Row("nor one with nothing but that id", DELETE_FAILED, live({REQUEST_ID: EARLIER}), Leave),
    Row("a failed create left nothing", DELETE_FAILED, None, Leave),
    Row("an unanswered create's domain is deleted", DELETE_MADE_UP, live(OWN), Delete),
    Row("not with data", DELETE_MADE_UP, live(OWN, profiles=7), Leave),
    Row("also with protection lifted", DELETE_MADE_UP_UNPROTECTED, live(OWN, objects=7), Leave),
    Row("not without counts", DELETE_MADE_UP, live(OWN) | {"Stats": {}}, Leave),
    Row("not what was adopted", DELETE_MADE_UP, live(OWN_ADOPTED), Leave),
    Row("not another stack's", DELETE_MADE_UP, live(OF_ANOTHER_STACK), Leave),
    Row("not nobody's", DELETE_MADE_UP, live(NOBODYS), Leave),
    Row("an unanswered create left nothing", DELETE_MADE_UP, None, Leave),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.event.request_type}: {row.says}")
def test_what_happens_on_each_event(row: Row) -> None:
    plan = decide(row.event, row.live)
    assert type(plan) is row.plan
    match plan:
        case Create(name, settings, made_with):
            assert (name, settings) == ("customers", {"DefaultExpirationDays": 30})
            assert made_with == tags(request_id=THIS)
        case Converge(name, changes, there):
            assert (name, changes.updates, changes.untag) == ("customers", (), ())
            if row.claimed:
                assert {**there["Tags"], **changes.tag}.items() >= tags(request_id=row.claimed).items()
                assert changes.tag.items() <= tags(request_id=row.claimed).items()
            else:
                assert not changes.tag
        case Delete(name):
            assert name == "customers"
        case Leave(why) | Refuse(why):
            assert row.why in why


LEFTOVERS = [
    ("its own, made and empty", live(OWN, name="clients"), Delete),
    ("with profiles", live(OWN, name="clients", profiles=1), Leave),
    ("with objects", live(OWN, name="clients", objects=1), Leave),
    ("without counts", live(OWN, name="clients") | {"Stats": {}}, Leave),
    ("taken over", live(OWN_ADOPTED, name="clients"), Leave),
    ("another stack's", live(OF_ANOTHER_STACK, name="clients"), Leave),
    ("nobody's", live(NOBODYS, name="clients"), Leave),
    ("none", None, Leave),
]


@pytest.mark.parametrize(("live", "plan"), [row[1:] for row in LEFTOVERS], ids=[row[0] for row in LEFTOVERS])
def test_a_rollback_deletes_only_what_the_replacement_left_behind(live: Any, plan: type[Plan]) -> None:
    event = request("Update", "customers", "clients")
    decided = decision.delete_leftover(event, live)
    assert type(decided) is plan
    if isinstance(decided, Delete):
        assert decided.name == "clients"


def test_a_domain_is_created_with_everything_that_the_template_says_and_with_its_owner() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    event = request(
        "Create", DeadLetterQueueUrl="", DefaultEncryptionKey=key, Tags={"team": "red"}, Matching={"Enabled": "true"}
    )
    plan = decide(event, None)
    # An empty queue means none, which CreateDomain has no word for.
    settings = {"DefaultExpirationDays": 30, "DefaultEncryptionKey": key, "Matching": {"Enabled": True}}
    assert plan == Create("customers", settings, {"team": "red", **tags(request_id=THIS)})


def test_a_rename_does_not_put_back_what_the_other_domain_had() -> None:
    old = {"DomainName": "clients", "DefaultExpirationDays": 30, "Matching": {"Enabled": True}, "Tags": {"team": "red"}}
    new = {"DomainName": "customers", "DefaultExpirationDays": 30}
    event = read(cloudformation.event("Update", new, old, physical_id="clients"))
    there = live({**OWN, "team": "red"}) | {"Matching": {"Enabled": True}}
    assert decide(event, there) == Converge("customers", Changes(), there)


def test_an_update_puts_back_what_the_template_dropped() -> None:
    queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"
    old = {"DomainName": "customers", "DefaultExpirationDays": 30, "DeadLetterQueueUrl": queue}
    new = {"DomainName": "customers", "DefaultExpirationDays": 30}
    event = read(cloudformation.event("Update", new, old, physical_id="customers"))
    plan = decide(event, live(OWN) | {"DeadLetterQueueUrl": queue})
    assert isinstance(plan, Converge)
    assert plan.changes == Changes(updates=({"DeadLetterQueueUrl": ""},))


@pytest.mark.parametrize(
    ("event", "live", "way_on"),
    [
        (CREATE, live(NOBODYS), "set AdoptExisting: true to take it over"),
        (UPDATE, live(OF_ANOTHER_STACK), "Give this resource another DomainName, or remove it from this stack"),
        (DELETE, live(NOBODYS), f"give it the tags {STACK_ID}={cloudformation.STACK} and {LOGICAL_ID}=Domain"),
        (DELETE_PROTECTED, live(OWN, profiles=1), "delete the stack and retain Domain"),
    ],
)
def test_each_refusal_tells_the_way_on(event: Event, live: Any, way_on: str) -> None:
    plan = decide(event, live)
    assert isinstance(plan, Refuse)
    assert way_on in plan.why


def test_the_same_plan_is_the_same_however_the_domain_was_looked_at() -> None:
    # An error after which there is still the same to do stands, instead of being tried for ever.
    changes = Changes(updates=({"DefaultExpirationDays": 30},))
    assert Converge("customers", changes, {"LastUpdatedAt": 1}) == Converge("customers", changes, {"LastUpdatedAt": 2})
