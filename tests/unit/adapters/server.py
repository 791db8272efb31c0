"""A server on loopback with scripted behaviour for each connection."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

from adapters.aws.http_transport import HttpTransport, Response
from adapters.aws.timeouts import Timeouts

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
TIMEOUTS = Timeouts(connect_seconds=0.5, read_seconds=0.3)
Serve = Callable[[socket.socket], None]
"""A server's behaviour on one connection."""


def answering(*chunks: bytes) -> Serve:
    """Read one request, then send these pieces, each in a packet of its own."""

    def serve(connection: socket.socket) -> None:
        if connection.recv(65536):
            for chunk in chunks:
                connection.sendall(chunk)

    return serve


class Server:
    """A server on loopback that handles its connections one after the other, as scripted.

    Args:
        serves: handles each connection before it is closed; the last one also handles all that follow.
        tls: its certificate; without one it speaks plain HTTP.

    Attributes:
        connections: the number of connections so far.
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


Start = Callable[..., Server]
TransportTo = Callable[..., HttpTransport]


def post(transport: HttpTransport) -> Response:
    """Make one exchange."""
    return transport.post({"Host": "dynamodb.invalid"}, b"{}")
