"""Messages for common mistakes: a table of inputs and messages."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from handler import hints
from handler.properties import InvalidPropertiesError, only_reported, translate
from tests.handler.strategies import create_domain_shape, json_values, service_model

SHAPE = create_domain_shape()
REPORTED: Any = service_model().operation_model("GetDomain").output_shape
LEAST = {"DomainName": "amazon-connect-customers", "DefaultExpirationDays": "30"}

READ_ONLY = "is reported by the API and can't be set; leave it out"
UNRESOLVED = (
    "has arrived as {{resolve:...}}, which CloudFormation has not replaced by the value; "
    "pass it in as a template parameter of type AWS::SSM::Parameter::Value<String>"
)
EMPTY = "; an empty text is a value, too: to leave an optional property out, use AWS::NoValue"
NAME = "^[a-zA-Z0-9_-]+$"
TIME = "^([0-9]|0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]$"
SCORE = "MinAllowedConfidenceScoreForMerging"

# The template's properties besides DomainName and DefaultExpirationDays, and the message for the user.
TRAPS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "read-only attributes that an exporter left in": (
        {
            "CreatedAt": "2026-01-01T00:00:00Z",
            "LastUpdatedAt": "2026-01-01T00:00:00Z",
            "Stats": {"ProfileCount": "7"},
            "RuleBasedMatching": {"Enabled": "true", "Status": "ACTIVE"},
            "DataStore": {"Enabled": "true", "Readiness": {"ProgressPercentage": "100"}},
        },
        [
            f"CreatedAt: {READ_ONLY}",
            f"LastUpdatedAt: {READ_ONLY}",
            f"Stats: {READ_ONLY}",
            f"RuleBasedMatching.Status: {READ_ONLY}",
            f"DataStore.Readiness: {READ_ONLY}",
        ],
    ),
    "a name that is near a known one": (
        {"Datastore": {"Enabled": "true"}, "DeadLetterQueue": "", "EncryptionKey": "", "Tag": []},
        [
            "Datastore: is not a property here; did you mean DataStore?",
            "DeadLetterQueue: is not a property here; did you mean DeadLetterQueueUrl?",
            "EncryptionKey: is not a property here; did you mean DefaultEncryptionKey?",
            "Tag: is not a property here; did you mean Tags?",
        ],
    ),
    "a name that is near no known one": (
        {"Description": "x", "DomainArn": "x", "Status": "x", "KmsKeyId": "x", "": "x", "T": "x"},
        [
            "Description: is not a property here",
            "DomainArn: is not a property here",
            "Status: is not a property here",
            "KmsKeyId: is not a property here",
            "['']: is not a property here",
            "T: is not a property here",
        ],
    ),
    "a time that YAML reads as a number in base 60": (
        {
            "Matching": {
                "Enabled": "true",
                "JobSchedule": {"DayOfTheWeek": "SUNDAY", "Time": str(yaml.safe_load("3:00"))},
            }
        },
        [
            f"Matching.JobSchedule.Time: '180' does not match {TIME}; YAML reads 3:00 without quotes as the number "
            "180: write '03:00'"
        ],
    ),
    "the same, as a number, from an event that was written by hand": (
        {"Matching": {"Enabled": True, "JobSchedule": {"DayOfTheWeek": "SUNDAY", "Time": 180}}},
        [
            "Matching.JobSchedule.Time: must be text, not 180; YAML reads 3:00 without quotes as the number 180: write "
            "'03:00'"
        ],
    ),
    "a number that is no time of the day": (
        {"Matching": {"Enabled": "true", "JobSchedule": {"DayOfTheWeek": "SUNDAY", "Time": "1500"}}},
        [f"Matching.JobSchedule.Time: '1500' does not match {TIME}"],
    ),
    "yes and on in quotes": (
        {"AdoptExisting": "yes", "DeletionProtection": "Off", "DataStore": {"Enabled": "on"}},
        [
            "AdoptExisting: must be true or false, not 'yes'; write true",
            "DeletionProtection: must be true or false, not 'Off'; write false",
            "DataStore.Enabled: must be true or false, not 'on'; write true",
        ],
    ),
    "numbers with separators, spaces, a unit or a fraction": (
        {
            "DefaultExpirationDays": "1,000",
            "RuleBasedMatching": {
                "Enabled": "true",
                "MaxAllowedRuleLevelForMatching": " 2",
                "MaxAllowedRuleLevelForMerging": "3.0",
            },
            "Matching": {"Enabled": "true", "AutoMerging": {"Enabled": "true", SCORE: "0,8"}},
        },
        [
            "DefaultExpirationDays: must be a whole number, not '1,000'; write 1000",
            "RuleBasedMatching.MaxAllowedRuleLevelForMatching: must be a whole number, not ' 2'; write 2",
            "RuleBasedMatching.MaxAllowedRuleLevelForMerging: must be a whole number, not '3.0'; write 3",
            f"Matching.AutoMerging.{SCORE}: must be a decimal number, not '0,8'; write 0.8",
        ],
    ),
    "a number that would not be allowed either": (
        {"DefaultExpirationDays": "10,000 days"},
        ["DefaultExpirationDays: must be a whole number, not '10,000 days'"],
    ),
    "one text where a list belongs": (
        {
            "RuleBasedMatching": {
                "Enabled": "true",
                "AttributeTypesSelector": {
                    "AttributeMatchingModel": "ONE_TO_ONE",
                    "Address": "ShippingAddress",
                    "PhoneNumber": "PhoneNumber,MobilePhoneNumber",
                    "EmailAddress": '["EmailAddress"]',
                },
            }
        },
        [
            "RuleBasedMatching.AttributeTypesSelector.Address: must be a list, not 'ShippingAddress'; "
            "write [ShippingAddress]",
            "RuleBasedMatching.AttributeTypesSelector.PhoneNumber: must be a list, not "
            "'PhoneNumber,MobilePhoneNumber'; use !Split [\",\", ...], or a parameter of type CommaDelimitedList",
            "RuleBasedMatching.AttributeTypesSelector.EmailAddress: must be a list, not '[\"EmailAddress\"]'; "
            "that is JSON in quotes: write the list itself",
        ],
    ),
    "one map where a list of maps belongs": (
        {"RuleBasedMatching": {"Enabled": "true", "MatchingRules": {"Rule": ["PhoneNumber"]}}},
        [
            "RuleBasedMatching.MatchingRules: must be a list, not a map; put the map into a list, in YAML with a dash "
            "in front of it"
        ],
    ),
    "a list where the map around it is missing": (
        {"RuleBasedMatching": {"Enabled": "true", "MatchingRules": [["PhoneNumber"]]}},
        [
            "RuleBasedMatching.MatchingRules[0]: must be a map of properties, not a list; "
            "write Rule: in front of the list"
        ],
    ),
    "JSON in quotes where a structure belongs": (
        {"Matching": '{"Enabled": true}', "Tags": '{"team": "data"}'},
        [
            "Matching: must be a map of properties, not '{\"Enabled\": true}'; that is JSON in quotes: "
            "write the map itself",
            'Tags: must be a map of tags, or a list of Key and Value, not \'{"team": "data"}\'; that is JSON in '
            "quotes: write the map itself",
        ],
    ),
    "a feature that is switched without its structure": (
        {"DataStore": "true", "Matching": "False", "RuleBasedMatching": "on"},
        [
            "DataStore: must be a map of properties, not 'true'; write Enabled: true inside it",
            "Matching: must be a map of properties, not 'False'; write Enabled: false inside it",
            "RuleBasedMatching: must be a map of properties, not 'on'",
        ],
    ),
    "an empty parameter": (
        {"AdoptExisting": "", "Matching": "", "Tags": ""},
        [
            f"AdoptExisting: must be true or false, not ''{EMPTY}",
            f"Matching: must be a map of properties, not ''{EMPTY}",
            f"Tags: must be a map of tags, or a list of Key and Value, not ''{EMPTY}",
        ],
    ),
    "AWS::NoValue as a text that the pattern would take": (
        {"DefaultEncryptionKey": "AWS::NoValue"},
        ["DefaultEncryptionKey: is the text AWS::NoValue; write !Ref AWS::NoValue"],
    ),
    "AWS::NoValue as a text": (
        {"DomainName": "AWS::NoValue"},
        ["DomainName: is the text AWS::NoValue; write !Ref AWS::NoValue"],
    ),
    "a line break from YAML's block form": (
        {"DomainName": yaml.safe_load("|\n  amazon-connect-customers\n")},
        [
            rf"DomainName: 'amazon-connect-customers\n' does not match {NAME}; there are spaces or line breaks around "
            "it: write 'amazon-connect-customers'"
        ],
    ),
    "!Sub forgotten": (
        {"DomainName": "amazon-connect-${AWS::Region}"},
        [f"DomainName: 'amazon-connect-${{AWS::Region}}' does not match {NAME}; only !Sub replaces ${{...}}"],
    ),
    "an ARN or a URL where a name belongs": (
        {
            "DomainName": "arn:aws:profile:eu-west-1:123456789012:domains/customers",
            "Matching": {
                "Enabled": "true",
                "ExportingConfig": {"S3Exporting": {"S3BucketName": "arn:aws:s3:::results"}},
            },
            "RuleBasedMatching": {
                "Enabled": "true",
                "ExportingConfig": {"S3Exporting": {"S3BucketName": "s3://results/matches"}},
            },
        },
        [
            f"DomainName: 'arn:aws:profile:eu-west-1:123456789012:domains/customers' does not match {NAME}; the name "
            "alone is wanted, not the ARN: write 'customers'",
            "Matching.ExportingConfig.S3Exporting.S3BucketName: 'arn:aws:s3:::results' does not match ^[a-z0-9.-]+$; "
            "the name alone is wanted, not the ARN: write 'results'",
            "RuleBasedMatching.ExportingConfig.S3Exporting.S3BucketName: 's3://results/matches' does not match "
            "^[a-z0-9.-]+$; the bucket's name alone is wanted: write 'results'",
        ],
    ),
    "a dynamic reference, wherever it stands": (
        {
            "DomainName": "{{resolve:ssm:/domain}}",
            "DefaultExpirationDays": "{{resolve:ssm:/days:1}}",
            "DefaultEncryptionKey": "{{resolve:secretsmanager:key}}",
            "DataStore": "{{resolve:ssm:/store}}",
            "Tags": {"team": "the {{resolve:ssm:/team}} team"},
        },
        [
            f"DomainName: {UNRESOLVED}",
            f"DefaultExpirationDays: {UNRESOLVED}",
            f"DefaultEncryptionKey: {UNRESOLVED}",
            f"DataStore: {UNRESOLVED}",
            f"Tags.team: {UNRESOLVED}",
        ],
    ),
    "a case that the API does not have": (
        {"Matching": {"Enabled": "true", "JobSchedule": {"DayOfTheWeek": "Friday", "Time": "03:00"}}},
        [
            "Matching.JobSchedule.DayOfTheWeek: 'Friday' is not one of SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, "
            "FRIDAY, SATURDAY; did you mean FRIDAY?"
        ],
    ),
    "an enum's value from somewhere else": (
        {
            "RuleBasedMatching": {
                "Enabled": "true",
                "ConflictResolution": {"ConflictResolvingModel": "TIMESTAMP"},
            }
        },
        ["RuleBasedMatching.ConflictResolution.ConflictResolvingModel: 'TIMESTAMP' is not one of RECENCY, SOURCE"],
    ),
    "a tag key that is AWS's own": (
        {"Tags": [{"Key": "aws:team", "Value": "data"}]},
        [
            "Tags[0].Key: 'aws:team' does not match ^(?!aws:)[a-zA-Z+-=._:/]+$; AWS keeps keys that begin with aws: "
            "for itself: write 'team'"
        ],
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_common_mistake_gets_its_own_message(trap: str) -> None:
    changes, lines = TRAPS[trap]
    with pytest.raises(InvalidPropertiesError) as caught:
        translate({**LEAST, **changes}, SHAPE, REPORTED)
    assert str(caught.value).splitlines() == lines


def test_read_only_members_are_those_that_only_the_output_shape_has() -> None:
    assert {".".join(map(str, path)) for path in only_reported(REPORTED, SHAPE)} == {
        *("CreatedAt", "LastUpdatedAt", "Stats", "RuleBasedMatching.Status", "DataStore.Readiness"),
    }


@given(json_values)
@settings(deadline=None)
def test_a_hint_never_raises_and_is_never_long(raw: Any) -> None:
    found = [
        hints.for_boolean(raw),
        hints.for_list(raw),
        hints.for_map(raw, ["Enabled"]),
        hints.for_number(raw, lambda _: True),
        hints.for_text(raw if isinstance(raw, str) else "", lambda _: True),
    ]
    for hint in found:
        assert hint == "" or hint.startswith("; ")
        assert len(hint) < 200
        assert "\n" not in hint
        hint.encode()
