"""The stand-in in its own process, as the local engine uses it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient

ROOT = Path(__file__).parents[2]


@contextmanager
def running_server(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `python -m local.server`; give its process and the line that it printed."""
    command = [sys.executable, "-m", "local.server", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().rstrip("\n")
        finally:
            process.kill()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_server("--port", "0") as (_, line):
        yield line


@pytest.fixture
def client(url: str) -> CustomerProfilesClient:
    return make_client(url)


def make_client(url: str, region: str = "us-east-1") -> CustomerProfilesClient:
    return boto3.client(
        "customer-profiles",
        endpoint_url=url,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20),
    )


def test_a_domain_lives_from_create_to_delete(client: CustomerProfilesClient) -> None:
    created = client.create_domain(DomainName="life", DefaultExpirationDays=366, Tags={"team": "crm"})
    arn = "arn:aws:profile:us-east-1:123456789012:domains/life"
    client.tag_resource(resourceArn=arn, tags={"new": "1"})
    client.untag_resource(resourceArn=arn, tagKeys=["team"])
    client.create_profile(DomainName="life", FirstName="Ada")
    domain = client.get_domain(DomainName="life")
    assert (domain["CreatedAt"], domain["Tags"]) == (created["CreatedAt"], {"new": "1"})
    assert domain["Stats"]["ProfileCount"] == 1
    with pytest.raises(client.exceptions.BadRequestException, match="Domain life already exists"):
        client.create_domain(DomainName="life", DefaultExpirationDays=366)
    client.delete_domain(DomainName="life")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_domain(DomainName="life")


def test_one_of_many_simultaneous_creates_succeeds(client: CustomerProfilesClient) -> None:
    def created(_: int) -> bool:
        try:
            client.create_domain(DomainName="race", DefaultExpirationDays=366)
        except client.exceptions.BadRequestException:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(created, range(64))) == 1


def test_regions_are_apart(client: CustomerProfilesClient, url: str) -> None:
    client.create_domain(DomainName="here", DefaultExpirationDays=366)
    elsewhere = make_client(url, region="eu-central-1")
    assert elsewhere.list_domains()["Items"] == []


def test_an_encoded_slash_in_a_name_reaches_the_service(client: CustomerProfilesClient) -> None:
    with pytest.raises(client.exceptions.BadRequestException, match="DomainName"):
        client.get_domain(DomainName="a/b")


def test_a_request_is_found_by_the_name_that_it_is_signed_with(client: CustomerProfilesClient, url: str) -> None:
    client.create_domain(DomainName="by-hand", DefaultExpirationDays=366)
    scope = "AWS4-HMAC-SHA256 Credential=test/20300101/us-east-1/profile/aws4_request, SignedHeaders=host, Signature=0"
    with urlopen(Request(f"{url}/domains/by-hand", headers={"Authorization": scope})) as response:
        assert json.load(response)["DomainName"] == "by-hand"


def test_the_status_of_rule_based_matching_is_advanced_with_a_request(client: CustomerProfilesClient, url: str) -> None:
    client.create_domain(DomainName="rules", DefaultExpirationDays=366)
    client.update_domain(DomainName="rules", RuleBasedMatching={"Enabled": True})
    set_transition(url, {"progression": "manual", "times": 1})
    statuses = [client.get_domain(DomainName="rules")["RuleBasedMatching"]["Status"] for _ in range(2)]
    assert statuses == ["IN_PROGRESS", "ACTIVE"]


def set_transition(url: str, transition: dict[str, object]) -> None:
    body = {"model_name": "customer-profiles::rule-based-matching", "transition": transition}
    with urlopen(Request(f"{url}/moto-api/state-manager/set-transition", data=json.dumps(body).encode())):
        pass


def test_with_quotas_it_throttles_as_the_api_does_by_default() -> None:
    with running_server("--quotas") as (_, url):
        client = make_client(url)

        def throttled(number: int) -> bool:
            try:
                client.create_domain(DomainName=f"amazon-connect-{number}", DefaultExpirationDays=366)
            except client.exceptions.ThrottlingException as error:
                return error.response["Error"]["Message"] == "Rate exceeded"
            return False

        with ThreadPoolExecutor(16) as threads:  # all of them would be taken in half a minute only
            assert any(threads.map(throttled, range(32)))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_stopped_and_prints_nothing(stop: signal.Signals) -> None:
    with running_server() as (process, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]*", url)
        make_client(url).create_domain(DomainName="amazon-connect-shop", DefaultExpirationDays=366)
        process.send_signal(stop)
        rest = process.communicate(timeout=60)
        assert (process.returncode, rest) == (0, ("", ""))
