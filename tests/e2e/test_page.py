"""The page that `make run` serves at `/`, in a real browser: the whole story of one household."""

import re
from collections.abc import Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from dev.local_service import LocalService
from tests.e2e.household import (
    DEVICES,
    SETTINGS,
    TAKEN,
    UHD,
    press,
    screen,
    slots_taken,
    start_all,
    wait_for_film,
)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    """A service with short leases."""
    with LocalService(SETTINGS) as service:
        yield service


def test_the_fourth_screen_is_refused_and_told_who_is_watching(page: Page) -> None:
    """It may stop any of the three there and watch here; the one that was stopped learns it and stops."""
    start_all(page)
    phone = screen(page, "Phone")
    holders = sorted(phone.get_by_role("listitem").all_inner_texts())
    assert holders == [f"{device}\nStop it there, watch here" for device in sorted(DEVICES[:3])]
    page.get_by_role("button", name="Stop it on Television, watch on Phone").click()
    expect(phone).to_contain_text("Playing")
    expect(screen(page, "Television")).to_contain_text("Stopped")
    slots_taken(page, 3)


def test_a_crashed_screens_slot_comes_back_when_its_lease_runs_out(page: Page) -> None:
    """The page counts down, and then another screen takes the slot."""
    start_all(page)
    press(page, "Crash", "Laptop")
    laptop = screen(page, "Laptop")
    expect(laptop).to_contain_text(re.compile(r"Its slot comes back in\s+\d s"))
    expect(laptop).to_contain_text("1 s")
    press(page, "Play", "Phone")
    expect(screen(page, "Phone")).to_contain_text(TAKEN)
    expect(laptop).to_contain_text("Its slot is free again", timeout=10_000)
    press(page, "Play", "Phone")
    expect(screen(page, "Phone")).to_contain_text("Playing")
    slots_taken(page, 3)


def test_a_crashed_screen_that_comes_back_in_time_has_its_slot_still(page: Page) -> None:
    """It is the same stream, and takes no second slot."""
    start_all(page)
    press(page, "Crash", "Tablet")
    press(page, "Come back", "Tablet")
    expect(screen(page, "Tablet")).to_contain_text("Playing")
    slots_taken(page, 3)


def test_the_store_is_seen_to_change(page: Page, user_id: str) -> None:
    """A start brings a lease into the user's item, and a pause takes it out."""
    item = page.get_by_role("region", name="The item in the store")
    press(page, "Play", "Laptop")
    expect(item.get_by_role("row", name="streamCount 1")).to_be_visible()
    expect(item).to_contain_text(user_id)
    expect(item).to_contain_text('"device": "Laptop"')
    press(page, "Pause", "Laptop")
    expect(item.get_by_role("row", name="streamCount 0")).to_be_visible()
    expect(item).not_to_contain_text("Laptop")


def test_screens_play_on_beyond_their_lease(page: Page) -> None:
    """Heartbeats keep the slots of those that play."""
    press(page, "Play", "Laptop")
    expect(screen(page, "Laptop")).to_contain_text("Playing")
    page.wait_for_timeout(7_000)  # longer than the lease and the grace
    expect(screen(page, "Laptop")).to_contain_text("Playing")
    wait_for_film(page, "Laptop")
    assert page.get_by_role("log").inner_text().count("admitted") == 1


def test_a_page_that_is_closed_gives_its_slots_back_at_once(
    browser: Browser, service: LocalService, user_id: str
) -> None:
    """By a request that outlives it, long before the leases are over."""
    page = browser.new_page()
    page.goto(f"{service.url}/?user={user_id}")
    press(page, "Play", "Laptop")
    slots_taken(page, 1)
    page.goto("about:blank")
    page.wait_for_timeout(500)
    listed = httpx.get(f"{service.url}/stream", params={"userId": user_id}).json()
    page.close()
    assert listed["streamCount"] == 0


