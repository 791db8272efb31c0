from dataclasses import replace

import pytest

from domain.attempt import Attempt
from domain.bounds import Bound
from domain.decisions import Decision, Refuse, Settled, Try, decide_start, first_heartbeat, first_start
from domain.gone import mark
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.requests import Heartbeat, StartAnonymous, StartNamed
from domain.streams import AnonymousSlots, Displaced, GoneReason, Lease, Snapshot
from domain.transitions import after, permits
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

EVICT = Policy(on_limit=OnLimit.EVICT_OLDEST)
SHADOW = Policy(enforcement=Enforcement.SHADOW)
FULL = Refuse(Bound(3))
REPLACED = (Displaced(GoneReason.REPLACED, mark("old")),)


def decide(
    seen: Snapshot, request: StartNamed | StartAnonymous, policy: Policy = POLICY, now: float = NOW
) -> Decision:
    """Return the decision, by default at the moment that all states here start from."""
    return decide_start(Attempt(seen, request, policy, now))


class TestReplay:
    """Rule 1: the request has taken effect already."""

    def test_a_remembered_request_is_settled(self) -> None:
        """A remembered request is settled at the limit too, and although other requests came later."""
        seen = state(anonymous=3, marks=("end:9", "start:8", "start:1"))
        assert decide(seen, anonymous()) == Settled(Outcome.REPLAYED)

    def test_an_end_under_the_same_id_is_another_request(self) -> None:
        """A start is not a repeat of an end with the same key."""
        assert decide(state(anonymous=3, marks=("end:1",)), anonymous()) == FULL

    @pytest.mark.parametrize("limit", [3, 1, 0])
    def test_a_live_stream_of_that_name_is_settled(self, limit: int) -> None:
        """A live stream keeps its slot, however low the limit has become since."""
        seen = state(NEW, lease("a"), lease("b"))
        assert decide(seen, named(limit)) == Settled(Outcome.REPLAYED)

    def test_a_lease_with_one_interval_gone_is_not_renewed(self) -> None:
        """With exactly one heartbeat interval of the lease gone, nothing is written."""
        assert decide(state(NEW), named(), now=NOW + 30) == Settled(Outcome.REPLAYED)

    @pytest.mark.parametrize("later", [30.125, 91.875])
    def test_a_lease_with_more_gone_is_renewed(self, later: float) -> None:
        """A restarted player gets a whole lease, even within the grace of its old one."""
        now = NOW + later
        renewal = Extend(USER, "new", POLICY.lease_until(now), POLICY.retain_until(now))
        assert decide(state(NEW), named(), now=now) == Try(renewal, Outcome.REPLAYED)

    def test_an_expired_stream_of_that_name_is_not_a_replay(self) -> None:
        """An expired stream's slot has to be taken anew, which needs room."""
        full = state(dead("new"), lease("a"), lease("b"), lease("c"))
        assert decide(full, named()) == FULL


