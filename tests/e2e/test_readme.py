"""The README's commands do what the README says."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

from dev.local_service import LocalService
from tests.support import skip_or_fail

pytestmark = pytest.mark.e2e

ROOT: Final = Path(__file__).parents[2]


def commands() -> list[str]:
    """Each line of each block of shell."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_each_curl_is_answered() -> None:
    """In the README's order; where a line says what comes back, that comes back."""
    if shutil.which("curl") is None:
        skip_or_fail("curl is not installed.")
    curls = [line for line in commands() if line.startswith("curl ")]
    assert len(curls) > 5
    with LocalService() as service:
        for line in curls:
            words = shlex.split(line.replace("http://localhost:3000", service.url), comments=True)
            run = subprocess.run(
                [*words, "--silent", "--noproxy", "*", "--write-out", "\n%{http_code}"],
                capture_output=True,
                text=True,
                check=True,
            )
            body, status = run.stdout.rsplit("\n", 1)
            assert status == "200", (line, body)
            if promised := re.search(r"# 200 (\{.*\})$", line):
                assert json.loads(body) == json.loads(promised[1])


def test_make_run() -> None:
    """With the short leases that the README proposes, until it is interrupted."""
    run = subprocess.Popen(
        ["make", "run", "LEASE_SECONDS=15", "PORT=0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert run.stdout
    with run.stdout as output:
        assert any(line.startswith("ready http://localhost:") for line in output)
        os.killpg(run.pid, signal.SIGINT)
        output.read()
    assert run.wait(15) in {0, 2, -signal.SIGINT}  # make's own ways to say that it was interrupted
