"""The answer: CloudFormation accepts its form, it is sent until it is accepted, and its URL is never logged."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler import answer as answers
from handler import app
from handler.answer import AnswerNotTakenError, deliver, encoded, fitted, is_response_url
from handler.deadline import Deadline
from local.certificates import Certificates, make_certificates
from tests.handler.cloudformation import MOST_BYTES, STACK, Context, Mailbox, event
from tests.handler.faults import Clock, Wire

LOG_STREAM = "2025/01/01/[$LATEST]0123456789abcdef"
SECRET = "0dd5-the-signature"
# Any text in Python, including unpaired surrogates: json.loads creates them from \ud800.
TEXTS = st.text(st.characters(exclude_categories=()))


def an_answer(reason: str = "", **data: Any) -> dict[str, Any]:
    return {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason,
        "PhysicalResourceId": "customers",
        "StackId": STACK,
        "RequestId": "4cba9f5c-0000-4000-8000-000000000001",
        "LogicalResourceId": "Domain",
        "NoEcho": False,
        "Data": data,
    }


def send(url: str, clock: Clock, seconds: float = 300.0, module: ModuleType = answers) -> None:
    module.deliver(url, an_answer(), Deadline(seconds, clock.monotonic))


def refused() -> str:
    """The URL of a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/answers?X-Amz-Signature={SECRET}"


class TestForm:
    @pytest.mark.parametrize("character", ["a", "é", "語", "😀", "\ud800", '"', "\\", "\x00", "\n"])
    def test_a_reason_of_any_characters_has_at_most_4096_bytes(self, character: str) -> None:
        sent = encoded(fitted(an_answer(character * 9000), LOG_STREAM))

        assert MOST_BYTES - 16 <= len(sent) <= MOST_BYTES, "the reason is too long, or too much was cut off"
        assert json.loads(sent)["Reason"].startswith(character * 100)

    @pytest.mark.parametrize("character", ["é", "語", "😀"])
    def test_the_limit_counts_bytes_and_not_characters(self, character: str) -> None:
        room = (MOST_BYTES - len(encoded(an_answer("a"))) + 1) // len(character.encode())
        fits, too_long = an_answer(character * room), an_answer(character * (room + 1))

        assert fitted(fits, LOG_STREAM) == fits
        assert fitted(too_long, LOG_STREAM) != too_long

    def test_an_answer_of_exactly_4096_bytes_is_left_as_it_is(self) -> None:
        longest = an_answer("a")
        longest["Reason"] *= 1 + MOST_BYTES - len(encoded(longest))

        assert fitted(longest, LOG_STREAM) == longest
        assert len(encoded(longest)) == MOST_BYTES

    def test_a_reason_that_is_too_long_keeps_its_beginning_and_names_the_log_stream(self) -> None:
        problems = "\n".join(f"Tags[{number}].Key: is missing; it is required" for number in range(200))

        reason = fitted(an_answer(problems), LOG_STREAM)["Reason"]

        kept, _, ending = reason.partition("... (")
        assert len(kept) > 3000
        assert problems.startswith(kept)
        assert LOG_STREAM in ending

    def test_long_data_does_not_change_the_short_reason_and_the_other_values(self) -> None:
        short = fitted(an_answer("short", Long="x" * 5000, DomainName="customers", Count=3), LOG_STREAM)

        assert len(encoded(short)) <= MOST_BYTES
        assert (short["Reason"], short["Data"]["DomainName"], short["Data"]["Count"]) == ("short", "customers", 3)
        assert short["Data"]["Long"].startswith("x" * 3000)

    def test_the_answer_that_was_passed_in_is_not_changed(self) -> None:
        long = an_answer("r" * 5000, Long="x" * 5000)
        before = json.loads(encoded(long))

        fitted(long, LOG_STREAM)

        assert long == before

    @given(reason=TEXTS, times=st.integers(1, 5000), data=st.dictionaries(TEXTS, TEXTS | st.integers(), max_size=4))
    def test_any_answer_fits_and_keeps_its_ids(self, reason: str, times: int, data: dict[str, Any]) -> None:
        answer = {**an_answer(reason * times), "Data": data}

        sent = encoded(fitted(answer, LOG_STREAM))

        assert len(sent) <= MOST_BYTES
        arrived = json.loads(sent)
        for field in ("Status", "PhysicalResourceId", "StackId", "RequestId", "LogicalResourceId"):
            assert arrived[field] == answer[field]
        assert bool(arrived["Reason"]) == bool(reason), "FAILED without a reason is no answer"

    @pytest.mark.parametrize("data", [{}, {"Count": 3}, {"Name": ""}])
    def test_ids_that_are_too_long_by_themselves_are_kept(self, data: dict[str, Any]) -> None:
        answer = {**an_answer("reason", **data), "LogicalResourceId": "L" * 5000}

        assert fitted(answer, LOG_STREAM)["LogicalResourceId"] == answer["LogicalResourceId"]