class TestReplaces:
    """A start that ends another stream of the same user in the same write."""

    @pytest.mark.parametrize("old", [lease("old"), dead("old")])
    def test_both_exist(self, old: Lease) -> None:
        """The old stream is ended, live or expired, and the new one's lease is renewed."""
        renewal = Extend(USER, "new", NOW + 90, RETAIN, replaces=Ended("old"), displaced=REPLACED)
        seen = state(old, lease("new", left=85), lease("a"))
        assert decide(seen, named(replaces="old")) == Try(renewal, Outcome.REPLACED)

    def test_both_exist_and_the_later_expiry_stays(self) -> None:
        """A lease that a host with a faster clock extended further keeps its later expiry."""
        seen = state(lease("old"), lease("new", left=91))
        decision = decide(seen, named(replaces="old"))
        renewal = Extend(USER, "new", NOW + 91, RETAIN, replaces=Ended("old"), displaced=REPLACED)
        assert decision == Try(renewal, Outcome.REPLACED)

    def test_both_exist_above_a_lowered_limit(self) -> None:
        """A swap gives a slot back, so no limit prevents it."""
        decision = decide(state(lease("old"), NEW), named(limit=0, replaces="old"))
        assert isinstance(decision, Try)
        assert decision.outcome is Outcome.REPLACED

    def test_only_the_old_one_exists(self) -> None:
        """If only the old stream exists, the plain write replaces it, at the limit too."""
        seen = state(lease("old"), lease("a"), lease("b"))
        assert decide(seen, named(replaces="old")) == admit_new(
            Outcome.REPLACED, Freed(ended=(Ended("old"),))
        )

    def test_only_the_old_one_exists_and_has_expired(self) -> None:
        """An expired old stream is replaced by the same write, because its slot is still held."""
        seen = state(dead("old"), lease("a"), lease("b"))
        assert decide(seen, named(replaces="old")) == admit_new(
            Outcome.REPLACED, Freed(ended=(Ended("old"),))
        )

    def test_only_the_old_one_exists_above_the_limit(self) -> None:
        """Giving back one slot of two too many makes no room."""
        seen = state(lease("old"), lease("a"), lease("b"), lease("c"))
        assert decide(seen, named(replaces="old")) == FULL

    def test_only_the_new_one_exists(self) -> None:
        """If only the new stream exists, an earlier attempt landed, and nothing is written."""
        seen = state(NEW, lease("a"), lease("b"))
        assert decide(seen, named(replaces="old")) == Settled(Outcome.REPLAYED)

    def test_only_the_new_one_exists_and_is_due(self) -> None:
        """A new stream that is due is renewed, and the missing old one is not required."""
        renewal = Extend(USER, "new", NOW + 90, RETAIN)
        assert decide(state(lease("new", left=1)), named(replaces="old")) == Try(renewal, Outcome.REPLAYED)

    def test_neither_exists(self) -> None:
        """With neither stream there, the start is admitted if there is room, and refused if there is none."""
        request = named(replaces="old")
        assert decide(state(lease("a"), lease("b")), request) == admit_new(Outcome.ADMITTED)
        assert decide(state(lease("a"), lease("b"), lease("c")), request) == FULL

    def test_the_new_one_exists_and_has_expired(self) -> None:
        """The new stream's expired lease is overwritten and the old one ended: two slots back, one taken."""
        seen = state(lease("old"), dead("new"), lease("a"), lease("b"))
        freed = Freed(expired=(dead("new"),), ended=(Ended("old"),))
        assert decide(seen, named(replaces="old")) == admit_new(Outcome.RECLAIMED, freed)

    def test_both_exist_and_have_expired(self) -> None:
        """If both streams have expired, each of their leases is named once."""
        seen = state(dead("old"), dead("new"), lease("a"))
        freed = Freed(expired=(dead("new"),), ended=(Ended("old"),))
        assert decide(seen, named(replaces="old")) == admit_new(Outcome.RECLAIMED, freed)

    def test_every_second_write_removes_the_old_one(self) -> None:
        """Reclaiming, shadow mode and eviction also end the replaced stream."""
        request = named(replaces="old")
        full = (lease("old"), lease("a", age=9), lease("b"), lease("c"))
        assert decide(state(*full[:3], dead("d")), request) == admit_new(
            Outcome.RECLAIMED, Freed(expired=(dead("d"),), ended=(Ended("old"),))
        )
        assert decide(state(*full), request, SHADOW) == admit_new(
            Outcome.WOULD_REFUSE, Freed(ended=(Ended("old"),)), limit=20, full=Bound(3)
        )
        assert decide(state(*full), request, EVICT) == admit_new(
            Outcome.EVICTED, Freed(ended=(Ended("old"), Ended("a"))), as_seen=True
        )


