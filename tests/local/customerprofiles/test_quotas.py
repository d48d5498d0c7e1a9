"""With quotas, the stand-in accepts as many calls a second as the API does by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.utils import camelcase_to_underscores, get_service_model

from local.customerprofiles.models import CustomerProfilesBackend
from local.customerprofiles.quotas import CALLS_PER_SECOND, Quotas, TokenBucket
from local.customerprofiles.responses import CustomerProfilesResponse

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient

    from .conftest import ClientMaker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock for the quotas, which are switched on."""
    clock = Clock()
    monkeypatch.setattr(CustomerProfilesBackend, "quotas", Quotas(clock=clock))
    return clock


@pytest.fixture
def client(make_client: ClientMaker) -> CustomerProfilesClient:
    return make_client(attempts=1)


def create(client: CustomerProfilesClient, name: str) -> Any:
    return client.create_domain(DomainName=name, DefaultExpirationDays=366)


def test_without_quotas_nothing_is_throttled(client: CustomerProfilesClient) -> None:
    assert CustomerProfilesBackend.quotas is None
    for number in range(20):
        create(client, f"domain-{number}")


def test_one_create_a_second_is_taken(client: CustomerProfilesClient, clock: Clock) -> None:
    create(client, "one")
    with pytest.raises(client.exceptions.ThrottlingException) as error:
        create(client, "two")
    assert error.value.response["Error"]["Message"] == "Rate exceeded"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    clock.now += 1
    create(client, "two")


def test_a_throttled_call_changes_nothing_and_does_not_count(client: CustomerProfilesClient, clock: Clock) -> None:
    create(client, "one")
    for _ in range(9):
        clock.now += 0.1
        with pytest.raises(client.exceptions.ThrottlingException):
            create(client, "two")
    assert [item["DomainName"] for item in client.list_domains()["Items"]] == ["one"]
    clock.now += 0.2
    create(client, "two")


def test_a_pause_saves_at_most_one_second_of_calls(client: CustomerProfilesClient, clock: Clock) -> None:
    client.list_domains()
    clock.now += 3600
    for _ in range(5):
        client.list_domains()
    with pytest.raises(client.exceptions.ThrottlingException):
        client.list_domains()


def test_each_operation_has_a_quota_of_its_own(client: CustomerProfilesClient, clock: Clock) -> None:
    create(client, "one")
    client.update_domain(DomainName="one", DefaultExpirationDays=1)
    client.delete_domain(DomainName="one")


def test_each_region_and_each_account_has_quotas_of_its_own(make_client: ClientMaker, clock: Clock) -> None:
    create(make_client(attempts=1), "one")
    create(make_client(attempts=1, region="eu-central-1"), "one")
    quotas = CustomerProfilesBackend.quotas
    assert quotas is not None
    quotas.count("999999999999", "us-east-1", "CreateDomain")


def test_a_call_that_fails_counts(client: CustomerProfilesClient, clock: Clock) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.delete_domain(DomainName="absent")
    with pytest.raises(client.exceptions.ThrottlingException):
        client.delete_domain(DomainName="absent")


def test_an_operation_without_a_quota_is_not_limited() -> None:
    quotas = Quotas({"GetDomain": 1}, clock=Clock())
    for _ in range(100):
        quotas.count(DEFAULT_ACCOUNT_ID, "us-east-1", "ListDomains")


def test_over_time_a_quota_allows_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(5, clock)
    taken = 0
    for _ in range(1000):
        clock.now += 0.01
        taken += bucket.take()
    assert taken == 5 + 49  # ten seconds' worth, and the one that it started with; the last is not whole yet


def test_every_operation_of_the_stand_in_has_a_quota_and_every_quota_an_operation() -> None:
    model = get_service_model("customer-profiles")
    operations = {
        name for name in model.operation_names if hasattr(CustomerProfilesResponse, camelcase_to_underscores(name))
    }
    assert set(CALLS_PER_SECOND) == operations
