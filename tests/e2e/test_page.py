"""The page that `make run` serves at `/`, in a real browser: the whole story of one household."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response, Route, expect

from dev.local.local_service import LocalService
from tests.e2e.support.household import (
    DEVICES,
    SETTINGS,
    TAKEN,
    UHD,
    assert_no_film,
    press,
    screen,
    slots_taken,
    start_all,
    video,
    wait_for_film,
)

pytestmark = pytest.mark.e2e

LONGEST_RETRY_MS: Final = 10_000
"""The longest wait of the client before it tries again."""


HEARTBEAT: Final = re.compile("/(stream/heartbeat|heartbeat-url)$")
"""The path of heartbeats: to the heartbeat URL, and to the API if the URL gives no answer."""


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    """Return a service with short leases."""
    with LocalService(SETTINGS) as service:
        yield service


def test_the_fourth_screen_is_refused_with_the_list_of_streams(page: Page) -> None:
    """The fourth screen may stop any of the three and watch; the stopped screen says by which screen."""
    start_all(page)
    phone = screen(page, "Phone")
    holders = sorted(phone.get_by_role("listitem").all_inner_texts())
    assert holders == [f"{device}\nTake over" for device in sorted(DEVICES[:3])]
    page.get_by_role("button", name="Take over from Television: Phone").click()
    expect(phone).to_contain_text("Playing")
    expect(screen(page, "Television").locator(".state")).to_have_text("Stopped by Phone")
    slots_taken(page, 3)


@pytest.mark.long
def test_a_crashed_screens_slot_is_freed_when_its_lease_expires(page: Page) -> None:
    """The page counts down, and then another screen takes the slot."""
    start_all(page)
    press(page, "Crash", "Laptop")
    laptop = screen(page, "Laptop")
    expect(laptop).to_contain_text(re.compile(r"Its slot comes back in\s+\d s"))
    press(page, "Play", "Phone")
    expect(screen(page, "Phone")).to_contain_text(TAKEN)
    expect(laptop).to_contain_text("Its slot is free again", timeout=10_000)
    press(page, "Play", "Phone")
    expect(screen(page, "Phone")).to_contain_text("Playing")
    slots_taken(page, 3)


def test_a_crashed_screens_countdown_includes_the_grace(page: Page) -> None:
    """The countdown ends when the slot is free, which is after the lease and the grace."""
    press(page, "Play", "Laptop")
    laptop = screen(page, "Laptop")
    expect(laptop).to_contain_text("Playing")
    page.clock.install()
    press(page, "Crash", "Laptop")
    expect(laptop).to_contain_text(re.compile(r"Its slot comes back in\s+[45] s"))
    page.clock.fast_forward(1000 * int(SETTINGS["LEASE_SECONDS"]))
    expect(laptop).to_contain_text(re.compile(r"Its lease has expired\. The grace ends in\s+1 s"))
    page.clock.fast_forward(1000 * int(SETTINGS["GRACE_SECONDS"]))
    expect(laptop).to_contain_text("Its slot comes back now.")
    expect(laptop).not_to_contain_text(re.compile(r"\d s"))


def test_a_paused_screen_keeps_its_slot_and_a_stopped_one_frees_it(page: Page) -> None:
    """A paused screen sends heartbeats and continues without another start; a stopped one frees its slot."""
    press(page, "Play", "Laptop")
    wait_for_film(page, "Laptop")
    press(page, "Pause", "Laptop")
    laptop = screen(page, "Laptop")
    expect(laptop).to_contain_text("Paused")
    expect(laptop).to_contain_text("Its slot is kept.")
    stands_at = video(page, "Laptop").evaluate("video => video.currentTime")
    assert stands_at > 1  # its picture is there
    page.clock.install()
    for _ in range(3):
        with page.expect_response(HEARTBEAT) as answer:
            page.clock.fast_forward(1000)
        assert answer.value.ok
    slots_taken(page, 1)
    assert video(page, "Laptop").evaluate("video => video.currentTime") == stands_at
    press(page, "Resume", "Laptop")
    wait_for_film(page, "Laptop")
    assert page.get_by_role("log").inner_text().count("admitted") == 1
    press(page, "Stop", "Laptop")
    slots_taken(page, 0)


def test_heartbeats_are_one_line_for_each_screen(page: Page) -> None:
    """Heartbeats share one line until something else happens to the screen; a refused one is not counted."""
    log = page.get_by_role("log").get_by_role("listitem")
    answered: list[Response] = []

    def count(response: Response) -> None:
        if response.ok and HEARTBEAT.search(response.url):
            answered.append(response)

    page.on("response", count)
    for device in ("Laptop", "Phone"):
        press(page, "Play", device)
    for device in ("Laptop", "Phone"):
        beats = log.filter(has_text=re.compile(rf"{device}: \d+ heartbeats, last \d\d:\d\d:\d\d$"))
        expect(beats).to_have_count(1, timeout=10_000)
    expect(log).to_have_count(4)
    press(page, "Pause", "Laptop")
    expect(log.filter(has_text=re.compile(r"Laptop: \d+ heartbeat"))).to_have_count(2)
    expect(log).to_have_count(6)
    page.route(HEARTBEAT, lambda route: route.fulfill(status=410, json={"title": "Gone"}))
    expect(log.filter(has_text="410, gone")).to_have_count(2)  # and none is sent any more
    expect(log).to_have_count(8)
    shown = re.findall(r"(\d+) heartbeat", "\n".join(log.all_inner_texts()))
    assert sum(map(int, shown)) == len(answered)


def test_heartbeats_to_the_url_are_counted_too(page: Page, service: LocalService) -> None:
    """The page counts heartbeats to the URL as it counts those to the API."""
    url = f"{service.url}/beat"
    held: dict[str, object] = {}

    def name_the_url(route: Route) -> None:
        answer = route.fetch()
        held.update(answer.json())
        route.fulfill(response=answer, json=held | {"heartbeatUrl": url})

    page.route("**/stream/start", name_the_url)
    page.route(url, lambda route: route.fulfill(json=held))
    with page.expect_request(url) as sent:
        press(page, "Play", "Laptop")
    assert set(sent.value.post_data_json or {}) == {"userId", "streamId", "play", "playbackToken"}
    log = page.get_by_role("log").get_by_role("listitem")
    expect(log.filter(has_text=re.compile(r"Laptop: \d heartbeat"))).to_have_count(1)


STOPPED: Final = {
    "replaced": "Another screen took over this slot.",
    "evicted": "Another screen was started, and needed this slot.",
    "ended": "Its stream was ended.",
    "expired": "Its lease expired, and another screen took the slot.",
}


@pytest.mark.parametrize(
    ("why", "title", "detail", "line"),
    [
        ({"reason": "replaced", "by": "Phone"}, "Stopped by Phone", STOPPED["replaced"], "replaced by Phone"),
        ({"reason": "evicted", "by": "Phone"}, "Stopped by Phone", STOPPED["evicted"], "evicted by Phone"),
        ({"reason": "evicted"}, "Stopped", STOPPED["evicted"], "evicted"),
        ({"reason": "ended"}, "Stopped", STOPPED["ended"], "ended"),
        ({"reason": "expired"}, "Stopped", STOPPED["expired"], "expired"),
        ({}, "Stopped", "The slot was taken away.", None),
    ],
)
def test_a_stopped_screen_shows_the_reason_and_the_other_screen(
    page: Page, why: dict[str, str], title: str, detail: str, line: str | None
) -> None:
    """The stopped screen shows the reason and the other screen, as far as the service gives them."""
    gone = {"title": "Gone", "code": "stream_gone", **why}
    page.route(HEARTBEAT, lambda route: route.fulfill(status=410, json=gone))
    press(page, "Play", "Laptop")
    laptop = screen(page, "Laptop")
    expect(laptop.locator(".state")).to_have_text(title)
    expect(laptop.locator(".detail")).to_have_text(detail)
    entry = page.get_by_role("log").locator("li", has_text="410")
    expect(entry).to_contain_text(re.compile(r"410, gone" + (f": {line}$" if line else "$")))


def test_a_screen_without_answers_for_a_lease_lapses(page: Page) -> None:
    """A screen without an answer stops its video, and resumes automatically when its calls go through."""
    page.clock.install()
    press(page, "Play", "Laptop")
    wait_for_film(page, "Laptop")
    press(page, "Block calls", "Laptop")
    page.clock.fast_forward(1000 * int(SETTINGS["LEASE_SECONDS"]))
    laptop = screen(page, "Laptop")
    expect(laptop).to_contain_text("Lapsed")
    expect(laptop).to_contain_text("No answer for a whole lease.")
    assert_no_film(page, "Laptop")
    expect(video(page, "Laptop")).to_have_attribute(
        "poster", re.compile("^data:image/jpeg;")
    )  # the last frame
    press(page, "Unblock calls", "Laptop")
    page.clock.fast_forward(LONGEST_RETRY_MS)
    expect(laptop).to_contain_text("Playing")
    wait_for_film(page, "Laptop")


def test_a_paused_screen_stays_paused_after_a_lapse(page: Page) -> None:
    """A video that the viewer paused is not started again after its lease has expired."""
    page.clock.install()
    press(page, "Play", "Laptop")
    wait_for_film(page, "Laptop")
    press(page, "Pause", "Laptop")
    press(page, "Block calls", "Laptop")
    page.clock.fast_forward(1000 * int(SETTINGS["LEASE_SECONDS"]))
    laptop = screen(page, "Laptop")
    expect(laptop).to_contain_text("Lapsed")
    press(page, "Unblock calls", "Laptop")
    page.clock.fast_forward(LONGEST_RETRY_MS)
    expect(laptop).to_contain_text("Paused")
    assert_no_film(page, "Laptop")
    press(page, "Resume", "Laptop")
    wait_for_film(page, "Laptop")


def test_calls_can_be_blocked_in_every_state_that_makes_calls(page: Page) -> None:
    """The switch for blocked calls is beside *Crash*, and in every other state while they are blocked."""
    press(page, "Play", "Laptop")
    for action in ("Pause", "Resume"):
        for name in ("Crash: Laptop", "Block calls: Laptop"):
            expect(page.get_by_role("button", name=name)).to_be_visible()
        press(page, action, "Laptop")
    press(page, "Block calls", "Laptop")
    press(page, "Stop", "Laptop")
    press(page, "Unblock calls", "Laptop")
    expect(page.get_by_role("button", name="lock calls: Laptop")).to_be_hidden()


def test_a_crashed_screen_that_returns_in_time_keeps_its_slot(page: Page) -> None:
    """A screen that comes back in time is the same stream, and takes no second slot."""
    start_all(page)
    press(page, "Crash", "Tablet")
    press(page, "Come back", "Tablet")
    expect(screen(page, "Tablet")).to_contain_text("Playing")
    slots_taken(page, 3)


def test_the_page_shows_changes_in_the_store(page: Page, user_id: str) -> None:
    """A start brings a lease into the user's item, and an end takes it out."""
    item = page.get_by_role("region", name="The item in the store")
    press(page, "Play", "Laptop")
    expect(item.get_by_role("row", name="streamCount 1")).to_be_visible()
    expect(item).to_contain_text(user_id)
    expect(item).to_contain_text('"device": "Laptop"')
    press(page, "Stop", "Laptop")
    expect(item.get_by_role("row", name="streamCount 0")).to_be_visible()
    expect(item).not_to_contain_text("Laptop")


