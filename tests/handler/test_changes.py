"""Changes: only differences from the live domain are sent, dropped properties are reset, everything else stays."""

from __future__ import annotations

from typing import Any

import pytest

from handler import changes
from handler.changes import LOCKED_DURING, SETS, Changes
from handler.claims import ADOPTED, LOGICAL_ID, REQUEST_ID, STACK_ID, Claim, tags_of
from handler.properties import Desired
from tests.handler import faults

SHAPE: Any = faults.service_model().operation_model("CreateDomain").input_shape
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"
SCHEDULE = {"DayOfTheWeek": "SUNDAY", "Time": "03:00"}
EXPORTING = {"S3Exporting": {"S3BucketName": "results"}}
OFF, ON = {"Enabled": False}, {"Enabled": True}
RULES = {"Enabled": True, "MatchingRules": [{"Rule": ["Attributes.id"]}]}


def addresses(*names: str) -> dict[str, Any]:
    return {"RuleBasedMatching": {"AttributeTypesSelector": {"Address": list(names)}}}


def things(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"Matching": {"Things": list(entries)}}


def find(desired: dict[str, Any], live: dict[str, Any], old: dict[str, Any] | None = None) -> Changes:
    """What differs in the settings; without `old`, the template says what it said before."""
    before = Desired("customers", desired if old is None else old)
    return changes.find(Desired("customers", desired), before, live, None, SHAPE)


def update(desired: dict[str, Any], live: dict[str, Any], old: dict[str, Any] | None = None) -> Any:
    """What is sent, in at most one UpdateDomain."""
    found = find(desired, live, old)
    assert (found.tag, found.untag, found.postponed) == ({}, (), ())
    (sent,) = found.updates or ({},)
    return sent


