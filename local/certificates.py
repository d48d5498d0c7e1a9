"""A certificate authority for one run: its servers' certificate, and the bundle with which a function trusts them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import botocore
import trustme


@dataclass(frozen=True)
class Certificates:
    """The files. `bundle` also has the public authorities: reading them takes time, as it does in Lambda."""

    server: Path
    authority: Path
    bundle: Path

    def server_context(self) -> ssl.SSLContext:
        """What a server needs to show its certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        return context

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that tell boto3, Python, requests and Node which authorities to trust."""
        bundle = dict.fromkeys(("AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(self.bundle))
        return {**bundle, "NODE_EXTRA_CA_CERTS": str(self.authority)}  # Node has the public ones built in


def make_certificates(folder: Path) -> Certificates:
    """Make an authority, and a certificate of it for 127.0.0.1: of RSA, as AWS's endpoints have them."""
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    made = Certificates(folder / "server.pem", folder / "authority.pem", folder / "bundle.pem")
    authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA).private_key_and_cert_chain_pem.write_to_path(
        str(made.server)
    )
    authority.cert_pem.write_to_path(str(made.authority))
    public = Path(botocore.__file__).with_name("cacert.pem")
    made.bundle.write_bytes(public.read_bytes() + made.authority.read_bytes())
    return made
