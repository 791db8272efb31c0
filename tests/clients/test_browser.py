"""The JavaScript client in a real browser: what CORS lets a page read, and the names that a tab keeps."""

import functools
import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page

from dev import ROOT
from dev.tools.servers import free_port
from tests.support.browser import installed_browser
from tests.support.loopback import LOOPBACK, LoopbackServer, Pages

pytestmark = pytest.mark.e2e

CLIENT: Final = ROOT / "clients" / "js"
RETRY_AFTER_SECONDS: Final = 7

# The outcome of a start, and of a list: the error's own words.
PLAY: Final = """
async ([url, patienceMs]) => {
  const { StreamLimiter } = await import("/index.js");
  const limiter = new StreamLimiter({ url, token: "token", random: () => 1, patienceMs });
  const { status, code, retryAfterMs } = await limiter.stream().start().then(() => ({}), (error) => error);
  return { status, code, retryAfterMs };
}
"""

# The name under which this page plays, on a service that admits every start.
NAME: Final = """
async () => {
  const { StreamLimiter } = await import("/index.js");
  const hold = { expiresInSeconds: 90, heartbeatSeconds: 30 };
  const limiter = new StreamLimiter({ fetch: async () => new Response(JSON.stringify(hold)) });
  globalThis.stream = limiter.stream();
  await stream.start();
  return stream.streamId;
}
"""


def configured(name: str) -> list[str]:
    """Return a list of the API's CORS configuration, as Terraform has it."""
    found = re.search(rf"^ +{name} += (\[.*\])$", (ROOT / "terraform" / "api.tf").read_text(), re.MULTILINE)
    assert found is not None, f"no {name}"
    return list(json.loads(found[1]))


class Gateway(BaseHTTPRequestHandler):
    """API Gateway, whose documentation promises CORS headers for preflights and for answers of functions.

    Its own refusals have none here, because none are promised.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
    """

    protocol_version = "HTTP/1.1"
    requests: list[str]
    admits: bool

    def do_OPTIONS(self) -> None:
        """Answer a preflight."""
        self._answer(204, by_function=True, body={})

    def do_HEAD(self) -> None:
        """Answer as for a method that no route has."""
        self._answer(404, by_function=False, body={"message": "Not Found"})

    def do_POST(self) -> None:
        """Refuse the token before any function runs, or answer as a function whose store is unavailable."""
        self.rfile.read(int(self.headers["content-length"]))
        if self.admits:
            problem = {"code": "store_unavailable", "detail": "away"}
            self._answer(503, by_function=True, body=problem, retry_after=RETRY_AFTER_SECONDS)
        else:
            self._answer(401, by_function=False, body={"message": "Unauthorized"})

    def _answer(self, status: int, *, by_function: bool, body: Any, retry_after: int | None = None) -> None:
        self.requests.append(self.command)
        text = b"" if self.command in {"HEAD", "OPTIONS"} else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        if retry_after is not None:
            self.send_header("retry-after", str(retry_after))
        if by_function:
            self.send_header("access-control-allow-origin", self.headers["origin"])
            for kind in ("allow_methods", "allow_headers", "expose_headers"):
                self.send_header(f"access-control-{kind.replace('_', '-')}", ",".join(configured(kind)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium of this machine."""
    with installed_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page that may load the client."""
    with LoopbackServer(functools.partial(Pages, directory=CLIENT)) as pages:
        page = browser.new_page()
        page.goto(pages.url)
        yield page
        page.close()


def gateway(*, admits: bool) -> type[Gateway]:
    """Yield a gateway that accepts every token, or none; `requests` has the methods of its requests."""
    return type("Configured", (Gateway,), {"admits": admits, "requests": []})


def test_a_401_without_cors_headers_is_given_up_early(page: Page) -> None:
    """A hidden 401 is tried three times, not five as an unavailable network, and the error says why."""
    refusing = gateway(admits=False)
    with LoopbackServer(refusing) as server:
        failed = page.evaluate(PLAY, [server.url, 15_000])
    assert (failed["status"], failed["code"]) == (0, "answer_hidden")
    assert 1 <= refusing.requests.count("POST") <= 3


def test_an_unavailable_network_is_not_reported_as_a_hidden_answer(page: Page) -> None:
    """An unavailable network, where no server answers, is not reported as a hidden answer."""
    failed = page.evaluate(PLAY, [f"http://{LOOPBACK}:{free_port()}", 1_000])
    assert (failed["status"], failed["code"]) == (0, None)


def test_a_page_of_another_origin_can_read_retry_after(page: Page) -> None:
    """`Retry-After` is among the headers that Terraform lets pages read."""
    with LoopbackServer(gateway(admits=True)) as server:
        failed = page.evaluate(PLAY, [server.url, 1_000])
    expected = {"status": 503, "code": "store_unavailable", "retryAfterMs": 1000 * RETRY_AFTER_SECONDS}
    assert failed == expected


def test_a_reloaded_page_keeps_its_name_and_a_duplicated_tab_does_not(page: Page) -> None:
    """A duplicate has a copy of the tab's storage, and both pages keep their names over further reloads."""
    name = page.evaluate(NAME)
    with page.expect_popup() as opening:
        page.evaluate("void open(location.href)")  # as a duplicate does, it begins with a copy of the storage
    duplicate = opening.value
    assert duplicate.evaluate("sessionStorage.length") == 1
    other = duplicate.evaluate(NAME)
    assert other != name
    for tab, its_name in ((page, name), (duplicate, other), (page, name)):
        tab.reload()
        assert tab.evaluate(NAME) == its_name
    duplicate.close()


def test_a_crashed_page_frees_its_name(page: Page) -> None:
    """The end of a crashed page frees its name, without any message."""
    name = page.evaluate(NAME)
    page.evaluate("stream.abandon()")  # it releases nothing
    page.reload()
    assert page.evaluate(NAME) == name
