import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.aws.errors import NoAnswer
from adapters.aws.http_transport import Endpoint, HttpTransport, Response

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Serve = Callable[[socket.socket], None]


def answering(*chunks: bytes) -> Serve:
    """Read one request, then send these pieces, each in a packet of its own."""

    def serve(connection: socket.socket) -> None:
        if connection.recv(65536):
            for chunk in chunks:
                connection.sendall(chunk)

    return serve


class Server:
    """A server on loopback that does with its connections, one after the other, as it is told.

    Args:
        serves: what it does with each connection before it closes it; the last also with those that follow.
        tls: its certificate; without one it speaks plainly.

    Attributes:
        connections: how many there were.
    """

    def __init__(self, *serves: Serve, tls: ssl.SSLContext | None = None) -> None:
        self._serves = serves
        self._tls = tls
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                serve = self._serves[min(self.connections, len(self._serves) - 1)]
                self.connections += 1
                with connection, contextlib.suppress(OSError):
                    if self._tls:
                        with self._tls.wrap_socket(connection, server_side=True) as encrypted:
                            serve(encrypted)
                    else:
                        serve(connection)


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts servers, and closes them in the end."""
    with contextlib.ExitStack() as stack:

        def start(*serves: Serve, tls: ssl.SSLContext | None = None) -> Server:
            server = Server(*serves, tls=tls)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def transport_to() -> Iterator[Callable[..., HttpTransport]]:
    """Makes transports to a server, and closes them in the end."""
    with contextlib.ExitStack() as stack:

        def make(
            server: Server, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
        ) -> HttpTransport:
            transport = HttpTransport(
                Endpoint(host, server.port, tls is not None), connect_seconds=0.5, read_seconds=0.3, tls=tls
            )
            stack.callback(transport.close)
            return transport

        yield make


def post(transport: HttpTransport) -> Response:
    """One exchange."""
    return transport.post({"Host": "dynamodb.invalid"}, b"{}")


def test_a_request_is_sent_as_it_stands(
    start: Callable[..., Server], transport_to: Callable[..., HttpTransport]
) -> None:
    """Headers as they are given, the length, an empty line, the body."""
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(OK)

    transport_to(start(serve)).post({"Host": "h", "X-Amz-Date": "now"}, b"body")
    assert seen == [b"POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Date: now\r\nContent-Length: 4\r\n\r\nbody"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_may_come_in_pieces(
    start: Callable[..., Server], transport_to: Callable[..., HttpTransport], size: int
) -> None:
    """However the network cuts it."""
    answer = b"HTTP/1.1 400 Bad Request\r\nX-Amz-CRC32:  42 \r\nContent-Length: 10\r\n\r\n0123456789"
    pieces = [answer[place : place + size] for place in range(0, len(answer), size)]
    response = post(transport_to(start(answering(*pieces))))
    assert response == Response(400, {"x-amz-crc32": "42", "content-length": "10"}, b"0123456789")


def test_a_connection_is_used_again(
    start: Callable[..., Server], transport_to: Callable[..., HttpTransport]
) -> None:
    """A warm function makes no new handshake."""

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(OK)

    server = start(serve)
    transport = transport_to(server)
    for _ in range(3):
        assert post(transport).body == b"{}"
    assert server.connections == 1


def test_a_connection_that_was_closed_while_idle_is_no_failure(
    start: Callable[..., Server], transport_to: Callable[..., HttpTransport]
) -> None:
    """It is noticed before the request is sent, so that nothing is sent twice."""
    server = start(answering(OK))  # closes after each answer
    transport = transport_to(server)
    for _ in range(3):
        assert post(transport).status == 200
        server_has_closed(transport)
    assert server.connections == 3


def server_has_closed(transport: HttpTransport) -> None:
    """Wait until the end of the connection has arrived."""
    (connection,) = transport._idle  # noqa: SLF001 - nothing else shows when it has arrived
    connection.recv(1, socket.MSG_PEEK)


def test_a_server_that_says_close_is_believed(
    start: Callable[..., Server], transport_to: Callable[..., HttpTransport]
) -> None:
    """Its connection is not kept."""
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(closing)

    server = start(serve)
    transport = transport_to(server)
    assert [post(transport).status, post(transport).status] == [200, 200]
    assert server.connections == 2


def hangs(connection: socket.socket) -> None:
    """Take everything, and say nothing."""
    while connection.recv(65536):
        pass


def trickles(connection: socket.socket) -> None:
    """Answer so slowly that each piece comes in time, and the whole never does."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    gone = threading.Event()
    while not gone.wait(0.05):
        connection.sendall(b"x")


