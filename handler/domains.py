"""The API called: one short method for each thing that the resource asks of it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.client import BaseClient

from handler.attempts import Attempts
from handler.calls import Calls, connect
from handler.changes import Live
from handler.deadline import Deadline, DeadlineReached
from handler.errors import ApiError, Call, DomainNotFoundError
from handler.plans import Use
from handler.telemetry import logger

__all__ = ["ApiError", "DomainNotFoundError", "Domains", "connect", "names_resources"]

# Pauses in seconds between the looks for a domain that may still come into being.
_LATE_PAUSES = (1, 2, 4, 8)

# What DeleteDomain deletes along with a domain and Stats does not count: the operation that lists it, its name, and the
# member that identifies one.
# https://docs.aws.amazon.com/customerprofiles/latest/APIReference/API_DeleteDomain.html
_CONTENTS = (
    ("ListIntegrations", "integration", "Uri"),
    ("ListProfileObjectTypes", "profile object type", "ObjectTypeName"),
    ("ListDomainObjectTypes", "domain object type", "ObjectTypeName"),
)

# Members whose values have policies that the API checks at the call. All of them are text.
_RESOURCES = frozenset({"DefaultEncryptionKey", "DeadLetterQueueUrl", "S3BucketName"})


class Domains:
    """The domains of one account and region, for one event. Every method that calls the API raises ApiError.

    `account` is the function's own; `attempts` keeps count of what the calls can have done; no retry and no wait goes
    beyond the `deadline`.
    """

    def __init__(self, client: BaseClient, account: str, attempts: Attempts, deadline: Deadline) -> None:
        self._meta = client.meta
        self.attempts = attempts
        self._calls = Calls(client, attempts, deadline)
        self._account = account
        self._looked_at: set[str] = set()

    @property
    def shape(self) -> Any:
        """The input shape of CreateDomain: the one description of the resource's properties."""
        return self._calls.input_shape("CreateDomain")

    @property
    def reported_shape(self) -> Any:
        """The output shape of GetDomain: all that the API reports of a domain."""
        return self._calls.operation("GetDomain").output_shape

    def arn(self, name: str) -> str:
        """The ARN of a domain; the API itself reports none."""
        return f"arn:{self._meta.partition}:profile:{self._meta.region_name}:{self._account}:domains/{name}"

    def find(self, name: str) -> dict[str, Any] | None:
        """The live domain as GetDomain reports it, None if there is none.

        AccessDenied is retried only the first time that the event looks at this domain.
        """
        is_first = name not in self._looked_at
        self._looked_at.add(name)
        try:
            return self._call("GetDomain", name, retries_denied=is_first)
        except DomainNotFoundError:
            return None

    def find_late(self, name: str, is_it: Callable[[Live | None], bool] = bool) -> dict[str, Any] | None:
        """The live domain, looked for several times: a call that got no response may still come through.

        Returns it as soon as `is_it` is true of it (without that, as soon as there is one), else as it is at last. It
        waits for at most 15 s, and only as long as there is time left for an answer.
        """
        live = None
        try:
            for pause in itertools.takewhile(self._calls.retries.has_time, _LATE_PAUSES):
                time.sleep(pause)
                live = self.find(name)
                if is_it(live):
                    break
        except DeadlineReached as reached:
            reached.waiting_for = f"domain {name}, which may still come into being"
            raise
        return live

    def contents(self, name: str) -> Use:
        """What DeleteDomain would delete along with the domain and Stats does not count.

        Where the API does not tell, the words say why. Raises DomainNotFoundError.
        """
        for operation, what, identity in _CONTENTS:
            try:
                for item in self._list(operation, name):
                    return Use(f"the {what} {item.get(identity)}")
            except DomainNotFoundError:
                raise
            except ApiError as error:
                return Use(f"possibly {what}s: {error}", is_known=False)
        return Use()

    def create(self, name: str, settings: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
        """Make a domain. Returns it as GetDomain would report it: with Stats, which CreateDomain leaves out."""
        nothing_yet = dict.fromkeys(self.reported_shape.members["Stats"].members, 0)
        return {"Stats": nothing_yet, **self._change("CreateDomain", name, {**settings, "Tags": tags})}

    def update(self, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Change a domain. Returns it as UpdateDomain reports it."""
        return self._change("UpdateDomain", name, settings)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Set tags of a domain."""
        self._change("TagResource", name, {"resourceArn": self.arn(name), "tags": tags})

    def untag(self, name: str, keys: Sequence[str]) -> None:
        """Remove tags of a domain."""
        self._change("UntagResource", name, {"resourceArn": self.arn(name), "tagKeys": list(keys)})

    def delete(self, name: str) -> None:
        """Delete a domain and all customer data in it.

        Raises ApiError with `retryable` set before some of the retries, as update, tag and untag do: it may
        have been claimed, changed or filled in the meantime, so the caller looks at it first.
        """
        self._change("DeleteDomain", name, {})

    def _list(self, operation: str, name: str) -> Iterator[Mapping[str, Any]]:
        arguments: dict[str, Any] = {}
        if "IncludeHidden" in self._calls.input_shape(operation).members:
            arguments["IncludeHidden"] = True  # the integration with a Connect instance is hidden
        while True:
            # A response without the list says nothing about what is in it.
            page = self._call(operation, name, arguments, expects=("Items",), retries_denied=False)
            yield from page["Items"]
            if not page.get("NextToken"):
                return
            arguments["NextToken"] = page["NextToken"]

    def _change(self, operation: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        response = self._call(operation, name, arguments)
        changed = arguments.get("tags", arguments.get("tagKeys", arguments))
        logger.info(operation, domain_name=name, changed=sorted(changed))  # names only, as of the event
        return response

    def _call(self, operation: str, name: str, arguments: Mapping[str, Any] = {}, **how: Any) -> dict[str, Any]:
        shape = self._calls.input_shape(operation)
        call = Call(
            operation,
            name,
            self.arn(name),
            names_resources=names_resources(arguments, shape),
            only_rules=operation == "UpdateDomain" and set(arguments) == {"RuleBasedMatching"},
        )
        if "DomainName" in shape.members:
            arguments = {"DomainName": name, **arguments}
        return self._calls.make(call, arguments, **how)


def names_resources(arguments: Mapping[str, Any], shape: Any) -> bool:
    """Whether a key, a queue or a bucket is named, whose policies the API checks."""
    return names_any(_RESOURCES, arguments, shape)


def names_any(members: frozenset[str], value: Any, shape: Any) -> bool:
    """Whether one of these members has a value in it, anywhere in a value of that shape. The keys of maps don't count.

    Raises nothing for values that the shape does not fit.
    """
    if shape.type_name == "structure":
        return any(
            (name in members and bool(item)) or names_any(members, item, shape.members[name])
            for name, item in value.items()
        )
    if shape.type_name == "list":
        return any(names_any(members, item, shape.member) for item in value)
    return False
