"""One call to the API at a time: its attempts, its retries, and what they can have done."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore import xform_name
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from handler import errors, retries
from handler.attempts import Attempts, Fate
from handler.deadline import Deadline, DeadlineReached
from handler.errors import ApiError, Call, DomainNotFoundError, Kind
from handler.telemetry import logger

SERVICE: Final = "customer-profiles"

# One attempt per call, since retries.py decides on the next one. A connection that died while the execution environment
# was frozen costs one read_timeout. A CreateDomain that takes longer is retried, gets "already exists", and is resolved
# by GetDomain.
_CONFIG = Config(
    retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=10, tcp_keepalive=True
)


def connect() -> BaseClient:
    """Make the client: once, outside the handler, for every event of the execution environment."""
    return boto3.client(SERVICE, config=_CONFIG)


@dataclass
class _Run:
    """The attempts at one call, those before the caller looked at the domain again included."""

    started: float
    attempts: int = 0
    unsettled: bool = False  # one of them may have been carried out


class Calls:
    """The calls of one event. No retry goes beyond the deadline; `attempts` keeps count of what they can have done."""

    def __init__(self, client: BaseClient, attempts: Attempts, deadline: Deadline) -> None:
        self._client = client
        self._attempts = attempts
        self._runs: dict[str, _Run] = {}  # by the call and its arguments
        self.retries = retries.Retries(deadline)

    def operation(self, name: str) -> OperationModel:
        """The API's description of an operation."""
        return self._client.meta.service_model.operation_model(name)

    def input_shape(self, operation: str) -> Any:
        """The API's description of an operation's arguments."""
        return self.operation(operation).input_shape

    def make(
        self, call: Call, arguments: Mapping[str, Any], *, expects: Sequence[str] = (), retries_denied: bool = True
    ) -> dict[str, Any]:
        """Call the API until it succeeds or is not worth another attempt. Returns the response without its metadata.

        `expects` names members that the response must have, beside those that the API's model requires.
        Raises ApiError. Before some of the retries it raises one with `retryable` set, after the pause: the caller
        looks at the domain, decides again, and repeats the call if there is still the same to do.
        """
        key = f"{call}: {arguments!r}"
        run = self._runs.setdefault(key, _Run(time.monotonic()))
        try:
            while True:
                run.attempts += 1
                try:
                    response = self._attempt(call, arguments, expects, run.started)
                    del self._runs[key]
                    return response
                except ApiError as error:
                    run.unsettled = error.unsettled = run.unsettled or error.unsettled
                    is_believed = error.kind is Kind.DENIED and not retries_denied
                    pause = None if is_believed else self.retries.pause(error.kind, call.operation, run.attempts)
                    if pause is None:
                        del self._runs[key]
                        raise
                    if run.attempts == 1:
                        logger.warning("retrying", error=str(error))
                    time.sleep(pause)
                    if retries.needs_a_look(error.kind, call.operation, run.attempts):
                        error.retryable = True
                        raise
        except DeadlineReached as reached:
            reached.waiting_for = f"{call}, for {time.monotonic() - run.started:.0f} s"
            raise

    def _attempt(
        self, call: Call, arguments: Mapping[str, Any], expects: Sequence[str], started: float
    ) -> dict[str, Any]:
        """Make one attempt and note its result. Raises ApiError."""
        operation = self.operation(call.operation)
        begun, fate = time.monotonic(), Fate.UNKNOWN  # as it is if the deadline interrupts the attempt
        try:
            response: dict[str, Any] = getattr(self._client, xform_name(call.operation))(**arguments)
            errors.check_response(response, call, operation, expects)
            fate = Fate.DONE
        except (ClientError, BotoCoreError, ResponseParserError, ApiError) as raised:
            error = self._in_words(raised, call, time.monotonic() - started)
            fate = error.fate
            if not isinstance(error, DomainNotFoundError):  # that is an answer like any other
                self._attempts.note_error(str(error), throttled=error.throttled)
            raise error from raised
        finally:
            milliseconds = round((time.monotonic() - begun) * 1000)
            logger.debug("call", call=str(call), result=fate.value, duration_ms=milliseconds)
            if operation.http["method"] != "GET":
                self._attempts.note(fate)
        self.retries.succeeded(call.operation)
        response.pop("ResponseMetadata", None)
        return response

    def _in_words(self, raised: Exception, call: Call, seconds: float) -> ApiError:
        if isinstance(raised, ApiError):
            return raised
        if isinstance(raised, ClientError):
            return errors.from_response(raised, call, seconds)
        # The name of an endpoint that does not exist does not resolve.
        regions = self._other_regions() if isinstance(raised, EndpointConnectionError) else ()
        return errors.from_connection(raised, call, seconds, regions)

    def _other_regions(self) -> Sequence[str]:
        """The regions that have the API, by the SDK's own data, if the client's region is not one of them."""
        meta = self._client.meta
        if f".{meta.region_name}." not in meta.endpoint_url:
            return ()  # another endpoint is configured
        regions = _regions(meta.partition)
        return () if meta.region_name in regions else regions


@functools.cache
def _regions(partition: str) -> Sequence[str]:
    return boto3.session.Session().get_available_regions(SERVICE, partition)
