"""`make smoke URL=…`."""

import os
import subprocess
import sys

import pytest

from dev.local_service import ROOT, LocalService
from dev.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def smoke(url: str) -> subprocess.CompletedProcess[str]:
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
    """Start, heartbeat, list and end are answered, with a slash after the URL or without."""
    with LocalService() as service:
        for url in (service.url, f"{service.url}/"):
            done = smoke(url)
            assert (done.returncode, done.stdout) == (0, "It works.\n")


def test_a_service_that_refuses_everybody_fails() -> None:
    """The call that failed is named, with its answer."""
    with LocalService({"MAX_STREAMS": "0"}) as service:
        done = smoke(service.url)

    assert done.returncode == 1
    assert "POST /stream/start answered 403" in done.stderr


def test_a_service_that_is_not_there_fails() -> None:
    """Whoever deployed sees one line, and no stack."""
    done = smoke(f"http://127.0.0.1:{free_port()}")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