def test_timestamps_in_the_store_are_shown_as_times(page: Page, service: LocalService, user_id: str) -> None:
    """No epoch seconds are left in the item, not even in spent names; another day is shown with the day."""
    page.clock.install()  # the item does not change, without heartbeats
    press(page, "Play", "Laptop")
    expect(screen(page, "Laptop")).to_contain_text("Playing")
    item = page.get_by_role("region", name="The item in the store")
    stored = httpx.get(f"{service.url}/page/item", params={"userId": user_id}).json()
    (lease,) = (value for name, value in stored.items() if name.startswith("stream#"))
    for name in ("startedAt", "expiresAt"):
        at = datetime.fromtimestamp(lease[name]).astimezone()
        expect(item).to_contain_text(f'"{name}": "{at:%H:%M:%S}"')
    at = datetime.fromtimestamp(stored["expiresAt"]).astimezone()
    expect(item.get_by_role("row", name=f"expiresAt {at:%Y-%m-%d %H:%M:%S}")).to_be_visible()
    press(page, "Stop", "Laptop")
    expect(item.get_by_role("row", name=re.compile(r"^spent#\w+ \d\d:\d\d:\d\d$"))).to_be_visible()
    expect(item).not_to_contain_text(re.compile(r"\b\d{10}\b"))


