"""The attributes for Fn::GetAtt: what the API reports and a template can't set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import botocore.session

from handler.outputs import outputs

MODEL = botocore.session.get_session().get_service_model("customer-profiles")
REPORTED: Any = MODEL.operation_model("GetDomain").output_shape
ASKED: Any = MODEL.operation_model("CreateDomain").input_shape


def test_times_are_utc_in_iso_8601() -> None:
    live = {
        "DomainName": "customers",
        "CreatedAt": datetime(2025, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))),
        "LastUpdatedAt": datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
    }

    data = outputs(live, "arn", REPORTED, ASKED)

    assert data["CreatedAt"] == "2024-12-31T23:30:00Z"
    assert data["LastUpdatedAt"] == "2025-01-02T03:04:05Z"


def test_all_outputs_are_strings_or_numbers() -> None:
    data = outputs(_everything(REPORTED), "arn", REPORTED, ASKED)

    assert {type(value) for value in data.values()} <= {str, int, float}
    assert {"DomainName", "DomainArn", "CreatedAt", "LastUpdatedAt", "Stats.ProfileCount"} <= data.keys()
    assert {"RuleBasedMatching.Status", "DataStore.Readiness.Message"} <= data.keys()


def test_a_property_is_not_an_output() -> None:
    data = outputs(_everything(REPORTED), "arn", REPORTED, ASKED)

    assert not {"DefaultExpirationDays", "Matching.Enabled", "Tags"} & data.keys()


def test_what_the_api_does_not_report_is_left_out() -> None:
    assert outputs({"DomainName": "customers"}, "arn", REPORTED, ASKED) == {
        "DomainName": "customers",
        "DomainArn": "arn",
    }


def _everything(shape: Any) -> Any:
    """A value of that shape with every member it has."""
    match shape.type_name:
        case "structure":
            return {name: _everything(member) for name, member in shape.members.items()}
        case "list":
            return [_everything(shape.member)]
        case "map":
            return {"key": _everything(shape.value)}
        case "timestamp":
            return datetime(2025, 1, 1, tzinfo=UTC)
        case "boolean":
            return True
        case "string":
            return "text"
        case _:
            return 7
