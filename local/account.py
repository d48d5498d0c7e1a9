"""Deploys on CloudFormation in an AWS account.

boto3 finds the account: from a profile, environment variables or the machine's role. AWS_ENDPOINT_URL and
AWS_ENDPOINT_URL_CUSTOMER_PROFILES point it at the local engine, which is how the acceptance run is tested.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.stacks import Stacks

# The stack that `sam deploy --resolve-s3` makes in an account once, and its bucket.
SAM_STACK = "aws-sam-cli-managed-default"


@dataclass(frozen=True)
class Account(Stacks):
    """One region of an account, with a provider whose stack name nobody else uses."""

    account: str
    region: str
    provider_stack: str
    directory: Path = field(repr=False)
    key: str = ""
    poll_seconds: float = 2
    stack_seconds: float = 3600

    @classmethod
    def find(cls, region: str | None, provider_stack: str, directory: Path, key: str = "") -> Account:
        """The account and the region that boto3 finds.

        Raises:
            ValueError: No region is set.
            BotoCoreError, ClientError: There are no credentials, or they are not valid.
        """
        region = region or boto3.Session().region_name
        if not region:
            raise ValueError("no AWS region is set: name one with --region, AWS_DEFAULT_REGION or a profile")
        number = boto3.Session(region_name=region).client("sts").get_caller_identity()["Account"]
        return cls(number, region, provider_stack, directory, key)

    def client(self, service: str) -> Any:
        # The default quota of CreateDomain, UpdateDomain and DeleteDomain is one call a second, for the whole account.
        config = Config(retries={"mode": "standard", "max_attempts": 10})
        return boto3.Session(region_name=self.region).client(service, config=config)  # type: ignore[call-overload]

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"AWS_DEFAULT_REGION": self.region, "AWS_REGION": self.region}

    @property
    def provider_parameters(self) -> dict[str, str]:
        parameters = {
            "KeyArns": self.key,
            "CustomerProfilesEndpoint": os.environ.get("AWS_ENDPOINT_URL_CUSTOMER_PROFILES", ""),
        }
        return {name: value for name, value in parameters.items() if value}

    def remove_artifacts(self) -> None:
        """Remove what `sam deploy` uploaded for the provider into SAM's bucket, in all its versions."""
        bucket = self.outputs(SAM_STACK)["SourceBucket"]
        s3 = self.client("s3")
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{self.provider_stack}/")
        for page in pages:
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
            if objects:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})

    def delete_domain(self, name: str) -> None:
        client = self.customer_profiles
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_domain(DomainName=name)
