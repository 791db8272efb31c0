"""HTTP/1.1 for one kind of exchange: a small POST to one host, whose answer states its length.

The standard library's `http.client` parses headers as e-mail, which costs more than the rest of a request:
docs/adr/0012-lean-client.md has the figures.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

from adapters.aws.errors import NoAnswer
from adapters.aws.timeouts import Timeouts

MAX_HEAD_BYTES: Final = 16_384
MAX_BODY_BYTES: Final = 1_048_576
"""More than the JSON of the largest DynamoDB item (400 KB)."""

MAX_IDLE_SECONDS: Final = 30
"""How long an unused connection is trusted. Lambda freezes an idle function, which may miss that a connection
was closed. A request over a dead connection waits until its timeout."""

CHUNK_BYTES: Final = 65_536
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a service.

    Attributes:
        host: the host name, which the server's certificate must have.
        port: the port.
        tls: whether the connection is encrypted; false only for stores on the same machine.
    """

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the endpoint of a URL.

        Raises:
            ValueError: the URL has another scheme than http or https, no host, or a path.
        """
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path not in {"", "/"}:
            raise ValueError(f"not the URL of an endpoint: {url}")
        return cls(parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme], parts.scheme == "https")

    @property
    def authority(self) -> str:
        """The host and port in the form of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"


class Response(NamedTuple):
    """An answer.

    Attributes:
        status: the HTTP status.
        headers: the headers, their names in lower case.
        body: the whole body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class _IdleConnection(NamedTuple):
    """A connection that is kept open.

    Attributes:
        connection: the connection.
        watch: polls for data to read.
        since: the epoch second of its last use. The monotonic clock may stop while a function is frozen.
    """

    connection: socket.socket
    watch: select.poll
    since: float


class HttpTransport:
    """A transport to one endpoint, over connections that are kept open. Threads may share it.

    A request is sent at most once. A kept connection is closed, not used, once its server has closed it or it
    was idle for more than `MAX_IDLE_SECONDS`.

    Args:
        endpoint: the address of the service.
        timeouts: to connect, including all addresses of the host and the TLS handshake; and to read the whole
            answer. The name lookup counts as connecting. The system's resolver has a timeout of its own and
            cannot be interrupted: if it takes longer, no address is tried.
        tls: the check of the server's certificate; by default against the system's authorities.
        now: returns the epoch second.

    Attributes:
        endpoint: the address of the service.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timeouts: Timeouts,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.endpoint = endpoint
        self._connect_seconds = timeouts.connect_seconds
        self._read_seconds = timeouts.read_seconds
        self._tls = (tls or _system_authorities()) if endpoint.tls else None
        self._now = now
        # The last one used is used next. `append` and `pop` are atomic, so no two threads take the same one.
        self._idle: list[_IdleConnection] = []

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send one request, and read its answer.

        Raises:
            NoAnswer: there was no readable answer. The request may have taken effect.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        request = f"POST / HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        try:
            connection, watch = self._idle_connection() or self._connect()
        except OSError as error:
            raise NoAnswer(f"cannot connect: {type(error).__name__}") from error
        try:
            response = self._exchange(connection, request)
        except OSError as error:
            connection.close()
            raise NoAnswer(f"no answer: {type(error).__name__}") from error
        except BaseException:
            connection.close()
            raise
        if response.headers.get("connection", "").lower() == "close":
            connection.close()
        else:
            self._idle.append(_IdleConnection(connection, watch, self._now()))
        return response

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().connection.close()

    def _idle_connection(self) -> tuple[socket.socket, select.poll] | None:
        while True:
            try:
                idle = self._idle.pop()
            except IndexError:
                return None
            if self._is_usable(idle):
                return idle.connection, idle.watch
            idle.connection.close()

    def _is_usable(self, idle: _IdleConnection) -> bool:
        """Return whether a request may be sent. If there is data to read, the server has closed it."""
        return 0 <= self._now() - idle.since <= MAX_IDLE_SECONDS and not idle.watch.poll(0)

    def _connect(self) -> tuple[socket.socket, select.poll]:
        deadline = time.monotonic() + self._connect_seconds
        connection = self._connect_to_any(deadline)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls is not None:
                connection.settimeout(_remaining(deadline))
                connection = self._tls.wrap_socket(connection, server_hostname=self.endpoint.host)
            connection.settimeout(self._read_seconds)
        except BaseException:
            connection.close()
            raise
        watch = select.poll()
        watch.register(connection, select.POLLIN)
        return connection, watch

    def _connect_to_any(self, deadline: float) -> socket.socket:
        """Connect to the first address of the host that answers; each has its share of the time."""
        addresses = socket.getaddrinfo(self.endpoint.host, self.endpoint.port, type=socket.SOCK_STREAM)
        failure = OSError("the host has no address")
        for untried, (*_, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            one = (str(address[0]), self.endpoint.port)
            try:
                return socket.create_connection(one, _remaining(deadline) / untried)
            except OSError as error:
                failure = error
        raise failure

    def _exchange(self, connection: socket.socket, request: bytes) -> Response:
        deadline = time.monotonic() + self._read_seconds
        connection.sendall(request)
        received = connection.recv(CHUNK_BYTES)
        while (end := received.find(b"\r\n\r\n")) < 0:
            if len(received) > MAX_HEAD_BYTES:
                raise NoAnswer("the head of the answer does not end")
            received += self._receive_more(connection, deadline)
        status, headers = _head(received[:end])
        length = _length(headers)
        body = received[end + 4 :]
        while len(body) < length:
            body += self._receive_more(connection, deadline)
        if len(body) > length:
            raise NoAnswer("more than one answer")
        return Response(status, headers, body)

    def _receive_more(self, connection: socket.socket, deadline: float) -> bytes:
        connection.settimeout(_remaining(deadline))
        data = connection.recv(CHUNK_BYTES)
        connection.settimeout(self._read_seconds)
        if not data:
            raise NoAnswer("the connection was closed")
        return data


def _remaining(deadline: float) -> float:
    """Return the seconds left until this moment of the monotonic clock."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise NoAnswer("it took too long")
    return left


@cache
def _system_authorities() -> ssl.SSLContext:
    """Load the system's authorities once for all transports: it takes much longer than a request."""
    return ssl.create_default_context()


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if version != "HTTP/1.1" or not (status.isdecimal() and len(status) == len("200")):
        raise NoAnswer("not an answer of HTTP/1.1")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(status), headers


def _length(headers: Mapping[str, str]) -> int:
    """Return the stated length of the body, which these services always state."""
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdecimal()) or "transfer-encoding" in headers:
        raise NoAnswer("an answer without a length")
    if int(length) > MAX_BODY_BYTES:
        raise NoAnswer("an answer that is too long")
    return int(length)
