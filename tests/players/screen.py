"""A screen with one of the players, as its viewer uses it and as it appears from outside."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route

from tests.edge.tokens import TOKEN_HEADER

LEASE_SECONDS: Final = 5
"""The length of a brief lease, which some tests outlast: a busy machine delays a heartbeat by less."""
GRACE_SECONDS: Final = 1
SETTINGS: Final = {
    "MAX_STREAMS": "1",
    "LEASE_SECONDS": "120",  # no test outlasts it
    "HEARTBEAT_SECONDS": "1",
    "GRACE_SECONDS": str(GRACE_SECONDS),
    "GROUP_PATHS": "",  # each quality is for everyone
}
BRIEF_LEASES: Final = {"LEASE_SECONDS": str(LEASE_SECONDS)}

EPISODE: Final = "demo/index.m3u8"
"""The next film, as far as a player knows; the first one is there in both qualities."""
SEGMENT_SECONDS: Final = 2
HD: Final = 216
UHD: Final = 432
"""The heights of the qualities, in pixels."""

SLOWEST: Final = 0.0625
"""The lowest rate at which Chromium plays."""

RIVAL: Final = "rival"
API: Final = re.compile(r"/(stream(/|$)|heartbeat-url$)")
CALL: Final = re.compile(r"/stream/(start|end)$")
CDN: Final = re.compile(r"/cdn/.*\.(m3u8|mp4)")
TOKEN_QUERY: Final = re.compile(r"[?&]CAT=[\w-]+")
TOKEN_COOKIE: Final = re.compile(r"\bCAT=[\w-]+")

REFUSED: Final = re.compile("status of (403|410)")
CUT_OFF: Final = re.compile("net::ERR_(FAILED|INTERNET_DISCONNECTED|NETWORK_CHANGED|NETWORK_IO_SUSPENDED)")


@dataclass(frozen=True)
class Rival:
    """Another screen of the same user."""

    service: str
    user_id: str

    def start(self, replaces: str | None = None) -> None:
        """Start its stream, and check that it is admitted."""
        self._call("start", {"replaces": replaces} if replaces else {})

    def end(self) -> None:
        """End it."""
        self._call("end", {})

    def _call(self, action: str, more: Mapping[str, str]) -> None:
        body = {"userId": self.user_id, "streamId": RIVAL, **more}
        httpx.post(f"{self.service}/stream/{action}", json=body).raise_for_status()


@dataclass
class Screen:
    """A page with a player."""

    page: Page
    service: str
    user_id: str
    calls: list[str] = field(default_factory=list)
    """The starts and ends that it has requested."""
    requests: list[Request] = field(default_factory=list)
    """Its requests for video."""
    answered: list[Request] = field(default_factory=list)
    """The requests that were answered before the page aborted them."""
    errors: list[str] = field(default_factory=list)

    def do(self, script: str, argument: Any = None) -> Any:
        """Evaluate a script that begins with a member of `player`; in it, `given` is the argument."""
        return self.page.evaluate(f"given => player.{script}", argument)

    def play(self) -> None:
        """Press play."""
        self.do("play()")

    def pause(self) -> None:
        """Press pause."""
        self.do("pause()")

    def seek(self, seconds: float) -> None:
        """Seek to another place of the film."""
        self.do("seek(given)", seconds)

    def reload(self) -> None:
        """Reload the page."""
        self.page.reload()
        self.page.wait_for_function("globalThis.player")

    @property
    def events(self) -> list[str]:
        """Return the stream's events since the page was loaded."""
        return list(self.do("events"))

    @property
    def stream_id(self) -> str:
        """Return the name of the stream."""
        return str(self.do("stream.streamId"))

    @property
    def position(self) -> float:
        """Return the position in the film, in seconds."""
        return float(self.do("video.currentTime"))

    def wait_for_event(self, kind: str) -> None:
        """Wait until the stream's last event is this one."""
        self.page.wait_for_function("kind => player.events.at(-1) === kind", arg=kind)

    def wait_for_film(self, height: int | None = None) -> None:
        """Wait until another half second of the film has been shown, in this quality."""
        self.page.wait_for_function(
            """([height, from]) => {
                const { currentTime, videoHeight } = player.video;
                return currentTime > from + 0.5 && videoHeight === (height ?? videoHeight);
            }""",
            arg=[height, self.position],
        )

    def assert_paused(self) -> None:
        """Check that the film stands still, and that its player shows so."""
        self.page.wait_for_function("player.video.paused")
        position = self.position
        self.page.wait_for_timeout(500)
        assert (self.do("video.paused"), self.position) == (True, position)

    @property
    def streams(self) -> list[str]:
        """Return the names of the user's streams."""
        listed = httpx.get(f"{self.service}/stream", params={"userId": self.user_id}).json()
        return [stream["streamId"] for stream in listed["streams"]]

    def wait_for_streams(self, names: list[str]) -> None:
        """Wait until the user has these streams."""
        for _ in range(50):
            if self.streams == names:
                return
            self.page.wait_for_timeout(100)
        assert self.streams == names

    @property
    def token_names(self) -> list[str]:
        """Return the names of the streams that the user's tokens were given to."""
        item = httpx.get(f"{self.service}/page/item", params={"userId": self.user_id}).json()
        return list(item["tokens"])

    def note_request(self, request: Request) -> None:
        """Record a request."""
        if CDN.search(request.url):
            self.requests.append(request)
        elif call := CALL.search(request.url):
            self.calls.append(call[1])

    def note_message(self, message: ConsoleMessage) -> None:
        """Record an error, except for the browser's own lines about refusals and an unavailable network."""
        is_probe = message.location["url"] == f"{self.service}/stream"  # HEAD, which no route takes
        is_expected = is_probe or REFUSED.search(message.text) or CUT_OFF.search(message.text)
        if message.type == "error" and not is_expected:
            self.errors.append(message.text)

    def block_api(self) -> None:
        """Let no call of the service through."""
        self.page.route(API, lambda route: route.abort())

    def unblock_api(self) -> None:
        """Let all calls through again."""
        self.page.unroute(API)

    def expire_once(self, seconds: int) -> list[Request]:
        """Let the edge refuse one request for the segment at this place, because its token has expired.

        Return the refused requests. The page aborted all but the last of them before they were answered.
        """
        refused: list[Request] = []

        def refuse(route: Route) -> None:
            if any(request in self.answered for request in refused):
                route.continue_()
                return
            refused.append(route.request)
            origin = route.request.headers.get("origin", "*")
            headers = {
                "x-playback": "expired",
                "access-control-allow-origin": origin,
                "access-control-allow-credentials": "true",
                "access-control-expose-headers": "x-playback",
            }
            route.fulfill(status=403, headers=headers)

        segment = f"{seconds // SEGMENT_SECONDS:02}"
        self.page.route(re.compile(rf"/cdn/.*/{segment}\.mp4"), refuse)
        return refused

    def sleep(self, seconds: float) -> None:
        """Let the laptop sleep: none of the page's threads runs, and the time passes.

        A film's clock stops while a laptop sleeps, but not in a stopped process, so the film is slowed down.
        """
        self.do("video.playbackRate = given", SLOWEST)
        browser = self.page.context.browser
        assert browser is not None
        processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
        renderers = [process["id"] for process in processes if process["type"] == "renderer"]
        for renderer in renderers:
            os.kill(renderer, signal.SIGSTOP)
        time.sleep(seconds)
        for renderer in renderers:
            os.kill(renderer, signal.SIGCONT)
        self.do("video.playbackRate = given", 1)


