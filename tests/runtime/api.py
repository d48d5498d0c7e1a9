"""The stand-in on a port. A test can hold a call as long as it wants."""

from __future__ import annotations

import functools
import io
import re
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import botocore.session
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from local.customerprofiles.models import Domain, customerprofiles_backends
from local.registration import register
from local.server import QuietRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The account that the emulator's context puts into the function's ARN.
ACCOUNT, REGION = "012345678912", "eu-central-1"


class Held:
    """A call that gets no response. The API carries it out when the test says so."""

    def __init__(self) -> None:
        self._let_through = threading.Event()
        self._done = threading.Event()
        self._is_dropped = False

    def come_through(self) -> None:
        """Let the API carry out the call, and wait until it has done so."""
        self._let_through.set()
        assert self._done.wait(60), "the call never arrived, or was never carried out"

    def drop(self) -> None:
        """Drop the call: the API never carries it out."""
        self._is_dropped = True
        self._let_through.set()

    def pass_gate(self, act: Callable[[], Iterable[bytes]]) -> Iterable[bytes]:
        """For the API: wait, then carry out the call."""
        assert self._let_through.wait(60)
        answer = [] if self._is_dropped else list(act())
        self._done.set()
        return answer


class Api:
    """Customer Profiles on a port of its own.

    with Api() as api:
        held = api.hold("CreateDomain")
        ...
        held.come_through()
        assert "customers" in api.domains
    """

    def __init__(self) -> None:
        register()
        customerprofiles_backends.reset()
        self.calls: list[str] = []
        self._held: dict[str, Held] = {}
        self._after: dict[str, Callable[[], None]] = {}
        self._stand_in: Any = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=QuietRequestHandler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Api:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for held in self._held.values():
            held.drop()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        customerprofiles_backends.reset()

    @property
    def domains(self) -> dict[str, Domain]:
        """The live domains by name."""
        domains: dict[str, Domain] = customerprofiles_backends[ACCOUNT][REGION].domains
        return domains

    def hold(self, operation: str) -> Held:
        """Hold the next call of that operation."""
        self._held[operation] = held = Held()
        return held

    def after(self, operation: str, act: Callable[[], None]) -> None:
        """Do this after the next call of that operation is carried out, and before its caller gets the response."""
        self._after[operation] = act

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        operation = operation_of(environ["REQUEST_METHOD"], environ["RAW_URI"].partition("?")[0])
        self.calls.append(operation)
        # Read at once, since a caller that gives up closes its connection.
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = ACCOUNT

        def act() -> list[bytes]:
            answer = list(self._stand_in(environ, start_response))
            self._after.pop(operation, lambda: None)()
            return answer

        held = self._held.pop(operation, None)
        return held.pass_gate(act) if held else act()


def operation_of(method: str, path: str) -> str:
    """The operation that a request is for, by the API's model; `path` is still percent-encoded."""
    (name,) = (name for name, (verb, pattern) in _routes().items() if verb == method and pattern.fullmatch(path))
    return name


@functools.cache
def _routes() -> dict[str, tuple[str, re.Pattern[str]]]:
    model = botocore.session.get_session().get_service_model("customer-profiles")
    routes = {name: model.operation_model(name).http for name in model.operation_names}
    return {
        name: (route["method"], re.compile(re.sub(r"{\w+}", "[^/]+", route["requestUri"].partition("?")[0])))
        for name, route in routes.items()
    }