@pytest.mark.long
def test_heartbeats_keep_screens_playing_beyond_a_lease(
    page: Page, browser: Browser, service: LocalService
) -> None:
    """Heartbeats keep the slots of playing screens, even with a hidden page's throttled timers.

    A browser wakes a hidden page's timers once a minute; the heartbeats are sent by a worker's.
    """
    hidden = browser.new_page()
    hidden.add_init_script(
        "const real = setTimeout; setTimeout = (f, ms, ...more) => real(f, ms + 60_000, ...more)"
    )
    hidden.goto(f"{service.url}/?user=hidden")
    for each in (page, hidden):
        press(each, "Play", "Laptop")
        expect(screen(each, "Laptop")).to_contain_text("Playing")
    page.wait_for_timeout(7_000)  # longer than the lease and the grace
    listed = httpx.get(f"{service.url}/stream", params={"userId": "hidden"}).json()
    hidden.close()
    assert [stream["device"] for stream in listed["streams"]] == ["Laptop"]
    expect(screen(page, "Laptop")).to_contain_text("Playing")
    wait_for_film(page, "Laptop")
    assert page.get_by_role("log").inner_text().count("admitted") == 1


def test_a_closed_page_frees_its_slots_at_once(browser: Browser, service: LocalService, user_id: str) -> None:
    """A closed page frees its slots by a request that outlives it, long before the leases expire."""
    page = browser.new_page()
    page.goto(f"{service.url}/?user={user_id}")
    press(page, "Play", "Laptop")
    slots_taken(page, 1)
    page.goto("about:blank")
    page.wait_for_timeout(500)
    listed = httpx.get(f"{service.url}/stream", params={"userId": user_id}).json()
    page.close()
    assert listed["streamCount"] == 0


