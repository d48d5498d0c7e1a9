"""Calls of the API: error messages that say what to do, and responses that are not from the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import NoCredentialsError
from moto.core.botocore_stubber import MockRawResponse

from handler import domains
from handler.attempts import Attempts
from handler.deadline import Deadline
from handler.domains import ApiError, DomainNotFoundError, Domains
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import ACCOUNT
from tests.handler.faults import (
    OPERATIONS,
    REFUSED,
    REGION,
    Acts,
    Clock,
    Fault,
    Wire,
    client,
    faults_of_the_api,
    faults_of_the_wire,
    live_domains,
    once,
)

MODEL = botocore.session.get_session().get_service_model("customer-profiles")
FAULTS: Mapping[str, Fault] = {str(fault): fault for fault in [*faults_of_the_api(MODEL), *faults_of_the_wire()]}
ARN = f"arn:aws:profile:{REGION}:{ACCOUNT}:domains/customers"

# Every operation that the function calls.
CALLS: Mapping[str, Callable[[Domains], Any]] = {
    "CreateDomain": lambda api: api.create("customers", {"DefaultExpirationDays": 30}, {"team": "crm"}),
    "GetDomain": lambda api: api.find("customers"),
    "UpdateDomain": lambda api: api.update("customers", {"DefaultExpirationDays": 60}),
    "TagResource": lambda api: api.tag("customers", {"team": "crm"}),
    "UntagResource": lambda api: api.untag("customers", ["team"]),
    "DeleteDomain": lambda api: api.delete("customers"),
}


def error_of(api: Domains, operation: str) -> ApiError:
    with pytest.raises(ApiError) as raised:
        CALLS[operation](api)
    return raised.value


# Gives every call the fault of that name.
Break = Callable[[str], Domains]


@pytest.fixture
def broken(api: Domains, wire: Wire) -> Break:
    """The API, with a named fault for every call."""

    def broken(fault: str) -> Domains:
        wire.begin(lambda attempt, operation: FAULTS[fault])
        return api

    return broken


def test_every_operation_that_the_function_calls_is_tested_here() -> None:
    assert CALLS.keys() == set(OPERATIONS)


class TestMessages:
    def test_access_denied_names_the_missing_action_and_the_domains_arn(self, broken: Break) -> None:
        for operation in OPERATIONS:
            error = error_of(broken("AccessDeniedException, acts never"), operation)

            assert f"profile:{operation} on {ARN}" in str(error)
            assert "Allow the function's role" in str(error)
            assert "the stand-in says AccessDeniedException" in str(error)
            assert not error.unsettled

    def test_throttling_says_for_how_long_it_was_tried(self, broken: Break, clock: Clock) -> None:
        for operation in OPERATIONS:
            clock.pauses.clear()

            error = error_of(broken("ThrottlingException, acts never"), operation)

            throttled = re.search(r"throttled for (\d+) s", str(error))
            assert throttled
            # The last pause, of up to 3 s, may come after the words, and they round to whole seconds.
            assert sum(clock.pauses) - 3.5 <= int(throttled[1]) <= sum(clock.pauses) + 1
            assert "try again later" in str(error)

    def test_a_bad_request_keeps_the_apis_text(self, broken: Break) -> None:
        for operation in OPERATIONS:
            error = error_of(broken("BadRequestException, acts never"), operation)

            assert str(error).endswith("refused by the API: the stand-in says BadRequestException")
            assert not error.unsettled

    def test_rules_that_were_sent_apart_and_refused_say_how_to_go_on(self, broken: Break) -> None:
        rules = {"RuleBasedMatching": {"Enabled": True}}
        api = broken("BadRequestException, acts never")

        with pytest.raises(ApiError, match="continue-update-rollback"):
            api.update("customers", rules)
        with pytest.raises(ApiError) as other:
            api.update("customers", {**rules, "DefaultExpirationDays": 60})

        assert "continue-update-rollback" not in str(other.value)

    def test_a_failure_of_the_api_says_to_try_again_and_that_the_call_may_have_succeeded(self, broken: Break) -> None:
        for operation in OPERATIONS:
            error = error_of(broken("InternalServerException, acts never"), operation)

            assert "InternalServerException: the stand-in says" in str(error)
            assert "Try again" in str(error)
            assert error.unsettled

    def test_no_connection_says_what_to_check_and_for_how_long_it_was_tried(self, api: Domains, wire: Wire) -> None:
        wire.begin(lambda attempt, operation: REFUSED)
        for operation in OPERATIONS:
            error = error_of(api, operation)

            assert re.search(r"no answer from the API for \d+ s", str(error))
            assert "can reach the endpoint" in str(error)
            assert not error.unsettled, "no attempt had a connection"

    @pytest.mark.parametrize("body", ["a proxy's 502", "a 503 without a body", "incomplete answer"])
    def test_after_an_answer_that_is_not_from_the_api_the_call_may_have_succeeded(
        self, body: str, broken: Break
    ) -> None:
        for operation in OPERATIONS:
            assert error_of(broken(f"{body}, acts never"), operation).unsettled

    @pytest.mark.parametrize("body", ["200 and HTML", "200 and an empty body"])
    def test_an_answer_without_required_members_is_not_a_domain(self, body: str, broken: Break) -> None:
        for operation in ("CreateDomain", "GetDomain", "UpdateDomain", "DeleteDomain"):
            error = error_of(broken(f"{body}, acts never"), operation)

            assert f"{operation} of domain customers: the answer lacks" in str(error)
            assert error.unsettled

    def test_every_error_begins_with_the_call_and_the_domain(self, broken: Break) -> None:
        for name in FAULTS:
            if name.endswith("acts never") and "200" not in name and "ResourceNotFound" not in name:
                for operation in OPERATIONS:
                    error = error_of(broken(name), operation)
                    assert str(error).startswith(f"{operation} of domain customers: "), name

    def test_an_error_that_the_model_does_not_know_keeps_its_code_and_its_text(self, api: Domains, wire: Wire) -> None:
        headers: Any = {"x-amzn-ErrorType": "QuotaExceededException"}
        body: Any = MockRawResponse(b'{"Message": "too many domains"}')
        unknown = Fault("402", Acts.NEVER, lambda request: AWSResponse(request.url, 402, headers, body))
        wire.begin(lambda attempt, operation: unknown)

        assert str(error_of(api, "CreateDomain")).endswith("QuotaExceededException: too many domains")

    def test_a_call_may_have_succeeded_in_an_earlier_attempt_whatever_the_last_error(
        self, api: Domains, wire: Wire
    ) -> None:
        acted, denied = FAULTS["InternalServerException, acts first"], FAULTS["AccessDeniedException, acts never"]
        wire.begin(lambda attempt, operation: acted if attempt == 0 else denied)

        assert error_of(api, "CreateDomain").unsettled
        assert "customers" in live_domains()

    def test_a_create_that_finds_the_name_in_use_after_a_retry_may_have_succeeded(
        self, api: Domains, wire: Wire
    ) -> None:
        """The first attempt created the domain, and the second one gets the error that it exists."""
        wire.begin(once(FAULTS["InternalServerException, acts first"], 0))

        error = error_of(api, "CreateDomain")

        assert "already exists" in str(error)
        assert error.unsettled

    def test_a_call_that_was_never_sent_has_not_succeeded(self, api: Domains, wire: Wire) -> None:
        def without_credentials(request: AWSPreparedRequest) -> AWSResponse:
            raise NoCredentialsError

        wire.begin(lambda attempt, operation: Fault("no credentials", Acts.NEVER, without_credentials))

        error = error_of(api, "CreateDomain")

        assert "Unable to locate credentials" in str(error)
        assert not error.unsettled


class TestFinding:
    def test_a_domain_that_is_absent_is_none(self, api: Domains, wire: Wire) -> None:
        assert api.find("customers") is None

    def test_changing_one_that_is_absent_is_an_error_of_its_own(self, api: Domains) -> None:
        for operation in ("UpdateDomain", "TagResource", "UntagResource", "DeleteDomain"):
            assert isinstance(error_of(api, operation), DomainNotFoundError)

    def test_create_returns_the_same_as_reading_the_domain(self, api: Domains) -> None:
        assert CALLS["CreateDomain"](api) == api.find("customers")

    def test_a_domain_that_appears_late_is_read_until_it_exists(self, api: Domains, wire: Wire, clock: Clock) -> None:
        clock.on_sleep.append(lambda: CALLS["CreateDomain"](api) if len(clock.pauses) == 3 else None)

        late = api.find_late("customers")

        assert late is not None
        assert wire.attempts.count("GetDomain") == 3
        assert clock.pauses == sorted(clock.pauses)

    def test_waiting_for_a_domain_that_never_appears_ends_within_half_a_minute(
        self, api: Domains, clock: Clock
    ) -> None:
        assert api.find_late("customers") is None
        assert 10 <= sum(clock.pauses) <= 30

    @pytest.mark.parametrize(("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("eu-west-2", "aws")])
    def test_the_arn_is_of_the_clients_partition_and_region(self, region: str, partition: str) -> None:
        client = boto3.client("customer-profiles", region_name=region)

        arn = Domains(client, ACCOUNT, Attempts(), Deadline(290)).arn("customers")

        assert arn == f"arn:{partition}:profile:{region}:{ACCOUNT}:domains/customers"


class TestLateReads:
    """Waiting for a domain that may still appear always leaves enough time for the answer."""

    @pytest.mark.parametrize("seconds", [4, 8])  # what ServiceTimeout 5 and 10 leave
    def test_they_leave_time_for_the_answer(self, seconds: int, wire: Wire, clock: Clock) -> None:
        assert Domains(client(), ACCOUNT, Attempts(), Deadline(seconds)).find_late("customers") is None
        assert 1 <= sum(clock.pauses) < seconds * 0.9

    def test_without_time_no_read_is_made(self, wire: Wire, clock: Clock) -> None:
        assert Domains(client(), ACCOUNT, Attempts(), Deadline(0.5)).find_late("customers") is None
        assert wire.attempts == []


class TestContents:
    """What DeleteDomain also deletes, and Stats do not count."""

    @pytest.fixture
    def live(self, api: Domains, wire: Wire) -> Domain:
        CALLS["CreateDomain"](api)
        wire.begin()
        return live_domains()["customers"]

    def test_an_empty_domain_has_none(self, live: Domain, api: Domains, wire: Wire) -> None:
        assert api.contents("customers").words == ""
        assert wire.attempts == ["ListIntegrations", "ListProfileObjectTypes", "ListDomainObjectTypes"]

    def test_the_hidden_integration_with_a_connect_instance_is_found(
        self, live: Domain, api: Domains, wire: Wire
    ) -> None:
        instance = "arn:aws:connect:eu-central-1:123456789012:instance/1"
        live.put_integration(instance, hidden=True, ObjectTypeName="CTR")

        assert api.contents("customers").words == f"the integration {instance}"
        assert wire.attempts == ["ListIntegrations"], "it stops at the first one"

    def test_a_profile_object_type_is_found(self, live: Domain, api: Domains) -> None:
        live.put_object_type("orders")

        assert api.contents("customers").words == "the profile object type orders"

    def test_a_domain_object_type_is_found(self, live: Domain, api: Domains) -> None:
        live.put_domain_object_type("stores")

        assert api.contents("customers").words == "the domain object type stores"

    def test_one_on_a_later_page_is_found(self, live: Domain, api: Domains, wire: Wire) -> None:
        """The API may filter a page, so a page can be empty although others follow."""

        def page(body: bytes) -> Fault:
            headers: Any = {}
            return Fault("a page", Acts.NEVER, lambda it: AWSResponse(it.url, 200, headers, MockRawResponse(body)))

        pages = [page(b'{"Items": [], "NextToken": "2"}'), page(b'{"Items": [{"Uri": "its uri"}]}')]
        wire.begin(lambda attempt, operation: pages[attempt])

        assert api.contents("customers").words == "the integration its uri"

    def test_a_missing_permission_is_not_retried_and_is_named(
        self, live: Domain, api: Domains, wire: Wire, clock: Clock
    ) -> None:
        denied = FAULTS["AccessDeniedException, acts never"]
        wire.begin(lambda attempt, operation: denied if operation == "ListProfileObjectTypes" else None)

        contents = api.contents("customers").words

        assert contents.startswith("possibly profile object types: ")
        assert f"Allow the function's role profile:ListProfileObjectTypes on {ARN}" in contents
        assert clock.pauses == []

    @pytest.mark.parametrize("name", ["InternalServerException", "200 and HTML", "200 and an empty body"])
    def test_if_the_api_does_not_answer_the_domain_counts_as_in_use(
        self, name: str, live: Domain, api: Domains, wire: Wire
    ) -> None:
        wire.begin(lambda attempt, operation: FAULTS[f"{name}, acts never"])

        assert api.contents("customers").words.startswith(
            "possibly integrations: ListIntegrations of domain customers: "
        )

    def test_a_domain_that_was_deleted_meanwhile_has_its_own_error(self, api: Domains) -> None:
        with pytest.raises(DomainNotFoundError):
            api.contents("customers")


class TestRegionWithoutTheService:
    @pytest.fixture
    def north(self, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> BaseClient:
        """A client in a region that has no Customer Profiles."""
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
        north = domains.connect()
        wire.attach(north)
        wire.begin(lambda attempt, operation: REFUSED)
        return north

    def test_the_reason_names_the_regions_that_have_it(self, north: BaseClient) -> None:
        error = error_of(Domains(north, ACCOUNT, Attempts(), Deadline(290)), "CreateDomain")

        regions = boto3.session.Session().get_available_regions("customer-profiles")
        assert REGION in regions
        assert f"Customer Profiles does not exist in this region. Use one of {', '.join(regions)}" in str(error)

    def test_another_configured_endpoint_is_not_blamed_on_the_region(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_CUSTOMER_PROFILES", "http://127.0.0.1:5180")
        local = domains.connect()
        wire.attach(local)
        wire.begin(lambda attempt, operation: REFUSED)

        error = error_of(Domains(local, ACCOUNT, Attempts(), Deadline(290)), "CreateDomain")

        assert "Check that the function can reach the endpoint" in str(error)


class TestLog:
    def test_each_call_that_changes_something_has_one_line_and_reads_have_none(
        self, api: Domains, caplog: pytest.LogCaptureFixture
    ) -> None:
        for operation in OPERATIONS:
            CALLS[operation](api)

        assert [record.message for record in caplog.records] == [each for each in OPERATIONS if each != "GetDomain"]


class TestClient:
    def test_an_empty_endpoint_is_ignored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CUSTOMER_PROFILES", "")

        assert domains.connect().meta.endpoint_url == f"https://profile.{REGION}.amazonaws.com"

    def test_an_endpoint_that_is_set_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CUSTOMER_PROFILES", "http://127.0.0.1:5180")

        assert domains.connect().meta.endpoint_url == "http://127.0.0.1:5180"

    def test_a_dead_connection_is_detected_soon(self) -> None:
        config: Any = domains.connect().meta.config

        assert config.connect_timeout <= 5
        assert config.read_timeout <= 10
