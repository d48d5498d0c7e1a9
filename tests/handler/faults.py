"""Trouble between the function and the API: a wire that the tests can cut, and a clock that takes no real time.

The wire sits where botocore hands a finished HTTP request to the network ("before-send"), so that everything above it
is real: serialising, retries, parsing of errors, the handler. Behind it is the stand-in.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import os
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import botocore.session
import pytest
from botocore import exceptions as botocore_errors
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.model import ServiceModel
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber

from handler import domains, retries
from handler.deadline import DeadlineReached
from local.customerprofiles.models import Domain, customerprofiles_backends

REGION = "eu-central-1"
# What the function finds in Lambda, as far as its client needs it.
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


_START = 1_764_000_000  # a moment in November 2025, in seconds since 1970


class Clock:
    """Time that passes only in sleep(); takes the place of the module `time`."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []
        self.on_sleep: list[Callable[[], None]] = []
        self.module = types.SimpleNamespace(sleep=self.sleep, monotonic=self.monotonic, time=self.time)

    def stop_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Become the time of everything that pauses or tells an age: botocore's attempts, and the whole handler."""
        for name, module in list(sys.modules.items()):
            if name == "botocore.endpoint" or (name.startswith("handler.") and hasattr(module, "time")):
                monkeypatch.setattr(module, "time", self.module)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        """Seconds since 1970, in agreement with `now`."""
        return _START + self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        for wake in self.on_sleep:
            wake()


class Died(BaseException):
    """The function is gone from one moment to the next, as after running out of memory."""


class Acts(enum.Enum):
    """Whether the API carries out a call that has gone wrong for its caller."""

    NEVER = "never"
    FIRST = "first"
    LATE = "late"


@dataclass(frozen=True, repr=False)
class Fault:
    """One way in which a call goes wrong: what its caller gets to see, and what the API does."""

    name: str
    acts: Acts
    reply: Callable[[AWSPreparedRequest], AWSResponse] = field(compare=False)
    late_by: float = 0.0
    status: int = 0  # of an answer in the API's own words

    @property
    def is_answer(self) -> bool:
        return self.status > 0

    @property
    def is_server_error(self) -> bool:
        return self.status >= 500

    def __repr__(self) -> str:
        return f"{self.name}, acts {self.acts.value}"


# What goes wrong with an attempt, by its number and operation.
Trouble = Callable[[int, str], "Fault | None"]


@dataclass(frozen=True)
class Call:
    """One HTTP request that reached the API, and what it did there."""

    operation: str
    name: str
    arguments: Mapping[str, Any]
    domain: Domain | None
    tags_before: Mapping[str, str]
    has_data_before: bool
    is_in_use_before: bool = False

    @property
    def is_change(self) -> bool:
        return not self.operation.startswith(("Get", "List"))


def live_domains() -> dict[str, Domain]:
    """The stand-in's domains, as a person sees them who looks at the API and not through the function."""
    domains: dict[str, Domain] = customerprofiles_backends[DEFAULT_ACCOUNT_ID][REGION].domains
    return domains


def has_data(domain: Domain) -> bool:
    return bool(domain.profile_count or domain.object_count)


def is_in_use(domain: Domain) -> bool:
    """Whether DeleteDomain would take anything along."""
    return has_data(domain) or bool(domain.integrations or domain.object_types or domain.domain_object_types)


@functools.cache
def client() -> BaseClient:
    """The function's own client, made as in Lambda: once."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        return domains.connect()


def service_model() -> ServiceModel:
    """The API as botocore knows it."""
    return botocore.session.get_session().get_service_model("customer-profiles")


def give_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few attempts at a call instead of many."""
    seconds = dict.fromkeys(retries.LIMITS.seconds, 3.0)
    monkeypatch.setattr(retries, "LIMITS", dataclasses.replace(retries.LIMITS, seconds=seconds, failed_attempts=3))