def test_the_page_can_be_used_by_keyboard_alone(page: Page) -> None:
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
    """On a phone nothing is cut off, and buttons are large enough for a thumb."""
    page.set_viewport_size({"width": 360, "height": 740})
    start_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    heights = [button.bounding_box() for button in page.get_by_role("button").all()]
    assert all(box is not None and box["height"] >= 44 for box in heights)
    press(page, "Stop", "Tablet")  # the lowest screen, beside the highest
    assert_even(page)


def assert_even(page: Page) -> None:
    """Check that no screen is half as high again as the one beside it."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.add_style_tag(content="#screens { align-items: start }")  # each as high as it needs to be
    rows: dict[float, list[float]] = defaultdict(list)
    for article in page.get_by_role("article").all():
        box = article.bounding_box()
        assert box is not None
        rows[box["y"]].append(box["height"])
    assert [len(row) for row in rows.values()] == [2, 2]
    for row in rows.values():
        assert max(row) < 1.5 * min(row), row


def assert_accessible(page: Page) -> None:
    """Check that none of axe-core's rules is broken: names, roles, contrast, order of headings, and the like.

    On a desktop and on a phone.
    """
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_the_page_is_accessible(page: Page) -> None:
    """The page is accessible at first, and with playing, paused, crashed, stopped and refused screens."""
    assert_accessible(page)
    start_all(page)
    page.get_by_role("button", name="Take over from Television: Phone").click()
    expect(screen(page, "Television")).to_contain_text("Stopped")
    press(page, "Play", "Television")
    expect(screen(page, "Television")).to_contain_text(TAKEN)
    press(page, "Crash", "Laptop")
    press(page, "Pause", "Tablet")
    assert_accessible(page)


@pytest.mark.long
def test_the_page_is_accessible_with_stopped_screens(page: Page) -> None:
    """The page is accessible with a screen whose lease expired, and one that played on without a slot."""
    start_all(page)
    page.get_by_role("button", name="Take over from Television: Phone").click()
    expect(screen(page, "Television")).to_contain_text("Stopped")
    press(page, "Play", "Television")
    press(page, "Watch anyway", "Television")  # as its last token allows, for as long as that is good
    press(page, "Block calls", "Tablet")
    expect(screen(page, "Television")).to_contain_text("The edge said 403", timeout=10_000)
    expect(screen(page, "Tablet")).to_contain_text("Lapsed", timeout=10_000)
    assert_accessible(page)


@pytest.fixture
def uhd_page(page: Page, service: LocalService, user_id: str) -> Page:
    """Return the page of a household whose plan is three screens, one of them in UHD."""
    page.goto(f"{service.url}/?plan=uhd&user={user_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("One plan: 3 screens, 1 in UHD")
    return page


def start_two_in_uhd(page: Page) -> None:
    """Start two screens in UHD: one plays, and the plan has no second one."""
    press(page, "Play in UHD", "Television")
    expect(screen(page, "Television")).to_contain_text("Playing in UHD")
    press(page, "Play in UHD", "Laptop")
    expect(screen(page, "Laptop")).to_contain_text("UHD is full")


def test_a_second_screen_in_uhd_is_refused_by_name_and_watches_in_hd_instead(uhd_page: Page) -> None:
    """The refusal names UHD and only the streams in it; in HD the screen has a film."""
    press(uhd_page, "Play in HD", "Phone")
    start_two_in_uhd(uhd_page)
    laptop = screen(uhd_page, "Laptop")
    expect(laptop).to_contain_text("The plan has 1 in UHD. Watching in UHD now:")
    assert laptop.get_by_role("listitem").all_inner_texts() == ["Television\nTake over"]
    expect(uhd_page.get_by_role("log")).to_contain_text("1 simultaneous stream in the group uhd")
    press(uhd_page, "Watch in HD instead", "Laptop")
    expect(laptop).to_contain_text("Playing in HD")
    wait_for_film(uhd_page, "Laptop")
    wait_for_film(uhd_page, "Television", UHD)
    slots_taken(uhd_page, 3)
    expect(uhd_page.get_by_text("1 of 1 in UHD")).to_be_visible()


def test_a_screen_can_take_over_the_uhd_slot(uhd_page: Page) -> None:
    """The other screen stops, and the group's count is unchanged."""
    start_two_in_uhd(uhd_page)
    uhd_page.get_by_role("button", name="Take over from Television: Laptop").click()
    expect(screen(uhd_page, "Laptop")).to_contain_text("Playing in UHD")
    expect(screen(uhd_page, "Television")).to_contain_text("Stopped")
    item = uhd_page.get_by_role("region", name="The item in the store")
    expect(item.get_by_role("row", name="group#uhd 1")).to_be_visible()


