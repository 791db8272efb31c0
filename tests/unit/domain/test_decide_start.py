from dataclasses import replace

import pytest

from domain.attempt import Attempt
from domain.bounds import Bound
from domain.decisions import Decision, Refuse, Settled, Try, decide_start, first_heartbeat, first_start
from domain.gone import mark
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.requests import Heartbeat, StartAnonymous, StartNamed
from domain.streams import AnonymousSlots, Displaced, GoneReason, Lease, Snapshot
from domain.writes import Admit, AnonymousStream, Ended, Extend, Freed, after, permits
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
    """The decision, by default at the moment that all states here are told from."""
    return decide_start(Attempt(seen, request, policy, now))


class TestReplay:
    """Rule 1: the request's effect is there already."""

    def test_a_remembered_request_is_settled(self) -> None:
        """At the limit too, and though others came since."""
        seen = state(anonymous=3, marks=("end:9", "start:8", "start:1"))
        assert decide(seen, anonymous()) == Settled(Outcome.REPLAYED)

    def test_an_end_under_the_same_id_is_another_request(self) -> None:
        """A start is no repeat of the end that shares its key."""
        assert decide(state(anonymous=3, marks=("end:1",)), anonymous()) == FULL

    @pytest.mark.parametrize("limit", [3, 1, 0])
    def test_a_live_stream_of_that_name_is_settled(self, limit: int) -> None:
        """Whoever holds a slot keeps it, however low the limit has become since."""
        seen = state(NEW, lease("a"), lease("b"))
        assert decide(seen, named(limit)) == Settled(Outcome.REPLAYED)

    def test_with_a_heartbeats_worth_gone_the_lease_is_still_long_enough(self) -> None:
        """Exactly a lease less a heartbeat interval left: nothing is written."""
        assert decide(state(NEW), named(), now=NOW + 30) == Settled(Outcome.REPLAYED)

    @pytest.mark.parametrize("later", [30.125, 91.875])
    def test_with_less_left_the_lease_is_renewed(self, later: float) -> None:
        """A restarted player gets a whole lease, even within the grace of its old one."""
        now = NOW + later
        renewal = Extend(USER, "new", POLICY.lease_until(now), POLICY.retain_until(now))
        assert decide(state(NEW), named(), now=now) == Try(renewal, Outcome.REPLAYED)

    def test_a_dead_stream_of_that_name_is_no_replay(self) -> None:
        """Its slot has to be taken anew, and there must be room."""
        full = state(dead("new"), lease("a"), lease("b"), lease("c"))
        assert decide(full, named()) == FULL


