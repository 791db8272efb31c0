"""`make smoke URL=…`."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import httpx
import pytest

from dev import ROOT, smoke
from dev.issuer import unsigned
from dev.local_service import LocalService
from dev.servers import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


CHALLENGE: Final = 'Bearer scope="" error="invalid_token" error_description="the token has expired"'
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html"""


def run(url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it as make does."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "URL": url,
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-m", "dev.smoke"],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_a_service_that_works_passes() -> None:
    """With a slash after the URL or without."""
    with LocalService() as service:
        for url in (service.url, f"{service.url}/"):
            done = run(url)
            assert (done.returncode, done.stdout) == (0, "It works.\n")


def test_each_route_is_asked() -> None:
    """In the order of a stream's life, so that nothing is left of it."""
    asked: list[str] = []

    def note(request: httpx.Request) -> httpx.Request:
        asked.append(f"{request.method} {request.url.path}")
        return request

    with LocalService() as service:
        smoke.smoke(service.url, sign=note)

    assert asked == ["POST /stream/start", "POST /stream/heartbeat", "GET /stream", "POST /stream/end"]


def test_a_service_that_refuses_everybody_fails() -> None:
    """The call that failed is named, with its answer."""
    with LocalService({"MAX_STREAMS": "0"}) as service:
        done = run(service.url)

    assert done.returncode == 1
    assert "POST /stream/start answered 403" in done.stderr


def test_a_service_that_is_not_there_fails() -> None:
    """Whoever deployed sees one line, and no stack."""
    done = run(f"http://127.0.0.1:{free_port()}")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


class Rejects(BaseHTTPRequestHandler):
    """Answers everything with the status that the URL begins with, as API Gateway does."""

    def do_POST(self) -> None:
        """Answer it."""
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"message":"Unauthorized"}'
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("content-length", str(len(body)))
        if self.path.startswith("/401"):
            self.send_header("www-authenticate", CHALLENGE)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep silent."""


@pytest.fixture(scope="module")
def rejecting() -> Iterator[str]:
    """An API that rejects every call; the status follows its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Rejects) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (
            unsigned({}, alg="ES256", kid="1"),
            "only RSA signatures, such as RS256, and the alg of TOKEN is ES256",
        ),
        (
            unsigned({}, alg="EdDSA", kid="1"),
            "only RSA signatures, such as RS256, and the alg of TOKEN is EdDSA",
        ),
        (unsigned({}, kid="1"), "only RSA signatures, such as RS256, and the alg of TOKEN is None"),
        (unsigned({}, alg="RS256"), "by the kid in a token's header, and TOKEN has none"),
        ("opaque", "TOKEN is not a JWT"),
        ("WzFd.e30", "TOKEN is not a JWT"),
    ],
)
def test_a_token_of_a_kind_that_is_never_taken_is_explained(token: str, reason: str, rejecting: str) -> None:
    """The token's header shows why every token of that issuer gets a 401."""
    done = run(f"{rejecting}/401", TOKEN=f"{token}.c2lnbmVk")

    assert done.returncode == 1
    assert "POST /401/stream/start answered 401" in done.stderr
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_token_of_the_right_kind_gets_the_reason_of_api_gateway(rejecting: str) -> None:
    """Nothing is guessed of a token that is signed as API Gateway wants it: its own reason is shown."""
    done = run(f"{rejecting}/401", TOKEN=f"{unsigned({}, alg='RS256', kid='1')}.c2lnbmVk")

    rejection = 'POST /401/stream/start answered 401: {"message":"Unauthorized"}'
    assert done.stderr == f"It does not work: {rejection} ({CHALLENGE})\n"


def test_another_refusal_is_not_blamed_on_the_token(rejecting: str) -> None:
    """A 403 is no rejected token, whatever its header holds."""
    done = run(f"{rejecting}/403", TOKEN=f"{unsigned({}, alg='ES256')}.c2lnbmVk")

    assert (
        done.stderr == 'It does not work: POST /403/stream/start answered 403: {"message":"Unauthorized"}\n'
    )
