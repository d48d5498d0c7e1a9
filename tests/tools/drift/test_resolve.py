"""Intrinsic functions are resolved to CloudFormation's values. Unknown values are never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from tools.drift.resolve import Scope, Unknown, resolve, without_unknowns

SECRET = Unknown("parameter Secret is NoEcho")
YES = {"Fn::Equals": [{"Ref": "Name"}, "shop"]}
NOT_KNOWN = {"Fn::Equals": [{"Ref": "Secret"}, "x"]}

SCOPE = Scope(
    references={
        "Name": "shop",
        "Days": "90",
        "Names": ["a", "b"],
        "Secret": SECRET,
        "AWS::Region": "eu-central-1",
    },
    attribute=lambda logical_id, name: f"<{logical_id} {name}>" if logical_id == "Key" else Unknown("not shown"),
    export={"shop-days": "30"}.get,
    ssm_parameter={"/team": "crm", "/team:3": "sales"}.get,
    mappings={"Regions": {"eu-central-1": {"Days": 90, "Names": ["x", "y"]}}, "Accounts": {123456789012: {"A": True}}},
    conditions={
        "Yes": YES,
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "NotKnown": NOT_KNOWN,
        "NoWhatever": {"Fn::And": [NOT_KNOWN, {"Condition": "No"}]},
        "YesWhatever": {"Fn::Or": [NOT_KNOWN, {"Condition": "Yes"}]},
        "Neither": {"Fn::Or": [NOT_KNOWN, {"Condition": "No"}]},
        "Numbers": {"Fn::Equals": [90, {"Ref": "Days"}]},
        "Booleans": {"Fn::Equals": [True, "true"]},
    },
)


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"Ref": "Name"}, "shop"),
        ({"Ref": "AWS::Region"}, "eu-central-1"),
        ({"Fn::Sub": "${Name}-${Key.Arn}-${!Name}-${AWS::Region}"}, "shop-<Key Arn>-${Name}-eu-central-1"),
        ({"Fn::Sub": ["${Own}+${Name}", {"Own": {"Ref": "Days"}}]}, "90+shop"),
        ({"Fn::Join": ["-", ["a", 1, True, 0.5, {"Ref": "Name"}]]}, "a-1-true-0.5-shop"),
        ({"Fn::Join": ["-", {"Ref": "Names"}]}, "a-b"),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::NoValue"}]]}, "a"),
        ({"Fn::Split": [",", "a,b"]}, ["a", "b"]),
        ({"Fn::Select": [1, ["a", "b"]]}, "b"),
        ({"Fn::Select": ["1", {"Fn::Split": ["-", {"Fn::Sub": "x-${Name}"}]}]}, "shop"),
        ({"Fn::Select": [0, ["known", {"Ref": "Secret"}]]}, "known"),
        ({"Fn::FindInMap": ["Regions", {"Ref": "AWS::Region"}, "Days"]}, 90),
        ({"Fn::FindInMap": ["Regions", "eu-central-1", "Names"]}, ["x", "y"]),
        ({"Fn::FindInMap": ["Accounts", "123456789012", "A"]}, True),
        ({"Fn::FindInMap": ["Regions", "nowhere", "Days", {"DefaultValue": "7"}]}, "7"),
        ({"Fn::If": ["Yes", "yes", "no"]}, "yes"),
        ({"Fn::If": ["No", "yes", "no"]}, "no"),
        ({"Fn::If": ["NoWhatever", "yes", "no"]}, "no"),
        ({"Fn::If": ["YesWhatever", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Numbers", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Booleans", "yes", "no"]}, "yes"),
        ({"Fn::GetAtt": ["Key", "Arn"]}, "<Key Arn>"),
        ({"Fn::GetAtt": "Key.Stats.Count"}, "<Key Stats.Count>"),
        ({"Fn::ImportValue": {"Fn::Sub": "${Name}-days"}}, "30"),
        ("{{resolve:ssm:/team}}/{{resolve:ssm:/team:3}}", "crm/sales"),
        ({"Fn::Sub": "{{resolve:ssm:/team}}-${Name}"}, "crm-shop"),
        ({"A": {"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, "B": [1, {"Ref": "AWS::NoValue"}]}, {"B": [1]}),
        ({"Ref": "Name", "Other": 1}, {"Ref": "Name", "Other": 1}),
    ],
    ids=str,
)
def test_a_function_gives_the_value_that_cloudformation_gave(node: Any, value: Any) -> None:
    assert resolve(node, SCOPE) == value


@pytest.mark.parametrize(
    "node",
    [
        {"Ref": "Secret"},
        {"Fn::Sub": "it is ${Secret}"},
        {"Fn::Sub": ["it is ${It}", {"It": {"Ref": "Secret"}}]},
        {"Fn::Join": ["-", ["a", {"Ref": "Secret"}]]},
        {"Fn::Split": ["-", {"Ref": "Secret"}]},
        {"Fn::Select": [0, {"Fn::Split": ["-", {"Ref": "Secret"}]}]},
        {"Fn::If": ["NotKnown", "yes", "no"]},
        {"Fn::If": ["Neither", "yes", "no"]},
        {"Fn::FindInMap": ["Regions", {"Ref": "Secret"}, "Days"]},
        {"Fn::ImportValue": {"Ref": "Secret"}},
    ],
    ids=str,
)
def test_what_depends_on_an_unknown_value_is_unknown_for_the_same_reason(node: Any) -> None:
    assert resolve(node, SCOPE) == SECRET


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ({"Ref": "Nothing"}, "nothing is named Nothing"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "not shown"),
        ({"Fn::Base64": "x"}, "Fn::Base64 is not resolved"),
        ({"Fn::Select": [5, ["a"]]}, "Fn::Select has arguments that can't be read"),
        ({"Fn::FindInMap": ["Regions", "nowhere", "Days"]}, "Fn::FindInMap has arguments that can't be read"),
        ({"Fn::Sub": "${Names}"}, "Fn::Sub has arguments that can't be read"),
        ({"Fn::If": ["Nowhere", 1, 2]}, "no condition is named Nowhere"),
        ("x{{resolve:secretsmanager:s:SecretString:p}}", "a dynamic reference to secretsmanager is a secret"),
        ("{{resolve:ssm-secure:/key:1}}", "a dynamic reference to ssm-secure is a secret"),
    ],
    ids=str,
)
def test_what_can_not_be_resolved_is_unknown_with_its_reason(node: Any, reason: str) -> None:
    found = resolve(node, SCOPE)

    assert isinstance(found, Unknown)
    assert found.reason == reason


def test_an_unknown_member_is_taken_out_and_the_rest_stays() -> None:
    known, unknown = without_unknowns({"A": 1, "B": {"C": SECRET, "D": 2}})

    assert known == {"A": 1, "B": {"D": 2}}
    assert unknown == {("B", "C"): SECRET}


def test_a_list_with_an_unknown_entry_is_unknown_as_a_whole() -> None:
    known, unknown = without_unknowns({"List": [["a"], ["b", SECRET]], "Other": [1]})

    assert known == {"Other": [1]}
    assert unknown == {("List",): SECRET}


def test_of_tags_in_a_list_only_the_unknown_one_is_taken_out() -> None:
    tags = [{"Key": "Team", "Value": "crm"}, {"Key": "Secret", "Value": SECRET}]

    known, unknown = without_unknowns({"Tags": tags})

    assert known == {"Tags": [{"Key": "Team", "Value": "crm"}]}
    assert unknown == {("Tags", "Secret"): SECRET}