class TestReplaces:
    """A start that ends another stream of the same user in the same write."""

    @pytest.mark.parametrize("old", [lease("old"), dead("old")])
    def test_both_there(self, old: Lease) -> None:
        """The old one goes, live or dead, and the new one is renewed."""
        renewal = Extend(USER, "new", NOW + 90, RETAIN, replaces=Ended("old"), displaced=REPLACED)
        seen = state(old, lease("new", left=85), lease("a"))
        assert decide(seen, named(replaces="old")) == Try(renewal, Outcome.REPLACED)

    def test_both_there_never_moves_an_expiry_back(self) -> None:
        """A lease that another host, with a faster clock, extended further stays as long."""
        seen = state(lease("old"), lease("new", left=91))
        decision = decide(seen, named(replaces="old"))
        renewal = Extend(USER, "new", NOW + 91, RETAIN, replaces=Ended("old"), displaced=REPLACED)
        assert decision == Try(renewal, Outcome.REPLACED)

    def test_both_there_above_a_lowered_limit(self) -> None:
        """The swap gives a slot back, so no limit stands in its way."""
        decision = decide(state(lease("old"), NEW), named(limit=0, replaces="old"))
        assert isinstance(decision, Try)
        assert decision.outcome is Outcome.REPLACED

    def test_only_the_old_one_there(self) -> None:
        """The plain write, at the limit too."""
        seen = state(lease("old"), lease("a"), lease("b"))
        assert decide(seen, named(replaces="old")) == admit_new(
            Outcome.REPLACED, Freed(ended=(Ended("old"),))
        )

    def test_only_the_old_one_there_and_dead(self) -> None:
        """A swap as well: its slot is there to be handed on."""
        seen = state(dead("old"), lease("a"), lease("b"))
        assert decide(seen, named(replaces="old")) == admit_new(
            Outcome.REPLACED, Freed(ended=(Ended("old"),))
        )

    def test_only_the_old_one_there_above_the_limit(self) -> None:
        """One given back of two too many makes no room."""
        seen = state(lease("old"), lease("a"), lease("b"), lease("c"))
        assert decide(seen, named(replaces="old")) == FULL

    def test_only_the_new_one_there(self) -> None:
        """An earlier try landed: nothing is written."""
        seen = state(NEW, lease("a"), lease("b"))
        assert decide(seen, named(replaces="old")) == Settled(Outcome.REPLAYED)

    def test_only_the_new_one_there_and_due(self) -> None:
        """It is renewed, and the old one, which is gone, is not asked for."""
        renewal = Extend(USER, "new", NOW + 90, RETAIN)
        assert decide(state(lease("new", left=1)), named(replaces="old")) == Try(renewal, Outcome.REPLAYED)

    def test_neither_there(self) -> None:
        """A plain start where there is room, and a refusal where there is none."""
        request = named(replaces="old")
        assert decide(state(lease("a"), lease("b")), request) == admit_new(Outcome.ADMITTED)
        assert decide(state(lease("a"), lease("b"), lease("c")), request) == FULL

    def test_the_new_one_there_and_dead(self) -> None:
        """Its dead lease is overwritten, and the old one goes: two slots back, one taken."""
        seen = state(lease("old"), dead("new"), lease("a"), lease("b"))
        freed = Freed(expired=(dead("new"),), ended=(Ended("old"),))
        assert decide(seen, named(replaces="old")) == admit_new(Outcome.RECLAIMED, freed)

    def test_both_there_and_dead(self) -> None:
        """Both go, and each is named once."""
        seen = state(dead("old"), dead("new"), lease("a"))
        freed = Freed(expired=(dead("new"),), ended=(Ended("old"),))
        assert decide(seen, named(replaces="old")) == admit_new(Outcome.RECLAIMED, freed)

    def test_the_old_one_is_among_the_removed_of_every_second_write(self) -> None:
        """Reclaiming, shadow and eviction end it in passing."""
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
    """Rule 2: the state moved meanwhile, and the plain write fits it now."""

    def test_a_named_start_is_tried_again(self) -> None:
        """With one slot free."""
        assert decide(state(lease("a"), anonymous=1), named()) == admit_new(Outcome.ADMITTED)

    def test_an_anonymous_start_is_tried_again(self) -> None:
        """With one slot free, on the same condition as at first."""
        first = first_start(anonymous(), POLICY, NOW)
        assert decide(state(lease("a"), anonymous=1), anonymous()) == first

    def test_what_is_over_stays_while_there_is_room_beside_it(self) -> None:
        """The plain write comes before one that reclaims."""
        assert decide(state(dead("a"), lease("b")), named()) == admit_new(Outcome.ADMITTED)

    def test_a_limit_of_zero_has_no_room(self) -> None:
        """Not for a user without any state, nor for one whose slots are all over."""
        for request in (named(limit=0), anonymous(limit=0)):
            assert decide(Snapshot(), request) == Refuse(Bound(0))
            assert decide(Snapshot(), request, EVICT) == Refuse(Bound(0))
            assert decide(state(dead("a")), request) == Refuse(Bound(0))
            assert decide(state(dead("new")), request, EVICT) == Refuse(Bound(0))