@pytest.mark.parametrize(
    "serve",
    [
        lambda connection: connection.close(),
        hangs,
        trickles,
        answering(b""),
        answering(OK[:-1]),
        answering(OK[:20]),
        answering(OK + b"HTTP/1.1 200 OK\r\n"),
        answering(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        answering(b"HTTP/1.1 2\xc2\xb20 OK\r\nContent-Length: 2\r\n\r\n{}"),
        answering(b"HTTP/1.1 200 OK\r\n\r\n{}"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n{}"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}"),
        answering(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000),
    ],
)
def test_whatever_else_comes_is_no_answer_and_its_connection_is_not_used_again(
    start: Callable[..., Server], transport_to: Callable[..., HttpTransport], serve: Serve
) -> None:
    """The next call starts afresh, and works."""
    server = start(serve, answering(OK))
    transport = transport_to(server)
    with pytest.raises(NoAnswer):
        post(transport)
    assert post(transport).status == 200
    assert server.connections == 2


def test_nobody_there_is_no_answer(
    start: Callable[..., Server], transport_to: Callable[..., HttpTransport]
) -> None:
    """Refused connections are told like any other absence."""
    server = start(answering(OK))
    transport = transport_to(server)
    server.close()
    with pytest.raises(NoAnswer, match="cannot connect"):
        post(transport)


def test_threads_share_it(start: Callable[..., Server], transport_to: Callable[..., HttpTransport]) -> None:
    """Each gets the answer to its own request."""

    def serve(connection: socket.socket) -> None:
        own = connection.dup()

        def echo() -> None:
            with own:
                while request := own.recv(65536):
                    body = request.rpartition(b"\r\n\r\n")[2]
                    own.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        threading.Thread(target=echo, daemon=True).start()

    transport = transport_to(start(serve))
    wrong: list[bytes] = []

    def ask(thread: int) -> None:
        for n in range(100):
            body = f"{thread}-{n}".encode()
            answer = transport.post({"Host": "h"}, body).body
            if answer != body:
                wrong.append(answer)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, signed by itself."""
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
def tls_server(start: Callable[..., Server], certificate: Path) -> Server:
    """A server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return start(answering(OK), tls=context)


def test_a_server_with_a_trusted_certificate_is_spoken_to(
    tls_server: Server, transport_to: Callable[..., HttpTransport], certificate: Path
) -> None:
    """Encrypted, by the same exchange."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    assert post(transport_to(tls_server, tls=trusting)).body == b"{}"


def test_a_server_that_nobody_vouches_for_is_not_spoken_to(
    tls_server: Server,
) -> None:
    """What the transport does by itself: the system's authorities decide."""
    transport = HttpTransport(
        Endpoint("127.0.0.1", tls_server.port, tls=True), connect_seconds=0.5, read_seconds=0.3
    )
    with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        post(transport)


def test_a_certificate_for_another_host_is_not_enough(
    tls_server: Server, transport_to: Callable[..., HttpTransport], certificate: Path
) -> None:
    """Whoever it belongs to, it is not DynamoDB's."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        post(transport_to(tls_server, host="localhost", tls=trusting))


@pytest.mark.parametrize(
    ("url", "endpoint", "authority"),
    [
        (
            "https://dynamodb.eu-central-1.amazonaws.com",
            ("dynamodb.eu-central-1.amazonaws.com", 443, True),
            None,
        ),
        ("http://127.0.0.1:8000/", ("127.0.0.1", 8000, False), "127.0.0.1:8000"),
        ("http://[::1]:8000", ("::1", 8000, False), "[::1]:8000"),
        ("https://localhost:443", ("localhost", 443, True), "localhost"),
    ],
)
def test_an_endpoint_is_read_from_its_url(
    url: str, endpoint: tuple[str, int, bool], authority: str | None
) -> None:
    """A port that is the scheme's own is not named to the server."""
    assert Endpoint.of(url) == Endpoint(*endpoint)
    assert Endpoint.of(url).authority == (authority or endpoint[0])


@pytest.mark.parametrize("url", ["ftp://host", "dynamodb.amazonaws.com", "https://", "http://host/path"])
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    """A mistake in a variable is told when the service starts."""
    with pytest.raises(ValueError, match="not the URL of an endpoint"):
        Endpoint.of(url)
