"""A problem is one line that says where it is and what is wrong."""

from __future__ import annotations

import pytest

from handler.problems import Path, Problem, suggestion

KNOWN = ["DomainName", "DefaultExpirationDays", "DefaultEncryptionKey", "DeadLetterQueueUrl", "Matching", "Tags"]


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ((), "Properties"),
        (("DomainName",), "DomainName"),
        (
            ("Matching", "AutoMerging", "Consolidation", "MatchingAttributesList", 0, 1),
            "Matching.AutoMerging.Consolidation.MatchingAttributesList[0][1]",
        ),
        (("Tags", 3, "Key"), "Tags[3].Key"),
        (("Tags", "cost:centre"), "Tags.cost:centre"),
        (("Fn::Transform",), "Fn::Transform"),
        (("two words",), "['two words']"),
        (("a\nb", "c"), r"['a\nb'].c"),
        (("",), "['']"),
        (("x" * 200,), "['" + "x" * 64 + "…']"),
    ],
)
def test_the_path_is_written_as_a_template_s_author_would_say_it(path: Path, written: str) -> None:
    assert str(Problem(path, "is wrong")) == f"{written}: is wrong"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("DomainNam", "DomainName"),
        ("domainname", "DomainName"),
        ("Name", "DomainName"),
        ("ExpirationDays", "DefaultExpirationDays"),
        ("DefaultExpirationInDays", "DefaultExpirationDays"),
        ("EncryptionKey", "DefaultEncryptionKey"),
        ("DeadLetterQueue", "DeadLetterQueueUrl"),
        ("DeadLetter", "DeadLetterQueueUrl"),
        ("Match", "Matching"),
        ("Tag", "Tags"),
    ],
)
def test_the_nearest_known_name_is_suggested(typed: str, meant: str) -> None:
    assert suggestion(typed, KNOWN) == f"; did you mean {meant}?"


@pytest.mark.parametrize("typed", ["CreatedAt", "Stats", "DomainArn", "Status", "KmsKeyId", "D", "Ta", "Description"])
def test_a_name_that_is_not_near_is_not_suggested(typed: str) -> None:
    assert suggestion(typed, KNOWN) == ""


def test_nothing_is_suggested_without_a_name_or_without_candidates() -> None:
    assert suggestion("", KNOWN) == ""
    assert suggestion("Name", []) == ""
    assert suggestion(10**5000, KNOWN) == ""
