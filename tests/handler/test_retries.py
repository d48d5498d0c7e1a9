"""Retries: for a long time when throttled, a few times after a failure, some seconds for permissions of a new role.

TestDecision tests only the policy; all other tests send real calls to the stand-in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import botocore.session
import pytest

from handler.attempts import Attempts
from handler.deadline import Deadline, DeadlineReached
from handler.domains import ApiError, Domains
from handler.errors import Kind
from handler.retries import Retries
from tests.handler.cloudformation import ACCOUNT
from tests.handler.faults import REFUSED, Clock, Fault, Wire, client, deadlines, faults_of_the_api, faults_of_the_wire

MODEL = botocore.session.get_session().get_service_model("customer-profiles")
FAULTS: Mapping[str, Fault] = {str(fault): fault for fault in [*faults_of_the_api(MODEL), *faults_of_the_wire()]}
THROTTLED = FAULTS["ThrottlingException, acts never"]
SERVER_ERROR = FAULTS["InternalServerException, acts never"]
TIMEOUT = 300  # seconds, of the function


def until_it_stands(act: Callable[[], object]) -> None:
    """Repeat a change as long as its error says that the caller may, after a look at the domain."""
    while True:
        try:
            act()
        except ApiError as error:
            if not error.retryable:
                raise
        else:
            return


def new_api() -> Domains:
    """The API for another event, on the client of the tests' wire."""
    return Domains(client(), ACCOUNT, Attempts(), Deadline(290))


Trouble = Callable[[int, str], Fault | None]


def one_after_the_other(*faults: Fault) -> Trouble:
    """The attempts get these faults in this order, and the later ones none."""
    return lambda attempt, operation: faults[attempt] if attempt < len(faults) else None


def always(fault: Fault) -> Trouble:
    return lambda attempt, operation: fault


def test_a_throttled_call_is_retried_for_a_long_time(api: Domains, wire: Wire, clock: Clock) -> None:
    api.create("customers", {"DefaultExpirationDays": 30}, {"team": "crm"})
    wire.begin(one_after_the_other(*[THROTTLED] * 30))

    live = api.find("customers")

    assert live is not None
    assert wire.attempts == ["GetDomain"] * 31
    assert len(clock.pauses) == 30


def test_no_pause_is_longer_than_three_seconds(api: Domains, wire: Wire, clock: Clock) -> None:
    wire.begin(always(THROTTLED))

    with pytest.raises(ApiError):
        api.find("customers")

    assert max(clock.pauses) <= 3


def test_an_api_that_always_throttles_leaves_time_for_the_answer(api: Domains, wire: Wire, clock: Clock) -> None:
    wire.begin(always(THROTTLED))

    with pytest.raises(ApiError, match=r"throttled for \d+ s"):
        api.find("customers")

    assert TIMEOUT / 2 < sum(clock.pauses) < TIMEOUT, "the retries end too early, or after the function's time"


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
def test_an_api_that_fails_is_retried_a_few_times(fault: Fault, api: Domains, wire: Wire, clock: Clock) -> None:
    wire.begin(one_after_the_other(fault, fault))
    assert api.find("customers") is None, "it failed only twice"

    wire.begin(always(fault))
    with pytest.raises(ApiError):
        api.find("customers")

    assert 3 <= len(wire.attempts) <= 10
    assert sum(clock.pauses) + len(wire.attempts) * 10 < TIMEOUT, "no time left, if each waits for a read timeout"


def test_failures_between_throttled_attempts_are_counted_separately(api: Domains, wire: Wire) -> None:
    wire.begin(one_after_the_other(*[THROTTLED] * 20, *[SERVER_ERROR] * 3, *[THROTTLED] * 20))

    assert api.find("customers") is None
    assert len(wire.attempts) == 44


