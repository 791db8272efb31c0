"""The household of the page that `make run` serves, and its tests' actions on the screens."""

from typing import Final

from playwright.sync_api import Locator, Page, expect

SETTINGS: Final = {"LEASE_SECONDS": "4", "HEARTBEAT_SECONDS": "1", "GRACE_SECONDS": "1"}
DEVICES: Final = ("Television", "Laptop", "Tablet", "Phone")
TAKEN: Final = "Every slot is taken"


def screen(page: Page, device: str) -> Locator:
    """Return one of the screens."""
    return page.get_by_role("article", name=device)


def press(page: Page, action: str, device: str) -> None:
    """Press a button of a screen."""
    page.get_by_role("button", name=f"{action}: {device}").click()


def video(page: Page, device: str) -> Locator:
    """Return the video of a screen."""
    return screen(page, device).locator("video")


HD: Final = 384
UHD: Final = 768
"""The width of the film in each quality, in pixels."""


def wait_for_film(page: Page, device: str, width: int = HD) -> None:
    """Wait until another second of the film has been shown on a screen, in this quality."""
    element = video(page, device).element_handle()
    start = element.evaluate("video => video.currentTime") if element else 0
    page.wait_for_function("([video, start]) => video.currentTime > start + 1", arg=[element, start])
    assert video(page, device).evaluate("video => video.videoWidth") == width


def assert_no_film(page: Page, device: str) -> None:
    """Check that no picture is loaded on a screen."""
    assert video(page, device).evaluate("video => video.readyState") == 0


def start_all(page: Page) -> None:
    """Start three screens, and a fourth, which is refused."""
    for device in DEVICES:
        press(page, "Play", device)
        expect(screen(page, device)).to_contain_text(TAKEN if device == "Phone" else "Playing")


def slots_taken(page: Page, count: int) -> None:
    """Check that the page shows this number of slots."""
    expect(page.get_by_text(f"{count} of 3 slots taken")).to_be_visible()
