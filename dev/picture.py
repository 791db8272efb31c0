"""`make picture`: the README's picture of the page, docs/page.png, out of the page itself."""

import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import ViewportSize

from dev import ROOT
from dev.browser import MISSING, chromium, find
from dev.local_service import LocalService

PICTURE: Final = ROOT / "docs" / "page.png"
DEVICES: Final = ("Television", "Laptop", "Tablet", "Phone")
SIZE: Final[ViewportSize] = {"width": 1280, "height": 850}


def draw(path: str, file: Path) -> None:
    """Play four screens, one too many, let one crash, and take the picture while its slot comes back."""
    with LocalService({"LEASE_SECONDS": "15"}) as service, chromium(path) as browser:
        page = browser.new_page(viewport=SIZE)
        page.goto(service.url)
        for device in DEVICES:
            page.get_by_role("button", name=f"Play: {device}").click()
            page.wait_for_timeout(700)  # so that they do not all show the same second
        page.get_by_role("button", name="Crash: Laptop").click()
        page.get_by_role("article", name="Laptop").get_by_text("9 s").wait_for()
        page.screenshot(path=file)


def main() -> int:
    """Draw it anew."""
    path = find()
    if path is None:
        print(MISSING, file=sys.stderr)
        return 1
    draw(path, PICTURE)
    print(f"{PICTURE.relative_to(ROOT)} is drawn.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