def test_a_playing_screen_changes_its_quality_in_its_slot(uhd_page: Page) -> None:
    """A screen changes its quality under its own name; a refused change leaves it as it is."""
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


def test_the_second_household_is_accessible(uhd_page: Page) -> None:
    """The page is accessible with a refused screen too, and fits a phone."""
    start_two_in_uhd(uhd_page)
    assert_accessible(uhd_page)
    assert uhd_page.evaluate("document.documentElement.scrollWidth") <= 360
    assert_even(uhd_page)


@pytest.mark.parametrize(
    ("limits", "title"),
    [({"uhd": 2}, "One plan: 4 screens, 2 in UHD"), ({}, "One household, four screens")],
)
def test_the_second_household_has_the_configured_limits(
    page: Page, limits: Mapping[str, int], title: str
) -> None:
    """The second household has the configured limits, and is missing without a limit for UHD."""
    plan = json.dumps({"maxStreams": 4, "groupLimits": limits, "graceSeconds": 1})
    module = {"content_type": "text/javascript", "body": f"export default {plan};"}
    page.route("**/page/plan.js", lambda route: route.fulfill(**module))
    page.goto(f"{page.url}&plan=uhd")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_role("navigation")).to_be_visible(visible=bool(limits))


def test_reduced_motion_stops_all_animations(browser: Browser, service: LocalService) -> None:
    """With reduced motion only the video moves: the mark of changes stands still."""
    page = browser.new_page(reduced_motion="reduce")
    page.goto(f"{service.url}/?user=still")
    press(page, "Play", "Laptop")
    expect(screen(page, "Laptop")).to_contain_text("Playing")
    expect(page.locator(".changed").first).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    page.close()
