"""The rule of API Gateway that the emulator lacks: an authorizer that a route refers to cannot be deleted."""

import http.client
import json
import re
from http.server import BaseHTTPRequestHandler
from typing import Final

from tests.support.loopback import LOOPBACK, LoopbackServer
from tests.support.service import client_of

AUTHORIZER: Final = re.compile(r"/v2/apis/(\w+)/authorizers/(\w+)")
UPSTREAM_TIMEOUT_SECONDS: Final = 30


class StrictGateway(LoopbackServer):
    """A proxy for calls about APIs, which refuses the deletions that AWS refuses; a context manager.

    AWS answers such a deletion with 409, which the provider repeats for half an hour. The answer here is 400,
    which the provider takes as final.

    Args:
        upstream_port: where the emulator listens on loopback.

    Attributes:
        deleted: the authorizers that were deleted.
    """

    def __init__(self, upstream_port: int) -> None:
        self.deleted: list[str] = []
        super().__init__(_handler(self, upstream_port))


def _handler(gateway: StrictGateway, upstream_port: int) -> type[BaseHTTPRequestHandler]:
    apis = client_of(f"http://{LOOPBACK}:{upstream_port}", "apigatewayv2")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_DELETE(self) -> None:
            if found := AUTHORIZER.fullmatch(self.path):
                api, authorizer = found.groups()
                routes = apis.get_routes(ApiId=api)["Items"]
                if held := [one["RouteKey"] for one in routes if one.get("AuthorizerId") == authorizer]:
                    message = f"Cannot delete authorizer {authorizer}, is referenced in route: {held[0]}"
                    self._answer(400, json.dumps({"message": message}).encode())
                    return
                gateway.deleted.append(authorizer)
            self._pass()

        def do_GET(self) -> None:
            self._pass()

        do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815 - the names that http.server looks for

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            upstream = http.client.HTTPConnection(LOOPBACK, upstream_port, timeout=UPSTREAM_TIMEOUT_SECONDS)
            try:
                upstream.request(self.command, self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                self._answer(answer.status, answer.read())
            finally:
                upstream.close()

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status != http.client.NO_CONTENT:
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
