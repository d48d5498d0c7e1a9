"""Faults between the function and the API, and a clock that needs no real time.

    handler and botocore    real, with serialising, retries and parsing of errors
    Wire                    takes each request at botocore's event "before-send" and can inject a fault
    stand-in                the API (local/customerprofiles)

A fault has two parts: what the function sees (an error, a timeout, the end of its process), and whether and when the
API carries out the request nevertheless.
"""

from __future__ import annotations

import contextlib
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
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import botocore.session
import pytest
from botocore import exceptions as botocore_errors
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.model import ServiceModel
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import MockRawResponse
from moto.core.model_instances import reset_model_data
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber

from handler import domains, retries
from handler.deadline import DeadlineReached
from local.customerprofiles import models
from local.customerprofiles.models import Domain, customerprofiles_backends

REGION = "eu-central-1"
# The environment variables that the function's client needs.
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


_START = 1_764_000_000  # a moment in November 2025, in seconds since 1970


class Clock:
    """A simulated clock that replaces the module `time`. Time passes only in sleep()."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []
        self.on_sleep: list[Callable[[], None]] = []
        self.module = types.SimpleNamespace(sleep=self.sleep, monotonic=self.monotonic, time=self.time)

    def stop_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace `time` in botocore's retries and in all modules of the handler, and the stand-in's time."""
        for name, module in list(sys.modules.items()):
            if name == "botocore.endpoint" or (name.startswith("handler.") and hasattr(module, "time")):
                monkeypatch.setattr(module, "time", self.module)
        monkeypatch.setattr(models, "utcnow", self._utcnow)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        """Seconds since 1970. It advances together with `now`."""
        return _START + self.now

    def _utcnow(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC).replace(tzinfo=None)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        for wake in self.on_sleep:
            wake()


class ProcessKilled(BaseException):
    """The function's process is killed, as when it runs out of memory."""


class Acts(enum.Enum):
    """Whether and when the API carries out a request that fails for its caller."""

    NEVER = "never"
    FIRST = "first"  # before the caller sees the failure
    LATE = "late"  # some time after the caller saw the failure


@dataclass(frozen=True, repr=False)
class Fault:
    """One way in which a request fails: what its caller sees (`reply`), and what the API does (`acts`)."""

    name: str
    acts: Acts
    reply: Callable[[AWSPreparedRequest], AWSResponse] = field(compare=False)
    late_by: float = 0.0
    status: int = 0  # the HTTP status, if the reply is an error of the API

    @property
    def is_answer(self) -> bool:
        return self.status > 0

    @property
    def is_server_error(self) -> bool:
        return self.status >= 500

    def __repr__(self) -> str:
        return f"{self.name}, acts {self.acts.value}"


# Chooses the fault of an attempt, from its number and operation.
FaultPlan = Callable[[int, str], "Fault | None"]


@dataclass(frozen=True)
class Call:
    """One request that the API has carried out, and its domain before that."""

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
    """The stand-in's domains, by name."""
    domains: dict[str, Domain] = customerprofiles_backends[DEFAULT_ACCOUNT_ID][REGION].domains
    return domains


def has_data(domain: Domain) -> bool:
    return bool(domain.profile_count or domain.object_count)


def is_in_use(domain: Domain) -> bool:
    """Whether DeleteDomain would delete anything besides the domain itself."""
    return has_data(domain) or bool(domain.integrations or domain.object_types or domain.domain_object_types)


@functools.cache
def client() -> BaseClient:
    """The function's own client. As in Lambda, it is created once."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        return domains.connect()


@contextlib.contextmanager
def empty_stand_in() -> Iterator[None]:
    """While the block runs, all clients of this process talk to moto, which has nothing in it at first.

    It does what `mock_aws` does for botocore. `mock_aws` also patches `requests`, with some 1300 patterns each time,
    which takes longer than many a test, and nothing here uses `requests`.
    """
    BackendDict.reset()
    botocore_stubber.enabled = True
    try:
        yield
    finally:
        botocore_stubber.enabled = False
        BackendDict.reset()
        reset_model_data()


def service_model() -> ServiceModel:
    """The model of the API in botocore."""
    return botocore.session.get_session().get_service_model("customer-profiles")


def give_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the handler give up a call after a few attempts."""
    seconds = dict.fromkeys(retries.LIMITS.seconds, 3.0)
    monkeypatch.setattr(retries, "LIMITS", dataclasses.replace(retries.LIMITS, seconds=seconds, failed_attempts=3))


