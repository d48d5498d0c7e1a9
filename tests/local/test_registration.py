"""moto uses the backend like its own services."""

from __future__ import annotations

import importlib

import boto3
import pytest
from moto import backend_index, backends, mock_aws

from local.customerprofiles import customerprofiles_backends
from local.registration import register


def test_it_may_be_registered_again() -> None:
    register()
    once = list(backend_index.backend_url_patterns)
    register()
    assert backend_index.backend_url_patterns == once
    assert [name for name, _ in once].count("customerprofiles") == 1


@pytest.mark.parametrize("host", ["profile.us-east-1.amazonaws.com", "profile.eu-central-1.amazonaws.com"])
def test_moto_finds_it_by_its_host(host: str) -> None:
    register()
    assert backends.get_service_from_url(f"https://{host}/domains/a") == "customerprofiles"


def test_under_motos_name_it_is_the_same_module() -> None:
    register()
    assert (
        importlib.import_module("moto.customerprofiles.models").customerprofiles_backends is customerprofiles_backends
    )


def test_it_leaves_motos_own_services_alone() -> None:
    register()
    with mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1")
        assert "profile" in sqs.create_queue(QueueName="profile")["QueueUrl"]


def test_no_domain_exists_after_the_mock() -> None:
    register()
    for _ in range(2):
        with mock_aws():
            client = boto3.client("customer-profiles", region_name="us-east-1")
            client.create_domain(DomainName="amazon-connect-shop", DefaultExpirationDays=366)
