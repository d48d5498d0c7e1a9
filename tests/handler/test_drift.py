"""Drift: only what differs from the live domain is sent, what the template dropped is put back, the rest is left."""

from __future__ import annotations

from typing import Any

import pytest

from handler import drift
from handler.drift import Drift
from handler.ownership import LOGICAL_ID, REQUEST_ID, STACK_ID
from handler.properties import Desired
from tests.handler import faults

SHAPE: Any = faults.service_model().operation_model("CreateDomain").input_shape
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"
SCHEDULE = {"DayOfTheWeek": "SUNDAY", "Time": "03:00"}
OFF, ON = {"Enabled": False}, {"Enabled": True}
RULES = {"Enabled": True, "MatchingRules": [{"Rule": ["Attributes.id"]}]}


def addresses(*names: str) -> dict[str, Any]:
    return {"RuleBasedMatching": {"AttributeTypesSelector": {"Address": list(names)}}}


def things(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"Matching": {"Things": list(entries)}}


def update(desired: dict[str, Any], live: dict[str, Any], old: dict[str, Any] | None = None) -> Any:
    """What an UpdateDomain has to send."""
    before = Desired("customers", desired if old is None else old)
    return drift.find(Desired("customers", desired), before, live, {}, SHAPE).update


@pytest.mark.parametrize(
    ("desired", "live", "sent"),
    [
        # As it is.
        ({"DefaultExpirationDays": 30}, {"DefaultExpirationDays": 30}, {}),
        ({"Matching": ON}, {"Matching": ON}, {}),
        ({"RuleBasedMatching": RULES}, {"RuleBasedMatching": RULES}, {}),
        # Changed, by the template or by hand.
        ({"DefaultExpirationDays": 60}, {"DefaultExpirationDays": 30}, {"DefaultExpirationDays": 60}),
        ({"DeadLetterQueueUrl": QUEUE}, {}, {"DeadLetterQueueUrl": QUEUE}),
        ({"Matching": ON}, {"Matching": OFF}, {"Matching": ON}),
        ({"Matching": OFF}, {"Matching": ON}, {"Matching": OFF}),
        ({"Matching": ON}, {}, {"Matching": ON}),
        # A structure that differs anywhere is sent whole.
        (
            {"Matching": {"Enabled": True, "JobSchedule": SCHEDULE}},
            {"Matching": {"Enabled": True, "JobSchedule": {**SCHEDULE, "Time": "04:00"}}},
            {"Matching": {"Enabled": True, "JobSchedule": SCHEDULE}},
        ),
        # What the service filled in is no difference, nor is what it only reports.
        ({"Matching": ON}, {"Matching": {"Enabled": True, "JobSchedule": SCHEDULE}}, {}),
        ({"RuleBasedMatching": RULES}, {"RuleBasedMatching": {**RULES, "Status": "IN_PROGRESS"}}, {}),
        # What the template doesn't name is left as it is.
        ({"DefaultExpirationDays": 30}, {"DefaultExpirationDays": 30, "Matching": ON, "DeadLetterQueueUrl": QUEUE}, {}),
        # Off, and never on: the same.
        ({"Matching": OFF, "DataStore": OFF, "RuleBasedMatching": OFF}, {}, {}),
        # An empty text means none.
        ({"DeadLetterQueueUrl": ""}, {}, {}),
        ({"DeadLetterQueueUrl": ""}, {"DeadLetterQueueUrl": QUEUE}, {"DeadLetterQueueUrl": ""}),
        # Lists: an entry more, an entry less, another order.
        (addresses("A", "B"), addresses("A"), addresses("A", "B")),
        (addresses("A"), addresses("A", "B"), addresses("A")),
        (addresses("B", "A"), addresses("A", "B"), addresses("B", "A")),
        (addresses("A"), {"RuleBasedMatching": {"AttributeTypesSelector": {"Address": None}}}, addresses("A")),
        ({"Matching": ON}, {"Matching": "of another type"}, {"Matching": ON}),
        # One entry of two.
        (things({"A": 1}, {"A": 2}), things({"A": 1}, {"A": 3}), things({"A": 1}, {"A": 2})),
        # In an entry, too, what the service filled in is no difference.
        (things({"A": 1}), things({"A": 1, "B": 2}), {}),
        # Off, but with something to keep for the day when it is on; nothing at all; a number that is none.
        ({"Matching": {**OFF, "JobSchedule": SCHEDULE}}, {}, {"Matching": {**OFF, "JobSchedule": SCHEDULE}}),
        ({"Matching": {}}, {}, {}),
        ({"Matching": {"Level": 0}}, {}, {"Matching": {"Level": 0}}),
    ],
)
def test_what_differs_is_sent_and_nothing_else(desired: Any, live: Any, sent: Any) -> None:
    assert update(desired, live) == sent


