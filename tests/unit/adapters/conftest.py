"""Servers, and transports to them, that are closed in the end."""

import contextlib
import ssl
from collections.abc import Iterator

import pytest

from adapters.aws.http_transport import Endpoint, HttpTransport
from tests.unit.adapters.server import TIMEOUTS, Serve, Server, Start, TransportTo


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers, and close them in the end."""
    with contextlib.ExitStack() as stack:

        def start(*serves: Serve, tls: ssl.SSLContext | None = None) -> Server:
            server = Server(*serves, tls=tls)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def transport_to() -> Iterator[TransportTo]:
    """Make transports to a server, and close them in the end."""
    with contextlib.ExitStack() as stack:

        def make(
            server: Server, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
        ) -> HttpTransport:
            transport = HttpTransport(Endpoint(host, server.port, tls is not None), TIMEOUTS, tls=tls)
            stack.callback(transport.close)
            return transport

        yield make
