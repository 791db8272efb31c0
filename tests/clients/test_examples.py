"""The examples in the clients' READMEs run as they stand, against the running service."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Final

import httpx
import pytest

from dev.local_service import LocalService
from tests.clients.installed import examples, javascript_client, python_client
from tests.support import skip_or_fail, succeed

pytestmark = pytest.mark.e2e

SOMEBODY: Final = {"userId": "1", "streamId": "other", "device": "somebody's"}
JAVASCRIPT: Final = """
const session = { accessToken: () => "token" };
const video = {
  paused: true,
  play: () => { video.paused = false; console.log("plays"); },
  pause: () => { video.paused = true; console.log("paused"); },
};
const showWhoIsWatching = () => {};
const showNotice = (text) => console.log(text);
const otherStreamId = "other";
"""
PYTHON: Final = """
import asyncio

access_token = "token"

class player:
    turns = iter([True, True, False])
    plays = staticmethod(lambda: next(player.turns))
    pause = resume = stop = staticmethod(lambda: None)
"""


@pytest.fixture
def service() -> Iterator[LocalService]:
    """A service on which somebody watches already."""
    with LocalService() as service:
        assert httpx.post(f"{service.url}/stream/start", json=SOMEBODY).is_success
        yield service


def run(command: list[str], script: Path, text: str, service: LocalService) -> str:
    """Run a script of this text against the service; gives what it prints."""
    script.write_text(text.replace("https://api.example.com", service.url), encoding="utf-8")
    return succeed(*command, script, seconds=60)


def test_the_javascript_example(service: LocalService, tmp_path: Path) -> None:
    """It plays once, takes over the other stream's slot, and ends: nobody is left."""
    node = shutil.which("node")
    if node is None:
        skip_or_fail("Node is not installed (20 or later): the JavaScript client needs it.")
    javascript_client(tmp_path)
    _, example = examples("js", "js")  # the first one needs a player
    imports, _, rest = example.partition("\n")
    assert run([node], tmp_path / "example.mjs", f"{imports}\n{JAVASCRIPT}{rest}", service) == "plays\n"
    assert httpx.get(f"{service.url}/stream", params={"userId": "1"}).json()["streamCount"] == 0


def test_the_python_examples(service: LocalService, tmp_path: Path) -> None:
    """Each takes a slot and gives it back; the one who was there stays."""
    python_client(tmp_path)
    threads, tasks, _ = examples("python", "python")  # tests/e2e/test_attacks.py signs by the third one
    statements, _, block = tasks.partition("\n\n")
    both = f"{threads}\n{statements}\nasync def main():\n{indent(block, '    ')}\nasyncio.run(main())\n"
    assert run([sys.executable], tmp_path / "example.py", PYTHON + both, service) == ""
    streams = httpx.get(f"{service.url}/stream", params={"userId": "1"}).json()["streams"]
    assert [stream["device"] for stream in streams] == ["somebody's"]
