"""The examples in the clients' READMEs run unchanged against the running service."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Final

import httpx
import pytest

from dev.local.local_service import LocalService
from tests.clients.installed import (
    GUIDE,
    blocks,
    examples,
    java_client,
    java_program,
    javascript_client,
    python_client,
)
from tests.support.commands import skip_or_fail, succeed

pytestmark = pytest.mark.e2e

OTHER_STREAM: Final = {"userId": "1", "streamId": "other", "device": "another's"}
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

JAVA: Final = """
class Example {
    public static void main(String[] args) throws Exception {
        java.util.concurrent.atomic.AtomicInteger plays = new java.util.concurrent.atomic.AtomicInteger();
        Screen.Video video = new Screen.Video() {
            public void play() { System.out.println("plays"); plays.incrementAndGet(); }
            public void pause() { System.out.println("pauses"); }
        };
        java.util.concurrent.ExecutorService mainThread =
            java.util.concurrent.Executors.newSingleThreadExecutor();
        Screen screen = new Screen(() -> "token", null, mainThread, video);
        StreamLimiter limiter = StreamLimiter.at("https://api.example.com").build();
        mainThread.submit(screen::play).get();
        while (limiter.streams("1").size() < 2) Thread.sleep(20);
        while (screen.stream.state() != Stream.State.ADMITTED) Thread.sleep(20);
        mainThread.submit(() -> screen.stream.startInBackground("other", null)).get();
        while (limiter.streams("1").size() > 1) Thread.sleep(20);
        while (plays.get() < 2) Thread.sleep(20);  // the list is one stream shorter before its answer arrives
        mainThread.submit(screen::stop).get();
        while (!limiter.streams("1").isEmpty()) Thread.sleep(20);
        mainThread.shutdown();
    }
}
"""


@pytest.fixture
def service() -> Iterator[LocalService]:
    """Yield a service on which another stream is live already."""
    with LocalService() as service:
        assert httpx.post(f"{service.url}/stream/start", json=OTHER_STREAM).is_success
        yield service


def run(command: list[str], script: Path, text: str, service: LocalService) -> str:
    """Run a script of this text against the service; return its output."""
    script.write_text(text.replace("https://api.example.com", service.url), encoding="utf-8")
    return succeed(*command, script, seconds=60)


def test_the_javascript_example(service: LocalService, tmp_path: Path) -> None:
    """The example plays once, takes over the other stream's slot, and leaves no stream behind."""
    node = shutil.which("node")
    if node is None:
        skip_or_fail("Node is not installed (20 or later): the JavaScript client needs it.")
    javascript_client(tmp_path)
    _, example = examples("js", "js")  # the first one needs a player
    imports, _, rest = example.partition("\n")
    assert run([node], tmp_path / "example.mjs", f"{imports}\n{JAVASCRIPT}{rest}", service) == "plays\n"
    assert httpx.get(f"{service.url}/stream", params={"userId": "1"}).json()["streamCount"] == 0


def python_examples() -> str:
    """Return a script of the two examples, after each other."""
    threads, tasks, _ = examples("python", "python")  # tests/e2e/test_attacks.py signs by the third one
    statements, _, block = tasks.partition("\n\n")
    main = f"async def main():\n{indent(block, '    ')}\nasyncio.run(main())\n"
    return f"{PYTHON}{threads}\n{statements}\n{main}"


def test_the_python_examples(service: LocalService, tmp_path: Path) -> None:
    """Each example takes a slot and gives it back, and the other stream stays."""
    python_client(tmp_path)
    assert run([sys.executable], tmp_path / "example.py", python_examples(), service) == ""
    streams = httpx.get(f"{service.url}/stream", params={"userId": "1"}).json()["streams"]
    assert [stream["device"] for stream in streams] == ["another's"]


def test_the_python_examples_report_a_failed_start(service: LocalService, tmp_path: Path) -> None:
    """Each example catches the error of a start that fails or is refused, and prints a notice."""
    python_client(tmp_path)
    failing = python_examples().replace("https://api.example.com", f"{service.url}/no/such/path")
    failed = run([sys.executable], tmp_path / "failed.py", failing, service)
    assert failed == "Try again later: Not Found\n" * 2

    for stream_id in ("second", "third"):
        httpx.post(f"{service.url}/stream/start", json=OTHER_STREAM | {"streamId": stream_id})
    refused = run([sys.executable], tmp_path / "refused.py", python_examples(), service)
    assert refused.splitlines() == [str([OTHER_STREAM["device"]] * 3)] * 2


def test_the_java_example(service: LocalService, tmp_path: Path) -> None:
    """The example plays, takes over the other stream's slot, and leaves no stream behind."""
    (example,) = examples("java", "java")
    text = (example + JAVA).replace("https://api.example.com", service.url)
    source = tmp_path / "Example.java"
    # The service here has no token that names the user.
    source.write_text(
        text.replace("new StreamOptions()", 'new StreamOptions().userId("1")'), encoding="utf-8"
    )
    program = java_program(tmp_path, java_client(tmp_path), source)
    output = succeed(*program, "Example", seconds=60).split()
    assert output == ["plays", "plays", "pauses"]
    assert httpx.get(f"{service.url}/stream", params={"userId": "1"}).json()["streamCount"] == 0


def test_the_guides_python_example(service: LocalService, tmp_path: Path) -> None:
    """The example holds a slot for as long as its block runs."""
    python_client(tmp_path)
    (example,) = blocks(GUIDE, "python")
    once = example.replace("...", "print(stream.playback_token is None); break")
    script = f"from stream_limiter_client import StreamLimiter\n{once}"
    assert run([sys.executable], tmp_path / "guide.py", script, service) == "False\n"


def test_the_guides_takeover_example(service: LocalService, tmp_path: Path) -> None:
    """The example takes over the other screen's slot, and shows why a start has failed."""
    node = shutil.which("node")
    if node is None:
        skip_or_fail("Node is not installed (20 or later): the JavaScript client needs it.")
    javascript_client(tmp_path)
    (example,) = (block for block in blocks(GUIDE, "js") if "watchHere" in block)
    script = f"""import {{ StreamLimiter }} from "stream-limiter-client";
const limiter = new StreamLimiter({{ url: "https://api.example.com" }});
const stream = limiter.stream({{ userId: "1", device: "here" }});
const showNotice = (text) => console.log(text);
{example}
await watchHere("other");
console.log(stream.state);
await watchHere("not a name!");
process.exit();
"""
    shown = run([node], tmp_path / "guide.mjs", script, service).splitlines()
    assert shown[0] == "admitted"
    assert shown[1].startswith("replaces ")
    streams = httpx.get(f"{service.url}/stream", params={"userId": "1"}).json()["streams"]
    assert [stream["device"] for stream in streams] == ["here"]
