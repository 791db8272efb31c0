"""LocalStack itself, as `make test-localstack` starts it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import ROOT
from dev.emulators.localstack import start_localstack, unavailable
from dev.emulators.ministack import Emulator, marker
from tests.support.commands import skip_or_fail
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
def localstack() -> Iterator[Emulator]:
    """Yield a LocalStack with its DynamoDB, which is a process of its own, running."""
    if reason := unavailable():
        skip_or_fail(reason)
    with start_localstack() as started:
        assert client_of(started.endpoint_url, "dynamodb").list_tables()["TableNames"] == []
        yield started


def processes_of(directory: Path) -> list[str]:
    """Return the command lines of all processes of a LocalStack."""
    ps = subprocess.run(["ps", "-A", "-ww", "-o", "args="], check=True, capture_output=True, text=True)
    return [line for line in ps.stdout.splitlines() if marker(directory) in line]


def test_it_listens_on_loopback_only(localstack: Emulator) -> None:
    """A server on every address answers on loopback's second one, and LocalStack does not."""
    with socket.socket() as first, socket.socket() as second:
        assert first.connect_ex(("127.0.0.1", localstack.port)) == 0
        assert second.connect_ex(("127.0.0.2", localstack.port)) != 0


@pytest.mark.parametrize("how", [None, signal.SIGKILL], ids=["stopped", "killed before"])
def test_a_kill_leaves_no_process_and_no_file(localstack: Emulator, how: signal.Signals | None) -> None:
    """Not even the Java process beneath it, which leaves its process group, survives a kill."""
    assert len(processes_of(localstack.directory)) == 2
    if how:
        os.kill(localstack.pid, how)

    localstack.stop()

    assert processes_of(localstack.directory) == []
    assert not localstack.directory.exists()


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_without_java_the_suites_are_skipped_with_a_message(tmp_path: Path, ci: str, code: int) -> None:
    """Without Java the suites are skipped with one line, which continuous integration treats as a failure."""
    run = subprocess.run(
        [sys.executable, "-m", "dev.emulators.localstack", "no-such-command"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "PYTHONPATH": "src:.", "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (code, "")
    assert run.stderr == "DynamoDB Local: Java is not installed. Nothing was tested over LocalStack.\n"