class TestReclaim:
    """Rule 3: there is room once the expired slots are gone."""

    def test_all_that_is_over_goes(self) -> None:
        """More than one slot is given back at once: the state gets clean in passing."""
        seen = state(dead("a"), lease("b"), dead("c", age=200), anonymous=2, anonymous_left=-2)
        freed = Freed(expired=(dead("c", age=200), dead("a")), anonymous=seen.anonymous)
        assert decide(seen, named()) == admit_new(Outcome.RECLAIMED, freed)

    def test_the_moment_of_a_takeover(self) -> None:
        """Not before the last second of the grace is over."""
        full = state(lease("a", left=0), lease("b"), lease("c"))
        assert decide(full, named(), now=NOW + 1.999) == FULL
        decision = decide(full, named(), now=NOW + 2)
        assert isinstance(decision, Try)
        assert decision.outcome is Outcome.RECLAIMED

    def test_the_moment_of_an_anonymous_takeover(self) -> None:
        """The same for slots without a name, all of them together."""
        full = state(anonymous=3, anonymous_left=0)
        assert decide(full, anonymous(), now=NOW + 1.999) == FULL
        decision = decide(full, anonymous(), now=NOW + 2)
        assert isinstance(decision, Try)
        assert after(full, decision.write).anonymous == AnonymousSlots(1, NOW + 2 + 43_200)

    def test_an_anonymous_start_gives_dead_slots_back_though_there_is_room(self) -> None:
        """Else it would revive them."""
        seen = state(anonymous=1, anonymous_left=-2)
        newcomer = AnonymousStream("start:1", NOW + 43_200, presumed_over=NOW - 2)
        write = Admit(USER, newcomer, (Bound(3),), RETAIN, Freed(anonymous=seen.anonymous))
        assert decide(seen, anonymous()) == Try(write, Outcome.RECLAIMED)

    def test_slots_without_an_expiry_are_taken_once_a_period_is_configured(self) -> None:
        """Their lack of an expiry is what is asked for."""
        seen = state(anonymous=3, anonymous_left=None)
        freed = Freed(anonymous=AnonymousSlots(3, None))
        assert decide(seen, named()) == admit_new(Outcome.RECLAIMED, freed)
        assert decide(seen, named(), replace(POLICY, anonymous_seconds=0)) == FULL

    def test_a_dead_lease_of_its_own_name_is_overwritten(self) -> None:
        """As one of the expired, where the limit has room for it."""
        seen = state(dead("new"), lease("a"), lease("b"))
        assert decide(seen, named()) == admit_new(Outcome.RECLAIMED, Freed(expired=(dead("new"),)))

    def test_a_dead_lease_of_its_own_name_needs_room_too(self) -> None:
        """Above a lowered limit it is refused like any newcomer."""
        seen = state(dead("new"), lease("a"), lease("b"))
        assert decide(seen, named(limit=2)) == Refuse(Bound(2))

    def test_too_few_that_are_over_make_no_room(self) -> None:
        """One dead of five, under a limit of three."""
        seen = state(dead("a"), *(lease(name) for name in "bcde"))
        assert decide(seen, named()) == FULL
        assert decide(seen, anonymous()) == FULL

    def test_a_late_heartbeat_saves_a_stream_from_takeover(self) -> None:
        """Nobody had taken its slot: it is live again."""
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
        """The outcome is the one word that tells it from an admission."""
        seen = state(*(lease(name) for name in "abc"))
        assert decide(seen, named(), SHADOW) == admit_new(Outcome.WOULD_REFUSE, limit=20, full=Bound(3))

    def test_a_limit_of_zero_is_recorded_like_any_other(self) -> None:
        """Nobody is blocked before the limit is enforced."""
        assert decide(Snapshot(), named(limit=0), SHADOW) == admit_new(
            Outcome.WOULD_REFUSE, limit=20, full=Bound(0)
        )

    def test_below_the_limit_nothing_is_recorded(self) -> None:
        """Room, and room after what is over is gone, are as under enforcement."""
        assert decide(state(lease("a")), named(), SHADOW) == admit_new(Outcome.ADMITTED)
        seen = state(dead("a"), lease("b"), lease("c"))
        assert decide(seen, named(), SHADOW) == admit_new(Outcome.RECLAIMED, Freed(expired=(dead("a"),)))

    def test_what_is_over_goes_in_the_same_write(self) -> None:
        """Else a user in shadow mode would fill up with dead slots."""
        seen = state(dead("a"), *(lease(name) for name in "bcd"), anonymous=1, anonymous_left=-2)
        freed = Freed(expired=(dead("a"),), anonymous=seen.anonymous)
        assert decide(seen, named(), SHADOW) == admit_new(
            Outcome.WOULD_REFUSE, freed, limit=20, full=Bound(3)
        )

    def test_nobody_has_more_than_twenty(self) -> None:
        """The ceiling holds in every mode."""
        assert isinstance(decide(state(anonymous=19), named(), SHADOW), Try)
        assert decide(state(anonymous=20), named(), SHADOW) == FULL
        assert decide(state(anonymous=20), anonymous(), SHADOW) == FULL

    def test_it_never_evicts(self) -> None:
        """Not even at the ceiling, whatever is configured for later."""
        both = replace(EVICT, enforcement=Enforcement.SHADOW)
        streams = [lease(f"{n}") for n in range(20)]
        assert decide(state(*streams[:3]), named(), both) == admit_new(
            Outcome.WOULD_REFUSE, limit=20, full=Bound(3)
        )
        assert decide(state(*streams), named(), both) == FULL

    def test_once_enforced_it_refuses_until_drained(self) -> None:
        """Those above the limit stay, and nobody comes in before fewer than the limit are left."""
        streams = [lease(name) for name in "abcde"]
        for left in (5, 4, 3):
            assert decide(state(*streams[:left]), named()) == FULL
        assert decide(state(*streams[:2]), named()) == admit_new(Outcome.ADMITTED)


