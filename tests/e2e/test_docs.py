"""`make docs`: the site is built, and drawn in a browser."""

import re
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect

from dev import ROOT
from dev.browser import MISSING, chromium, find
from dev.docs import MKDOCS, SITE
from dev.local_service import LocalService
from tests.support import skip_or_fail, succeed

CLIENTS = sorted(readme.parent.name for readme in ROOT.glob("clients/*/README.md"))

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def site() -> Path:
    """The site, built strictly: a link to a page or a heading that is not there fails it."""
    if not MKDOCS.exists():
        skip_or_fail("MkDocs is not installed: `make docs` installs it.")
    if shutil.which("npm") is None:
        skip_or_fail("npm is not installed: it fetches the diagrams' script.")
    succeed("make", "docs")
    return SITE


def test_the_site_asks_nothing_of_another_host(site: Path) -> None:
    """Its scripts, styles, pictures and frames are its own."""
    html = "".join(page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
    assert (
        re.findall(
            r"<(?:script|img|iframe|link rel=.stylesheet.)[^>]*(?:src|href)=.(https?://[^\"' ]+)", html
        )
        == []
    )
    assert 'class="mermaid"' in html
    assert "swagger-ui" in html


@pytest.mark.parametrize("client", CLIENTS)
def test_the_readme_of_each_client_is_a_page(site: Path, client: str) -> None:
    """It has the README's title, and the navigation leads to it."""
    readme = (ROOT / "clients" / client / "README.md").read_text(encoding="utf-8")
    title = readme.partition("\n")[0].removeprefix("# ")
    page = (site / "clients" / f"{client}.html").read_text(encoding="utf-8")
    assert re.search(rf"<h1[^>]*>{re.escape(title)}<", page)
    assert f'href="clients/{client}.html"' in (site / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=site)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium that is installed on this machine."""
    path = find()
    if path is None:
        skip_or_fail(MISSING)
    with chromium(path) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page."""
    page = browser.new_page()
    yield page
    page.close()


def test_the_site_is_drawn_in_a_browser(page: Page, address: str) -> None:
    """The description with its six routes, and the diagram of a lease."""
    page.goto(f"{address}/api-reference.html")
    operations = page.frame_locator("iframe").locator(".opblock-summary-path")
    expect(operations).to_have_text(
        [
            *("/stream/start", "/stream/heartbeat", "/stream/end", "/stream"),
            *("/operator/streams", "/operator/streams"),
        ]
    )
    page.goto(f"{address}/leases.html")
    expect(page.locator("div.mermaid")).to_be_visible()


def test_the_site_calls_make_run(page: Page, address: str) -> None:
    """Its button *Try it out* starts a stream on another port, whose answer the browser lets it read."""
    with LocalService() as service:
        page.goto(f"{address}/api-reference.html")
        reference = page.frame_locator("iframe")
        reference.locator(".servers input[type=text]").fill(str(service.port))
        start = reference.locator(".opblock", has_text="/stream/start")
        start.locator(".opblock-summary").click()
        start.get_by_role("button", name="Try it out").click()
        start.locator("textarea").fill('{"userId": "1", "streamId": "tv-1"}')
        start.get_by_role("button", name="Execute").click()
        answer = start.locator(".live-responses-table .response").first
        expect(answer).to_contain_text("200")
        expect(answer).to_contain_text('"maxStreams": 3')
