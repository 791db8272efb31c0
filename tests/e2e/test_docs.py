"""`make docs`: the site is built, and drawn in a browser."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from dev import ROOT
from dev.generate import openapi
from dev.generate.docs import MKDOCS, PORT, SITE
from dev.local.local_service import LocalService
from dev.tools.servers import free_port
from tests.support.browser import installed_browser
from tests.support.commands import skip_or_fail, succeed
from tests.support.loopback import LoopbackServer, Pages

CLIENTS = sorted(readme.parent.name for readme in ROOT.glob("clients/*/README.md"))

DOCS: Final = ROOT / "docs"
PAGES: Final = [
    "404.html",
    *(f"clients/{client}.html" for client in CLIENTS),
    *(page.with_suffix(".html").name for page in sorted(DOCS.glob("*.md"))),
    "adr/index.html",
    "adr/0001-hexagonal-core.html",  # the other decisions look like it
]
OF_EVERY_KIND: Final = {"index.html", "api-reference.html", "configuration.html"}
EVERY_PAGE: Final = [
    page if page in OF_EVERY_KIND else pytest.param(page, marks=pytest.mark.long) for page in PAGES
]
"""All of them take minutes."""
LOOKS: Final[dict[Literal["light", "dark"], str]] = {"light": "default", "dark": "slate"}
"""The theme's names for a system's colours."""
GRAVE: Final = ("serious", "critical")
DESK: Final[ViewportSize] = {"width": 1280, "height": 800}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def built() -> str:
    """Return the output of `make docs` for a strict build: a broken link fails it."""
    if not MKDOCS.exists():
        skip_or_fail("MkDocs is not installed: `make docs` installs it.")
    if shutil.which("npm") is None:
        skip_or_fail("npm is not installed: it fetches the diagrams' script.")
    return succeed("make", "docs")


@pytest.fixture(scope="module")
def site(built: str) -> Path:
    """Return the site."""
    assert built
    return SITE


def test_the_site_requests_nothing_from_another_host(site: Path) -> None:
    """The site's scripts, styles, pictures and frames are its own."""
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
    """Each README's page has its title, and the navigation leads to it."""
    readme = (ROOT / "clients" / client / "README.md").read_text(encoding="utf-8")
    title = readme.partition("\n")[0].removeprefix("# ")
    page = (site / "clients" / f"{client}.html").read_text(encoding="utf-8")
    assert re.search(rf"<h1[^>]*>{re.escape(title)}<", page)
    assert f'href="clients/{client}.html"' in (site / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Return the address where the site is served."""
    with LoopbackServer(partial(Pages, directory=site)) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium of this machine."""
    with installed_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return an empty page."""
    page = browser.new_page()
    yield page
    page.close()


def described_paths() -> list[str]:
    """Return the path of each operation of the API's description, in the order of its tags."""
    description = openapi.description()
    return [
        path
        for tag in description["tags"]
        for path, operations in description["paths"].items()
        for operation in operations.values()
        if tag["name"] in operation["tags"]
    ]


def test_the_site_is_drawn_in_a_browser(page: Page, address: str) -> None:
    """The browser draws the description, with each of its operations by tag, and a lease's diagram."""
    page.goto(f"{address}/api-reference.html")
    operations = page.frame_locator("iframe").locator(".opblock-summary-path")
    expect(operations).to_have_text(described_paths())
    page.goto(f"{address}/leases.html")
    expect(page.locator("div.mermaid")).to_be_visible()


def test_the_site_calls_make_run(page: Page, address: str) -> None:
    """The button *Try it out* starts a stream on another port, whose answer the browser may read."""
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


def test_the_first_printed_address_is_served(built: str) -> None:
    """The command beside the address serves the whole site; a file works too, except for API calls."""
    served, file = built.splitlines()[-2:]
    found = re.fullmatch(rf"http://localhost:{PORT} shows it: (python3 -m http\.server .* {PORT})", served)
    assert found
    assert file.startswith(f"file://{SITE}/index.html ")
    port = str(free_port())
    command = found[1].removesuffix(str(PORT)) + port
    with subprocess.Popen(command.split(), cwd=ROOT, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    answer = httpx.get(f"http://localhost:{port}/api-reference.html")
                    break
                except httpx.TransportError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
        finally:
            server.terminate()
    assert answer.status_code == 200


def test_the_home_page_explains_the_project(page: Page, address: str) -> None:
    """The home page has a sentence between its name and the picture; the quick start is a separate page."""
    page.goto(address)
    expect(page.locator("h1")).to_have_text(re.compile("^stream-limiter"))
    expect(page.locator("article p").first).to_contain_text(
        "No subscriber watches on more than N screens at once."
    )
    expect(page.get_by_role("img", name="Four screens")).to_be_visible()
    page.get_by_role("link", name="Quick start").first.click()
    expect(page.locator("h1")).to_have_text(re.compile("^Quick start"))


def test_there_are_five_sections(page: Page, address: str) -> None:
    """Beside the home page there are five sections, each with no more entries than a reader sees at once."""
    page.set_viewport_size(DESK)
    page.goto(address)
    tabs = page.locator(".md-tabs__link")
    expect(tabs).to_have_text(["Home", "Start", "Guides", "Reference", "Reasons", "Project"])
    for section in tabs.all_inner_texts()[1:]:
        tabs.filter(has_text=re.compile(rf"^\s*{section}\s*$")).click()
        expect(page.locator(".md-tabs__item--active")).to_have_text(section)
        assert 1 < page.locator(".md-nav--primary .md-nav__item--active .md-nav__item:visible").count() < 10


def test_the_site_has_a_logo_and_links_its_repository(page: Page, address: str) -> None:
    """On a desktop the header has both the logo and the link to the repository."""
    page.set_viewport_size(DESK)
    page.goto(address)
    logo = page.locator(".md-header__button.md-logo img")
    expect(logo).to_be_visible()
    assert logo.evaluate("image => image.naturalWidth") > 0
    repository = page.locator(".md-header__source").get_by_role("link")
    named = re.search(r"^repo_url: (\S+)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert named
    expect(repository).to_have_attribute("href", named[1])


def test_the_search_finds_a_page(page: Page, address: str) -> None:
    """The search finds a page by a word of its text."""
    page.set_viewport_size(DESK)
    page.goto(address)
    page.get_by_placeholder("Search").press_sequentially("evening curve")
    expect(page.locator(".md-search-result__link").first).to_contain_text("Scaling")


def test_the_colours_follow_the_system_and_the_reader(page: Page, address: str) -> None:
    """The site is dark if the system is, until the reader chooses otherwise; plots follow."""
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}/scaling.html")
    body, plot = page.locator("body"), page.get_by_role("img", name="capacity by number of viewers")
    expect(body).to_have_attribute("data-md-color-scheme", "slate")
    expect(plot).to_have_css("filter", re.compile(r"^invert\(0\.88\)"))
    page.get_by_title("Switch to light colours").click()
    expect(body).to_have_attribute("data-md-color-scheme", "default")
    expect(plot).to_have_css("filter", "none")
    page.get_by_title("Switch to dark colours").click()
    expect(body).to_have_attribute("data-md-color-scheme", "slate")


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_the_site_is_accessible(browser: Browser, address: str, path: str) -> None:
    """On a desktop axe-core reports nothing serious, by day or night, and each table fits its page."""
    for scheme, look in LOOKS.items():
        with browser.new_page(color_scheme=scheme, viewport=DESK) as page:
            page.goto(f"{address}/{path}")
            expect(page.locator("body")).to_have_attribute("data-md-color-scheme", look)
            found = Axe().run(page, options={"resultTypes": ["violations"]})
            assert [each for each in found.response["violations"] if each["impact"] in GRAVE] == []
            tables = page.locator(".md-typeset__scrollwrap")
            expect(tables).to_have_count(page.locator("article table:not([class])").count())
            assert not any(tables.evaluate_all("all => all.map(each => each.scrollWidth > each.clientWidth)"))
            assert page.evaluate("document.documentElement.scrollWidth") <= DESK["width"]