def asking(**options: Any) -> pytest.MarkDecorator:
    """Attach the player of a test with these options."""
    return pytest.mark.parametrize("screen", [options], indirect=True, ids=str)


@contextmanager
def opened(
    browser: Browser, url: str, service: str, user_id: str, options: Mapping[str, Any]
) -> Iterator[Screen]:
    """Open the page of a player, whose call of `attach` has these options, in a window of its own.

    Afterwards, check that no script has failed, that the console has shown no error outside the scenario, and
    that each request for video had a token.
    """
    with browser.new_context() as context:
        page = context.new_page()
        screen = Screen(page, service, user_id)
        page.on("pageerror", lambda error: screen.errors.append(f"uncaught: {error}"))
        page.on("console", screen.note_message)
        page.on("request", screen.note_request)
        page.on("response", lambda response: screen.answered.append(response.request))
        query = urlencode({"service": service, "user": user_id, "options": json.dumps(options)})
        page.goto(f"{url}?{query}")
        page.wait_for_function("globalThis.player")
        yield screen
        assert not screen.errors, screen.errors
        by_cookie = options.get("tokenIn", "cookie" if url.endswith("/video.html") else None) == "cookie"
        # The browser shows no cookies of a request that the page aborted before its answer.
        shown = screen.answered if by_cookie else screen.requests
        unsigned = [
            request.url for request in screen.requests if request in shown and not _has_token(request)
        ]
        assert not unsigned, unsigned


def _has_token(request: Request) -> bool:
    headers = request.all_headers()
    return (
        TOKEN_HEADER in headers
        or TOKEN_QUERY.search(request.url) is not None
        or TOKEN_COOKIE.search(headers.get("cookie", "")) is not None
    )
