"""Serves the Customer Profiles stand-in, and moto's other services, on a port of this machine.

    python -m local.server --port 0

prints the URL on a line of its own as soon as the server takes requests, and serves until SIGTERM or Ctrl-C. A client
reaches it with AWS_ENDPOINT_URL_CUSTOMER_PROFILES. The account is moto's (123456789012), or what MOTO_ACCOUNT_ID says.

With --quotas it limits the calls a second as the API does by default (local/customerprofiles/quotas.py). With
--engine URL it refuses what the policies on that local engine do not allow; otherwise it allows everything.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from local.authorization import EnginePolicies
from local.customerprofiles.models import CustomerProfilesBackend
from local.customerprofiles.quotas import Quotas
from local.registration import register


class QuietRequestHandler(MotoRequestHandler):
    """Does not log each request; errors are still logged."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def make_stand_in_server(port: int, host: str = "127.0.0.1") -> BaseWSGIServer:
    """Return a server that already listens, on a free port if `port` is 0. It answers after `serve_forever`."""
    register()
    application = DomainDispatcherApplication(create_backend_app)
    return make_server(host, port, application, threaded=True, request_handler=QuietRequestHandler)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Serve the Customer Profiles stand-in on this machine.")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    # The only other useful one is the address of this machine in Docker's containers.
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--quotas", action="store_true", help="throttle as the API does by its default quotas")
    parser.add_argument(
        "--engine", metavar="URL", help="ask the policies of this local engine (default: allow everything)"
    )
    options = parser.parse_args(arguments)
    if options.quotas:
        CustomerProfilesBackend.quotas = Quotas()
    if options.engine:
        policies = EnginePolicies(options.engine)
        CustomerProfilesBackend.authorizer = policies
        CustomerProfilesBackend.resource_policies = policies
    signal.signal(signal.SIGTERM, _exit)
    server = make_stand_in_server(options.port, options.host)
    print(f"http://{options.host}:{server.server_port}", flush=True)
    server.serve_forever()


def _exit(_signal_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