@pytest.mark.parametrize(
    ("old", "live", "sent"),
    [
        ({"DefaultEncryptionKey": KEY}, {"DefaultEncryptionKey": KEY}, {"DefaultEncryptionKey": ""}),
        ({"DeadLetterQueueUrl": QUEUE}, {"DeadLetterQueueUrl": QUEUE}, {"DeadLetterQueueUrl": ""}),
        ({"Matching": ON}, {"Matching": ON}, {"Matching": OFF}),
        ({"RuleBasedMatching": RULES}, {"RuleBasedMatching": RULES}, {"RuleBasedMatching": OFF}),
        ({"DataStore": ON}, {"DataStore": ON}, {"DataStore": OFF}),
        # Already so: by hand, or because the event comes a second time.
        ({"DeadLetterQueueUrl": QUEUE}, {}, {}),
        ({"Matching": ON}, {"Matching": OFF}, {}),
        ({"Matching": ON}, {}, {}),
        # The API has no word for the default of this one.
        ({"DefaultExpirationDays": 30}, {"DefaultExpirationDays": 30}, {}),
    ],
)
def test_a_property_that_the_template_dropped_is_put_back_to_the_apis_default(old: Any, live: Any, sent: Any) -> None:
    assert update({}, live, old) == sent


def test_a_structure_that_lost_a_member_is_sent_without_it() -> None:
    full = {"Enabled": True, "JobSchedule": SCHEDULE}
    assert update({"Matching": ON}, {"Matching": full}, {"Matching": full}) == {"Matching": ON}


def test_and_one_that_lost_a_member_further_in() -> None:
    def rules(**conflict: str) -> dict[str, Any]:
        return {"RuleBasedMatching": {"Enabled": True, "ConflictResolution": conflict}}

    full = rules(ConflictResolvingModel="SOURCE", SourceName="crm")
    rest = rules(ConflictResolvingModel="SOURCE")
    assert update(rest, full, full) == rest
    assert update(rest, rest, full) == {}


def test_and_one_whose_list_has_an_entry_that_lost_a_member() -> None:
    full, rest = things({"A": 1, "B": 2}), things({"A": 1})
    assert update(rest, full, full) == rest
    # Of a list of another length nobody can tell which entry was which.
    longer = things({"A": 1, "B": 2}, {"A": 3})
    assert update(rest, full, longer) == {}
    # What the service filled in since doesn't count where a change only may be sent.
    full, rest, filled_in = (
        {"RuleBasedMatching": {"Enabled": True, "MatchingRules": [{"Rule": ["A"], **more}]}}
        for more in ({"B": 1}, {}, {"B": 2})
    )
    assert update(rest, filled_in, full) == {}
    assert update(rest, full, full) == rest


def test_rule_based_matching_is_not_sent_again_for_a_default_that_the_service_filled_in() -> None:
    # While its status is IN_PROGRESS the API refuses it, an unchanged one too.
    dropped = {**RULES, "MaxAllowedRuleLevelForMatching": 3}
    filled_in = {**RULES, "MaxAllowedRuleLevelForMatching": 1, "Status": "IN_PROGRESS"}
    now = {"RuleBasedMatching": RULES}
    assert update(now, {"RuleBasedMatching": filled_in}, {"RuleBasedMatching": dropped}) == {}
    # Still what the template had asked for: that has to go.
    assert update(now, {"RuleBasedMatching": dropped}, {"RuleBasedMatching": dropped}) == now
    # Any other structure may be sent once too often.
    full, other = ({"Enabled": True, "JobSchedule": {**SCHEDULE, "Time": time}} for time in ("03:00", "00:00"))
    assert update({"Matching": ON}, {"Matching": other}, {"Matching": full}) == {"Matching": ON}


def tags(desired: dict[str, str], live: dict[str, str], old: dict[str, str], **claim: str) -> Drift:
    return drift.find(Desired("c", tags=desired), Desired("c", tags=old), {"Tags": live}, claim, SHAPE)


def test_tags_that_differ_are_set_and_dropped_ones_removed() -> None:
    found = tags(
        {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "x", "d": "4", "e": "5"}, {"d": "4", "e": "5", "f": "6"}
    )
    assert found == Drift(tag={"b": "2", "c": "3"}, untag=("d", "e"))


def test_tags_that_somebody_else_put_there_stay() -> None:
    assert tags({}, {"by": "hand"}, {}) == Drift()
    assert tags({"a": "1"}, {"a": "1", "by": "hand"}, {"a": "1"}) == Drift()


def test_the_owners_tags_are_never_removed() -> None:
    ownership = {STACK_ID: "s", LOGICAL_ID: "l", REQUEST_ID: "r"}
    assert tags({}, ownership, ownership) == Drift()


def test_a_claim_is_set_with_the_other_tags_and_not_taken_away() -> None:
    assert tags({"a": "1"}, {"claimed": "no"}, {"claimed": "no"}, claimed="yes") == Drift(
        tag={"a": "1", "claimed": "yes"}
    )


def test_a_domain_without_tags_gets_those_of_the_template() -> None:
    assert drift.find(Desired("c", tags={"a": "1"}), Desired("c"), {}, {}, SHAPE) == Drift(tag={"a": "1"})