class TestRoom:
    """Rule 2: the state has changed since, and the plain write fits it now."""

    def test_a_named_start_is_retried(self) -> None:
        """A named start is retried if one slot is free."""
        assert decide(state(lease("a"), anonymous=1), named()) == admit_new(Outcome.ADMITTED)

    def test_an_anonymous_start_is_retried(self) -> None:
        """An anonymous start is retried if one slot is free, on the same condition as at first."""
        first = first_start(anonymous(), POLICY, NOW)
        assert decide(state(lease("a"), anonymous=1), anonymous()) == first

    def test_expired_slots_stay_while_there_is_room(self) -> None:
        """The plain write comes before one that reclaims expired slots."""
        assert decide(state(dead("a"), lease("b")), named()) == admit_new(Outcome.ADMITTED)

    def test_a_limit_of_zero_has_no_room(self) -> None:
        """A limit of zero has no room, even for a user without any state or with expired slots only."""
        for request in (named(limit=0), anonymous(limit=0)):
            assert decide(Snapshot(), request) == Refuse(Bound(0))
            assert decide(Snapshot(), request, EVICT) == Refuse(Bound(0))
            assert decide(state(dead("a")), request) == Refuse(Bound(0))
            assert decide(state(dead("new")), request, EVICT) == Refuse(Bound(0))


class TestReclaim:
    """Rule 3: there is room once the expired slots are reclaimed."""

    def test_every_expired_slot_is_reclaimed(self) -> None:
        """A takeover gives back every expired slot at once."""
        seen = state(dead("a"), lease("b"), dead("c", age=200), anonymous=2, anonymous_left=-2)
        freed = Freed(expired=(dead("c", age=200), dead("a")), anonymous=seen.anonymous)
        assert decide(seen, named()) == admit_new(Outcome.RECLAIMED, freed)

    def test_a_lease_is_taken_over_after_its_grace(self) -> None:
        """A lease is taken over once the last second of its grace has passed, and not before."""
        full = state(lease("a", left=0), lease("b"), lease("c"))
        assert decide(full, named(), now=NOW + 1.999) == FULL
        decision = decide(full, named(), now=NOW + 2)
        assert isinstance(decision, Try)
        assert decision.outcome is Outcome.RECLAIMED

    def test_anonymous_slots_are_taken_over_after_their_grace(self) -> None:
        """Anonymous slots are all taken over at one moment, after their grace."""
        full = state(anonymous=3, anonymous_left=0)
        assert decide(full, anonymous(), now=NOW + 1.999) == FULL
        decision = decide(full, anonymous(), now=NOW + 2)
        assert isinstance(decision, Try)
        assert after(full, decision.write).anonymous == AnonymousSlots(1, NOW + 2 + 43_200)

    def test_an_anonymous_start_reclaims_expired_slots_even_with_room(self) -> None:
        """An anonymous start gives expired anonymous slots back, because it would otherwise renew them."""
        seen = state(anonymous=1, anonymous_left=-2)
        newcomer = AnonymousStream("start:1", NOW + 43_200, presumed_expired=NOW - 2)
        write = Admit(USER, newcomer, (Bound(3),), RETAIN, Freed(anonymous=seen.anonymous))
        assert decide(seen, anonymous()) == Try(write, Outcome.RECLAIMED)

    def test_slots_without_an_expiry_are_reclaimed_once_a_period_is_set(self) -> None:
        """Slots without an expiry are taken over on the condition that they still have none."""
        seen = state(anonymous=3, anonymous_left=None)
        freed = Freed(anonymous=AnonymousSlots(3, None))
        assert decide(seen, named()) == admit_new(Outcome.RECLAIMED, freed)
        assert decide(seen, named(), replace(POLICY, anonymous_seconds=0)) == FULL

    def test_an_expired_lease_of_its_own_name_is_overwritten(self) -> None:
        """An expired lease of the newcomer's own name is overwritten, where the limit has room."""
        seen = state(dead("new"), lease("a"), lease("b"))
        assert decide(seen, named()) == admit_new(Outcome.RECLAIMED, Freed(expired=(dead("new"),)))

    def test_an_expired_lease_of_its_own_name_needs_room(self) -> None:
        """Above a lowered limit, a newcomer with an expired lease of its own name is refused like others."""
        seen = state(dead("new"), lease("a"), lease("b"))
        assert decide(seen, named(limit=2)) == Refuse(Bound(2))

    def test_too_few_expired_slots_make_no_room(self) -> None:
        """One expired slot of five makes no room under a limit of three."""
        seen = state(dead("a"), *(lease(name) for name in "bcde"))
        assert decide(seen, named()) == FULL
        assert decide(seen, anonymous()) == FULL

    def test_a_late_heartbeat_saves_a_stream_from_takeover(self) -> None:
        """A stream whose slot was not taken is live again after a late heartbeat."""
        full = state(dead("a"), lease("b"), lease("c"))
        beat = first_heartbeat(Heartbeat(USER, "a"), POLICY, NOW).write
        takeover = decide(full, named())
        assert permits(full, beat)
        revived = after(full, beat)
        assert isinstance(takeover, Try)
        assert not permits(revived, takeover.write)
        assert decide(revived, named()) == FULL


