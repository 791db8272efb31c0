"""A browser, and the page of `make run` in it."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from dev import ROOT
from dev.local.local_service import LocalService
from tests.support.browser import installed_browser
from tests.support.commands import skip_or_fail

HLS: Final = ROOT / "dev" / "local" / "page" / "node_modules" / "hls.js"
REFUSAL: Final = "Failed to load resource: the server responded with a status of "


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium of this machine, for pages with a player in them."""
    if not HLS.exists():
        skip_or_fail("hls.js is not installed: `make run` fetches it with npm.")
    with installed_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, service: LocalService, user_id: str) -> Iterator[Page]:
    """Return the page of a household of its own; its scripts must not fail, nor call any other host.

    The console may have no error either, except for the refusals that belong to the story.
    """
    page = browser.new_page()
    failures: list[str] = []
    urls: set[str] = set()
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: urls.add(request.url))
    page.goto(f"{service.url}/?user={user_id}")
    yield page
    page.close()
    assert [text for text in failures if not text.startswith((f"{REFUSAL}403", f"{REFUSAL}410"))] == []
    assert {urlsplit(url.removeprefix("blob:")).netloc for url in urls} == {urlsplit(service.url).netloc}
