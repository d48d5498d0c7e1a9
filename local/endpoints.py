"""What a function talks to: the Customer Profiles API and CloudFormation's response URLs, both over TLS.

For measurements, so they do as little as possible and run in another process than the test: the measured time is the
function's. The API only stores domains and enforces a limit of calls a second. The stand-in (local/customerprofiles/)
checks requests like the real API, but it needs more time for a call than the function does.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.certificates import Certificates
from local.customerprofiles.exceptions import ThrottlingException
from local.customerprofiles.quotas import Quotas

Reply = tuple[int, dict[str, Any] | None, str]  # status, body, type of the error


@dataclass
class Seen:
    """What arrived since it was last asked for."""

    calls: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    refused: int = 0
    # RequestId: the answer, and when it was there (time.monotonic, which all processes share).
    answers: dict[str, tuple[dict[str, Any], float]] = field(default_factory=dict)


class Endpoints:
    """Both endpoints, in a process of their own.

    with Endpoints(certificates) as endpoints:
        runtime = Runtime(..., environment=endpoints.environment)
        runtime.invoke({"ResponseURL": endpoints.response_url, ...})
        endpoints.seen().answers
    """

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    def __enter__(self) -> Endpoints:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._certificates, theirs), daemon=True)
        self._process.start()
        api_port, answers_port = self._pipe.recv()
        self.api_url = f"https://127.0.0.1:{api_port}"
        self.response_url = f"https://127.0.0.1:{answers_port}/answer?X-Amz-Signature=secret"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables by which a function finds the API, and trusts it."""
        return {"AWS_ENDPOINT_URL_CUSTOMER_PROFILES": self.api_url, **self._certificates.environment}

    def limit(self, calls_per_second: Mapping[str, float]) -> None:
        """Set the limit of calls a second for each operation. Other operations have no limit.

        This also removes all domains and all recorded requests.
        """
        self._pipe.send(("limit", calls_per_second))
        self._pipe.recv()

    def throttle(self, number: int) -> None:
        """Throttle this many of the next calls."""
        self._pipe.send(("throttle", number))
        self._pipe.recv()

    def refuse_answers(self, number: int) -> None:
        """Refuse this many of the next answers."""
        self._pipe.send(("refuse", number))
        self._pipe.recv()

    def seen(self) -> Seen:
        """What arrived since it was last asked for."""
        self._pipe.send(("see", None))
        seen: Seen = self._pipe.recv()
        return seen


class _State:
    def __init__(self) -> None:
        self.seen = Seen()
        self.domains: dict[str, dict[str, Any]] = {}
        self.quotas = Quotas({})
        self.answers_to_refuse = 0
        self.calls_to_throttle = 0

    def answer(self, method: str, target: str, body: bytes) -> Reply:
        if self.answers_to_refuse:
            self.answers_to_refuse -= 1
            self.seen.refused += 1
            return 503, None, "SlowDown"
        answer = json.loads(body)
        self.seen.answers[answer["RequestId"]] = answer, time.monotonic()
        return 200, None, ""

    def api(self, method: str, target: str, body: bytes) -> Reply:
        url = urlsplit(target)
        kind, _, rest = url.path.removeprefix("/").partition("/")
        name = unquote(rest).rpartition("/")[2]
        operation = OPERATIONS[method, kind]
        if not self._takes(operation):
            self.seen.throttled += 1
            return 429, {"Message": "Rate exceeded"}, "ThrottlingException"
        self.seen.calls[operation] += 1
        domain = self.domains.get(name)
        if operation == "CreateDomain":
            if domain is not None:
                return 400, {"Message": f"Domain {name} already exists"}, "BadRequestException"
            now = int(time.time())
            domain = {"DomainName": name, "CreatedAt": now, "LastUpdatedAt": now, **json.loads(body)}
            self.domains[name] = domain
            return 200, domain, ""
        if domain is None:
            return 404, {"Message": f"Domain {name} does not exist"}, "ResourceNotFoundException"
        return 200, self._change(operation, name, domain, json.loads(body or b"{}"), parse_qs(url.query)), ""

    def _takes(self, operation: str) -> bool:
        if self.calls_to_throttle:
            self.calls_to_throttle -= 1
            return False
        try:
            self.quotas.count("", "", operation)
        except ThrottlingException:
            return False
        return True

    def _change(
        self, operation: str, name: str, domain: dict[str, Any], asked: dict[str, Any], query: dict[str, list[str]]
    ) -> dict[str, Any]:
        if operation == "DeleteDomain":
            del self.domains[name]
            return {"Message": "deleted"}
        if operation == "UpdateDomain":
            domain |= asked
        elif operation == "TagResource":
            domain["Tags"] = {**domain.get("Tags", {}), **asked["tags"]}
        elif operation == "UntagResource":
            domain["Tags"] = {k: v for k, v in domain["Tags"].items() if k not in query["tagKeys"]}
        return domain


OPERATIONS = {
    ("POST", "domains"): "CreateDomain",
    ("GET", "domains"): "GetDomain",
    ("PUT", "domains"): "UpdateDomain",
    ("DELETE", "domains"): "DeleteDomain",
    ("POST", "tags"): "TagResource",
    ("DELETE", "tags"): "UntagResource",
}


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with persistent connections, and only the parts that the function's clients use."""

    def __init__(self, reply: Callable[[str, str, bytes], Reply]) -> None:
        self._reply = reply
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            first, *headers = self._received[:end].decode("latin-1").split("\r\n")
            length = next((int(line[15:]) for line in headers if line.lower().startswith("content-length:")), 0)
            body = self._received[end + 4 : end + 4 + length]
            if len(body) < length:
                return
            self._received = self._received[end + 4 + length :]
            method, target, _ = first.split(" ")
            self._send(*self._reply(method, target, body))

    def _send(self, status: int, content: dict[str, Any] | None, error: str) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self._transport.write(
            b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nx-amzn-ErrorType: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (status, error.encode(), len(body), body)
        )


def _serve(certificates: Certificates, pipe: Connection) -> None:
    asyncio.run(_serve_until_killed(certificates.server_context(), pipe))


async def _serve_until_killed(context: ssl.SSLContext, pipe: Connection) -> None:
    state = _State()
    loop = asyncio.get_running_loop()
    api = await loop.create_server(lambda: _Connection(state.api), "127.0.0.1", 0, ssl=context)
    answers = await loop.create_server(lambda: _Connection(state.answer), "127.0.0.1", 0, ssl=context)

    def obey() -> None:
        try:
            wish, value = pipe.recv()
        except EOFError:  # the parent process has ended
            loop.stop()
            return
        seen = state.seen
        if wish == "refuse":
            state.answers_to_refuse = value
        elif wish == "throttle":
            state.calls_to_throttle = value
        else:
            state.seen = Seen()
        if wish == "limit":
            state.domains.clear()
            state.quotas = Quotas(value)
        pipe.send(seen)

    loop.add_reader(pipe.fileno(), obey)
    pipe.send([server.sockets[0].getsockname()[1] for server in (api, answers)])
    async with api, answers:
        await asyncio.gather(api.serve_forever(), answers.serve_forever())
