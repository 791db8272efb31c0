"""`make picture`: the README's picture of the page, docs/page.png, taken from the page itself."""

import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, ViewportSize

from dev import ROOT
from dev.local.local_service import LocalService
from dev.tools.browser import MISSING, chromium, find
from dev.tools.command import words

PICTURE: Final = ROOT / "docs" / "page.png"
DEVICES: Final = ("Television", "Laptop", "Tablet", "Phone")
APART_MS: Final = 3_000
"""Offsets, so that the screens show different seconds of the film."""
SIZE: Final[ViewportSize] = {"width": 1280, "height": 850}


def draw(path: str, file: Path) -> None:
    """Take the picture of two screens that play, one that has crashed, and one that is refused.

    The last one has played before, so that all four show progress in the film.
    """
    with LocalService({"LEASE_SECONDS": "15"}) as service, chromium(path) as browser:
        page = browser.new_page(viewport=SIZE)
        page.goto(service.url)
        *others, last = DEVICES
        _play(page, last)
        page.get_by_role("button", name=f"Stop: {last}").click()
        for device in others:
            _play(page, device)
        _play(page, last)
        page.get_by_role("button", name="Crash: Laptop").click()
        page.get_by_role("article", name="Laptop").get_by_text("11 s").wait_for()
        page.screenshot(path=file)


def _play(page: Page, device: str) -> None:
    page.get_by_role("button", name=f"Play: {device}").click()
    page.wait_for_timeout(APART_MS)


def main() -> int:
    """Draw the picture again."""
    path = find()
    if path is None:
        print(MISSING, file=sys.stderr)
        return 1
    draw(path, PICTURE)
    print(f"{PICTURE.relative_to(ROOT)} is drawn.")
    return 0


if __name__ == "__main__":
    words("picture", __doc__, {})
    sys.exit(main())
