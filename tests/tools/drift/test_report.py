"""The exit status, the table for a person and the JSON for a pipeline."""

from __future__ import annotations

import json

import pytest

from tools.drift.__main__ import main
from tools.drift.compare import Comparison, Difference, NotKnown
from tools.drift.report import DomainReport, StackReport, Verdict, as_json, as_text, verdict

SAME = Comparison()
DIFFERENT = Comparison((Difference("DefaultExpirationDays", 366, 30), Difference("Tags.Team", "crm", None, "why")))
SECRET = NotKnown("DefaultEncryptionKey", "parameter Key is NoEcho", failed=False)
BROKEN = NotKnown("Tags.Team", "no stack exports Team", failed=True)


def stack(comparison: Comparison, failure: str = "") -> StackReport:
    return StackReport("crm", (DomainReport("Domain", "shop", comparison, failure),))


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], Verdict.NO_DRIFT),
        ([stack(SAME)], Verdict.NO_DRIFT),
        ([stack(Comparison(not_known=(SECRET,)))], Verdict.NO_DRIFT),
        ([stack(DIFFERENT)], Verdict.DRIFT),
        ([stack(SAME), stack(DIFFERENT)], Verdict.DRIFT),
        ([stack(Comparison(not_known=(BROKEN,)))], Verdict.COULD_NOT_TELL),
        ([stack(Comparison(DIFFERENT.differences, (BROKEN,)))], Verdict.COULD_NOT_TELL),
        ([stack(SAME, failure="GetDomain: denied")], Verdict.COULD_NOT_TELL),
        ([StackReport("crm", failure="GetTemplate: denied"), stack(DIFFERENT)], Verdict.COULD_NOT_TELL),
    ],
)
def test_the_exit_status_is_the_worst_that_was_found(reports: list[StackReport], expected: Verdict) -> None:
    assert verdict(reports) is expected


def test_the_table_has_a_line_for_each_difference() -> None:
    lines = as_text([stack(Comparison(DIFFERENT.differences, (SECRET,)))]).splitlines()

    assert lines == [
        "Stack crm",
        "  Domain, domain shop: drift",
        "    property               template  live",
        "    DefaultExpirationDays  366       30",
        "    Tags.Team              crm       -     why",
        "    not known: DefaultEncryptionKey: parameter Key is NoEcho",
        "",
        "1 domain in 1 stack: drift",
    ]


def test_a_value_of_many_characters_or_lines_stays_on_one_line() -> None:
    long = Comparison((Difference("A", "x" * 500, "one\ntwo"), Difference("B", [{"Rule": ["A"]}], "")))

    table = as_text([stack(long)]).splitlines()[3:5]

    assert ["x" * 99 + "…" in table[0], r'"one\ntwo"' in table[0]] == [True, True]
    assert table[1].endswith('  ""')


def test_a_failure_is_in_the_table() -> None:
    text = as_text([StackReport("crm", failure="GetTemplate: denied"), stack(SAME, failure="GetDomain: denied")])

    assert "could not tell: GetTemplate: denied" in text
    assert "GetDomain: denied" in text


def test_the_json_has_every_value_whole() -> None:
    report = json.loads(as_json([stack(Comparison(DIFFERENT.differences, (SECRET,)))]))

    assert report["result"] == "drift"
    (found,) = report["stacks"]
    assert (found["stack"], found["result"], found["failure"]) == ("crm", "drift", "")
    (domain,) = found["domains"]
    assert (domain["logical_id"], domain["domain"], domain["result"]) == ("Domain", "shop", "drift")
    assert domain["differences"][0] == {"path": "DefaultExpirationDays", "template": 366, "live": 30, "note": ""}
    assert domain["not_known"] == [{"path": SECRET.path, "reason": SECRET.reason, "failed": False}]


@pytest.mark.parametrize("arguments", [[], ["--stack", ""], ["--stack", "crm", "--all"]])
def test_without_one_stack_or_all_of_them_the_command_can_not_tell(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == Verdict.COULD_NOT_TELL