def test_it_can_be_used_by_keyboard_alone(page: Page) -> None:
    """Tab reaches the households and a screen's buttons, Enter presses one, the focus stays on the screen."""
    for name in ("One limit", "A limit for UHD too"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(screen(page, "Television")).to_contain_text("Playing")
    expect(page.get_by_role("button", name="Pause: Television")).to_be_focused()
    page.keyboard.press("Enter")
    expect(screen(page, "Television")).to_contain_text("Paused")


def test_it_fits_a_phone(page: Page) -> None:
    """Nothing is cut off, and what is pressed is large enough for a thumb."""
    page.set_viewport_size({"width": 360, "height": 740})
    start_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    heights = [button.bounding_box() for button in page.get_by_role("button").all()]
    assert all(box is not None and box["height"] >= 44 for box in heights)


def assert_accessible(page: Page) -> None:
    """None of axe-core's rules is broken: names, roles, contrast, order of headings, and the like."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [1280, 360])
def test_everybody_can_use_it(page: Page, width: int) -> None:
    """Before the first press, and with a screen in each state; on a desk and on a phone."""
    page.set_viewport_size({"width": width, "height": 800})
    assert_accessible(page)
    start_all(page)
    page.get_by_role("button", name="Stop it on Television, watch on Phone").click()
    expect(screen(page, "Television")).to_contain_text("Stopped")
    press(page, "Play", "Television")
    expect(screen(page, "Television")).to_contain_text(TAKEN)
    press(page, "Crash", "Laptop")
    assert_accessible(page)
    press(page, "Watch anyway", "Television")  # as its last token allows, for as long as that is good
    press(page, "Block calls", "Tablet")
    expect(screen(page, "Television")).to_contain_text("The edge said 403", timeout=10_000)
    expect(screen(page, "Tablet")).to_contain_text("No more video", timeout=10_000)
    assert_accessible(page)


@pytest.fixture
def uhd_page(page: Page, service: LocalService, user_id: str) -> Page:
    """The page of a household whose plan is three screens, one of them in UHD."""
    page.goto(f"{service.url}/?plan=uhd&user={user_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("One plan: 3 screens, 1 in UHD")
    return page


def start_two_in_uhd(page: Page) -> None:
    """One plays, and the plan has no second one."""
    press(page, "Play in UHD", "Television")
    expect(screen(page, "Television")).to_contain_text("Playing in UHD")
    press(page, "Play in UHD", "Laptop")
    expect(screen(page, "Laptop")).to_contain_text("UHD is full")


def test_a_second_screen_in_uhd_is_refused_by_name_and_watches_in_hd_instead(uhd_page: Page) -> None:
    """Its refusal names UHD and who watches in it, which is not all that watch; in HD it has a film."""
    press(uhd_page, "Play in HD", "Phone")
    start_two_in_uhd(uhd_page)
    laptop = screen(uhd_page, "Laptop")
    expect(laptop).to_contain_text("The plan has 1 in UHD. Watching in UHD now:")
    assert laptop.get_by_role("listitem").all_inner_texts() == ["Television\nStop it there, watch here"]
    expect(uhd_page.get_by_role("log")).to_contain_text("1 simultaneous stream in the group uhd")
    press(uhd_page, "Watch in HD instead", "Laptop")
    expect(laptop).to_contain_text("Playing in HD")
    wait_for_film(uhd_page, "Laptop")
    wait_for_film(uhd_page, "Television", UHD)
    slots_taken(uhd_page, 3)
    expect(uhd_page.get_by_text("1 of 1 in UHD")).to_be_visible()


def test_a_screen_takes_over_the_place_in_uhd(uhd_page: Page) -> None:
    """The other one stops, and the count of the group is what it was."""
    start_two_in_uhd(uhd_page)
    uhd_page.get_by_role("button", name="Stop it on Television, watch on Laptop").click()
    expect(screen(uhd_page, "Laptop")).to_contain_text("Playing in UHD")
    expect(screen(uhd_page, "Television")).to_contain_text("Stopped")
    item = uhd_page.get_by_role("region", name="The item in the store")
    expect(item.get_by_role("row", name="group#uhd 1")).to_be_visible()


def test_a_screen_that_plays_changes_its_quality_and_keeps_its_slot(uhd_page: Page) -> None:
    """Under its name; a change that is refused leaves it as it is."""
    press(uhd_page, "Play in UHD", "Television")
    press(uhd_page, "Play in HD", "Tablet")
    rows = uhd_page.get_by_role("rowheader", name="stream#")
    expect(rows).to_have_count(2)
    names = sorted(rows.all_inner_texts())
    press(uhd_page, "Switch to UHD", "Tablet")
    expect(screen(uhd_page, "Tablet")).to_contain_text("The plan has 1 in UHD.")
    expect(screen(uhd_page, "Tablet")).to_contain_text("Playing in HD")
    press(uhd_page, "Switch to HD", "Television")
    expect(screen(uhd_page, "Television")).to_contain_text("Playing in HD")
    press(uhd_page, "Switch to UHD", "Tablet")
    expect(screen(uhd_page, "Tablet")).to_contain_text("Playing in UHD")
    wait_for_film(uhd_page, "Television")
    wait_for_film(uhd_page, "Tablet", UHD)
    slots_taken(uhd_page, 2)
    assert sorted(rows.all_inner_texts()) == names


@pytest.mark.parametrize("width", [1280, 360])
def test_everybody_can_use_the_second_household(uhd_page: Page, width: int) -> None:
    """With a screen that is refused, too; a phone has room for it."""
    uhd_page.set_viewport_size({"width": width, "height": 800})
    start_two_in_uhd(uhd_page)
    assert_accessible(uhd_page)
    assert uhd_page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_second_households_plan_is_the_services(browser: Browser, user_id: str) -> None:
    """It has the limits that were configured, and is not there without a limit for UHD."""
    for settings, title in (
        ({"MAX_STREAMS": "4", "GROUP_LIMITS": "uhd=2"}, "One plan: 4 screens, 2 in UHD"),
        ({"GROUP_LABELS": "uhd"}, "One household, four screens"),
    ):
        with LocalService(settings) as service:
            page = browser.new_page()
            page.goto(f"{service.url}/?plan=uhd&user={user_id}")
            expect(page.get_by_role("heading", level=1)).to_have_text(title)
            expect(page.get_by_text(f"0 of {settings.get('MAX_STREAMS', 3)} slots taken")).to_be_visible()
            expect(page.get_by_role("navigation")).to_be_visible(visible="GROUP_LIMITS" in settings)
            page.close()


def test_nothing_moves_for_those_who_asked_for_that(browser: Browser, service: LocalService) -> None:
    """But for the video that they start: the mark of what has changed stands still."""
    page = browser.new_page(reduced_motion="reduce")
    page.goto(f"{service.url}/?user=still")
    press(page, "Play", "Laptop")
    expect(screen(page, "Laptop")).to_contain_text("Playing")
    expect(page.locator(".changed").first).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    page.close()


def test_a_hidden_pages_throttled_timers_do_not_cost_the_slot(
    browser: Browser, service: LocalService, user_id: str
) -> None:
    """A browser wakes a hidden page's timers once a minute; the heartbeats are sent by a worker's."""
    page = browser.new_page()
    page.add_init_script(
        "const real = setTimeout; setTimeout = (f, ms, ...more) => real(f, ms + 60_000, ...more)"
    )
    page.goto(f"{service.url}/?user={user_id}")
    press(page, "Play", "Laptop")
    page.wait_for_timeout(6_500)  # longer than the lease and the grace
    listed = httpx.get(f"{service.url}/stream", params={"userId": user_id}).json()
    page.close()
    assert [stream["device"] for stream in listed["streams"]] == ["Laptop"]
