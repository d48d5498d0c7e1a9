"""The service's check that it may use the key, the queue and the buckets of a domain.

CreateDomain and UpdateDomain refuse a key, queue or bucket that the service cannot use at that moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .access import Caller, ResourcePolicies, ServiceRequest
from .exceptions import BucketNotWritable, GrantFailed, QueueNotWritable, QueueOfAnotherAccount

# The actions that a customer's key must allow to the service, from the administrator guide.
KEY_ACTIONS = ("kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True)
class Place:
    """Where a domain lives, and its ARN."""

    partition: str
    region: str
    account: str
    arn: str


class DependencyCheck:
    """Checks what one request names for one domain.

    >>> DependencyCheck(place, caller, resource_policies).check({"DeadLetterQueueUrl": url}, configuration_before={})
    """

    def __init__(self, place: Place, caller: Caller, policies: ResourcePolicies):
        self._place = place
        self._caller = caller
        self._policies = policies

    def check(self, configuration: Mapping[str, Any], configuration_before: Mapping[str, Any]) -> None:
        """Raise BadRequestException for a key, a queue or a bucket in `configuration` that the service can't use."""
        key = configuration.get("DefaultEncryptionKey")
        if key and key != configuration_before.get("DefaultEncryptionKey"):
            self._check_key(key)
        queue = configuration.get("DeadLetterQueueUrl")
        if queue:
            self._check_queue(queue)
        for bucket, key_name in _exports(configuration):
            arn = f"arn:{self._place.partition}:s3:::{bucket}/{key_name}"
            if not self._allowed("s3:PutObject", arn):
                raise BucketNotWritable(bucket)

    def _check_key(self, key: str) -> None:
        arn = self._key_arn(key)
        via_the_service = {
            "kms:ViaService": f"profile.{self._place.region}.amazonaws.com",
            "kms:GrantIsForAWSResource": "true",
        }
        # The service makes its grants with the caller's permission.
        if not self._caller.may("kms:CreateGrant", arn, via_the_service):
            raise GrantFailed
        if not all(self._allowed(action, arn) for action in KEY_ACTIONS):
            raise GrantFailed

    def _key_arn(self, key: str) -> str:
        """The ARN of a key that is given by its ARN, its id, or an alias, as KMS itself takes them."""
        if key.startswith("arn:"):
            return key
        resource = key if key.startswith("alias/") else f"key/{key}"
        return f"arn:{self._place.partition}:kms:{self._place.region}:{self._place.account}:{resource}"

    def _check_queue(self, url: str) -> None:
        path = re.fullmatch(r"/(?P<account>[0-9]{12})/(?P<name>[^/]+)", urlsplit(url).path)
        if path is None:  # the service's message for a URL that is not a queue's is not known
            return
        if path["account"] != self._place.account:
            raise QueueOfAnotherAccount
        arn = f"arn:{self._place.partition}:sqs:{self._place.region}:{path['account']}:{path['name']}"
        if not self._allowed("sqs:SendMessage", arn):
            raise QueueNotWritable(url)

    def _allowed(self, action: str, resource: str) -> bool:
        return self._policies.allow(ServiceRequest(action, resource, self._place.arn, self._place.account))


def _exports(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name each bucket, and the key in it, to which one of the two kinds of matching exports."""
    for name in ("Matching", "RuleBasedMatching"):
        exporting = configuration.get(name, {}).get("ExportingConfig", {}).get("S3Exporting")
        if exporting:
            yield exporting["S3BucketName"], exporting.get("S3KeyName", "")