@pytest.mark.parametrize("name", ["BadRequestException", "ResourceNotFoundException"])
def test_a_permanent_error_is_not_retried(name: str, api: Domains, wire: Wire, clock: Clock) -> None:
    wire.begin(always(FAULTS[f"{name}, acts never"]))

    with pytest.raises(ApiError):
        api.delete("customers")

    assert (len(wire.attempts), clock.pauses) == (1, [])


def test_the_retries_of_one_event_do_not_limit_the_next(wire: Wire, clock: Clock) -> None:
    """botocore's own budget of retries is shared by all events: a few events with many retries use it up."""
    for fault, at_least in itertools.chain([(THROTTLED, 150)] * 4, [(SERVER_ERROR, 8)] * 12):
        wire.begin(always(fault))
        with pytest.raises(ApiError):
            new_api().find("customers")
        assert len(wire.attempts) >= at_least
    wire.begin(one_after_the_other(*[THROTTLED] * 30))
    assert new_api().find("customers") is None


SETTINGS = {"DefaultExpirationDays": 30}
TAGS = {"team": "crm"}
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"
DENIED = FAULTS["AccessDeniedException, acts never"]
BAD_REQUEST = FAULTS["BadRequestException, acts never"]


class TestRefusalsThatEndByThemselves:
    def test_access_denied_is_retried_for_about_20_s(self, wire: Wire, clock: Clock) -> None:
        wire.begin(always(DENIED))

        with pytest.raises(ApiError, match="not allowed"):
            new_api().create("customers", SETTINGS, TAGS)

        assert 20 <= sum(clock.pauses) <= 23

    def test_a_permission_that_becomes_effective_late_does_not_fail_the_event(self, wire: Wire) -> None:
        wire.begin(one_after_the_other(*[DENIED] * 5))

        assert new_api().create("customers", SETTINGS, TAGS)["DomainName"] == "customers"

    def test_the_20_s_are_for_the_event_and_not_for_each_call(self, wire: Wire, clock: Clock) -> None:
        api = new_api()
        wire.begin(always(DENIED))
        for _ in range(4):
            with pytest.raises(ApiError):
                api.create("customers", SETTINGS, TAGS)

        assert sum(clock.pauses) <= 23

    def test_access_denied_is_not_retried_when_a_domain_is_read_again(self, wire: Wire, clock: Clock) -> None:
        api = new_api()
        assert api.find("customers") is None
        wire.begin(always(DENIED))

        with pytest.raises(ApiError):
            api.find("customers")

        assert (len(wire.attempts), clock.pauses) == (1, [])

    @pytest.mark.parametrize(
        "settings",
        [
            pytest.param({"DeadLetterQueueUrl": QUEUE}, id="a queue"),
            pytest.param({"DefaultEncryptionKey": "arn:aws:kms:eu-central-1:123456789012:key/1"}, id="a key"),
            pytest.param(
                {"Matching": {"Enabled": True, "ExportingConfig": {"S3Exporting": {"S3BucketName": "exports"}}}},
                id="a bucket, deep inside",
            ),
        ],
    )
    def test_a_bad_request_is_retried_for_about_60_s_for_a_domain_that_names(
        self, settings: dict[str, object], wire: Wire, clock: Clock
    ) -> None:
        one, other = new_api(), new_api()
        changes: list[Callable[[], object]] = [
            lambda: one.create("customers", {**SETTINGS, **settings}, TAGS),
            lambda: other.update("customers", settings),
        ]
        for change in changes:
            clock.pauses.clear()
            wire.begin(always(BAD_REQUEST))

            with pytest.raises(ApiError, match=r"in spite of retries for [56]\d s"):
                until_it_stands(change)

            assert 60 <= sum(clock.pauses) <= 63

    @pytest.mark.parametrize(
        ("settings", "tags"),
        [
            pytest.param({}, {}, id="plain settings"),
            pytest.param({"DefaultEncryptionKey": "", "DeadLetterQueueUrl": ""}, {}, id="a key and a queue removed"),
            pytest.param({}, {"S3BucketName": "exports"}, id="a tag that is named like a bucket"),
        ],
    )
    def test_a_bad_request_is_not_retried_for(
        self, settings: dict[str, object], tags: dict[str, str], wire: Wire, clock: Clock
    ) -> None:
        wire.begin(always(BAD_REQUEST))

        with pytest.raises(ApiError):
            new_api().create("customers", {**SETTINGS, **settings}, {**TAGS, **tags})

        assert (len(wire.attempts), clock.pauses) == (1, [])

    def test_a_name_in_use_is_not_retried_even_for_a_domain_with_a_queue(self, wire: Wire, clock: Clock) -> None:
        api = new_api()
        api.create("customers", SETTINGS, TAGS)
        wire.begin()

        with pytest.raises(ApiError) as raised:
            api.create("customers", {**SETTINGS, "DeadLetterQueueUrl": QUEUE}, TAGS)

        assert raised.value.already_exists
        assert (len(wire.attempts), clock.pauses) == (1, [])


