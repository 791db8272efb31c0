"""The video of the page that `make run` serves: it plays for as long as the edge serves it."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from dev.local.local_service import LocalService
from tests.e2e.support.household import (
    DEVICES,
    SETTINGS,
    assert_no_film,
    press,
    screen,
    slots_taken,
    start_all,
    wait_for_film,
)
from tests.edge.tokens import TOKEN_HEADER

pytestmark = [pytest.mark.e2e, pytest.mark.long]


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    """Return a service with short leases."""
    with LocalService(SETTINGS) as service:
        yield service


def test_three_screens_play_and_the_fourth_gets_no_video(page: Page) -> None:
    """A fourth screen that ignores its refusal gets no video, because it has no token."""
    answered: list[tuple[bool, int]] = []
    page.on(
        "response",
        lambda response: (
            answered.append((TOKEN_HEADER in response.request.headers, response.status))
            if "/cdn/" in response.url
            else None
        ),
    )
    start_all(page)
    press(page, "Watch anyway", "Phone")
    expect(screen(page, "Phone")).to_contain_text("The edge said 403: missing.")
    for device in DEVICES[:3]:
        wait_for_film(page, device)
    assert_no_film(page, "Phone")
    assert set(answered) == {(True, 200), (False, 403)}


def test_a_screen_with_blocked_calls_stops_with_its_lease(page: Page) -> None:
    """With blocked calls, as under an ad blocker, a screen stops with its lease, and resumes later."""
    press(page, "Play", "Television")
    press(page, "Play", "Laptop")
    wait_for_film(page, "Television")
    press(page, "Block calls", "Television")
    television = screen(page, "Television")
    expect(television).to_contain_text("Calls blocked.")
    expect(television).to_contain_text("Lapsed", timeout=10_000)
    assert_no_film(page, "Television")
    slots_taken(page, 1)
    wait_for_film(page, "Laptop")
    press(page, "Unblock calls", "Television")
    expect(television).to_contain_text("Playing", timeout=10_000)
    wait_for_film(page, "Television")


def test_a_screen_refused_by_the_edge_continues_with_its_next_token(page: Page) -> None:
    """A frozen tab with an expired token continues after its next heartbeat, which brings another token."""
    press(page, "Play", "Laptop")
    wait_for_film(page, "Laptop")
    page.route(
        "**/cdn/**", lambda route: route.fulfill(status=403, headers={"x-playback": "expired"}), times=1
    )
    expect(page.get_by_role("log")).to_contain_text("Laptop: 403 of the edge: expired")  # its state is short
    expect(screen(page, "Laptop")).to_contain_text("Playing")
    wait_for_film(page, "Laptop")
    assert page.get_by_role("log").inner_text().count("admitted") == 1


def test_an_evicted_screen_stops(page: Page) -> None:
    """An evicted screen stops as soon as it learns that, by its next heartbeat."""
    start_all(page)
    wait_for_film(page, "Television")
    page.get_by_role("button", name="Take over from Television: Phone").click()
    expect(screen(page, "Television")).to_contain_text("Stopped")
    assert_no_film(page, "Television")
    wait_for_film(page, "Phone")


def test_an_evicted_screen_with_blocked_calls_stops_within_a_lease(page: Page) -> None:
    """A screen that was evicted while its calls are blocked stops with its lease."""
    start_all(page)
    wait_for_film(page, "Television")
    press(page, "Block calls", "Television")
    page.get_by_role("button", name="Take over from Television: Phone").click()
    wait_for_film(page, "Phone")
    expect(screen(page, "Television")).to_contain_text("Lapsed", timeout=10_000)
    assert_no_film(page, "Television")
    for device in DEVICES[1:]:
        wait_for_film(page, device)


def test_an_evicted_screen_that_ignores_the_answer_stops_within_a_lease(page: Page) -> None:
    """An evicted screen that ignores the answer plays on only while the edge accepts its last token."""
    start_all(page)
    page.get_by_role("button", name="Take over from Television: Phone").click()
    expect(screen(page, "Television")).to_contain_text("Stopped")
    press(page, "Play", "Television")
    press(page, "Watch anyway", "Television")
    wait_for_film(page, "Television")
    expect(screen(page, "Television")).to_contain_text("The edge said 403: expired.", timeout=10_000)
    assert_no_film(page, "Television")


def test_without_tokens_only_an_obedient_screen_stops(browser: Browser, user_id: str) -> None:
    """Without tokens a screen that ignores the answers plays on, as with PLAYBACK_KEY=off."""
    with LocalService(SETTINGS | {"PLAYBACK_KEY": "off"}) as service:
        page = browser.new_page()
        page.goto(f"{service.url}/?user={user_id}")
        start_all(page)
        press(page, "Watch anyway", "Phone")
        for device in DEVICES:
            wait_for_film(page, device)
        expect(screen(page, "Phone")).to_contain_text("Playing without a slot")
        page.close()


def test_without_hls_the_page_offers_no_video(browser: Browser, service: LocalService, user_id: str) -> None:
    """Without npm everything else works, and the page offers nothing that needs the video."""
    page = browser.new_page()
    page.route("**/hls.js/**", lambda route: route.abort())
    page.goto(f"{service.url}/?user={user_id}")
    expect(page.get_by_role("contentinfo")).to_contain_text("hls.js is not installed")
    start_all(page)
    expect(page.get_by_role("button", name="Watch anyway: Phone")).to_be_hidden()
    press(page, "Block calls", "Laptop")
    expect(screen(page, "Laptop")).to_contain_text("Lapsed", timeout=10_000)
    page.close()


def stream_names(page: Page) -> list[str]:
    """Return the names of the leases in the item that the page shows."""
    rows = page.get_by_role("rowheader", name="stream#")
    expect(rows.first).to_be_visible()
    return rows.all_inner_texts()


def test_a_screen_keeps_its_name_across_plays_and_reloads(page: Page) -> None:
    """However often a screen starts, it is one stream, under one name that may have a token."""
    names = set()
    for _ in range(4):
        press(page, "Play", "Laptop")
        expect(screen(page, "Laptop")).to_contain_text("Playing")
        names.update(stream_names(page))
        press(page, "Stop", "Laptop")
        expect(page.get_by_role("log")).to_contain_text("Laptop: ended its stream")
        press(page, "Play", "Laptop")
        expect(screen(page, "Laptop")).to_contain_text("Playing")
        page.reload()
    assert len(names) == 1


def test_the_old_pages_late_end_does_not_end_a_reloaded_page(page: Page, service: LocalService) -> None:
    """The old page's late end does not stop the reloaded page, because it carries its own `play`."""
    press(page, "Play", "Laptop")
    expect(screen(page, "Laptop")).to_contain_text("Playing")
    with page.expect_request("**/stream/end") as farewell:
        # Playwright does not see the requests of a page that really goes.
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    page.reload()
    press(page, "Play", "Laptop")
    expect(screen(page, "Laptop")).to_contain_text("Playing")
    late = httpx.post(f"{service.url}/stream/end", content=farewell.value.post_data)
    assert late.json()["ended"] is False
    slots_taken(page, 1)


def test_a_duplicated_tab_is_a_separate_screen(page: Page) -> None:
    """A duplicated tab copies the session's storage, but does not share the slot."""
    page.reload()  # a name is stored when the page goes
    press(page, "Play", "Laptop")
    slots_taken(page, 1)
    with page.expect_popup() as opened:
        page.evaluate("void open(location.href)")
    press(opened.value, "Play", "Laptop")
    slots_taken(page, 2)
    opened.value.close()