# Each: what the template says, the live domain, and what is sent.
DIFFERENCES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a number that is as it should be": ({"DefaultExpirationDays": 30}, {"DefaultExpirationDays": 30}, {}),
    "a structure that is as it should be": ({"RuleBasedMatching": RULES}, {"RuleBasedMatching": RULES}, {}),
    "a number that differs": (
        {"DefaultExpirationDays": 60},
        {"DefaultExpirationDays": 30},
        {"DefaultExpirationDays": 60},
    ),
    "a text that the domain does not have": ({"DeadLetterQueueUrl": QUEUE}, {}, {"DeadLetterQueueUrl": QUEUE}),
    "a feature that is to be switched on": ({"Matching": ON}, {"Matching": OFF}, {"Matching": ON}),
    "a feature that is to be switched off": ({"Matching": OFF}, {"Matching": ON}, {"Matching": OFF}),
    "a feature that was never switched on": ({"Matching": ON}, {}, {"Matching": ON}),
    "a structure with one member that differs is sent whole": (
        {"Matching": {"Enabled": True, "JobSchedule": SCHEDULE}},
        {"Matching": {"Enabled": True, "JobSchedule": {**SCHEDULE, "Time": "04:00"}}},
        {"Matching": {"Enabled": True, "JobSchedule": SCHEDULE}},
    ),
    "what a structure has, and the template never named, is left out if it is empty": (
        {"RuleBasedMatching": {**RULES, "Enabled": False}},
        {"RuleBasedMatching": {**RULES, "ConflictResolution": {}, "ExportingConfig": {}}},
        {"RuleBasedMatching": {**RULES, "Enabled": False}},
    ),
    "what a structure has, and the template never named, is sent along": (
        {"Matching": {"Enabled": True, "JobSchedule": SCHEDULE}},
        {
            "Matching": {
                "Enabled": True,
                "JobSchedule": {**SCHEDULE, "Time": "04:00"},
                "AutoMerging": {"Enabled": True, "MinAllowedConfidenceScoreForMerging": 0.5},
                "ExportingConfig": EXPORTING,
            }
        },
        {
            "Matching": {
                "Enabled": True,
                "JobSchedule": SCHEDULE,
                "AutoMerging": {"Enabled": True, "MinAllowedConfidenceScoreForMerging": 0.5},
                "ExportingConfig": EXPORTING,
            }
        },
    ),
    "what another set of rules may not have, and what the API only reports, is not": (
        {"RuleBasedMatching": RULES},
        {
            "RuleBasedMatching": {
                **RULES,
                "MatchingRules": [{"Rule": ["Phone"]}, {"Rule": ["LastName"]}],
                "MaxAllowedRuleLevelForMerging": 2,
                "ExportingConfig": EXPORTING,
                "Status": "ACTIVE",
            }
        },
        {"RuleBasedMatching": {**RULES, "ExportingConfig": EXPORTING}},
    ),
    "a member that the service filled in is no difference": (
        {"Matching": ON},
        {"Matching": {"Enabled": True, "JobSchedule": SCHEDULE}},
        {},
    ),
    "a member that the API only reports is no difference": (
        {"RuleBasedMatching": RULES},
        {"RuleBasedMatching": {**RULES, "Status": "IN_PROGRESS"}},
        {},
    ),
    "a property that the template does not name is left as it is": (
        {"DefaultExpirationDays": 30},
        {"DefaultExpirationDays": 30, "Matching": ON, "DeadLetterQueueUrl": QUEUE},
        {},
    ),
    "a feature that is off is the same as one that was never on": (
        {"Matching": OFF, "DataStore": OFF, "RuleBasedMatching": OFF},
        {},
        {},
    ),
    "an empty text is the same as no text": ({"DeadLetterQueueUrl": ""}, {}, {}),
    "an empty text removes the one that is there": (
        {"DeadLetterQueueUrl": ""},
        {"DeadLetterQueueUrl": QUEUE},
        {"DeadLetterQueueUrl": ""},
    ),
    "a list with one entry more": (addresses("A", "B"), addresses("A"), addresses("A", "B")),
    "a list with one entry less": (addresses("A"), addresses("A", "B"), addresses("A")),
    "a list that the domain does not have": (
        addresses("A"),
        {"RuleBasedMatching": {"AttributeTypesSelector": {"Address": None}}},
        addresses("A"),
    ),
    "a structure that is reported as a text": ({"Matching": ON}, {"Matching": "of another type"}, {"Matching": ON}),
    "a list with one entry that differs": (
        things({"A": 1}, {"A": 2}),
        things({"A": 1}, {"A": 3}),
        things({"A": 1}, {"A": 2}),
    ),
    "a member that the service filled in, in an entry of a list, is no difference": (
        things({"A": 1}),
        things({"A": 1, "B": 2}),
        {},
    ),
    "a feature that is off but has other members": (
        {"Matching": {**OFF, "JobSchedule": SCHEDULE}},
        {},
        {"Matching": {**OFF, "JobSchedule": SCHEDULE}},
    ),
    "an empty structure is the same as none": ({"Matching": {}}, {}, {}),
    "a zero is not the same as no number": ({"Matching": {"Level": 0}}, {}, {"Matching": {"Level": 0}}),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_only_what_differs_is_sent(case: str) -> None:
    desired, live, sent = DIFFERENCES[case]
    assert update(desired, live) == sent


# Each: what the template said before, the live domain, and what is sent now that the template says nothing.
DROPPED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a key": ({"DefaultEncryptionKey": KEY}, {"DefaultEncryptionKey": KEY}, {"DefaultEncryptionKey": ""}),
    "a queue": ({"DeadLetterQueueUrl": QUEUE}, {"DeadLetterQueueUrl": QUEUE}, {"DeadLetterQueueUrl": ""}),
    "matching": ({"Matching": ON}, {"Matching": ON}, {"Matching": OFF}),
    "rule-based matching": ({"RuleBasedMatching": RULES}, {"RuleBasedMatching": RULES}, {"RuleBasedMatching": OFF}),
    "a data store": ({"DataStore": ON}, {"DataStore": ON}, {"DataStore": OFF}),
    "a queue that is gone already": ({"DeadLetterQueueUrl": QUEUE}, {}, {}),
    "a feature that is off already": ({"Matching": ON}, {"Matching": OFF}, {}),
    "a feature that the domain never had": ({"Matching": ON}, {}, {}),
    "a number for which the API has no default": ({"DefaultExpirationDays": 30}, {"DefaultExpirationDays": 30}, {}),
}


@pytest.mark.parametrize("case", DROPPED)
def test_a_property_that_the_template_dropped_is_put_back_to_the_apis_default(case: str) -> None:
    old, live, sent = DROPPED[case]
    assert update({}, live, old) == sent