class TestShadow:
    """Rule 4: the limit is recorded and not enforced."""

    def test_above_the_limit_is_admitted_and_recorded(self) -> None:
        """Only the outcome distinguishes a start above the limit from an ordinary admission."""
        seen = state(*(lease(name) for name in "abc"))
        assert decide(seen, named(), SHADOW) == admit_new(Outcome.WOULD_REFUSE, limit=20, full=Bound(3))

    def test_a_limit_of_zero_is_recorded_like_any_other(self) -> None:
        """Shadow mode admits a start under a limit of zero, and records it."""
        assert decide(Snapshot(), named(limit=0), SHADOW) == admit_new(
            Outcome.WOULD_REFUSE, limit=20, full=Bound(0)
        )

    def test_below_the_limit_nothing_is_recorded(self) -> None:
        """With room, or room after reclaiming, shadow mode decides as enforcement does."""
        assert decide(state(lease("a")), named(), SHADOW) == admit_new(Outcome.ADMITTED)
        seen = state(dead("a"), lease("b"), lease("c"))
        assert decide(seen, named(), SHADOW) == admit_new(Outcome.RECLAIMED, Freed(expired=(dead("a"),)))

    def test_expired_slots_are_reclaimed_in_the_same_write(self) -> None:
        """Shadow mode reclaims expired slots, because a user would otherwise fill up with them."""
        seen = state(dead("a"), *(lease(name) for name in "bcd"), anonymous=1, anonymous_left=-2)
        freed = Freed(expired=(dead("a"),), anonymous=seen.anonymous)
        assert decide(seen, named(), SHADOW) == admit_new(
            Outcome.WOULD_REFUSE, freed, limit=20, full=Bound(3)
        )

    def test_the_ceiling_of_twenty_holds(self) -> None:
        """The ceiling of twenty holds in every mode."""
        assert isinstance(decide(state(anonymous=19), named(), SHADOW), Try)
        assert decide(state(anonymous=20), named(), SHADOW) == FULL
        assert decide(state(anonymous=20), anonymous(), SHADOW) == FULL

    def test_it_never_evicts(self) -> None:
        """Shadow mode never evicts, even at the ceiling, whatever is configured for later."""
        both = replace(EVICT, enforcement=Enforcement.SHADOW)
        streams = [lease(f"{n}") for n in range(20)]
        assert decide(state(*streams[:3]), named(), both) == admit_new(
            Outcome.WOULD_REFUSE, limit=20, full=Bound(3)
        )
        assert decide(state(*streams), named(), both) == FULL

    def test_once_enforced_it_refuses_until_drained(self) -> None:
        """Once enforced, streams above the limit stay, and none is admitted until fewer than it are left."""
        streams = [lease(name) for name in "abcde"]
        for left in (5, 4, 3):
            assert decide(state(*streams[:left]), named()) == FULL
        assert decide(state(*streams[:2]), named()) == admit_new(Outcome.ADMITTED)


