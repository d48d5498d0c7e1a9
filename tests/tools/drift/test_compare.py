"""Differences between a resource in a template and its live domain, one for each path."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from handler.claims import LOGICAL_ID, REQUEST_ID, STACK_ID
from tools.drift.compare import OWNER, Comparison, Wanted, compare
from tools.drift.resolve import Unknown

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/crm/1"
OTHER = "arn:aws:cloudformation:eu-central-1:123456789012:stack/web/2"
OWN = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: "r1"}
SECRET = Unknown("parameter Secret is NoEcho")

SHAPE: Any = boto3.client("customer-profiles").meta.service_model.operation_model("CreateDomain").input_shape

PROPERTIES = {
    "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:f",
    "DomainName": "shop",
    "DefaultExpirationDays": "366",
    "Matching": {
        "Enabled": "true",
        "JobSchedule": {"DayOfTheWeek": "SUNDAY", "Time": "03:00"},
        "AutoMerging": {
            "Enabled": "true",
            "Consolidation": {"MatchingAttributesList": [["EmailAddress"], ["PhoneNumber", "LastName"]]},
        },
    },
    "RuleBasedMatching": {"Enabled": "true", "MatchingRules": [{"Rule": ["A", "B"]}, {"Rule": ["C"]}]},
    "Tags": {"Team": "crm"},
}
LIVE: Mapping[str, Any] = {
    "DomainName": "shop",
    "DefaultExpirationDays": 366,
    "DefaultEncryptionKey": "arn:aws:kms:eu-central-1:123456789012:key/1",
    "Matching": {
        "Enabled": True,
        "JobSchedule": {"DayOfTheWeek": "SUNDAY", "Time": "03:00"},
        "AutoMerging": {
            "Enabled": True,
            "Consolidation": {"MatchingAttributesList": [["EmailAddress"], ["LastName", "PhoneNumber"]]},
        },
    },
    "RuleBasedMatching": {
        "Enabled": True,
        "MatchingRules": [{"Rule": ["B", "A"]}, {"Rule": ["C"]}],
        "Status": "ACTIVE",
    },
    "Tags": {**OWN, "Team": "crm", "Other": "by hand"},
}


def compared(properties: Mapping[str, Any] | None = None, *, stack_tags: Any = None, **live: Any) -> Comparison:
    wanted = Wanted(STACK, "Domain", "shop", {**PROPERTIES, **(properties or {})}, stack_tags or {})
    return compare(wanted, {**LIVE, **live}, SHAPE)


def lines(comparison: Comparison) -> dict[str, tuple[Any, Any]]:
    return {found.path: (found.template, found.live) for found in comparison.differences}


def changed(name: str, *path: str | int, to: Any) -> dict[str, Any]:
    """A property of the live domain with one value in it replaced."""
    live: Any = copy.deepcopy(LIVE[name])
    inner = live
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return {name: live}


def test_a_domain_as_its_template_has_it_shows_no_difference() -> None:
    assert compared() == Comparison()


def test_what_the_template_does_not_name_is_no_drift() -> None:
    assert lines(compared(DeadLetterQueueUrl="https://sqs/q")) == {}


@pytest.mark.parametrize(
    ("live", "path", "template", "value"),
    [
        ({"DefaultExpirationDays": 30}, "DefaultExpirationDays", 366, 30),
        (changed("Matching", "JobSchedule", "Time", to="04:00"), "Matching.JobSchedule.Time", "03:00", "04:00"),
        (changed("Matching", "Enabled", to=False), "Matching.Enabled", True, False),
        (
            changed("Matching", "AutoMerging", "Consolidation", "MatchingAttributesList", 1, to=["LastName"]),
            "Matching.AutoMerging.Consolidation.MatchingAttributesList[1]",
            ["PhoneNumber", "LastName"],
            ["LastName"],
        ),
        (
            changed("RuleBasedMatching", "MatchingRules", to=[{"Rule": ["C"]}]),
            "RuleBasedMatching.MatchingRules",
            [{"Rule": ["A", "B"]}, {"Rule": ["C"]}],
            [{"Rule": ["C"]}],
        ),
        (
            changed("RuleBasedMatching", "MatchingRules", 0, to={"Rule": ["A", "D"]}),
            "RuleBasedMatching.MatchingRules[0].Rule",
            ["A", "B"],
            ["A", "D"],
        ),
        ({"Tags": {**OWN, "Team": "sales"}}, "Tags.Team", "crm", "sales"),
        ({"Tags": OWN}, "Tags.Team", "crm", None),
    ],
)
def test_a_difference_is_one_line_with_the_innermost_path(
    live: dict[str, Any], path: str, template: Any, value: Any
) -> None:
    assert lines(compared(**live)) == {path: (template, value)}


def test_a_feature_that_the_template_has_and_the_domain_lost_is_named_by_its_members() -> None:
    found = lines(compared(Matching=None))

    assert found["Matching.Enabled"] == (True, None)
    assert found["Matching.JobSchedule.Time"] == ("03:00", None)


def test_a_feature_that_is_off_and_one_that_was_never_on_are_the_same() -> None:
    assert lines(compared({"DataStore": {"Enabled": "false"}})) == {}


def test_an_empty_key_in_the_template_and_a_live_one_differ() -> None:
    found = lines(compared({"DefaultEncryptionKey": ""}))

    assert found == {"DefaultEncryptionKey": ("", LIVE["DefaultEncryptionKey"])}


def test_a_difference_that_the_service_is_applying_is_marked() -> None:
    live = {**LIVE["RuleBasedMatching"], "Status": "IN_PROGRESS", "MatchingRules": [{"Rule": ["A"]}, {"Rule": ["C"]}]}

    (found,) = compared(RuleBasedMatching=live).differences

    assert (found.path, found.note) == ("RuleBasedMatching.MatchingRules[0].Rule", "the service is at work on it")


def test_an_unknown_value_is_named_and_not_compared() -> None:
    comparison = compared({"DefaultEncryptionKey": SECRET, "Tags": {"Team": SECRET}}, Tags={**OWN, "Team": "x"})

    assert comparison.differences == ()
    assert {(item.path, item.reason, item.failed) for item in comparison.not_known} == {
        ("DefaultEncryptionKey", SECRET.reason, False),
        ("Tags.Team", SECRET.reason, False),
    }


def test_an_unknown_required_property_is_not_reported_as_missing() -> None:
    comparison = compared({"DefaultExpirationDays": SECRET, "DomainName": SECRET})

    assert [item.path for item in comparison.not_known] == ["DomainName", "DefaultExpirationDays"]
    assert comparison.differences == ()


def test_an_unknown_entry_makes_its_list_unknown_and_the_rest_is_compared() -> None:
    rules = {"Enabled": "true", "MatchingRules": [{"Rule": ["A", SECRET]}, {"Rule": ["X"]}]}

    comparison = compared({"RuleBasedMatching": rules}, **changed("RuleBasedMatching", "Enabled", to=False))

    assert lines(comparison) == {"RuleBasedMatching.Enabled": (True, False)}
    assert [item.path for item in comparison.not_known] == ["RuleBasedMatching.MatchingRules"]


def test_a_property_that_can_not_be_translated_is_a_failure_and_the_rest_is_compared() -> None:
    comparison = compared({"DefaultExpirationDays": "many"}, Tags=OWN)

    assert lines(comparison) == {"Tags.Team": ("crm", None)}
    assert [(item.path, item.failed) for item in comparison.not_known] == [("DefaultExpirationDays", True)]


def test_the_tags_of_the_stack_are_compared_too_and_the_templates_own_win() -> None:
    found = lines(compared(stack_tags={"Team": "of the stack", "CostCentre": "4711"}))

    assert found == {"Tags.CostCentre": ("4711", None)}


def test_a_tag_of_the_stack_that_an_unknown_one_of_the_template_replaces_is_not_compared() -> None:
    tags = {"Team": "crm", "CostCentre": SECRET}

    assert lines(compared({"Tags": tags}, stack_tags={"CostCentre": "4711"})) == {}
    assert lines(compared({"Tags": SECRET}, stack_tags={"CostCentre": "4711"})) == {}


def test_a_deleted_domain_is_one_line() -> None:
    (found,) = compare(Wanted(STACK, "Domain", "shop", PROPERTIES, {}), None, SHAPE).differences

    assert (found.path, found.template, found.live) == ("DomainName", "shop", None)


def test_a_resource_with_another_domain_than_the_templates_is_a_difference() -> None:
    assert lines(compared({"DomainName": "web"})) == {"DomainName": ("web", "shop")}


@pytest.mark.parametrize("missing", [*OWN, "all"])
def test_a_missing_ownership_tag_is_named(missing: str) -> None:
    keys = set(OWN) if missing == "all" else {missing}
    tags = {key: value for key, value in LIVE["Tags"].items() if key not in keys}

    assert lines(compared(Tags=tags)).keys() == {f"Tags.{key}" for key in keys}


def test_another_owner_is_named() -> None:
    foreign = {**LIVE["Tags"], STACK_ID: OTHER}

    assert lines(compared(Tags=foreign)) == {OWNER: ("Domain of stack crm", "Domain of stack web")}


def test_a_domain_that_another_resource_took_over_names_that_resource() -> None:
    lent = {f"{key}.1": value for key, value in OWN.items()}
    tags = {"Team": "crm", **lent, STACK_ID: OTHER, LOGICAL_ID: "Borrowed", REQUEST_ID: "adopted"}

    (found,) = compared(Tags=tags).differences

    assert (found.path, found.live, found.note) == (OWNER, "Borrowed of stack web", "the domain is lent")
