"""API called: thin actions around the one client, and the API's errors in words that say what to do."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore import xform_name
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from handler.deadline import DeadlineReached
from handler.retries import retry_patiently
from handler.telemetry import count_throttling, logger

# A connection that died while the environment was frozen costs one read_timeout. A CreateDomain that takes longer is
# sent again, meets its own work, and is settled by looking.
_CONFIG = Config(retries={"mode": "standard"}, connect_timeout=5, read_timeout=10, tcp_keepalive=True)

# Pauses in seconds between the looks for a domain that may still come into being.
_PATIENCE = (1, 2, 4, 8)


class ApiError(Exception):
    """A call that failed; str() says what to do about it.

    `unsettled`: it may have been carried out all the same, or may still be. `throttled`: it was one call too many.
    """

    def __init__(self, text: str, *, unsettled: bool, throttled: bool = False) -> None:
        super().__init__(text)
        self.unsettled = unsettled
        self.throttled = throttled


class DomainNotFoundError(ApiError):
    """There is no domain of that name."""


def connect() -> BaseClient:
    """Make the client: once, outside the handler, for every event of the execution environment."""
    client = boto3.client("customer-profiles", config=_CONFIG)
    retry_patiently(client)
    client.meta.events.register("needs-retry.customer-profiles", count_throttling)
    return client


class Domains:
    """The domains of one account and region. Every method that calls the API raises ApiError."""

    def __init__(self, client: BaseClient, account: str, patience: Sequence[float] = _PATIENCE) -> None:
        self._client = client
        self._account = account
        self._patience = patience

    @property
    def shape(self) -> Any:
        """The input shape of CreateDomain: the one description of the resource's properties."""
        return self._operation("CreateDomain").input_shape

    @property
    def reported_shape(self) -> Any:
        """The output shape of GetDomain: all that the API reports of a domain."""
        return self._operation("GetDomain").output_shape

    def arn(self, name: str) -> str:
        """The ARN of a domain; the API itself reports none."""
        meta = self._client.meta
        return f"arn:{meta.partition}:profile:{meta.region_name}:{self._account}:domains/{name}"

    def find(self, name: str) -> dict[str, Any] | None:
        """The live domain as GetDomain reports it, None if there is none."""
        try:
            return self._call("GetDomain", name, {})
        except DomainNotFoundError:
            return None

    def find_late(self, name: str) -> dict[str, Any] | None:
        """The live domain, looked for again and again: a CreateDomain that was given up on may still come through."""
        try:
            for pause in self._patience:
                time.sleep(pause)
                live = self.find(name)
                if live is not None:
                    return live
        except DeadlineReached as reached:
            reached.waiting_for = f"domain {name}, which may still come into being"
            raise
        return None

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
        """Delete a domain and all customer data in it."""
        self._change("DeleteDomain", name, {})

    def _operation(self, name: str) -> OperationModel:
        return self._client.meta.service_model.operation_model(name)

    def _change(self, operation: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        response = self._call(operation, name, arguments)
        changed = arguments.get("tags", arguments.get("tagKeys", arguments))
        logger.info(operation, domain_name=name, changed=sorted(changed))  # names only, as of the event
        return response

    def _call(self, operation: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call the API for the domain of that name. Returns the response alone, without its metadata."""
        if "resourceArn" not in arguments:
            arguments = {"DomainName": name, **arguments}
        started = time.monotonic()
        try:
            response: dict[str, Any] = getattr(self._client, xform_name(operation))(**arguments)
        except DeadlineReached as reached:
            reached.waiting_for = f"{operation} of domain {name}, for {time.monotonic() - started:.0f} s"
            raise
        except ClientError as error:
            raise self._in_words(error, name, time.monotonic() - started) from error
        except (HTTPClientError, ConnectionError, ResponseParserError) as error:
            raise ApiError(
                f"{operation} of domain {name}: no answer from the API for {time.monotonic() - started:.0f} s. "
                f"Check that the function can reach the endpoint of Customer Profiles, then try again ({error})",
                unsettled=True,
            ) from error
        except BotoCoreError as error:  # it never got as far as a call
            raise ApiError(f"{operation} of domain {name}: {error}", unsettled=False) from error
        response.pop("ResponseMetadata", None)
        shape = self._operation(operation).output_shape
        missing = set(shape.required_members if shape else ()) - response.keys()
        if missing:  # botocore reads any text as an answer with nothing in it, which would be a domain without an owner
            raise ApiError(
                f"{operation} of domain {name}: the answer lacks {', '.join(sorted(missing))}. Check that the function "
                "reaches the endpoint of Customer Profiles, then try again",
                unsettled=True,
            )
        return response

    def _in_words(self, error: ClientError, name: str, seconds: float) -> ApiError:
        code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
        metadata = error.response["ResponseMetadata"]
        status = metadata["HTTPStatusCode"]
        # An attempt before the last one may have been carried out although its answer was lost; and a domain that
        # exists already may be one that GetDomain doesn't see yet.
        unsettled = status >= 500 or metadata.get("RetryAttempts", 0) > 0 or "already exists" in text
        throttled = status == 429 or code == "ThrottlingException"
        call = f"{error.operation_name} of domain {name}"
        if code == "ResourceNotFoundException":
            return DomainNotFoundError(f"{call}: there is no such domain ({text})", unsettled=unsettled)
        if code == "AccessDeniedException":
            action = f"{self._client.meta.service_model.signing_name}:{error.operation_name}"
            words = f"not allowed. Allow the function's role {action} on {self.arn(name)} ({text})"
        elif throttled:
            words = f"throttled for {seconds:.0f} s. Change fewer domains at once, or try again later ({text})"
        elif status >= 500:
            words = f"the API failed ({code}: {text}). Try again; if it goes on, ask AWS Support"
        else:
            words = f"refused by the API: {text}" if code == "BadRequestException" else f"{code}: {text}"
        return ApiError(f"{call}: {words}", unsettled=unsettled, throttled=throttled)
