"""`make docs`: the site is built, and drawn in a browser."""

import re
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import expect

from dev import ROOT
from dev.browser import MISSING, chromium, find
from dev.docs import MKDOCS, SITE
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


def test_the_site_is_drawn_in_a_browser(address: str) -> None:
    """The description with its four routes, and the diagram of a lease."""
    path = find()
    if path is None:
        skip_or_fail(MISSING)
    with chromium(path) as browser:
        page = browser.new_page()
        page.goto(f"{address}/api-reference.html")
        operations = page.frame_locator("iframe").locator(".opblock-summary-path")
        expect(operations).to_have_text(["/stream/start", "/stream/heartbeat", "/stream/end", "/stream"])
        page.goto(f"{address}/leases.html")
        expect(page.locator("div.mermaid")).to_be_visible()
