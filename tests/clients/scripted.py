"""A service with scripted answers, to test a client's reactions."""

import contextlib
import json
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar, Final, Self

from tests.support.loopback import LoopbackServer

TIMEOUT_SECONDS: Final = 20


@dataclass
class Answer:
    """An answer to one request; one that is held back waits for its release."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.released.set()

    def withheld(self) -> Self:
        """Return this answer, to be sent when `released` is set."""
        self.released.clear()
        return self

    @property
    def content(self) -> bytes:
        """The answer's bytes: a body that is not bytes is written as JSON."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    path: str
    body: Any
    authorization: str | None
    connection: object


class ScriptedService(LoopbackServer):
    """A service on loopback; the last answer of its script repeats for all later requests."""

    def __init__(self) -> None:
        self._script: list[Answer] = []
        self._requests: queue.Queue[Request] = queue.Queue()
        self._lock = threading.Lock()
        super().__init__(self._handler())

    def answers(self, *script: Answer) -> None:
        """Answer with these from now on, one after the other."""
        with self._lock:
            self._script = list(script)

    def next_request(self) -> Request:
        """Wait for the next request."""
        return self._requests.get(timeout=TIMEOUT_SECONDS)

    def is_idle(self) -> bool:
        """Return whether every request was read."""
        return self._requests.empty()

    def _next(self) -> Answer:
        with self._lock:
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm: ClassVar[bool] = True

            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def _answer(self, body: Any) -> None:
                answer = service._next()
                service._requests.put(
                    Request(self.path, body, self.headers["authorization"], self.connection)
                )
                answer.released.wait(TIMEOUT_SECONDS)
                self.send_response(answer.status)
                for name, value in {"content-length": str(len(answer.content)), **answer.headers}.items():
                    self.send_header(name, value)
                with contextlib.suppress(OSError):  # the client may be gone, or read no further
                    self.end_headers()
                    self.wfile.write(answer.content)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        return Handler
