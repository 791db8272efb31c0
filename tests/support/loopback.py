"""A server on loopback, for as long as a test needs one."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

LOOPBACK: Final = "127.0.0.1"
_POLL_SECONDS: Final = 0.02
"""The interval at which a server looks for its end, so leaving it takes as long."""


class LoopbackServer:
    """A server that answers requests by a handler, on a free port; a context manager.

    Args:
        handler: makes the object that answers a connection.
        host: the name of this machine in its address.
    """

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], host: str = LOOPBACK) -> None:
        self._host = host
        self._server = ThreadingHTTPServer((host, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True)

    @property
    def port(self) -> int:
        """The server's port."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """The server's address, which is an origin."""
        return f"http://{self._host}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Pages(SimpleHTTPRequestHandler):
    """The files of a folder, such as the client's modules, at an origin of their own."""

    def log_message(self, *_: Any) -> None:
        """Print nothing."""
