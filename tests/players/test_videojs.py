"""Video.js."""

from typing import ClassVar

import pytest

from tests.players.scenarios import CarryingTokens, ChoosingQualities, Scenarios
from tests.players.screen import EPISODE, Rival, Screen

pytestmark = [pytest.mark.e2e, pytest.mark.long]


class TestVideoJs(Scenarios, ChoosingQualities, CarryingTokens):
    """The requests of Video.js wait for tokens."""

    page: ClassVar = "videojs.html"

    def test_a_film_with_autoplay_plays(self, screen: Screen) -> None:
        """A film with autoplay plays, although Video.js does not wait for the film before it plays."""
        screen.do("vjs.autoplay(true)")
        screen.do("load(given)", EPISODE)
        screen.wait_for_film()
        assert screen.events == ["admitted"]

    @pytest.mark.usefixtures("playing_rival")
    def test_a_film_that_waits_for_a_slot_can_be_replaced(self, rival: Rival, screen: Screen) -> None:
        """A film that waits for a slot can be replaced by another, and requests nothing from then on."""
        screen.play()
        screen.wait_for_event("refused")
        screen.do("load(given)", EPISODE)
        screen.page.wait_for_function("episode => player.vjs.currentSrc().endsWith(episode)", arg=EPISODE)
        rival.end()
        screen.play()
        screen.wait_for_film()
        assert [request.url for request in screen.requests if "/cdn/index.m3u8" in request.url] == []

    def test_the_hooks_of_a_page_stay(self, screen: Screen) -> None:
        """The page's global and per-player hooks both remain."""
        screen.do("hooked = []")
        screen.page.evaluate(
            """() => {
                const hook = (name) => (options) => (player.hooked.push(name), options);
                videojs.Vhs.xhr.onRequest(hook("global"));
                player.vjs.one("loadeddata", () => player.vjs.tech(true).vhs.xhr.onRequest(hook("own")));
            }"""
        )
        screen.play()
        screen.wait_for_film()
        screen.page.wait_for_function("player.hooked.includes('global') && player.hooked.includes('own')")
