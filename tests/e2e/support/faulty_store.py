"""DynamoDB behind a proxy that answers in its place when a test says so: throttled, failing or slow."""

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Final

from tests.support.loopback import LOOPBACK, LoopbackServer

ERRORS: Final = {
    "throttled": (400, "ProvisionedThroughputExceededException"),
    "failing": (500, "InternalServerError"),
}
UPSTREAM_TIMEOUT_SECONDS: Final = 10


class FaultyStore(LoopbackServer):
    """A proxy that passes requests to a store on loopback until it is set to fail; a context manager.

    Args:
        upstream_port: the store's port.

    Attributes:
        trouble: the kind of answer in the store's place; None passes requests on.
        seconds: the shortest time of each answer.
        answered: the number of requests that were answered so, by the kind of trouble.
    """

    def __init__(self, upstream_port: int) -> None:
        self.trouble: str | None = None
        self.seconds = 0.0
        self.answered = dict.fromkeys(ERRORS, 0)
        self._lock = threading.Lock()
        super().__init__(_handler(self, upstream_port))

    def count(self, trouble: str) -> None:
        """Count a request that was answered in the store's place."""
        with self._lock:
            self.answered[trouble] += 1


def _handler(store: FaultyStore, upstream_port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            trouble = store.trouble
            if trouble is not None:
                store.count(trouble)  # before the caller gives up
            time.sleep(store.seconds)
            if trouble is None:
                self._pass(body)
                return
            status, code = ERRORS[trouble]
            self._answer(status, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}).encode())

        def _pass(self, body: bytes) -> None:
            upstream = http.client.HTTPConnection(LOOPBACK, upstream_port, timeout=UPSTREAM_TIMEOUT_SECONDS)
            try:
                upstream.request("POST", self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                self._answer(answer.status, answer.read(), request_id=answer.headers["x-amzn-requestid"])
            finally:
                upstream.close()

        def _answer(self, status: int, body: bytes, request_id: str | None = None) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(body)))
            if request_id:
                self.send_header("x-amzn-requestid", request_id)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
