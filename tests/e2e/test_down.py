"""`make down` where the emulator cannot delete what it holds."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final

import pytest

from dev.emulators import local_stage
from dev.emulators.local_stage import LocalStage
from dev.local import stack
from dev.local.stack import ATTEMPTS, down
from dev.operate.stage import StackError
from dev.tools.terraform import Stack, TerraformError
from tests.e2e.support.deployment import need_the_tools
from tests.support.loopback import LoopbackServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CALLER: Final = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::000000000000:root</Arn><UserId>test</UserId><Account>000000000000</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


@contextmanager
def broken_emulator() -> Iterator[tuple[int, list[str]]]:
    """Yield an emulator that seems healthy and answers calls about functions with a 500; and those calls."""
    calls: list[str] = []

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/_localstack/health":
                self.answer(200, "{}")
            else:
                calls.append(self.path)
                self.answer(500, '{"__type": "InternalError"}')

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, CALLER)

        def answer(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with LoopbackServer(Broken) as server:
        yield server.port, calls


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder as `make up` leaves it, with the state of one function that could not start."""
    states = tmp_path / ".state"
    states.mkdir()
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    monkeypatch.setattr(stack, "STATES", states)
    monkeypatch.setattr(local_stage, "STATES", states)
    monkeypatch.setattr(local_stage, "RECORD", states / "local.json")
    name = "stream-limiter-local-start"
    function = {
        "mode": "managed",
        "type": "aws_lambda_function",
        "name": "route",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [
            {
                "index_key": "start",
                "status": "tainted",
                "schema_version": 0,
                "attributes": {"id": name, "function_name": name},
            }
        ],
    }
    state = {"version": 4, "terraform_version": "1.9.0", "serial": 1, "lineage": "a", "resources": [function]}
    (states / "local.tfstate").write_text(json.dumps(state))
    return states


def test_down_gives_up_on_an_emulator_that_cannot_delete(recorded: Path) -> None:
    """After a few attempts `make down` gives up with the way out, and keeps its records for another try."""
    need_the_tools()
    with broken_emulator() as (port, calls):
        LocalStage(port, emulator=None).write()

        with pytest.raises(StackError, match=f"port {port} keeps the rest: stop it") as refusal:
            down()

    assert "InternalError" in str(refusal.value)
    assert len(calls) == ATTEMPTS, calls
    assert (recorded / "local.json").exists()
    down()
    assert list(recorded.iterdir()) == []


def test_a_waiting_destroy_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted destroy lets Terraform save its state, and passes its output on."""
    terraform = tmp_path / "terraform"
    terraform.write_text(
        """#!/bin/sh
case "$2" in
  output) echo '{}' ;;
  destroy) trap 'echo waiting for the function; exit 1' INT; while :; do sleep 0.1; done ;;
esac
"""
    )
    terraform.chmod(0o755)
    monkeypatch.setenv("TERRAFORM", str(terraform))
    waiting = Stack(tmp_path, tmp_path / "state", "local", quiet=True)

    with pytest.raises(TerraformError, match=r"took longer than 1 seconds\.\nwaiting for the function"):
        waiting.destroy(timeout_seconds=1)
