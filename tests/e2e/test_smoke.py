"""`make smoke URL=…`."""

import os
import subprocess
import sys

import httpx
import pytest

from dev import ROOT, smoke
from dev.local_service import LocalService
from dev.servers import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def run(url: str) -> subprocess.CompletedProcess[str]:
    """Run it as make does."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "URL": url}
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
