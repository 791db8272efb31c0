"""A TCP proxy on loopback, for a store that can become unavailable and come back."""

import contextlib
import socket
import threading
from typing import Literal, Self

LOOPBACK = "127.0.0.1"


class Proxy:
    """A proxy that passes connections to a store until it is stopped.

    Args:
        upstream_port: the store's port on loopback.
    """

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._mode: Literal["pass", "hang"] = "pass"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def hang(self) -> None:
        """Accept requests from now on, and never answer."""
        self._mode = "hang"
        self._drop_connections()

    def refuse(self) -> None:
        """Refuse connections from now on."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._drop_connections()

    def resume(self) -> None:
        """Pass connections again."""
        self._mode = "pass"
        self._drop_connections()
        if self._listener.fileno() < 0:
            self._listener = self._listen(self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.refuse()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen()
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed: no connection is accepted any more
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        if self._mode == "hang":
            self._pump(client, None)
            return
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self._upstream_port)) as store:
            threading.Thread(target=self._pump, args=(store, client), daemon=True).start()
            self._pump(client, store)

    def _pump(self, source: socket.socket, sink: socket.socket | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if sink is not None:
                    sink.sendall(data)

    def _drop_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()
            self._open.clear()