class TestDelivery:
    def test_it_is_a_put_with_an_empty_content_type_and_the_exact_content_length(
        self, mailbox: Mailbox, clock: Clock
    ) -> None:
        answer = an_answer("schön \ud800 😀")

        deliver(mailbox.url(), answer, Deadline(300.0))

        (put,) = mailbox.puts
        assert put.headers["Content-Type"] == ""
        assert put.headers["Content-Length"] == str(len(encoded(answer)))
        assert "Transfer-Encoding" not in put.headers
        assert put.answer == answer

    @pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503, 0], ids=lambda s: s or "a broken connection")
    def test_a_refused_answer_is_sent_again_with_growing_pauses(
        self, status: int, mailbox: Mailbox, clock: Clock
    ) -> None:
        mailbox.first += [status] * 4

        send(mailbox.url(), clock)

        assert [put.status for put in mailbox.puts] == [status] * 4 + [200]
        assert len({put.body for put in mailbox.puts}) == 1
        assert clock.pauses == sorted(set(clock.pauses)), "the pauses do not grow"
        assert len(clock.pauses) == 4

    def test_a_refused_connection_is_retried_until_it_is_accepted(self, clock: Clock) -> None:
        with late_server() as (url, listen, taken):
            clock.on_sleep.append(lambda: listen() if len(clock.pauses) == 3 else None)

            send(url, clock)

            assert len(clock.pauses) == 3
            assert taken == ["Domain"]

    def test_an_answer_is_retried_if_the_kept_connection_was_closed(self, mailbox: Mailbox, clock: Clock) -> None:
        send(mailbox.url(), clock)
        mailbox.first.append(0)

        send(mailbox.url(), clock)

        assert [put.status for put in mailbox.puts] == [200, 0, 200]

    @pytest.mark.parametrize("seconds", [300.0, 10.0, 0.6, 0.0, -1.0])
    def test_it_gives_up_before_the_time_is_up(self, mailbox: Mailbox, clock: Clock, seconds: float) -> None:
        mailbox.first += [503] * 1000
        start = clock.now

        with pytest.raises(AnswerNotTakenError, match="503"):
            send(mailbox.url(), clock, seconds)

        taken = clock.now - start
        assert taken <= max(seconds, 0), "Lambda would have killed the function first"
        assert len(mailbox.puts) == len(clock.pauses) + 1, "at least one attempt, and no pause that nothing follows"
        assert seconds - taken < 11, "there was time for another attempt"

    def test_a_put_that_hangs_leaves_time_for_another(self) -> None:
        """Such as on a connection that a firewall dropped without closing it."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(60)
            seconds_gone = [0.0]
            end = Deadline(6.0, lambda: seconds_gone[0])
            accepted: list[float] = []

            def serve() -> None:
                with server.accept()[0]:
                    accepted.append(time.monotonic())
                    seconds_gone[0] = -54.0  # the rest may take any time
                    with server.accept()[0] as second:
                        accepted.append(time.monotonic())
                        second.recv(65536)
                        second.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

            serving = threading.Thread(target=serve, daemon=True)
            serving.start()

            deliver(f"http://127.0.0.1:{server.getsockname()[1]}/answers", an_answer(), end)

            serving.join()
            assert accepted[1] - accepted[0] < 6, "the PUT that hung took all of the time"

    def test_the_redirect_of_a_new_bucket_is_followed_with_the_same_answer(
        self, mailbox: Mailbox, clock: Clock
    ) -> None:
        target = mailbox.url()
        with redirecting_server(target) as url:
            send(url, clock)

        (put,) = mailbox.puts
        assert target.endswith(put.path)
        assert put.answer == an_answer()

    def test_a_redirect_loop_ends_when_the_time_is_up(self, clock: Clock) -> None:
        with redirecting_server(None) as url, pytest.raises(AnswerNotTakenError):
            send(url, clock, seconds=20.0)

    @pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
    def test_https_uses_the_certificates_of_the_environment(
        self, name: str, certificates: Certificates, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, str(certificates.bundle))
        module = answer_module_that_starts_now()

        with late_server(certificates) as (url, listen, taken):
            listen()
            send(url, clock, module=module)

            assert taken == ["Domain"]

    def test_a_missing_bundle_of_certificates_does_not_prevent_the_answer(
        self, mailbox: Mailbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/bundle.pem")

        send(mailbox.url(), clock, module=answer_module_that_starts_now())

        assert len(mailbox.taken()) == 1

    def test_a_server_with_an_untrusted_certificate_gets_no_answer(
        self, certificates: Certificates, clock: Clock
    ) -> None:
        with late_server(certificates) as (url, listen, taken):
            listen()
            with pytest.raises(AnswerNotTakenError, match="SSLError"):
                send(url, clock, seconds=5.0)

            assert taken == []


class TestProxy:
    """The answer uses the same proxy as the API's calls: botocore reads these environment variables, too."""

    @pytest.fixture
    def proxy(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackProxy]:
        with LoopbackProxy() as proxy:
            for name in ("NO_PROXY", "no_proxy"):
                monkeypatch.delenv(name, raising=False)
            for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(name, f"http://user:pass%40word@127.0.0.1:{proxy.port}")
            yield proxy

    def test_an_answer_over_https_goes_through_the_proxy(
        self, proxy: LoopbackProxy, certificates: Certificates, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.bundle))
        module = answer_module_that_starts_now()

        with late_server(certificates) as (url, listen, taken):
            listen()
            send(url, clock, module=module)

            assert taken == ["Domain"]
            assert proxy.requests == [f"CONNECT {urlsplit(url).netloc}"]
            assert proxy.credentials == ["user:pass@word"]

    def test_an_answer_over_http_goes_through_the_proxy(self, proxy: LoopbackProxy, clock: Clock) -> None:
        url = f"http://cloudformation.invalid/answers?X-Amz-Signature={SECRET}"

        send(url, clock)

        assert proxy.requests == [f"PUT {url}"]

    @pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
    def test_the_variable_no_proxy_is_respected(
        self, name: str, proxy: LoopbackProxy, mailbox: Mailbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, "example.com,127.0.0.1")

        send(mailbox.url(), clock)

        assert len(mailbox.taken()) == 1
        assert proxy.requests == []

    def test_a_proxy_that_refuses_connections_is_retried(
        self, mailbox: Mailbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", urlsplit(refused()).netloc)

        with pytest.raises(AnswerNotTakenError, match="ProxyError"):
            send(mailbox.url(), clock, seconds=5.0)

        assert len(clock.pauses) > 1


NO_URLS: list[Any] = ["...", "https://", "http://", "https:///path", "ftp://example.com/answer?x", "answer", 7, ["x"]]
PLACEHOLDER = "http://pre-signed-S3-url-for-response"  # in Lambda's own test event and in AWS's documentation


class TestAnInvalidResponseUrl:
    @pytest.mark.parametrize("url", [*NO_URLS, PLACEHOLDER, "http://[not-an-address/?X-Amz-Signature=1"])
    def test_is_given_up_at_once(self, url: Any, clock: Clock) -> None:
        with pytest.raises(AnswerNotTakenError, match="ResponseURL"):
            deliver(url, an_answer(), Deadline(300, clock.monotonic))

        assert clock.pauses == []

    def test_the_error_contains_the_reason(self, clock: Clock) -> None:
        with pytest.raises(AnswerNotTakenError, match="DomainName: is missing"):
            deliver("...", an_answer("DomainName: is missing"), Deadline(300, clock.monotonic))

    @pytest.mark.parametrize(
        "url",
        [
            "https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/arn%3Aaws?X-Amz-Date=1",
            "http://localhost:4566/answers/1",
            "http://engine:4566/?id=1",
            "https://[::1]:443/answers",
        ],
    )
    def test_does_not_include_the_urls_of_cloudformation_and_local_engines(self, url: str) -> None:
        assert is_response_url(url)


class TestSecrecy:
    """The URL is pre-signed: anyone who can read it can answer instead of the function."""

    @pytest.mark.parametrize("statuses", [[], [400, 403, 500, 0]], ids=["taken", "refused first"])
    def test_no_library_logs_the_url_at_any_level(
        self,
        statuses: list[int],
        mailbox: Mailbox,
        clock: Clock,
        wire: Wire,
        every_log: list[str],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        mailbox.first += statuses
        with redirecting_server(mailbox.url(SECRET)) as url:
            properties = {"DomainName": "customers", "DefaultExpirationDays": 30}
            app.lambda_handler(event("Create", properties, response_url=url), Context(clock))

        assert len(mailbox.taken()) == 1
        assert any("botocore" in line for line in every_log), "the libraries log, and this test sees it"
        assert_kept_secret("\n".join([*every_log, *capfd.readouterr()]), url)

    @pytest.mark.parametrize(
        "make_url",
        [
            refused,
            lambda: f"http://[not-an-address/?X-Amz-Signature={SECRET}",
            lambda: f"http://127.0.0.1:9/\ud800?X-Amz-Signature={SECRET}",
        ],
        ids=["refused", "no address", "no text"],
    )
    def test_the_url_is_not_in_the_error_that_lambda_logs(
        self, make_url: Callable[[], str], clock: Clock, every_log: list[str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        url = make_url()

        with pytest.raises(AnswerNotTakenError) as raised:
            send(url, clock, seconds=5.0)

        text = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=False).format())
        assert_kept_secret("\n".join([text, repr(raised.value), *every_log, *capfd.readouterr()]), url)
        assert raised.value.__context__ is None, "an exception of urllib3's, which quotes the URL"

    def test_urllib3_still_logs_its_requests_without_their_queries(
        self, mailbox: Mailbox, clock: Clock, every_log: list[str]
    ) -> None:
        send(mailbox.url(SECRET), clock)

        assert any("PUT /answers/" in line and line.startswith("urllib3") for line in every_log)


def assert_kept_secret(logged: str, url: str) -> None:
    assert SECRET not in logged
    assert "X-Amz-Signature" not in logged
    assert url not in logged


@pytest.fixture
def every_log() -> Iterator[list[str]]:
    """What any logger writes while each of them is at the level of debugging."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name} {logging.Formatter().format(record)} {vars(record)}")

    collector = Collector()
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    before = [(logger, logger.level) for logger in known if isinstance(logger, logging.Logger)]
    for logger, _ in before:
        logger.setLevel(logging.DEBUG)
        if logger is logging.root or not logger.propagate:
            logger.addHandler(collector)
    yield lines
    for logger, level in before:
        logger.setLevel(level)
        logger.removeHandler(collector)


def answer_module_that_starts_now() -> ModuleType:
    """handler.answer as another execution environment loads it, with the environment variables of this moment."""
    spec = importlib.util.find_spec("handler.answer")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__["time"] = answers.__dict__["time"]  # the test's clock
    return module


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


class LoopbackProxy:
    """An HTTP proxy on loopback: it opens tunnels for HTTPS, and answers HTTP requests itself."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.credentials: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                if not self.is_allowed():
                    return
                host, _, port = self.path.partition(":")
                with socket.create_connection((host, int(port))) as server:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=relay, args=(server, self.connection), daemon=True)
                    back.start()
                    relay(self.connection, server)
                    back.join()

            def do_PUT(self) -> None:
                if not self.is_allowed():
                    return
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def is_allowed(self) -> bool:
                proxy.requests.append(f"{self.command} {self.path}")
                scheme, _, credentials = self.headers.get("Proxy-Authorization", "").partition(" ")
                if scheme != "Basic":
                    self.send_error(407)
                    return False
                proxy.credentials.append(base64.b64decode(credentials).decode())
                return True

            def log_message(self, *_: Any) -> None:
                pass

        def relay(source: socket.socket, target: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while chunk := source.recv(65536):
                    target.sendall(chunk)
                target.shutdown(socket.SHUT_WR)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._serving = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> LoopbackProxy:
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()


@contextmanager
def late_server(
    certificates: Certificates | None = None,
) -> Iterator[tuple[str, Callable[[], None], list[str]]]:
    """A server that refuses connections until it is told to listen: its URL, that function, the logical ids it got."""
    taken: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["LogicalResourceId"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.server_bind()
    if certificates is not None:
        server.socket = certificates.server_context().wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)

    def listen() -> None:
        server.server_activate()
        serving.start()

    try:
        scheme = "https" if certificates else "http"
        yield f"{scheme}://127.0.0.1:{server.server_port}/answers?X-Amz-Signature={SECRET}", listen, taken
    finally:
        if serving.is_alive():
            server.shutdown()
            serving.join()
        server.server_close()


@contextmanager
def redirecting_server(target: str | None) -> Iterator[str]:
    """S3 while a bucket is new; without a target it redirects to itself, over and over."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", target or self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/new-bucket?X-Amz-Signature={SECRET}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
