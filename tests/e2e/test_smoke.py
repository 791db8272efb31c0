"""`make smoke URL=…`."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

import httpx
import pytest

from dev import ROOT
from dev.emulators.issuer import unsigned
from dev.local.local_service import LocalService
from dev.operate import smoke
from dev.tools.servers import free_port
from tests.support.loopback import LoopbackServer

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
        [sys.executable, "-m", "dev.operate.smoke"],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_a_working_service_passes() -> None:
    """A working service passes, with a slash after the URL or without."""
    with LocalService() as service:
        for url in (service.url, f"{service.url}/"):
            done = run(url)
            assert (done.returncode, done.stdout) == (0, "It works.\n")


def test_each_route_is_called() -> None:
    """The routes are called in the order of a stream's life, so that nothing is left of it."""
    requests: list[str] = []

    def note(request: httpx.Request) -> httpx.Request:
        requests.append(f"{request.method} {request.url.path}")
        return request

    with LocalService() as service:
        smoke.smoke(service.url, sign=note)

    assert requests == ["POST /stream/start", "POST /stream/heartbeat", "GET /stream", "POST /stream/end"]


@pytest.mark.parametrize(
    ("settings", "started", "refusal"),
    [
        ({"MAX_STREAMS": "0"}, 0, "This user may not watch any stream."),
        ({"MAX_STREAMS": "0", "ON_LIMIT": "evict_oldest"}, 0, "This user may not watch any stream."),
        ({"MAX_STREAMS": "1"}, 1, "The maximum of 1 simultaneous stream is reached."),
        ({"MAX_STREAMS": "3"}, 3, "The maximum of 3 simultaneous streams is reached."),
        ({"TOKEN_OVERLAP": "1"}, -4, "Too many streams were started in a short time. Try again in "),
    ],
    ids=["no streams allowed", "nor by eviction", "one stream", "all of three", "too many names"],
)
def test_a_correct_refusal_passes(settings: dict[str, str], started: int, refusal: str) -> None:
    """A user without a free slot, or (below zero: of ended streams) a free name, does not fail the check."""
    with LocalService(settings) as service:
        for number in range(abs(started)):
            stream = {"userId": smoke.USER, "streamId": f"tv-{number}"}
            assert httpx.post(f"{service.url}/stream/start", json=stream).is_success
            if started < 0:
                assert httpx.post(f"{service.url}/stream/end", json=stream).is_success
        done = run(service.url)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"It works, and correctly refuses another stream: {refusal}")


def test_a_full_user_passes_in_shadow_mode() -> None:
    """In shadow mode the stream above the limit is admitted, kept, listed and ended."""
    with LocalService({"MAX_STREAMS": "0", "ENFORCEMENT": "shadow"}) as service:
        assert run(service.url).stdout == "It works.\n"


REFUSED: Final = {
    "code": "limit_reached",
    "detail": "The maximum is reached.",
    "streamCount": 3,
    "maxStreams": 3,
}
Answers = Mapping[str, tuple[int, dict[str, Any]]]
REFUSING: Final[Answers] = {
    "start": (403, REFUSED),
    "heartbeat": (410, {"code": "stream_gone"}),
    "stream": (200, {"streams": []}),
    "end": (200, {"ended": False}),
}
"""The answer of each route where the user has no slot left."""


def check(
    monkeypatch: pytest.MonkeyPatch, answers: Answers, token: str | None = None
) -> tuple[str | None, list[httpx.Request]]:
    """Check a service that refuses, except for these answers; return the check's result and its requests."""
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        status, body = {**REFUSING, **answers}[request.url.path.rpartition("/")[2]]
        return httpx.Response(status, json=body)

    client = partial(httpx.Client, transport=httpx.MockTransport(answer))
    monkeypatch.setattr(httpx, "Client", client)
    monkeypatch.setattr(secrets, "token_hex", lambda _: "1")
    return smoke.smoke("http://service", token=token), requests


def test_a_correct_refusal_matches_the_other_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """All four routes are called: the heartbeat is gone, the list empty, and the end finds no stream."""
    refusal, requests = check(monkeypatch, {})
    assert refusal == "The maximum is reached."
    assert len(requests) == len(REFUSING)


def test_with_a_token_no_other_user_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a token the check names no other user, and so never causes a 403 `other_user`."""
    _, requests = check(monkeypatch, {}, token="e30.e30.")
    assert not any(b"userId" in request.content or b"userId" in request.url.query for request in requests)


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": (403, REFUSED | {"streamCount": 2})},
        {"start": (403, REFUSED | {"code": "no_active_stream"})},
        {"start": (403, {"code": "invalid_subject", "detail": "…"})},
        {"start": (403, {"message": "Forbidden"})},
        {"heartbeat": (200, {})},
        {"heartbeat": (403, REFUSED)},
        {"stream": (200, {"streams": [{"streamId": "smoke-1"}]})},
        {"stream": (503, {})},
        {"end": (200, {"ended": True})},
        {"end": (500, {})},
    ],
    ids=[
        "a slot is free",
        "another code",
        "every token is refused",
        "API Gateway refuses every caller",
        "the refused stream is kept",
        "a heartbeat is refused",
        "the refused stream is listed",
        "no list",
        "the refused stream had a slot",
        "no end",
    ],
)
def test_a_wrong_refusal_fails(wrong: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal with contradictory figures fails, as does a right one beside another wrong answer."""
    with pytest.raises(smoke.SmokeError):
        check(monkeypatch, wrong)


def test_an_unavailable_service_fails() -> None:
    """An unavailable service fails with one line, and no stack."""
    done = run(f"http://127.0.0.1:{free_port()}")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


class Rejects(BaseHTTPRequestHandler):
    """A server that answers everything with the status that the URL begins with, as API Gateway does."""

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
        """Print nothing."""


@pytest.fixture(scope="module")
def rejecting() -> Iterator[str]:
    """Yield an API that rejects every call; the status follows its URL."""
    with LoopbackServer(Rejects) as server:
        yield server.url


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
def test_an_unsupported_kind_of_token_is_explained(token: str, reason: str, rejecting: str) -> None:
    """The explanation uses the token's header: every token of that issuer would get a 401."""
    done = run(f"{rejecting}/401", TOKEN=f"{token}.c2lnbmVk")

    assert done.returncode == 1
    assert "POST /401/stream/start answered 401" in done.stderr
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_supported_token_gets_api_gateways_reason(rejecting: str) -> None:
    """For a token that is signed as required, API Gateway's own reason is shown and nothing is guessed."""
    done = run(f"{rejecting}/401", TOKEN=f"{unsigned({}, alg='RS256', kid='1')}.c2lnbmVk")

    rejection = 'POST /401/stream/start answered 401: {"message":"Unauthorized"}'
    assert done.stderr == f"It does not work: {rejection} ({CHALLENGE})\n"


def test_another_refusal_does_not_blame_the_token(rejecting: str) -> None:
    """A 403 does not mean a rejected token, whatever its header holds."""
    done = run(f"{rejecting}/403", TOKEN=f"{unsigned({}, alg='ES256')}.c2lnbmVk")

    assert (
        done.stderr == 'It does not work: POST /403/stream/start answered 403: {"message":"Unauthorized"}\n'
    )
