"""Trying again: patient with an API that throttles, soon done with one that fails, and each event on its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import botocore.session
import pytest

from handler.attempts import Attempts
from handler.deadline import Deadline
from handler.domains import ApiError, Domains
from tests.handler.cloudformation import ACCOUNT
from tests.handler.faults import REFUSED, Clock, Fault, Wire, client, faults_of_the_api, faults_of_the_wire

MODEL = botocore.session.get_session().get_service_model("customer-profiles")
FAULTS: Mapping[str, Fault] = {str(fault): fault for fault in [*faults_of_the_api(MODEL), *faults_of_the_wire()]}
THROTTLED = FAULTS["ThrottlingException, acts never"]
SERVER_ERROR = FAULTS["InternalServerException, acts never"]
TIMEOUT = 300  # seconds, of the function


def new_api() -> Domains:
    """The API for another event, on the client of the tests' wire."""
    return Domains(client(), ACCOUNT, Attempts(), Deadline(290))


Trouble = Callable[[int, str], Fault | None]


def one_after_the_other(*faults: Fault) -> Trouble:
    """The attempts meet these faults in their order, then none."""
    return lambda attempt, operation: faults[attempt] if attempt < len(faults) else None


def always(fault: Fault) -> Trouble:
    return lambda attempt, operation: fault


def test_a_throttled_call_is_waited_for_patiently(api: Domains, wire: Wire, clock: Clock) -> None:
    wire.begin(one_after_the_other(*[THROTTLED] * 30))

    live = api.create("customers", {"DefaultExpirationDays": 30}, {"team": "crm"})

    assert live["DomainName"] == "customers"
    assert wire.attempts == ["CreateDomain"] * 31
    assert len(clock.pauses) == 30


def test_no_pause_is_longer_than_three_seconds(api: Domains, wire: Wire, clock: Clock) -> None:
    wire.begin(always(THROTTLED))

    with pytest.raises(ApiError):
        api.find("customers")

    assert max(clock.pauses) <= 3


def test_an_api_that_throttles_to_the_end_leaves_time_to_say_so(api: Domains, wire: Wire, clock: Clock) -> None:
    wire.begin(always(THROTTLED))

    with pytest.raises(ApiError, match=r"throttled for \d+ s"):
        api.find("customers")

    assert TIMEOUT / 2 < sum(clock.pauses) < TIMEOUT, "impatient, or longer than the function lives"


@pytest.mark.parametrize(
    "fault",
    [
        SERVER_ERROR,
        REFUSED,
        FAULTS["connection closed, acts never"],
        FAULTS["read timeout, acts never"],
        FAULTS["a proxy's 502, acts never"],
        FAULTS["a 503 without a body, acts never"],
    ],
    ids=str,
)
def test_an_api_that_fails_is_tried_again_but_given_up_soon(
    fault: Fault, api: Domains, wire: Wire, clock: Clock
) -> None:
    wire.begin(one_after_the_other(fault, fault))
    assert api.find("customers") is None, "it failed only twice"

    wire.begin(always(fault))
    with pytest.raises(ApiError):
        api.find("customers")

    assert 3 <= len(wire.attempts) <= 10
    assert sum(clock.pauses) + len(wire.attempts) * 10 < TIMEOUT, "no time left, if each waits for a read timeout"


def test_failures_between_throttled_attempts_are_counted_by_themselves(api: Domains, wire: Wire) -> None:
    wire.begin(one_after_the_other(*[THROTTLED] * 20, *[SERVER_ERROR] * 3, *[THROTTLED] * 20))

    assert api.find("customers") is None
    assert len(wire.attempts) == 44


@pytest.mark.parametrize("name", ["BadRequestException", "ResourceNotFoundException"])
def test_an_error_that_would_come_again_is_not_retried(name: str, api: Domains, wire: Wire, clock: Clock) -> None:
    wire.begin(always(FAULTS[f"{name}, acts never"]))

    with pytest.raises(ApiError):
        api.delete("customers")

    assert (len(wire.attempts), clock.pauses) == (1, [])


def test_no_budget_of_retries_outlives_an_event(wire: Wire, clock: Clock) -> None:
    """botocore's own is used up by a few events that were throttled, or that failed, to their end."""
    for fault, at_least in itertools.chain([(THROTTLED, 150)] * 4, [(SERVER_ERROR, 8)] * 12):
        wire.begin(always(fault))
        with pytest.raises(ApiError):
            new_api().find("customers")
        assert len(wire.attempts) >= at_least
    wire.begin(one_after_the_other(*[THROTTLED] * 30))
    assert new_api().find("customers") is None
