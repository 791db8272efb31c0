"""Shaka Player."""

import re
from typing import ClassVar

import pytest
from playwright.sync_api import Route

from tests.players.scenarios import CarryingTokens, ChoosingQualities, Scenarios
from tests.players.screen import EPISODE, Rival, Screen

pytestmark = [pytest.mark.e2e, pytest.mark.long]

SOON_MS = 2000


def assert_does_not_hang(screen: Screen, action: str) -> None:
    """Check that a call of the player soon returns."""
    screen.page.evaluate(
        """([action, milliseconds]) => Promise.race([
            player.shaka[action](),
            new Promise((_, reject) => setTimeout(reject, milliseconds, new Error("it hangs"))),
        ])""",
        [action, SOON_MS],
    )


class TestShaka(Scenarios, ChoosingQualities, CarryingTokens):
    """The request filters of Shaka wait for tokens."""

    page: ClassVar = "shaka.html"

    def test_a_load_before_a_play_asks_for_a_slot(self, screen: Screen) -> None:
        """`load` asks for a slot without a play, as most pages use it."""
        assert screen.do("load(given).then(() => 'loaded')", EPISODE) == "loaded"
        assert screen.events == ["admitted"]
        screen.assert_paused()

    @pytest.mark.usefixtures("playing_rival")
    def test_a_film_that_waits_for_a_slot_can_be_unloaded(self, rival: Rival, screen: Screen) -> None:
        """A waiting film can be unloaded although Shaka waits for its load, and another can be loaded."""
        screen.wait_for_event("refused")
        assert_does_not_hang(screen, "unload")
        rival.end()
        screen.do("load(given)", EPISODE)
        screen.play()
        screen.wait_for_film()
        assert EPISODE in screen.requests[0].url

    @pytest.mark.usefixtures("playing_rival")
    def test_a_player_that_waits_for_a_slot_can_be_destroyed(self, screen: Screen) -> None:
        """A player that waits for a slot is destroyed at once."""
        screen.wait_for_event("refused")
        assert_does_not_hang(screen, "destroy")

    def test_an_expired_token_is_renewed_in_versions_that_do_not_retry(self, screen: Screen) -> None:
        """An expired token is renewed in older versions of Shaka too, which do not retry a 403."""
        screen.do("shaka.configure('streaming.retryParameters.maxAttempts', 1)")
        self.test_a_token_refused_as_expired_is_renewed_once(screen)

    def test_an_edge_that_refuses_every_token_as_expired_is_an_error(self, screen: Screen) -> None:
        """If the edge refuses every token as expired, Shaka raises its own error after one more attempt."""
        screen.do("shaka.configure('streaming.retryParameters.maxAttempts', 1)")
        screen.do("shaka.addEventListener('error', ({ detail }) => (player.error = detail))")
        screen.play()
        screen.wait_for_film()
        refused: list[str] = []

        def refuse(route: Route) -> None:
            refused.append(route.request.url)
            route.fulfill(
                status=403,
                headers={
                    "x-playback": "expired",
                    "access-control-allow-origin": "*",
                    "access-control-expose-headers": "x-playback",
                },
            )

        screen.page.route(re.compile(r"/cdn/.*\d\.mp4"), refuse)
        screen.seek(14)
        screen.page.wait_for_function("player.error && !player.error.handled")
        screen.page.wait_for_timeout(SOON_MS)
        assert max(map(refused.count, refused)) == 2