class TestEvict:
    """Rule 5: the oldest named streams make room."""

    def test_the_oldest_is_evicted(self) -> None:
        """The stream that started first is evicted, whatever its expiry."""
        seen = state(lease("a", age=1, left=5), lease("b", age=3), lease("c", age=2, left=1))
        assert decide(seen, named(), EVICT) == admit_new(
            Outcome.EVICTED, Freed(ended=(Ended("b"),)), as_seen=True
        )

    def test_ties_are_broken_by_name(self) -> None:
        """Streams that started together are evicted by name, so that every host picks the same one."""
        seen = state(lease("c"), lease("a"), lease("b"))
        assert decide(seen, named(), EVICT) == admit_new(
            Outcome.EVICTED, Freed(ended=(Ended("a"),)), as_seen=True
        )

    def test_eviction_brings_the_count_down_to_the_limit(self) -> None:
        """Eviction brings a count above the limit down to it, expired slots first."""
        streams = [lease(name, age=9 - n) for n, name in enumerate("abcde")]
        seen = state(*streams, dead("f"), anonymous=1)
        freed = Freed(expired=(dead("f"),), ended=(Ended("a"), Ended("b"), Ended("c"), Ended("d")))
        assert decide(seen, named(), EVICT) == admit_new(Outcome.EVICTED, freed, as_seen=True)

    def test_an_anonymous_newcomer_evicts_too(self) -> None:
        """An anonymous start evicts as a named one does."""
        decision = decide(state(lease("a"), lease("b"), anonymous=1), anonymous(), EVICT)
        assert isinstance(decision, Try)
        assert isinstance(decision.write, Admit)
        assert decision.write.freed == Freed(ended=(Ended("a"),))

    def test_with_only_anonymous_streams_left_it_refuses(self) -> None:
        """If only anonymous streams are left, the start is refused and no named stream is ended."""
        assert decide(state(anonymous=3), named(), EVICT) == FULL
        assert decide(state(lease("a"), lease("b"), anonymous=3), named(), EVICT) == FULL

    def test_at_a_limit_of_one_the_only_stream_is_evicted(self) -> None:
        """At a limit of one, the latest start evicts the only stream."""
        assert decide(state(lease("a")), named(limit=1), EVICT) == admit_new(
            Outcome.EVICTED, Freed(ended=(Ended("a"),)), limit=1, as_seen=True
        )

    def test_a_limit_of_zero_evicts_no_stream(self) -> None:
        """Under a limit of zero nothing is evicted: the user's streams end with their leases."""
        assert decide(state(lease("a")), named(limit=0), EVICT) == Refuse(Bound(0))


class TestOrder:
    """The rules apply in their order where more than one fits."""

    def test_replay_comes_before_all(self) -> None:
        """A repeat neither evicts its own live stream nor is recorded as above the limit."""
        seen = state(lease("new", age=9), lease("a"), lease("b"), dead("c"))
        for policy in (POLICY, EVICT, SHADOW):
            assert decide(seen, named(), policy) == Settled(Outcome.REPLAYED)

    def test_room_comes_before_reclaiming(self) -> None:
        """The plain write comes before reclaiming, because the fewest changes can make it fail."""
        for policy in (POLICY, EVICT, SHADOW):
            assert decide(state(dead("a")), named(), policy) == admit_new(Outcome.ADMITTED)

    def test_reclaiming_comes_before_shadow_and_eviction(self) -> None:
        """No live stream is evicted, and nothing is recorded, while an expired slot can be reclaimed."""
        seen = state(dead("a"), lease("b", age=500), lease("c"))
        for policy in (EVICT, SHADOW, replace(EVICT, enforcement=Enforcement.SHADOW)):
            assert decide(seen, named(), policy) == admit_new(Outcome.RECLAIMED, Freed(expired=(dead("a"),)))

    def test_shadow_comes_before_eviction(self) -> None:
        """Shadow mode, the first step of a roll-out, evicts no stream."""
        both = replace(EVICT, enforcement=Enforcement.SHADOW)
        seen = state(lease("a"), lease("b"), lease("c"))
        assert decide(seen, named(), both) == admit_new(Outcome.WOULD_REFUSE, limit=20, full=Bound(3))

    def test_otherwise_it_refuses(self) -> None:
        """A start beside three live streams of three is refused if no rule makes room."""
        seen = state(lease("a"), lease("b"), anonymous=1)
        assert decide(seen, named()) == FULL
        assert decide(seen, anonymous()) == FULL
