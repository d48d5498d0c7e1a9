"""The tables in docs/properties-and-outputs.md agree with the pinned botocore and the handler."""

from __future__ import annotations

import copy

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from tools.tables import (
    OWN_WORDS,
    PAGE,
    WARNINGS,
    described,
    output_table,
    property_table,
    service_model,
    with_tables,
)

MARKED = """# Title
<!-- properties: x -->
a stale row
<!-- /properties -->
between
<!-- outputs: x -->
<!-- /outputs -->
end
"""


def test_the_tables_in_the_documentation_are_current() -> None:
    text = PAGE.read_text()

    assert with_tables(text, service_model()) == text, "run `make docs`"


def test_the_tables_have_the_properties_with_what_the_api_allows() -> None:
    rows = property_table(service_model()).splitlines()

    assert any(row.startswith("| `DefaultExpirationDays` | whole number | yes | 1 to 1098 |") for row in rows)
    assert any(row.startswith("| `Matching.JobSchedule.DayOfTheWeek` | text | yes | `SUNDAY`, ") for row in rows)
    assert any(row.startswith("| `RuleBasedMatching.MatchingRules[].Rule` | list of text | yes |") for row in rows)


def test_a_pattern_with_a_bar_stays_within_its_cell() -> None:
    rows = property_table(service_model()).splitlines()

    assert {row.replace(r"\|", "").count("|") for row in rows} == {6}


def test_the_tables_have_every_output_that_was_promised() -> None:
    table = output_table(service_model())

    names = [
        *("DomainName", "DomainArn", "CreatedAt", "LastUpdatedAt"),
        *("Stats.ProfileCount", "Stats.MeteringProfileCount", "Stats.ObjectCount", "Stats.TotalSize"),
        *("RuleBasedMatching.Status", "DataStore.Readiness.ProgressPercentage", "DataStore.Readiness.Message"),
    ]
    assert sorted(line.split("`")[1] for line in table.splitlines()[2:]) == sorted(names)


def test_a_property_that_a_newer_model_brings_gets_a_row() -> None:
    newer = copy.deepcopy(Loader().load_service_model("customer-profiles", "service-2"))
    newer["shapes"]["Colour"] = {
        "type": "string",
        "enum": ["RED", "GREEN"],
        "documentation": "<p>Its colour. More.</p>",
    }
    newer["shapes"]["CreateDomainRequest"]["members"]["Colour"] = {"shape": "Colour"}

    rows = property_table(ServiceModel(newer, "customer-profiles")).splitlines()

    assert "| `Colour` | text |  | `RED`, `GREEN` | Its colour. |" in rows


def test_every_description_written_here_belongs_to_an_existing_property() -> None:
    assert OWN_WORDS.keys() | WARNINGS.keys() <= described(service_model())


def test_the_description_of_the_name_says_what_a_rename_deletes() -> None:
    [row] = [row for row in property_table(service_model()).splitlines() if row.startswith("| `DomainName` |")]

    assert "deletes the old one with its data" in row
    assert "`DeletionProtection` was deployed before the rename" in row


def test_only_what_is_between_the_markers_changes() -> None:
    text = with_tables(MARKED, service_model())

    assert "a stale row" not in text
    assert text.startswith("# Title\n<!-- properties: x -->\n")
    assert "<!-- /properties -->\nbetween\n<!-- outputs: x -->\n" in text
    assert text.endswith("<!-- /outputs -->\nend\n")
    assert with_tables(text, service_model()) == text


def test_a_page_without_markers_for_a_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for the table: <!-- outputs"):
        with_tables(MARKED.replace("outputs", "inputs"), service_model())
