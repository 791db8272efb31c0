"""Scenarios of each player with its viewer, its household and its network."""

from typing import ClassVar, Final

import pytest

from tests.players.screen import (
    EPISODE,
    GRACE_SECONDS,
    HD,
    LEASE_SECONDS,
    RIVAL,
    UHD,
    Rival,
    Screen,
    asking,
)

OUTLASTING: Final = LEASE_SECONDS + GRACE_SECONDS + 0.5
"""Seconds after which a stream that sent nothing has expired."""

outlasts_leases: Final = pytest.mark.usefixtures("brief_leases")


class Scenarios:
    """The scenarios of every player. A player's class names its page in `page`."""

    page: ClassVar[str]

    @outlasts_leases
    def test_a_paused_video_keeps_its_slot(self, screen: Screen) -> None:
        """A paused video keeps its slot for longer than a lease, and continues without another start."""
        screen.play()
        screen.wait_for_film()
        screen.pause()
        screen.assert_paused()
        screen.page.wait_for_timeout(1000 * OUTLASTING)
        assert screen.streams == [screen.stream_id]
        screen.assert_paused()
        screen.play()
        screen.wait_for_film()
        assert screen.events == ["admitted"], screen.events

    @asking(holdPaused=False)
    def test_a_paused_video_frees_its_slot_with_that_option(self, screen: Screen) -> None:
        """With that option a pause frees the slot at once, and a play starts again where the film stopped."""
        screen.play()
        screen.wait_for_film()
        screen.pause()
        screen.wait_for_streams([])
        screen.assert_paused()
        position = screen.position
        screen.play()
        screen.wait_for_film()
        assert screen.events == ["admitted", "admitted"], screen.events
        assert screen.position > position

    def test_a_viewer_seeks(self, screen: Screen) -> None:
        """A viewer seeks far beyond the loaded part, and back."""
        screen.play()
        screen.wait_for_film()
        for position in (18, 8):
            screen.seek(position)
            screen.wait_for_film()
            assert position < screen.position < position + 5
        assert screen.events == ["admitted"], screen.events

    def test_the_next_film_is_played_by_the_same_stream(self, screen: Screen) -> None:
        """The next film, in the middle of the previous one or after its end, is played by the same stream."""
        screen.play()
        screen.wait_for_film()
        screen.do("load(given)", EPISODE)
        screen.play()
        screen.wait_for_film()
        screen.do("follow(given)", EPISODE)
        screen.seek(23.5)
        screen.page.wait_for_function("player.video.currentTime < 20")
        screen.wait_for_film()
        assert screen.events == ["admitted"], screen.events
        assert screen.calls == ["start"]

    def test_a_film_that_has_ended_frees_its_slot(self, screen: Screen) -> None:
        """A film that has ended frees its slot, and another play takes one again."""
        screen.play()
        screen.wait_for_film()
        screen.seek(23.5)
        screen.wait_for_streams([])
        screen.play()
        screen.page.wait_for_function("player.video.currentTime < 20")
        screen.wait_for_film()
        assert screen.events == ["admitted", "admitted"], screen.events

    @pytest.mark.usefixtures("playing_rival")
    def test_a_refused_video_requests_nothing(self, rival: Rival, screen: Screen) -> None:
        """A refused video requests nothing from the edge, and plays on another try when a slot is free."""
        screen.play()
        screen.wait_for_event("refused")
        screen.assert_paused()
        assert (screen.position, screen.requests) == (0, [])
        rival.end()
        screen.play()
        screen.wait_for_film()

    def test_a_video_whose_slot_is_taken_over_stops(self, rival: Rival, screen: Screen) -> None:
        """A video whose slot was taken over continues where it stopped after the page takes it back."""
        screen.play()
        screen.wait_for_film()
        rival.start(replaces=screen.stream_id)
        screen.wait_for_event("gone")
        screen.assert_paused()
        assert screen.streams == [RIVAL]
        screen.do("stream.start({ replaces: given })", RIVAL)
        screen.wait_for_film()
        assert screen.streams == [screen.stream_id]

    @outlasts_leases
    def test_a_video_stops_with_its_lease_and_resumes_with_the_next(self, screen: Screen) -> None:
        """A video whose calls are blocked stops with its lease, because another screen may have its slot."""
        screen.play()
        screen.wait_for_film()
        screen.block_api()
        screen.wait_for_event("lapsed")
        screen.assert_paused()
        screen.unblock_api()
        screen.wait_for_film()
        assert screen.events == ["admitted", "lapsed", "admitted"]

    @outlasts_leases
    def test_a_paused_video_is_not_started_by_the_next_lease(self, screen: Screen) -> None:
        """Only a video that stopped with its lease continues with the next one."""
        screen.play()
        screen.wait_for_film()
        screen.pause()
        screen.block_api()
        screen.wait_for_event("lapsed")
        screen.unblock_api()
        screen.wait_for_event("admitted")
        screen.assert_paused()

    @outlasts_leases
    def test_a_video_resumes_after_a_network_outage(self, screen: Screen) -> None:
        """A video resumes automatically after its network was gone for longer than a lease."""
        screen.play()
        screen.wait_for_film()
        screen.page.context.set_offline(True)
        screen.wait_for_event("lapsed")
        screen.assert_paused()
        screen.page.wait_for_timeout(1000 * GRACE_SECONDS)
        screen.page.context.set_offline(False)
        screen.wait_for_film()
        assert screen.events == ["admitted", "lapsed", "admitted"]

    @outlasts_leases
    def test_a_video_resumes_after_a_sleep(self, screen: Screen) -> None:
        """A video resumes automatically after its laptop slept for longer than a lease."""
        screen.play()
        screen.wait_for_film()
        screen.sleep(OUTLASTING)
        screen.wait_for_event("admitted")
        screen.wait_for_film()
        assert screen.streams == [screen.stream_id]

    def test_a_reloaded_page_plays_in_its_slot(self, screen: Screen) -> None:
        """A reloaded page starts under the same name, so that its tokens count as one stream's."""
        screen.play()
        screen.wait_for_film()
        name = screen.stream_id
        screen.reload()
        screen.play()
        screen.wait_for_film()
        assert (screen.stream_id, screen.streams) == (name, [name])
        assert screen.token_names == [name]

    def test_a_token_refused_as_expired_is_renewed_once(self, screen: Screen) -> None:
        """One heartbeat renews the token, the request is repeated, and the viewer notices nothing."""
        screen.play()
        screen.wait_for_film()
        refused = screen.expire_once(14)
        screen.seek(14)
        screen.wait_for_film()
        (expired,) = [request for request in refused if request in screen.answered]
        same = expired.url.partition("?")[0]
        assert [request.url.partition("?")[0] for request in screen.answered].count(same) == 2
        assert screen.events == ["admitted"], screen.events


class ChoosingQualities:
    """The scenario of players that let a page choose the quality."""

    def test_a_viewer_chooses_another_quality(self, screen: Screen) -> None:
        """The requests for another quality have tokens as well."""
        screen.play()
        screen.wait_for_film(HD)
        screen.do("choose(given)", UHD)
        screen.wait_for_film(UHD)
        assert screen.events == ["admitted"], screen.events


class CarryingTokens:
    """The scenario of players that can put the token in different places."""

    @outlasts_leases
    @pytest.mark.parametrize("screen", [{"tokenIn": "query"}, {"tokenIn": "cookie"}], indirect=True)
    def test_a_video_plays_with_its_token_in_any_place(self, screen: Screen) -> None:
        """A video plays with the token in any place, also beyond the first lease."""
        screen.play()
        screen.wait_for_film()
        screen.page.wait_for_timeout(1000 * LEASE_SECONDS)
        screen.seek(14)
        screen.wait_for_film()
        assert screen.events == ["admitted"], screen.events
