from dataclasses import replace

import pytest

from domain.bounds import Bound
from domain.decisions import Try, first_heartbeat, first_start
from domain.policy import Outcome, Policy
from domain.requests import Heartbeat, StartNamed
from domain.streams import NO_SLOTS, AnonymousSlots, Lease, LiveStreams
from domain.writes import Admit, AnonymousStream, Ended, Extend, Freed
from tests.unit.domain.states import (
    NEW,
    NOW,
    POLICY,
    RETAIN,
    USER,
    admit_new,
    anonymous,
    dead,
    lease,
    named,
    state,
)


class TestTime:
    """Periods and their ends."""

    @pytest.mark.parametrize(
        ("now", "expires_at"),
        [(NOW, NOW + 90), (NOW + 0.001, NOW + 91), (NOW + 0.999, NOW + 91), (NOW + 1, NOW + 91)],
    )
    def test_an_expiry_is_rounded_up(self, now: float, expires_at: int) -> None:
        """An expiry is rounded up, so that no player has less time than was promised."""
        assert POLICY.lease_until(now) == expires_at
        assert replace(POLICY, anonymous_seconds=90).anonymous_until(now) == expires_at

    @pytest.mark.parametrize(("now", "live"), [(NOW + 91.999, True), (NOW + 92, False)])
    def test_live_means_until_expiry_and_grace(self, now: float, live: bool) -> None:  # noqa: FBT001 - an answer
        """A slot is live to the last instant before its expiry plus two seconds, named or not."""
        seen = state(NEW, anonymous=1, anonymous_left=90)
        assert POLICY.is_live(NEW, now) is live
        assert POLICY.live(seen, now) == (LiveStreams((NEW,), 1) if live else LiveStreams())
        over = Freed() if live else Freed((NEW,), anonymous=seen.anonymous)
        assert POLICY.expired(seen, now) == over

    def test_without_a_grace_a_slot_expires_at_its_expiry(self) -> None:
        """With a grace of zero, a slot expires at its expiry."""
        strict = replace(POLICY, grace_seconds=0)
        assert strict.is_live(NEW, NOW + 89.999)
        assert not strict.is_live(NEW, NOW + 90)

    def test_anonymous_slots_without_an_expiry_have_expired(self) -> None:
        """Slots taken while none expired are presumed expired once a period is configured."""
        seen = state(anonymous=2, anonymous_left=None)
        assert POLICY.live(seen, NOW).count == 0
        assert POLICY.expired(seen, NOW).anonymous == AnonymousSlots(2, None)

    @pytest.mark.parametrize("left", [None, -1_000_000])
    def test_without_a_period_anonymous_slots_never_expire(self, left: int | None) -> None:
        """A period of zero means never, whatever expiry was recorded before."""
        never = replace(POLICY, anonymous_seconds=0)
        seen = state(anonymous=2, anonymous_left=left)
        assert never.live(seen, NOW).anonymous_count == 2
        assert never.expired(seen, NOW).anonymous == NO_SLOTS

    def test_live_streams_are_listed_oldest_first(self) -> None:
        """Live streams are sorted by their start, and by name where that is the same."""
        seen = state(lease("c"), lease("b", age=5), lease("a"), dead("d"))
        assert [lease.stream_id for lease in POLICY.live(seen, NOW).leases] == ["b", "a", "c"]

    @pytest.mark.parametrize(
        ("lease_seconds", "anonymous_seconds", "retained"),
        [(90, 43_200, 43_200), (90, 60, 90), (90, 0, None)],
    )
    def test_a_state_is_kept_a_day_longer_than_anything_in_it(
        self, lease_seconds: int, anonymous_seconds: int, retained: int | None
    ) -> None:
        """A state with a slot that may be live is not deleted, nor one with permanent anonymous slots."""
        policy = Policy(lease_seconds=lease_seconds, anonymous_seconds=anonymous_seconds)
        until = None if retained is None else NOW + 1 + retained + 86_400
        assert policy.retain_until(NOW + 0.5) == until


class TestFirstWrite:
    """The first write of a request, made before any state is known."""

    def test_a_named_start_asks_for_a_lease(self) -> None:
        """A lease begins at the second that it is in, and carries the device's label."""
        request = StartNamed(USER, "new", 3, device="tv")
        admit = Admit(USER, Lease("new", NOW, NOW + 91, "tv"), (Bound(3),), RETAIN + 1)
        assert first_start(request, POLICY, NOW + 0.5) == Try(admit, Outcome.ADMITTED)

    def test_a_replacing_start_ends_the_old_stream(self) -> None:
        """A replacing start admits the new stream and ends the old one in one write."""
        assert first_start(named(replaces="old"), POLICY, NOW) == admit_new(
            Outcome.REPLACED, Freed(ended=(Ended("old"),))
        )

    def test_an_anonymous_start_renews_no_expired_slot(self) -> None:
        """An anonymous start requires that no anonymous slot has expired, because it extends all of them."""
        newcomer = AnonymousStream("start:1", NOW + 43_200, presumed_expired=NOW - 2)
        assert first_start(anonymous(), POLICY, NOW) == Try(
            Admit(USER, newcomer, (Bound(3),), RETAIN), Outcome.ADMITTED
        )

    def test_an_anonymous_start_without_a_period_asks_for_no_expiry(self) -> None:
        """Slots that never expire record no expiry, and are kept forever."""
        never = replace(POLICY, anonymous_seconds=0)
        newcomer = AnonymousStream("start:1", None, presumed_expired=None)
        assert first_start(anonymous(), never, NOW).write == Admit(USER, newcomer, (Bound(3),), None)

    def test_a_heartbeat_asks_for_a_whole_lease(self) -> None:
        """A heartbeat asks for a whole lease from now, rounded up."""
        write = first_heartbeat(Heartbeat(USER, "new"), POLICY, NOW + 0.5).write
        assert write == Extend(USER, "new", NOW + 91, RETAIN + 1)


def test_a_lease_keeps_the_starts_fields() -> None:
    """A lease keeps the start's label, page load, path and groups."""
    start = StartNamed("1", "tv", 3, "TV", None, "load-1", "/film/", ("uhd",))
    assert Policy().lease_of(start, NOW) == Lease("tv", NOW, NOW + 90, "TV", "load-1", "/film/", ("uhd",))