class Wire:
    """The connection between the function's client and the stand-in. Attempts are counted from 0 since `begin`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        clock.on_sleep.append(self.carry_out_delayed_calls)
        self.attempts: list[str] = []
        self.carried_out: list[Call] = []
        self.fault_plan: FaultPlan = no_fault
        self.on_attempt: Callable[[int, str], None] = lambda attempt, operation: None
        self.on_reply: Callable[[int, str], None] = lambda attempt, operation: None
        self.on_act: Callable[[Call], None] = lambda call: None
        self._late: list[tuple[float, Callable[[], None]]] = []

    def attach(self, client: BaseClient) -> None:
        """Send this client's requests through the wire. Those of other clients go to the stand-in directly."""
        events: Any = client.meta.events
        events.unregister("before-send", botocore_stubber)
        events.unregister("before-send.customer-profiles", unique_id="wire")  # of another test
        events.register("before-send.customer-profiles", self._send, unique_id="wire")

    def begin(self, fault_plan: FaultPlan | None = None) -> None:
        """Forget the attempts so far, and inject the faults of this plan from now on."""
        self.attempts, self.carried_out = [], []
        self.fault_plan = fault_plan or no_fault

    @property
    def changes(self) -> list[str]:
        """The operations that the API carried out and that can change something."""
        return [call.operation for call in self.carried_out if call.is_change]

    def carry_out_delayed_calls(self, *, all_pending: bool = False) -> None:
        """Let the API carry out the delayed calls that are due, or all of them."""
        due = [act for moment, act in self._late if all_pending or moment <= self._clock.now]
        self._late = [] if all_pending else [late for late in self._late if late[0] > self._clock.now]
        for act in due:
            act()

    def _send(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        attempt = len(self.attempts)
        self.attempts.append(operation)
        self.on_attempt(attempt, operation)
        self.carry_out_delayed_calls()
        fault = self.fault_plan(attempt, operation)
        if fault is None:
            response = self._carry_out_call(operation, request, self.on_act)
            self.on_reply(attempt, operation)
            return response
        if fault.acts is Acts.FIRST:
            self._carry_out_call(operation, request, self.on_act)
        elif fault.acts is Acts.LATE:
            on_carried_out = self.on_act  # the one of this event: a later event sets its own
            self._late.append(
                (self._clock.now + fault.late_by, lambda: self._carry_out_late(operation, request, on_carried_out))
            )
        return fault.reply(request)

    def _carry_out_late(
        self, operation: str, request: AWSPreparedRequest, on_carried_out: Callable[[Call], None]
    ) -> None:
        self._carry_out_call(operation, request, on_carried_out)

    def _carry_out_call(
        self, operation: str, request: AWSPreparedRequest, on_carried_out: Callable[[Call], None]
    ) -> AWSResponse:
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
            self.carried_out.append(call)
            on_carried_out(call)
        return response


def _domain_name(request: AWSPreparedRequest) -> str:
    found = re.search("domains/([^/]+)", unquote(urlsplit(request.url).path))
    return found[1] if found else ""


def no_fault(attempt: int, operation: str) -> Fault | None:
    return None


def once(fault: Fault, at: int) -> FaultPlan:
    """The fault hits one attempt, whatever its operation."""
    return lambda attempt, operation: fault if attempt == at else None


def lasting(fault: Fault, since: int) -> FaultPlan:
    """The fault hits that attempt and all later ones."""
    return lambda attempt, operation: fault if attempt >= since else None


def lasting_for(fault: Fault, operation: str) -> FaultPlan:
    """The fault hits every attempt at one operation."""
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


# The connection failed, so the API cannot have carried out anything.
REFUSED = Fault(
    "connection refused",
    Acts.NEVER,
    _raising(lambda request: botocore_errors.EndpointConnectionError(endpoint_url=request.url)),
)
KILLED_BEFORE = Fault("the function is killed", Acts.NEVER, _raising(lambda request: ProcessKilled()))
KILLED_AFTER = Fault("the function is killed", Acts.FIRST, _raising(lambda request: ProcessKilled()))


def _carried_out_or_not(
    name: str, reply: Callable[[AWSPreparedRequest], AWSResponse], *, late_by: float | None = None
) -> Iterator[Fault]:
    """Faults that look the same to the caller, whether or not the API carried out the call."""
    yield Fault(name, Acts.NEVER, reply)
    yield Fault(name, Acts.FIRST, reply)
    if late_by is not None:
        yield Fault(name, Acts.LATE, reply, late_by)


def faults_of_the_api(model: ServiceModel) -> list[Fault]:
    """Every error in the API's model. After a server error the call may have been carried out, so there are two."""
    faults = []
    errors = {error.name: error for operation in OPERATIONS for error in model.operation_model(operation).error_shapes}
    for name, error in sorted(errors.items()):
        status = error.metadata["error"]["httpStatusCode"]
        faults.append(Fault(name, Acts.NEVER, _api_error(name, status), status=status))
        if status >= 500:
            faults.append(Fault(name, Acts.FIRST, _api_error(name, status), status=status))
    return faults


def faults_of_the_wire() -> list[Fault]:
    """Failures of the connection, and answers that are not from the API."""
    return [
        REFUSED,
        *_carried_out_or_not("connection closed", _raising(lambda request: _closed(request))),
        *_carried_out_or_not(
            "read timeout", _raising(lambda request: botocore_errors.ReadTimeoutError(endpoint_url=request.url))
        ),
        *_carried_out_or_not("incomplete answer", _raising(lambda request: _cut_off())),
        *_carried_out_or_not("a proxy's 502", _answering(502, "", b"<html>Bad Gateway</html>")),
        *_carried_out_or_not("a 503 without a body", _answering(503, "", b"")),
        *_carried_out_or_not("200 and HTML", _answering(200, "", b"<html>Sign in to this network</html>")),
        *_carried_out_or_not("200 and an empty body", _answering(200, "", b"")),
    ]


def deadlines(late_by: float) -> list[Fault]:
    """The call gets no answer until the deadline. It is carried out never, before the deadline, or after it."""
    return list(
        _carried_out_or_not("hangs past the deadline", _raising(lambda request: DeadlineReached()), late_by=late_by)
    )


def _closed(request: AWSPreparedRequest) -> BaseException:
    return botocore_errors.ConnectionClosedError(endpoint_url=request.url)


def _cut_off() -> BaseException:
    return botocore_errors.ResponseStreamingError(error="IncompleteRead(7 bytes read)")


OPERATIONS = ("CreateDomain", "GetDomain", "UpdateDomain", "TagResource", "UntagResource", "DeleteDomain")
