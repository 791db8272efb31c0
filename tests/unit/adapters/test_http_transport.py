import socket
import threading
import time
from contextlib import closing

import pytest

from adapters.aws.errors import NoAnswer
from adapters.aws.http_transport import Endpoint, HttpTransport, Response
from testing.fakes import FakeClock
from tests.unit.adapters.server import OK, TIMEOUTS, Serve, Start, TransportTo, answering, post


def test_a_request_is_sent_unchanged(start: Start, transport_to: TransportTo) -> None:
    """A request is sent unchanged: the given headers, the length, an empty line, the body."""
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(OK)

    transport_to(start(serve)).post({"Host": "h", "X-Amz-Date": "now"}, b"body")
    assert seen == [b"POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Date: now\r\nContent-Length: 4\r\n\r\nbody"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_may_come_in_pieces(start: Start, transport_to: TransportTo, size: int) -> None:
    """An answer is read however the network splits it."""
    answer = b"HTTP/1.1 400 Bad Request\r\nX-Amz-CRC32:  42 \r\nContent-Length: 10\r\n\r\n0123456789"
    pieces = [answer[place : place + size] for place in range(0, len(answer), size)]
    response = post(transport_to(start(answering(*pieces))))
    assert response == Response(400, {"x-amz-crc32": "42", "content-length": "10"}, b"0123456789")


def answers_all(connection: socket.socket) -> None:
    """Answer every request over one connection."""
    while connection.recv(65536):
        connection.sendall(OK)


def test_a_connection_is_reused(start: Start, transport_to: TransportTo) -> None:
    """A warm function makes no new handshake."""
    server = start(answers_all)
    transport = transport_to(server)
    for _ in range(3):
        assert post(transport).body == b"{}"
    assert server.connections == 1


def test_a_connection_closed_while_idle_is_replaced(start: Start, transport_to: TransportTo) -> None:
    """A connection that was closed while idle is noticed before the request, so nothing is sent twice."""
    server = start(answering(OK))  # closes after each answer
    transport = transport_to(server)
    for _ in range(3):
        assert post(transport).status == 200
        server_has_closed(transport)
    assert server.connections == 3


@pytest.mark.parametrize(("seconds", "connections"), [(29, 1), (31, 2), (-1, 2)])
def test_a_connection_idle_for_long_is_not_reused(start: Start, seconds: float, connections: int) -> None:
    """A connection idle for long is not used again: its end may have been missed, or the clock set back."""
    server = start(answers_all)
    clock = FakeClock()
    transport = HttpTransport(Endpoint("127.0.0.1", server.port, tls=False), TIMEOUTS, now=clock.now)
    with closing(transport):
        post(transport)
        clock.advance(seconds)
        post(transport)
        assert server.connections == connections


def test_idle_time_begins_with_the_last_use(start: Start) -> None:
    """A connection that is used every few seconds is kept for as long as its server keeps it."""
    server = start(answers_all)
    clock = FakeClock()
    transport = HttpTransport(Endpoint("127.0.0.1", server.port, tls=False), TIMEOUTS, now=clock.now)
    with closing(transport):
        for _ in range(4):
            post(transport)
            clock.advance(20)
        assert server.connections == 1


def server_has_closed(transport: HttpTransport) -> None:
    """Wait until the end of the connection has arrived."""
    ((connection, *_),) = transport._idle  # noqa: SLF001 - nothing else shows when it has arrived
    connection.recv(1, socket.MSG_PEEK)


def test_connection_close_is_honoured(start: Start, transport_to: TransportTo) -> None:
    """A connection is not kept after `Connection: close`."""
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(closing)

    server = start(serve)
    transport = transport_to(server)
    assert [post(transport).status, post(transport).status] == [200, 200]
    assert server.connections == 2


def hangs(connection: socket.socket) -> None:
    """Read everything, and send nothing."""
    while connection.recv(65536):
        pass


def trickles(connection: socket.socket) -> None:
    """Answer so slowly that each piece is in time, and the whole never is."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    gone = threading.Event()
    while not gone.wait(0.05):
        connection.sendall(b"x")


GONE = "was closed|ConnectionResetError|BrokenPipeError"


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (lambda connection: connection.close(), GONE),
        (hangs, "TimeoutError"),
        (trickles, "took too long|TimeoutError"),
        (answering(b""), GONE),
        (answering(OK[:-1]), GONE),
        (answering(OK[:20]), GONE),
        (answering(OK + b"HTTP/1.1 200 OK\r\n"), "more than one answer"),
        (answering(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "not an answer of HTTP"),
        (answering(b"HTTP/1.1 2\xc2\xb20 OK\r\nContent-Length: 2\r\n\r\n{}"), "not an answer of HTTP"),
        (answering(b"HTTP/1.1 200 OK\r\n\r\n{}"), "without a length"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}"), "without a length"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n{}"), "too long"),
        (
            answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}"),
            "without a length",
        ),
        (answering(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000), "does not end"),
    ],
)
def test_any_other_reply_is_an_error_and_closes_the_connection(
    start: Start, transport_to: TransportTo, serve: Serve, why: str
) -> None:
    """Any other reply raises an error with the reason, and the next call works on a new connection."""
    server = start(serve, answering(OK))
    transport = transport_to(server)
    with pytest.raises(NoAnswer, match=why):
        post(transport)
    assert post(transport).status == 200
    assert server.connections == 2


def test_a_refused_connection_is_a_missing_answer(start: Start, transport_to: TransportTo) -> None:
    """A refused connection is the same error as any other missing answer."""
    server = start(answering(OK))
    transport = transport_to(server)
    server.close()
    with pytest.raises(NoAnswer, match="cannot connect"):
        post(transport)


class Network:
    """The system's resolver and `create_connection`, on a clock of their own.

    Attributes:
        addresses: those of every host.
        alive: the one of them that answers, at once.
        looking_up: the resolver's time in seconds.
        tried: the addresses that were tried, and the seconds that each was given.
        clock: the transport's source of time.
    """

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.alive = ""
        self.looking_up = 0.0
        self.tried: dict[str, float] = {}
        self.clock = FakeClock()

    def getaddrinfo(self, _: str, port: int, **__: object) -> list[tuple[object, ...]]:
        """Look up the host."""
        self.clock.advance(self.looking_up)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]

    def create_connection(self, address: tuple[str, int], seconds: float) -> socket.socket:
        """Wait for an address without success, or connect to loopback in its place."""
        self.tried[address[0]] = seconds
        if address[0] == self.alive:
            connection = socket.socket()
            connection.connect(("127.0.0.1", address[1]))
            return connection
        self.clock.advance(seconds)
        raise TimeoutError


DEAD = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """Return a network of four dead addresses."""
    network = Network(*DEAD)
    monkeypatch.setattr(socket, "getaddrinfo", network.getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", network.create_connection)
    monkeypatch.setattr(time, "monotonic", network.clock.monotonic)
    return network


def test_all_addresses_of_a_host_share_the_time_to_connect(
    start: Start, transport_to: TransportTo, network: Network
) -> None:
    """Connecting takes no longer than its limit, however many addresses are dead."""
    with pytest.raises(NoAnswer, match="cannot connect: TimeoutError"):
        post(transport_to(start(hangs), host="dynamodb.invalid"))

    assert tuple(network.tried) == DEAD
    assert sum(network.tried.values()) <= TIMEOUTS.connect_seconds + 1e-6


@pytest.mark.parametrize("alive", DEAD)
def test_a_live_address_is_reached_among_dead_ones(
    alive: str, start: Start, transport_to: TransportTo, network: Network
) -> None:
    """An address that answers is reached wherever it is among dead ones."""
    network.alive = alive
    assert post(transport_to(start(answering(OK)), host="dynamodb.invalid")).status == 200


def test_the_host_lookup_counts_as_connecting(
    start: Start, transport_to: TransportTo, network: Network
) -> None:
    """A slow resolver leaves less time for the addresses, and a very slow one none."""
    transport = transport_to(start(hangs), host="dynamodb.invalid")
    network.looking_up = 0.2
    with pytest.raises(NoAnswer, match="cannot connect"):
        post(transport)
    assert sum(network.tried.values()) <= TIMEOUTS.connect_seconds - 0.2 + 1e-6

    network.tried.clear()
    network.looking_up = 4.5
    with pytest.raises(NoAnswer, match="took too long"):
        post(transport)
    assert network.tried == {}


def test_threads_can_share_a_transport(start: Start, transport_to: TransportTo) -> None:
    """Threads that share a transport each get the answer to their own request."""

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
    """The Host header leaves out the scheme's own port."""
    assert Endpoint.of(url) == Endpoint(*endpoint)
    assert Endpoint.of(url).authority == (authority or endpoint[0])


@pytest.mark.parametrize("url", ["ftp://host", "dynamodb.amazonaws.com", "https://", "http://host/path"])
def test_a_url_that_is_not_an_endpoint_is_refused(url: str) -> None:
    """A URL that is not an endpoint is an error when the service starts."""
    with pytest.raises(ValueError, match="not the URL of an endpoint"):
        Endpoint.of(url)