def test_a_structure_that_lost_a_member_is_sent_without_it() -> None:
    full = {"Enabled": True, "JobSchedule": SCHEDULE}
    assert update({"Matching": ON}, {"Matching": full}, {"Matching": full}) == {"Matching": ON}


def test_a_structure_that_lost_a_nested_member_is_sent_without_it() -> None:
    def rules(**conflict: str) -> dict[str, Any]:
        return {"RuleBasedMatching": {"Enabled": True, "ConflictResolution": conflict}}

    full = rules(ConflictResolvingModel="SOURCE", SourceName="crm")
    rest = rules(ConflictResolvingModel="SOURCE")
    assert update(rest, full, full) == rest
    assert update(rest, rest, full) == {}


def test_a_structure_with_a_list_entry_that_lost_a_member_is_sent_without_it() -> None:
    full, rest = things({"A": 1, "B": 2}), things({"A": 1})
    assert update(rest, full, full) == rest
    # If the list's length changed, it is not known which entry lost a member.
    longer = things({"A": 1, "B": 2}, {"A": 3})
    assert update(rest, full, longer) == {}
    # In a property that the service can lock, a value that the service has filled in since does not count.
    full, rest, filled_in = (
        {"RuleBasedMatching": {"Enabled": True, "MatchingRules": [{"Rule": ["A"], **more}]}}
        for more in ({"B": 1}, {}, {"B": 2})
    )
    assert update(rest, filled_in, full) == {}
    assert update(rest, full, full) == rest


def test_rule_based_matching_is_not_sent_again_for_a_default_that_the_service_filled_in() -> None:
    # While its status is IN_PROGRESS, the API refuses even an unchanged one.
    dropped = {**RULES, "MaxAllowedRuleLevelForMatching": 3}
    filled_in = {**RULES, "MaxAllowedRuleLevelForMatching": 1, "Status": "IN_PROGRESS"}
    now = {"RuleBasedMatching": RULES}
    assert update(now, {"RuleBasedMatching": filled_in}, {"RuleBasedMatching": dropped}) == {}
    # The domain still has the value that the template dropped.
    assert update(now, {"RuleBasedMatching": dropped}, {"RuleBasedMatching": dropped}) == now
    # Any other structure is sent: to send it once too often is harmless.
    full, other = ({"Enabled": True, "JobSchedule": {**SCHEDULE, "Time": time}} for time in ("03:00", "00:00"))
    assert update({"Matching": ON}, {"Matching": other}, {"Matching": full}) == {"Matching": ON}


# Keys and queues in other forms

KEY_ID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
KEY_ARN = f"arn:aws:kms:eu-central-1:123456789012:key/{KEY_ID}"
ALIAS_ARN = "arn:aws:kms:eu-central-1:123456789012:alias/customers"
QUEUE_ARN = "arn:aws:sqs:eu-central-1:123456789012:dead-letters"


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("DefaultEncryptionKey", KEY_ID, KEY_ARN),
        ("DefaultEncryptionKey", "alias/customers", ALIAS_ARN),
        ("DeadLetterQueueUrl", QUEUE_ARN, QUEUE),
    ],
)
def test_the_same_key_or_queue_in_another_form_is_not_a_difference(name: str, one: str, other: str) -> None:
    assert update({name: one}, {name: other}) == {}
    assert update({name: other}, {name: one}) == {}


@pytest.mark.parametrize(
    ("name", "desired", "live"),
    [
        ("DefaultEncryptionKey", KEY_ID[:-1] + "1", KEY_ARN),
        ("DefaultEncryptionKey", KEY_ARN.replace("123456789012", "210987654321"), KEY_ARN),
        ("DefaultEncryptionKey", "alias/customers", KEY_ARN),  # only KMS knows which key an alias stands for
        ("DefaultEncryptionKey", "customers", ALIAS_ARN),
        ("DeadLetterQueueUrl", QUEUE_ARN + "-2", QUEUE),
        ("DeadLetterQueueUrl", QUEUE_ARN.replace("123456789012", "210987654321"), QUEUE),
        ("DeadLetterQueueUrl", QUEUE_ARN.replace("eu-central-1", "eu-west-2"), QUEUE),
        ("DeadLetterQueueUrl", "dead-letters", QUEUE),
        ("DeadLetterQueueUrl", ":::::", QUEUE),
    ],
)
def test_another_key_or_queue_is_a_difference(name: str, desired: str, live: str) -> None:
    assert update({name: desired}, {name: live}) == {name: desired}


