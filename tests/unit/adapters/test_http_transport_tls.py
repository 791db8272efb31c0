import datetime as dt
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.aws.errors import NoAnswer
from adapters.aws.http_transport import Endpoint, HttpTransport
from tests.unit.adapters.server import OK, TIMEOUTS, Server, Start, TransportTo, answering, post


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a self-signed certificate for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_server(start: Start, certificate: Path) -> Server:
    """Return a server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return start(answering(OK), tls=context)


def test_a_server_with_a_trusted_certificate_is_called(
    tls_server: Server, transport_to: TransportTo, certificate: Path
) -> None:
    """A server with a trusted certificate is called by the same exchange, encrypted."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    assert post(transport_to(tls_server, tls=trusting)).body == b"{}"


class Watching(ssl.SSLContext):
    """A TLS context that records a handshake's timeout, and makes no handshake."""

    seconds: float | None = None

    def wrap_socket(self, sock: socket.socket, *_: Any, **__: Any) -> ssl.SSLSocket:
        """Give up."""
        self.seconds = sock.gettimeout()
        raise ssl.SSLError("enough")


def test_connecting_and_the_handshake_share_one_limit(tls_server: Server, transport_to: TransportTo) -> None:
    """Connecting and the handshake together take no longer than a connection may."""
    watching = Watching(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(NoAnswer, match="cannot connect"):
        post(transport_to(tls_server, tls=watching))
    assert watching.seconds is not None
    assert 0 < watching.seconds < TIMEOUTS.connect_seconds


def test_an_untrusted_server_is_not_called(
    tls_server: Server,
) -> None:
    """By default the system's authorities decide: an untrusted server is not called."""
    transport = HttpTransport(Endpoint("127.0.0.1", tls_server.port, tls=True), TIMEOUTS)
    with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        post(transport)


def test_a_certificate_for_another_host_is_refused(
    tls_server: Server, transport_to: TransportTo, certificate: Path
) -> None:
    """A trusted certificate for another host is refused."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        post(transport_to(tls_server, host="localhost", tls=trusting))