class TestChanges:
    @pytest.mark.parametrize(
        ("fault", "attempts"), [(THROTTLED, [1, 3, 3]), (SERVER_ERROR, [1] * 3), (DENIED, [1] * 3)], ids=str
    )
    @pytest.mark.parametrize("operation", ["DeleteDomain", "UpdateDomain"])
    def test_the_caller_reads_the_domain_again_before_it_is_changed_or_deleted(
        self, operation: str, fault: Fault, attempts: list[int], wire: Wire
    ) -> None:
        wire.begin(always(fault))
        api, rounds = new_api(), []

        for _ in attempts:
            wire.attempts.clear()
            with pytest.raises(ApiError) as raised:
                api.delete("customers") if operation == "DeleteDomain" else api.update("customers", SETTINGS)
            rounds.append(len(wire.attempts))
            assert raised.value.retryable

        assert rounds == attempts

    @pytest.mark.parametrize("fault", [THROTTLED, SERVER_ERROR, REFUSED, DENIED], ids=str)
    def test_the_caller_reads_the_domain_again_before_each_change_of_its_tags(self, fault: Fault, wire: Wire) -> None:
        wire.begin(always(fault))
        with pytest.raises(ApiError) as tagged:
            new_api().tag("customers", TAGS)
        with pytest.raises(ApiError) as untagged:
            new_api().untag("customers", ["team"])

        assert tagged.value.retryable
        assert untagged.value.retryable

        assert wire.attempts == ["TagResource", "UntagResource"]

    @pytest.mark.parametrize("fault", [SERVER_ERROR, DENIED], ids=str)
    def test_in_the_end_the_caller_is_told_to_stop(self, fault: Fault, wire: Wire, clock: Clock) -> None:
        api, calls, retryable = new_api(), 0, True
        wire.begin(always(fault))
        while retryable:
            calls += 1
            with pytest.raises(ApiError) as raised:
                api.delete("customers")
            retryable = raised.value.retryable

        assert 2 <= calls <= 30
        assert sum(clock.pauses) <= 25


class TestTheTimeThatIsLeft:
    @pytest.mark.parametrize("fault", [THROTTLED, SERVER_ERROR, DENIED, REFUSED], ids=str)
    @pytest.mark.parametrize("seconds", [1, 4, 8, 30])
    def test_no_retry_goes_beyond_the_deadline(self, fault: Fault, seconds: int, wire: Wire, clock: Clock) -> None:
        wire.begin(always(fault))

        with pytest.raises(ApiError):
            Domains(client(), ACCOUNT, Attempts(), Deadline(seconds)).find("customers")

        assert sum(clock.pauses) < seconds * 0.95

    def test_throttling_is_retried_almost_until_the_deadline(self, wire: Wire, clock: Clock) -> None:
        wire.begin(always(THROTTLED))

        with pytest.raises(ApiError):
            new_api().find("customers")

        assert 280 <= sum(clock.pauses) <= 285


class TestRecordedAttempts:
    def noted(self, wire: Wire, trouble: Trouble) -> Attempts:
        attempts = Attempts()
        wire.begin(trouble)
        with pytest.raises(ApiError):
            Domains(client(), ACCOUNT, attempts, Deadline(290)).update("customers", {"DefaultExpirationDays": 60})
        return attempts

    @pytest.mark.parametrize("fault", [THROTTLED, DENIED, BAD_REQUEST, REFUSED], ids=str)
    def test_a_call_that_never_reached_the_api_or_was_always_refused_changed_nothing(
        self, fault: Fault, wire: Wire
    ) -> None:
        attempts = self.noted(wire, always(fault))

        assert not attempts.can_have_acted
        assert not attempts.may_still_act

    @pytest.mark.parametrize("name", ["InternalServerException", "read timeout", "connection closed", "200 and HTML"])
    def test_an_attempt_without_a_known_result_may_still_be_carried_out(self, name: str, wire: Wire) -> None:
        attempts = self.noted(wire, one_after_the_other(FAULTS[f"{name}, acts never"], BAD_REQUEST))

        assert attempts.can_have_acted
        assert attempts.may_still_act

    def test_an_attempt_that_the_deadline_interrupts_may_still_be_carried_out(self, wire: Wire) -> None:
        attempts = Attempts()
        wire.begin(always(deadlines(late_by=1)[0]))

        with pytest.raises(DeadlineReached) as reached:
            Domains(client(), ACCOUNT, attempts, Deadline(290)).delete("customers")

        assert reached.value.waiting_for == "DeleteDomain of domain customers, for 0 s"
        assert attempts.may_still_act

    def test_a_change_that_succeeded_was_carried_out(self, wire: Wire) -> None:
        attempts = Attempts()

        Domains(client(), ACCOUNT, attempts, Deadline(290)).create("customers", SETTINGS, TAGS)

        assert attempts.can_have_acted
        assert not attempts.may_still_act

    @pytest.mark.parametrize("trouble", [None, SERVER_ERROR], ids=["that succeeds", "that fails"])
    def test_a_read_changes_nothing(self, trouble: Fault | None, wire: Wire) -> None:
        new_api().create("customers", SETTINGS, TAGS)
        attempts = Attempts()
        wire.begin(one_after_the_other(trouble) if trouble else None)

        assert Domains(client(), ACCOUNT, attempts, Deadline(290)).find("customers") is not None

        assert not attempts.can_have_acted
        assert not attempts.may_still_act

    def test_the_last_error_and_the_number_of_throttled_attempts_are_kept(self, wire: Wire) -> None:
        attempts = self.noted(wire, one_after_the_other(*[THROTTLED] * 7))

        assert attempts.throttled == 1
        assert attempts.last_error.startswith("UpdateDomain of domain customers: throttled for ")

    def test_an_absent_domain_is_not_an_error(self, wire: Wire) -> None:
        attempts = Attempts()

        Domains(client(), ACCOUNT, attempts, Deadline(290)).find("customers")

        assert attempts.last_error == ""


class TestDecision:
    @pytest.mark.parametrize(("attempt", "longest"), [(1, 1), (2, 2), (3, 3), (4, 3), (100, 3), (2000, 3)])
    def test_the_longest_pause_doubles_up_to_three_seconds(self, attempt: int, longest: float) -> None:
        def pause(share: float) -> float | None:
            return Retries(Deadline(290), random=lambda: share).pause(Kind.THROTTLED, "CreateDomain", attempt)

        assert (pause(0), pause(0.5), pause(1)) == (0, longest / 2, longest)

    def test_after_a_success_an_operation_starts_to_count_again(self) -> None:
        retries = Retries(Deadline(290))
        for attempt in range(1, 20):
            assert retries.pause(Kind.FAILED, "GetDomain", attempt % 7) is not None
            if attempt % 7 == 0:
                retries.succeeded("GetDomain")
