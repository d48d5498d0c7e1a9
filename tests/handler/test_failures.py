"""The answer to a failed event: the reason, and the physical id for the Delete that follows."""

from __future__ import annotations

from typing import Any

import pytest

from handler import failures
from handler.attempts import Attempts, Fate
from handler.deadline import Deadline, DeadlineReached
from handler.event import Aftermath, Event, read
from handler.invocation import Invocation
from handler.plans import RefusedError
from handler.properties import InvalidPropertiesError

MISTAKE, REFUSED, DEADLINE, BUG = InvalidPropertiesError([]), RefusedError("no"), DeadlineReached(), KeyError("a bug")
NONE, DENIED, NOT_SENT, DONE, UNKNOWN = (), (Fate.REFUSED,), (Fate.NOT_SENT,), (Fate.DONE,), (Fate.UNKNOWN,)


def attempts_with(*fates: Fate) -> Attempts:
    attempts = Attempts()
    for fate in fates:
        attempts.note(fate)
    return attempts


class TestAftermath:
    @pytest.mark.parametrize(
        ("error", "fates", "is_young", "expected"),
        [
            pytest.param(MISTAKE, NONE, True, Aftermath.NOTHING, id="a mistake in the properties made nothing"),
            pytest.param(MISTAKE, NONE, False, Aftermath.SOMETHING, id="another version may have seen no mistake"),
            pytest.param(DEADLINE, NONE, True, Aftermath.UNSETTLED, id="the deadline may interrupt before the note"),
            pytest.param(
                DEADLINE, DENIED, True, Aftermath.UNSETTLED, id="the deadline after attempts that were refused"
            ),
            pytest.param(REFUSED, UNKNOWN, True, Aftermath.UNSETTLED, id="an attempt may still be carried out"),
            pytest.param(BUG, UNKNOWN, False, Aftermath.UNSETTLED, id="an attempt of an old event may still act"),
            pytest.param(REFUSED, NONE, True, Aftermath.NOTHING, id="a young event without an attempt made nothing"),
            pytest.param(REFUSED, DENIED, True, Aftermath.NOTHING, id="every attempt was refused"),
            pytest.param(REFUSED, NOT_SENT, True, Aftermath.NOTHING, id="no attempt reached the API"),
            pytest.param(None, NONE, True, Aftermath.NOTHING, id="the function could not start"),
            pytest.param(REFUSED, DENIED, False, Aftermath.SOMETHING, id="an earlier delivery may have made something"),
            pytest.param(None, NONE, False, Aftermath.SOMETHING, id="an earlier delivery may have started"),
            pytest.param(BUG, DONE, True, Aftermath.SOMETHING, id="an attempt was carried out"),
        ],
    )
    def test_of_a_failed_create(
        self, error: BaseException | None, fates: tuple[Fate, ...], is_young: bool, expected: Aftermath
    ) -> None:
        assert failures.aftermath(error, attempts_with(*fates), is_young=is_young) is expected

    def test_an_own_domain_that_was_found_may_be_from_an_earlier_delivery(self) -> None:
        attempts = attempts_with(Fate.REFUSED)
        attempts.note_own_domain()

        assert failures.aftermath(REFUSED, attempts, is_young=True) is Aftermath.SOMETHING


class TestPhysicalId:
    @pytest.mark.parametrize(
        ("request_type", "physical_id", "expected"),
        [
            pytest.param("Create", "", "create-made-nothing:1", id="a Create gets an id that no domain can have"),
            pytest.param("Update", "customers", "customers", id="an Update keeps its own"),
            pytest.param("Delete", "customers", "customers", id="a Delete keeps its own"),
            pytest.param("Delete", "", "create-made-nothing:1", id="an event that lacks its own gets one, too"),
        ],
    )
    def test_of_a_failed_event(self, request_type: str, physical_id: str, expected: str) -> None:
        event = read({"RequestType": request_type, "RequestId": "1", "PhysicalResourceId": physical_id})

        assert failures.physical_id(event, MISTAKE, invocation()) == expected

    @pytest.mark.parametrize(("age", "expected"), [(0, "create-made-nothing:1"), (30, "create-failed:1")])
    def test_tells_a_young_event_from_an_old_one(self, age: float, expected: str) -> None:
        assert failures.physical_id(an_event(), REFUSED, invocation(age)) == expected


class TestReason:
    def test_of_the_deadline_names_the_call_and_what_the_api_said_before(self) -> None:
        attempts, reached = Attempts(), DeadlineReached()
        for _ in range(14):
            attempts.note_error("CreateDomain of domain customers: throttled (Rate exceeded)", throttled=True)
        reached.waiting_for = "CreateDomain of domain customers, for 57 s"

        assert failures.reason(reached, attempts) == (
            "The function's time was up while it was waiting for CreateDomain of domain customers, for 57 s. "
            "The API throttled 14 attempts. "
            "The last error of the API was: CreateDomain of domain customers: throttled (Rate exceeded)"
        )

    def test_of_the_deadline_mentions_no_error_if_there_was_none(self) -> None:
        assert failures.reason(DeadlineReached(), Attempts()) == (
            "The function's time was up while it was waiting for its own code"
        )

    def test_of_an_expected_error_is_its_own_text(self) -> None:
        assert failures.reason(RefusedError("Set AdoptExisting"), Attempts()) == "Set AdoptExisting"

    def test_says_the_same_advice_once(self) -> None:
        """A takeover fails, and so do the look that follows and both parts of undoing it."""
        advice = "Check that the function can reach the endpoint, then try again (read timeout)"
        failed = "UpdateDomain of domain customers: no answer from the API for 0 s"
        look_failed = "GetDomain of domain customers: no answer from the API for 9 s"
        words = "The domain could not be put back as it was before"
        error = RefusedError(f"{failed}. {advice}. {words}: {look_failed}. {advice}. {look_failed}. {advice}.")

        assert failures.reason(error, Attempts()) == f"{failed}. {advice}. {words}: {look_failed}"

    def test_keeps_a_sentence_that_is_a_part_of_another_one(self) -> None:
        error = RefusedError("Domain shop-2 is gone. Domain shop. Is it yours? Domain shop")

        assert failures.reason(error, Attempts()) == str(error)

    def test_of_a_bug_names_its_kind_and_the_log(self) -> None:
        reason = failures.reason(KeyError("name"), Attempts())

        assert "KeyError: 'name'" in reason
        assert "log" in reason


@pytest.mark.parametrize("field", ["RequestType", "RequestId", "StackId", "LogicalResourceId"])
def test_an_event_without_one_of_its_ids_is_malformed(field: str) -> None:
    well_formed: dict[str, Any] = {"RequestType": "Create", "RequestId": "1", "StackId": "s", "LogicalResourceId": "D"}

    assert failures.malformed(read(well_formed)) is None
    assert field in str(failures.malformed(read({**well_formed, field: ""})))


def an_event() -> Event:
    return read({"RequestType": "Create", "RequestId": "1"})


def invocation(age: float = 0) -> Invocation:
    return Invocation("123456789012", Deadline(290), Attempts(), age)