class Wire:
    """Every HTTP request of the client to the API. Attempts are counted from 0 since `begin`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        clock.on_sleep.append(self.come_through)
        self.attempts: list[str] = []
        self.acted: list[Call] = []
        self.trouble: Trouble = no_trouble
        self.on_attempt: Callable[[int, str], None] = lambda attempt, operation: None
        self.on_reply: Callable[[int, str], None] = lambda attempt, operation: None
        self.on_act: Callable[[Call], None] = lambda call: None
        self._late: list[tuple[float, Callable[[], None]]] = []

    def attach(self, client: BaseClient) -> None:
        """Put the wire between the client and the stand-in, which answers all clients else."""
        events: Any = client.meta.events
        events.unregister("before-send", botocore_stubber)
        events.unregister("before-send.customer-profiles", unique_id="wire")  # another test's
        events.register("before-send.customer-profiles", self._send, unique_id="wire")

    def begin(self, trouble: Trouble | None = None) -> None:
        """Forget the attempts so far; from now on there is this trouble."""
        self.attempts, self.acted = [], []
        self.trouble = trouble or no_trouble

    @property
    def changes(self) -> list[str]:
        """The operations that reached the API and could change something."""
        return [call.operation for call in self.acted if call.is_change]

    def come_through(self, *, at_last: bool = False) -> None:
        """Let the API carry out the calls whose time has come, or all that are still on their way."""
        due = [act for moment, act in self._late if at_last or moment <= self._clock.now]
        self._late = [] if at_last else [late for late in self._late if late[0] > self._clock.now]
        for act in due:
            act()

    def _send(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        attempt = len(self.attempts)
        self.attempts.append(operation)
        self.on_attempt(attempt, operation)
        self.come_through()
        fault = self.trouble(attempt, operation)
        if fault is None:
            response = self._act(operation, request, self.on_act)
            self.on_reply(attempt, operation)
            return response
        if fault.acts is Acts.FIRST:
            self._act(operation, request, self.on_act)
        elif fault.acts is Acts.LATE:
            witness = self.on_act  # the present one, since a later event has nothing to do with this call
            self._late.append((self._clock.now + fault.late_by, lambda: self._act_late(operation, request, witness)))
        return fault.reply(request)

    def _act_late(self, operation: str, request: AWSPreparedRequest, witness: Callable[[Call], None]) -> None:
        self._act(operation, request, witness)

    def _act(self, operation: str, request: AWSPreparedRequest, witness: Callable[[Call], None]) -> AWSResponse:
        name = _domain_name(request)
        domain = live_domains().get(name)
        call = Call(
            operation,
            name,
            json.loads(cast(bytes, request.body)) if request.body else {},
            domain,
            dict(domain.tags) if domain else {},
            domain is not None and has_data(domain),
            domain is not None and is_in_use(domain),
        )
        response = botocore_stubber(event_name=operation, request=request)
        assert response is not None, "nothing goes to a real network"
        if response.status_code < 300:
            self.acted.append(call)
            witness(call)
        return response


def _domain_name(request: AWSPreparedRequest) -> str:
    found = re.search("domains/([^/]+)", unquote(urlsplit(request.url).path))
    return found[1] if found else ""


def no_trouble(attempt: int, operation: str) -> Fault | None:
    return None


def once(fault: Fault, at: int) -> Trouble:
    """The trouble hits one attempt, whatever it is."""
    return lambda attempt, operation: fault if attempt == at else None


def lasting(fault: Fault, since: int) -> Trouble:
    """The trouble hits that attempt and all that come after it."""
    return lambda attempt, operation: fault if attempt >= since else None


def lasting_for(fault: Fault, operation: str) -> Trouble:
    """The trouble hits every attempt at one operation."""
    return lambda _, attempted: fault if attempted == operation else None


def _raising(make: Callable[[AWSPreparedRequest], BaseException]) -> Callable[[AWSPreparedRequest], AWSResponse]:
    def reply(request: AWSPreparedRequest) -> AWSResponse:
        raise make(request)

    return reply


def _answering(status: int, code: str, body: bytes) -> Callable[[AWSPreparedRequest], AWSResponse]:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code} if code else {"Content-Type": "text/html"}
    return lambda request: AWSResponse(request.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]


def _api_error(code: str, status: int) -> Callable[[AWSPreparedRequest], AWSResponse]:
    return _answering(status, code, json.dumps({"Message": f"the stand-in says {code}"}).encode())


# A connection that was never made, so nothing can have come of it.
REFUSED = Fault(
    "connection refused",
    Acts.NEVER,
    _raising(lambda request: botocore_errors.EndpointConnectionError(endpoint_url=request.url)),
)
DIES_BEFORE = Fault("the function dies", Acts.NEVER, _raising(lambda request: Died()))
DIES_AFTER = Fault("the function dies", Acts.FIRST, _raising(lambda request: Died()))


def _either_way(
    name: str, reply: Callable[[AWSPreparedRequest], AWSResponse], *, late_by: float | None = None
) -> Iterator[Fault]:
    """A fault that its caller can't tell from the one in which the call was carried out."""
    yield Fault(name, Acts.NEVER, reply)
    yield Fault(name, Acts.FIRST, reply)
    if late_by is not None:
        yield Fault(name, Acts.LATE, reply, late_by)


def faults_of_the_api(model: ServiceModel) -> list[Fault]:
    """Every error that the API's model has, those that may have come after the act both ways."""
    faults = []
    errors = {error.name: error for operation in OPERATIONS for error in model.operation_model(operation).error_shapes}
    for name, error in sorted(errors.items()):
        status = error.metadata["error"]["httpStatusCode"]
        faults.append(Fault(name, Acts.NEVER, _api_error(name, status), status=status))
        if status >= 500:
            faults.append(Fault(name, Acts.FIRST, _api_error(name, status), status=status))
    return faults


def faults_of_the_wire() -> list[Fault]:
    """Every way in which the connection fails, and answers that aren't the API's."""
    return [
        REFUSED,
        *_either_way("connection closed", _raising(lambda request: _closed(request))),
        *_either_way(
            "read timeout", _raising(lambda request: botocore_errors.ReadTimeoutError(endpoint_url=request.url))
        ),
        *_either_way("half an answer", _raising(lambda request: _half_an_answer())),
        *_either_way("a proxy's 502", _answering(502, "", b"<html>Bad Gateway</html>")),
        *_either_way("a 503 without a body", _answering(503, "", b"")),
        *_either_way("200 and garbage", _answering(200, "", b"<html>Welcome to the hotel's network</html>")),
        *_either_way("200 and an empty body", _answering(200, "", b"")),
    ]


def deadlines(late_by: float) -> list[Fault]:
    """The call hangs until the deadline, and is carried out never, before or after it."""
    return list(_either_way("hangs past the deadline", _raising(lambda request: DeadlineReached()), late_by=late_by))


def _closed(request: AWSPreparedRequest) -> BaseException:
    return botocore_errors.ConnectionClosedError(endpoint_url=request.url)


def _half_an_answer() -> BaseException:
    return botocore_errors.ResponseStreamingError(error="IncompleteRead(7 bytes read)")


OPERATIONS = ("CreateDomain", "GetDomain", "UpdateDomain", "TagResource", "UntagResource", "DeleteDomain")