class TestEvict:
    """Rule 5: the oldest named streams make room."""

    def test_the_oldest_goes(self) -> None:
        """By its start, whatever its expiry."""
        seen = state(lease("a", age=1, left=5), lease("b", age=3), lease("c", age=2, left=1))
        assert decide(seen, named(), EVICT) == admit_new(
            Outcome.EVICTED, Freed(ended=(Ended("b"),)), as_seen=True
        )

    def test_ties_go_by_name(self) -> None:
        """So every host picks the same one."""
        seen = state(lease("c"), lease("a"), lease("b"))
        assert decide(seen, named(), EVICT) == admit_new(
            Outcome.EVICTED, Freed(ended=(Ended("a"),)), as_seen=True
        )

    def test_as_many_as_it_takes(self) -> None:
        """A count above the limit comes down to it, and what is over goes first."""
        streams = [lease(name, age=9 - n) for n, name in enumerate("abcde")]
        seen = state(*streams, dead("f"), anonymous=1)
        freed = Freed(expired=(dead("f"),), ended=(Ended("a"), Ended("b"), Ended("c"), Ended("d")))
        assert decide(seen, named(), EVICT) == admit_new(Outcome.EVICTED, freed, as_seen=True)

    def test_an_anonymous_newcomer_evicts_as_well(self) -> None:
        """It is a start like any other."""
        decision = decide(state(lease("a"), lease("b"), anonymous=1), anonymous(), EVICT)
        assert isinstance(decision, Try)
        assert isinstance(decision.write, Admit)
        assert decision.write.freed == Freed(ended=(Ended("a"),))

    def test_with_only_anonymous_ones_left_it_refuses(self) -> None:
        """And ends no named stream in vain."""
        assert decide(state(anonymous=3), named(), EVICT) == FULL
        assert decide(state(lease("a"), lease("b"), anonymous=3), named(), EVICT) == FULL

    def test_at_a_limit_of_one_the_only_stream_goes(self) -> None:
        """Whoever starts last watches."""
        assert decide(state(lease("a")), named(limit=1), EVICT) == admit_new(
            Outcome.EVICTED, Freed(ended=(Ended("a"),)), limit=1, as_seen=True
        )

    def test_a_limit_of_zero_evicts_nobody(self) -> None:
        """A blocked user's streams run out by themselves."""
        assert decide(state(lease("a")), named(limit=0), EVICT) == Refuse(Bound(0))


class TestOrder:
    """The rules are asked in their order, where more than one applies."""

    def test_replay_comes_before_all(self) -> None:
        """A live stream is never evicted by its own repeat, nor recorded as one too many."""
        seen = state(lease("new", age=9), lease("a"), lease("b"), dead("c"))
        for policy in (POLICY, EVICT, SHADOW):
            assert decide(seen, named(), policy) == Settled(Outcome.REPLAYED)

    def test_room_comes_before_reclaiming(self) -> None:
        """The plain write has the least that could change before it."""
        for policy in (POLICY, EVICT, SHADOW):
            assert decide(state(dead("a")), named(), policy) == admit_new(Outcome.ADMITTED)

    def test_reclaiming_comes_before_shadow_and_eviction(self) -> None:
        """Nobody live is bothered while something dead is there."""
        seen = state(dead("a"), lease("b", age=500), lease("c"))
        for policy in (EVICT, SHADOW, replace(EVICT, enforcement=Enforcement.SHADOW)):
            assert decide(seen, named(), policy) == admit_new(Outcome.RECLAIMED, Freed(expired=(dead("a"),)))

    def test_shadow_comes_before_eviction(self) -> None:
        """A roll-out's first step ends nobody's stream."""
        both = replace(EVICT, enforcement=Enforcement.SHADOW)
        seen = state(lease("a"), lease("b"), lease("c"))
        assert decide(seen, named(), both) == admit_new(Outcome.WOULD_REFUSE, limit=20, full=Bound(3))

    def test_otherwise_it_refuses(self) -> None:
        """Three live streams of three, and no rule that makes room."""
        seen = state(lease("a"), lease("b"), anonymous=1)
        assert decide(seen, named()) == FULL
        assert decide(seen, anonymous()) == FULL