# Lists that mean sets


def at_path(path: str, entries: list[Any]) -> dict[str, Any]:
    """Settings with this list at a path as SETS has it, `[]` standing for the one entry of a list."""
    value: Any = entries
    for step in reversed(path.replace("[]", ".[]").split(".")):
        value = [value] if step == "[]" else {step: value}
    assert isinstance(value, dict)
    return value


def shape_at(path: str) -> Any:
    shape = SHAPE
    for step in path.replace("[]", ".[]").split("."):
        shape = shape.member if step == "[]" else shape.members[step]
    return shape


@pytest.mark.parametrize("path", sorted(SETS))
def test_the_order_of_a_list_that_means_a_set_does_not_matter(path: str) -> None:
    assert shape_at(path).type_name == "list"
    assert shape_at(path).member.type_name == "string"
    desired = at_path(path, ["a", "b", "c"])
    assert update(desired, at_path(path, ["c", "a", "b"])) == {}
    for other in (["a", "b"], ["a", "b", "c", "d"], ["a", "b", "d"], []):
        assert update(desired, at_path(path, other)) == desired


@pytest.mark.parametrize(
    "path", ["RuleBasedMatching.MatchingRules", "Matching.AutoMerging.Consolidation.MatchingAttributesList"]
)
def test_the_order_of_any_other_list_matters(path: str) -> None:
    first, second = ({"Rule": ["a"]}, {"Rule": ["b"]}) if "Rules" in path else (["a"], ["b"])
    desired = at_path(path, [first, second])
    assert update(desired, desired) == {}
    assert update(desired, at_path(path, [second, first])) == desired


def test_two_rules_whose_attributes_are_in_another_order_are_the_same_two_rules() -> None:
    desired = {"RuleBasedMatching": {"Enabled": True, "MatchingRules": [{"Rule": ["a", "b"]}, {"Rule": ["c"]}]}}
    live = {"RuleBasedMatching": {"Enabled": True, "MatchingRules": [{"Rule": ["b", "a"]}, {"Rule": ["c"]}]}}
    assert update(desired, live) == {}


# A property whose rules the service is applying


def rules(*attributes: str, status: str | None = None) -> dict[str, Any]:
    report = {} if status is None else {"Status": status}
    return {"RuleBasedMatching": {"Enabled": True, "MatchingRules": [{"Rule": list(attributes)}], **report}}


def test_unchanged_rule_based_matching_is_postponed_while_the_service_applies_it() -> None:
    desired = {"DefaultExpirationDays": 60, **rules("a", "b")}
    live = {"DefaultExpirationDays": 30, **rules("changed by hand", status="IN_PROGRESS")}
    everything_else = Changes(updates=({"DefaultExpirationDays": 60},), postponed=("RuleBasedMatching",))
    assert find(desired, live) == everything_else
    # Another order of the same attributes is no change of the template.
    assert find(desired, live, rules("b", "a")) == everything_else
    assert find(rules("a"), rules("changed by hand", status="IN_PROGRESS")) == Changes(postponed=("RuleBasedMatching",))


@pytest.mark.parametrize("status", [None, "PENDING", "ACTIVE"])
def test_rule_based_matching_changed_by_hand_is_corrected_unless_the_service_applies_it(
    status: str | None,
) -> None:
    found = find(rules("a"), rules("changed by hand", status=status))
    assert found == Changes(updates=(rules("a"),))


def test_rule_based_matching_that_does_not_differ_is_neither_sent_nor_postponed() -> None:
    assert find(rules("a"), rules("a", status="IN_PROGRESS")) == Changes()


@pytest.mark.parametrize("status", [None, "PENDING", "IN_PROGRESS", "ACTIVE"])
def test_rule_based_matching_that_the_template_changed_is_sent_separately_and_last(status: str | None) -> None:
    desired = {**rules("new"), "DefaultExpirationDays": 60, "Matching": ON}
    live = {"DefaultExpirationDays": 30, **rules("old", status=status)}
    found = find(desired, live, {"DefaultExpirationDays": 30, **rules("old")})
    assert found == Changes(updates=({"DefaultExpirationDays": 60, "Matching": ON}, rules("new")))


