"""The snippets of docs/integrate.md, each unchanged in a page with its player, on the running service."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route

from dev.local.local_service import LocalService
from tests.clients.installed import GUIDE, blocks
from tests.edge.tokens import TOKEN_HEADER
from tests.players.screen import CDN, EPISODE, TOKEN_COOKIE

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ENTRIES: Final = ("hls", "shaka", "videojs", "video")
IMPORT: Final = re.compile(r'"stream-limiter-client(?:/(\w+))?"')


@dataclass(frozen=True)
class Around:
    """The parts of a page around the guide's lines."""

    scripts: str
    before: str
    after: str


AROUND: Final = {
    "hls": Around(
        "",
        'import Hls from "/node_modules/hls.js/dist/hls.mjs"; const hls = new Hls(); hls.attachMedia(video);',
        "hls.loadSource(url); play();",
    ),
    "shaka": Around(
        '<script src="/node_modules/shaka-player/dist/shaka-player.compiled.js"></script>',
        "const player = new shaka.Player(); await player.attach(video);",
        "await player.load(url); play();",
    ),
    "videojs": Around(
        '<script src="/node_modules/video.js/dist/video.js"></script>',
        "const player = videojs(video);",
        'player.src({ src: url, type: "application/x-mpegurl" }); player.play()?.catch(() => {});',
    ),
    "video": Around("", "", "video.src = url; play();"),
}


def snippet(entry: str) -> str:
    """Return the lines that connect this player to the service."""
    (lines,) = (block for block in blocks(GUIDE, "js") if f'"stream-limiter-client/{entry}"' in block)
    return lines


@pytest.mark.parametrize("entry", ENTRIES)
def test_five_lines_connect_a_player(entry: str) -> None:
    """The guide's lines for a player are five, with one statement each."""
    lines = [line.partition(" // ")[0] for line in snippet(entry).splitlines() if line]

    assert len(lines) == 5
    assert all(line.count(";") == 1 and line.endswith(";") for line in lines)


def page_with(entry: str, service: str, user_id: str) -> str:
    """Return a page with the guide's lines, for this service, which has no login."""
    around = AROUND[entry]
    lines = (
        IMPORT.sub(
            lambda found: f'"/client/{"index" if found[1] is None else f"players/{found[1]}"}.js"',
            snippet(entry),
        )
        .replace("https://api.example.com", service)
        .replace("example.com", "localhost")
        .replace("stream({ device", f'stream({{ userId: "{user_id}", device')
    )
    return f"""<!doctype html>
<title>{entry}</title>
<link rel="icon" href="data:," />
<video muted width="384"></video>
{around.scripts}
<script type="module">
  const video = document.querySelector("video");
  const url = "{service}/cdn/{EPISODE}";
  const session = {{ accessToken: () => "token" }};
  const play = () => video.play().catch(() => {{}});
  const showWhoIsWatching = (streams) => (document.title = `watching: ${{streams.map((one) => one.device)}}`);
  {around.before}
  {lines}
  globalThis.stream = stream;
  {around.after}
</script>"""


@pytest.fixture(params=ENTRIES)
def html(request: pytest.FixtureRequest, service: LocalService, user_id: str) -> str:
    """Return a page that is written by the guide."""
    return page_with(request.param, service.url, user_id)


@pytest.fixture
def page(browser: Browser, origin: str) -> Iterator[Page]:
    """Return an empty page of another origin than the service, whose content may come from elsewhere."""
    page = browser.new_page()
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    page.goto(f"{origin}/package.json")
    yield page
    page.close()


def test_the_guides_five_lines_play_the_film_behind_the_edge(page: Page, html: str) -> None:
    """The guide's lines play the film behind the edge, which would refuse any request without a token."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    signed: list[bool] = []

    def record(route: Route) -> None:
        headers = route.request.all_headers()
        signed.append(TOKEN_HEADER in headers or bool(TOKEN_COOKIE.search(headers.get("cookie", ""))))
        route.continue_()

    page.route(CDN, record)
    page.set_content(html)
    page.wait_for_function("document.querySelector('video').currentTime > 1")
    assert (set(signed), errors) == ({True}, [])


def test_the_guides_five_lines_list_the_streams(
    page: Page, html: str, service: LocalService, user_id: str
) -> None:
    """The guide's lines show the list of streams while the film waits for its slot."""
    rival = {"userId": user_id, "streamId": "tv", "device": "Television"}
    httpx.post(f"{service.url}/stream/start", json=rival).raise_for_status()
    page.set_content(html)
    page.wait_for_function("document.title === 'watching: Television'")
    assert page.evaluate("document.querySelector('video').currentTime") == 0
