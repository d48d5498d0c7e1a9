"""Clients of the stand-in in moto. Each response is checked against the API's model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from moto import mock_aws

from local.registration import register

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient

ClientMaker = Callable[..., "CustomerProfilesClient"]


@pytest.fixture(scope="session")
def boto3_session() -> boto3.Session:
    """One session for all clients: it reads the API's model once."""
    return boto3.Session()


@pytest.fixture
def make_client(boto3_session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClientMaker]:
    """Make clients within moto.

    `checked=False` sends requests that botocore itself would refuse. `attempts=1` means no retries.
    """
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    register()

    def make(
        *, checked: bool = True, region: str = "us-east-1", attempts: int = 5, **arguments: Any
    ) -> CustomerProfilesClient:
        config = Config(parameter_validation=checked, retries={"total_max_attempts": attempts})
        client = boto3_session.client("customer-profiles", region_name=region, config=config, **arguments)
        client.meta.events.register("before-parse.customer-profiles", _assert_response_is_in_the_model)
        return client

    with mock_aws():
        yield make


@pytest.fixture
def client(make_client: ClientMaker) -> CustomerProfilesClient:
    return make_client()


@pytest.fixture
def unchecked_client(make_client: ClientMaker) -> CustomerProfilesClient:
    return make_client(checked=False)


def _assert_response_is_in_the_model(
    operation_model: OperationModel, response_dict: dict[str, Any], **_: object
) -> None:
    if response_dict["status_code"] < 300 and operation_model.output_shape is not None:
        _assert_in_model(operation_model.output_shape, json.loads(response_dict["body"]), operation_model.name)


def _assert_in_model(shape: Shape, value: Any, path: str) -> None:
    if isinstance(shape, StructureShape):
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        assert set(value) <= set(names), f"{path} has members that the model lacks"
        assert set(shape.required_members) <= {names[key] for key in value}, f"{path} lacks required members"
        for key, item in value.items():
            assert item is not None, f"{path}.{key} is null"
            _assert_in_model(shape.members[names[key]], item, f"{path}.{key}")
    elif isinstance(shape, ListShape):
        for item in value:
            _assert_in_model(shape.member, item, f"{path}[]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            _assert_in_model(shape.value, item, f"{path}.{key}")
    elif "enum" in shape.metadata:
        assert value in shape.metadata["enum"], f"{path} is {value!r}"