@pytest.mark.parametrize("status", ["PENDING", "IN_PROGRESS"])
def test_rule_based_matching_that_the_template_dropped_or_added_counts_as_changed(status: str) -> None:
    old = {"Matching": ON, **rules("old")}
    found = find({}, {"Matching": ON, **rules("old", status=status)}, old)
    assert found == Changes(updates=({"Matching": OFF}, {"RuleBasedMatching": OFF}))
    assert find(rules("new"), rules("old", status=status), {}) == Changes(updates=(rules("new"),))


def test_each_property_that_the_service_can_lock_has_a_status() -> None:
    reported: Any = faults.service_model().operation_model("GetDomain").output_shape
    for name, status in LOCKED_DURING.items():
        assert status in reported.members[name].members["Status"].metadata["enum"]


# Tags


def tags(
    desired: dict[str, str], live: dict[str, str], old: dict[str, str], claims: dict[str, str] | None = None
) -> Changes:
    return changes.find(Desired("c", tags=desired), Desired("c", tags=old), {"Tags": live}, claims, SHAPE)


def test_tags_that_differ_are_set_and_dropped_ones_removed() -> None:
    found = tags(
        {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "x", "d": "4", "e": "5"}, {"d": "4", "e": "5", "f": "6"}
    )
    assert found == Changes(tag={"b": "2", "c": "3"}, untag=("d", "e"))


def test_other_tags_stay() -> None:
    assert tags({}, {"by": "hand"}, {}) == Changes()
    assert tags({"a": "1"}, {"a": "1", "by": "hand"}, {"a": "1"}) == Changes()


OWN = tags_of((Claim("s", "l", "r"),))
ON_LOAN = tags_of((Claim("s", "l", ADOPTED), Claim("lender", "l", "r")))


def test_without_claims_the_ownership_tags_do_not_change() -> None:
    assert tags({}, ON_LOAN, ON_LOAN) == Changes()
    assert tags({}, {STACK_ID: "s"}, {}) == Changes()


def test_claims_are_set_together_with_the_other_tags() -> None:
    assert tags({"a": "1"}, {"by": "hand"}, {}, ON_LOAN) == Changes(tag={"a": "1", **ON_LOAN})
    assert tags({"a": "1"}, {"a": "1", **ON_LOAN}, {}, ON_LOAN) == Changes()


def test_claims_that_the_domain_should_no_longer_have_are_removed() -> None:
    behind = {key for key in ON_LOAN if key not in OWN}
    assert len(behind) == 3
    assert tags({}, {"by": "hand", **ON_LOAN}, {}, OWN) == Changes(tag=OWN, untag=tuple(sorted(behind)))
    assert tags({}, {"by": "hand", **OWN}, {}, {}) == Changes(untag=tuple(sorted((STACK_ID, LOGICAL_ID, REQUEST_ID))))


def test_dropped_tags_are_removed_first_only_if_there_would_be_too_many_tags() -> None:
    before, after = ({f"{name}-{index}": "x" for index in range(47)} for name in ("old", "new"))
    found = tags(after, {**before, **OWN}, before, OWN)
    assert found.tag == after
    assert found.untag_first + found.untag == tuple(sorted(before))
    assert len(found.untag_first) == 47 + 47 + 3 - 50  # so that the domain never has more than 50
    # Two new tags: room for one of them, and room for both.
    few = dict.fromkeys(("a", "b"), "x")
    for size, too_many in ((46, 1), (45, 0)):
        some = dict.fromkeys((f"old-{index}" for index in range(size)), "x")
        assert len(tags(few, {**some, **OWN}, some, OWN).untag_first) == too_many
    # Ownership tags are never removed first: half of a change of claims would read as another owner.
    half = dict.fromkeys((f"old-{index}" for index in range(44)), "x")
    found = tags({**half, "new": "x"}, {**half, **ON_LOAN}, half, OWN)
    assert (found.untag_first, len(found.untag)) == ((), 3)


def test_a_domain_without_tags_gets_the_templates_tags() -> None:
    assert changes.find(Desired("c", tags={"a": "1"}), Desired("c"), {}, None, SHAPE) == Changes(tag={"a": "1"})
