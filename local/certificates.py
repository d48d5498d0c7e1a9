"""A certificate authority for one run: its servers' certificate, and the bundle with which a function trusts them."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """Where they are. `bundle` has the public authorities too, as many as Lambda's has: reading them takes its time."""

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
        """The environment variables by which boto3, Python and requests find the bundle, and Node the authority."""
        bundle = dict.fromkeys(("AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(self.bundle))
        return {**bundle, "NODE_EXTRA_CA_CERTS": str(self.authority)}  # Node has the public ones built in


def make_certificates(folder: Path) -> Certificates:
    """Make an authority, and a certificate of it for 127.0.0.1, good for a day."""
    authority_key = _key()
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of one run")])
    authority = (
        _certificate(authority_name, authority_name, authority_key.public_key(), authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    key = _key()
    certificate = (
        _certificate(x509.Name([]), authority_name, key.public_key(), authority_key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    made = Certificates(folder / "server.pem", folder / "authority.pem", folder / "bundle.pem")
    made.server.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    public = Path(botocore.__file__).with_name("cacert.pem")
    made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    made.bundle.write_bytes(public.read_bytes() + made.authority.read_bytes())
    return made


def _key() -> rsa.RSAPrivateKey:
    """Of the kind that AWS's endpoints have, so that a handshake takes as long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


# Since 3.13 Python asks for this, and for the identifiers of the keys, as RFC 5280 does (VERIFY_X509_STRICT).
_SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, issuer_key: rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )
