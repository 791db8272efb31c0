"""Starts and ends of streams in groups, which have limits of their own beside that of all streams."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.attempt import Attempt
from domain.bounds import AsSeen, Bound
from domain.decisions import Decision, Refuse, Settled, Try, decide_end, decide_start, first_end, first_start
from domain.errors import LimitReached, StoreUnavailable
from domain.group_counts import RECOUNTS, is_miscounted, recount
from domain.limiter import StreamLimiter
from domain.policy import Enforcement, OnLimit, OnStoreFailure, Outcome, Policy
from domain.requests import EndNamed, StartAnonymous, StartNamed
from domain.situation import Situation
from domain.streams import AnonymousSlots, Lease, Snapshot
from domain.token_names import Recounted
from domain.transitions import after, permits
from domain.writes import NOTHING, Admit, Ended, Freed, Release
from testing.fakes import FailingRepository, FakeClock
from tests.unit.domain.household import Household, names, verified
from tests.unit.domain.states import NOW, POLICY, RETAIN, USER, dead, lease, state

EVICT = Policy(on_limit=OnLimit.EVICT_OLDEST)
SHADOW = Policy(enforcement=Enforcement.SHADOW)
LIMITS = {"away": 1, "uhd": 1}


def start(name: str, *groups: str, limit: int = 3, replaces: str | None = None, **limits: int) -> StartNamed:
    """Return a start in these groups under these limits; by default one stream in each of two groups."""
    bounds = tuple(Bound(most, group) for group, most in (LIMITS | limits).items() if group in groups)
    return StartNamed(USER, name, limit, None, replaces, groups=groups, group_bounds=bounds)


def within(stream: Lease, *groups: str) -> Lease:
    """Return the same lease in these groups."""
    return replace(stream, groups=groups)


def uhd(name: str, *, age: int = 0) -> Lease:
    """Return a live lease in one group."""
    return within(lease(name, age=age), "uhd")


def grouped(*leases: Lease, anonymous: int = 0, anonymous_left: int = 900, **counts: int) -> Snapshot:
    """Return a state of these leases, whose groups are counted right, except for those given."""
    seen = state(*leases, anonymous=anonymous, anonymous_left=anonymous_left)
    groups = {group for each in leases for group in each.groups}
    return replace(seen, groups={group: seen.leases_in(group) for group in groups} | counts)


def decide(seen: Snapshot, request: StartNamed | StartAnonymous, policy: Policy = POLICY) -> Decision:
    """Return the decision at the present moment."""
    return decide_start(Attempt(seen, request, policy, NOW))


def admitted(decision: Decision, seen: Snapshot) -> tuple[Outcome, Admit]:
    """Return the outcome and the write of a decision to admit, which must land on the state that it saw."""
    assert isinstance(decision, Try)
    assert isinstance(decision.write, Admit)
    assert permits(seen, decision.write)
    return decision.outcome, decision.write


class TestFirstWrites:
    """First writes: every ordinary call costs one write."""

    def test_a_start_is_checked_against_all_of_its_limits(self) -> None:
        """A start is held against the total and its groups' limits; an unlimited group is only counted."""
        write = first_start(start("new", "hdr", "uhd"), POLICY, NOW).write
        assert isinstance(write, Admit)
        assert write.counts == (Bound(3), Bound(1, "uhd"))
        assert after(Snapshot(), write).groups == {"hdr": 1, "uhd": 1}

    def test_a_replaced_stream_is_assumed_to_be_in_the_same_groups(self) -> None:
        """A next episode is assumed to be in the groups of the previous one."""
        write = first_start(start("new", "uhd", replaces="old"), POLICY, NOW).write
        assert isinstance(write, Admit)
        assert write.freed == Freed(ended=(Ended("old", ("uhd",)),))
        assert permits(grouped(uhd("old")), write)
        assert not permits(grouped(lease("old")), write)

    @pytest.mark.parametrize("groups", [(), ("uhd",)])
    def test_an_end_leaves_the_groups_that_it_names(self, groups: tuple[str, ...]) -> None:
        """An end takes the stream out of the groups that it names, and out of none if it names none."""
        write = first_end(EndNamed(USER, "a", groups=groups), POLICY, NOW).write
        assert write == Release(USER, "a", RETAIN, groups=groups)


class TestReplay:
    """Starts of a stream that is live and has its slots."""

    def test_in_the_same_groups_it_is_settled(self) -> None:
        """A repeat in the same groups is settled, however full the groups are."""
        seen = grouped(replace(uhd("new")), uhd("a"))
        assert decide(seen, start("new", "uhd")) == Settled(Outcome.REPLAYED)

    @pytest.mark.parametrize(("before", "groups"), [((), ("uhd",)), (("uhd",), ()), (("away",), ("uhd",))])
    def test_in_other_groups_it_swaps_their_slots(
        self, before: tuple[str, ...], groups: tuple[str, ...]
    ) -> None:
        """In other groups it takes their slots and returns its own, and keeps all else but the expiry."""
        own = replace(
            within(lease("new", left=50, age=40, device="tv"), *before), play="p", path_prefix="/a/"
        )
        seen = grouped(own, lease("a"), lease("b"))
        outcome, write = admitted(decide(seen, start("new", *groups)), seen)
        assert (outcome, write.freed) == (Outcome.REPLACED, Freed(expired=(own,)))
        left = after(seen, write)
        assert left.leases["new"] == replace(own, expires_at=NOW + 90, groups=groups)
        assert (left.stream_count, left.groups) == (3, dict.fromkeys(groups, 1))

    def test_it_takes_the_given_play_and_path(self) -> None:
        """A repeated start takes the given play and path, and never moves a later expiry back."""
        seen = grouped(replace(lease("new", left=95), play="p", path_prefix="/a/"))
        request = replace(start("new", "uhd"), play="q", path_prefix="/b/")
        _, write = admitted(decide(seen, request), seen)
        expected = Lease("new", NOW, NOW + 95, play="q", path_prefix="/b/", groups=("uhd",))
        assert write.newcomer == expected

    def test_a_refused_repeat_keeps_its_slots(self) -> None:
        """A repeat that a full group refuses writes nothing."""
        seen = grouped(lease("new"), uhd("a"))
        assert decide(seen, start("new", "uhd")) == Refuse(Bound(1, "uhd"))

    def test_its_own_slots_make_room(self) -> None:
        """A stream may change groups at the limit, because its own slots are given back, but not above it."""
        seen = grouped(within(lease("new"), "away", "uhd"), lease("a"), lease("b"))
        assert isinstance(decide(seen, start("new", "uhd")), Try)
        assert decide(seen, start("new", "uhd", limit=2)) == Refuse(Bound(2))

    def test_an_expired_stream_of_that_name_is_overwritten(self) -> None:
        """An expired stream's slots are given back, whichever groups it was in."""
        own = within(dead("new"), "away")
        seen = grouped(own)
        outcome, write = admitted(decide(seen, start("new", "uhd")), seen)
        assert (outcome, write.freed) == (Outcome.RECLAIMED, Freed(expired=(own,)))
        assert write.newcomer == Lease("new", NOW, NOW + 90, groups=("uhd",))
        assert after(seen, write).groups == {"uhd": 1}

    def test_both_exist_and_the_replaced_one_leaves_its_groups(self) -> None:
        """The renewal names the groups of the replaced stream."""
        seen = grouped(uhd("new"), within(lease("old"), "away"))
        decision = decide(seen, start("new", "uhd", replaces="old"))
        assert isinstance(decision, Try)
        assert permits(seen, decision.write)
        assert (decision.outcome, after(seen, decision.write).groups) == (Outcome.REPLACED, {"uhd": 1})


class TestRoom:
    """A newcomer, which takes one slot in each of several counts and needs room in each."""

    def test_the_plain_write_is_retried(self) -> None:
        """The plain write is retried if the state has changed since."""
        seen = grouped(lease("a"), within(lease("b"), "away"))
        request = start("new", "uhd")
        assert decide(seen, request) == first_start(request, POLICY, NOW)

    def test_a_replaced_stream_frees_its_slots(self) -> None:
        """A replaced stream makes room in the newcomer's groups; its slots in other groups are freed."""
        seen = grouped(within(lease("old"), "away", "uhd"), lease("a"), lease("b"))
        outcome, write = admitted(decide(seen, start("new", "uhd", replaces="old")), seen)
        assert (outcome, write.freed.ended) == (Outcome.REPLACED, (Ended("old", ("away", "uhd")),))
        assert after(seen, write).groups == {"uhd": 1}

    def test_a_replaced_stream_of_another_group_makes_no_room(self) -> None:
        """A start that a full group refuses names that group, and the stream to be replaced stays."""
        seen = grouped(within(lease("old"), "away"), uhd("a"))
        assert decide(seen, start("new", "uhd", replaces="old")) == Refuse(Bound(1, "uhd"))

    def test_above_a_lowered_limit_replacing_is_refused(self) -> None:
        """Giving back one slot of two too many makes no room."""
        seen = grouped(uhd("old"), uhd("a"), uhd("b"))
        request = start("new", "uhd", uhd=2, limit=9, replaces="old")
        assert decide(seen, request) == Refuse(Bound(2, "uhd"))

    def test_a_blocked_group_admits_no_stream(self) -> None:
        """A group with a limit of zero admits no stream, even when it is empty or eviction is configured."""
        for policy in (POLICY, EVICT):
            assert decide(Snapshot(), start("new", "uhd", uhd=0), policy) == Refuse(Bound(0, "uhd"))

    def test_the_total_is_named_before_a_group(self) -> None:
        """The total is named where both the total and a group are full."""
        seen = grouped(uhd("a"), lease("b"), lease("c"))
        assert decide(seen, start("new", "uhd")) == Refuse(Bound(3))

    def test_a_full_group_does_not_affect_other_streams(self) -> None:
        """A full group does not keep out a stream of no group, or one without a name."""
        seen = grouped(uhd("a"))
        assert isinstance(decide(seen, start("new", "away")), Try)
        assert isinstance(decide(seen, StartAnonymous(USER, "1", 3)), Try)


class TestReclaim:
    """Expired streams, which are reclaimed where they count towards a full limit and stay elsewhere."""

    def test_a_full_group_reclaims_only_its_own_streams(self) -> None:
        """Only the expired streams of the full group are reclaimed; others, named or not, stay."""
        over = within(dead("a"), "away", "uhd")
        seen = grouped(over, dead("b"), within(dead("c"), "away"), anonymous=1, anonymous_left=-2)
        outcome, write = admitted(decide(seen, start("new", "uhd", limit=9)), seen)
        assert (outcome, write.freed) == (Outcome.RECLAIMED, Freed(expired=(over,)))
        assert after(seen, write).groups == {"away": 1, "uhd": 1}

    def test_a_full_total_reclaims_every_expired_stream(self) -> None:
        """If the total is full, all expired streams are reclaimed, because each takes a slot of it."""
        over = (within(dead("a"), "uhd"), dead("b"))
        seen = grouped(*over, anonymous=1, anonymous_left=-2)
        _, write = admitted(decide(seen, start("new", "away")), seen)
        assert write.freed == Freed(expired=over, anonymous=AnonymousSlots(1, NOW - 2))
        assert after(seen, write).groups == {"away": 1}

    def test_too_few_expired_slots_make_no_room(self) -> None:
        """One expired stream of two makes no room under a lowered limit."""
        seen = grouped(within(dead("a"), "uhd"), uhd("b"))
        assert decide(seen, start("new", "uhd")) == Refuse(Bound(1, "uhd"))

    def test_an_expired_replaced_stream_is_freed_once(self) -> None:
        """An expired stream of the full group that is also replaced is given back once."""
        over = within(dead("old"), "uhd")
        seen = grouped(over, within(dead("a"), "uhd"))
        _, write = admitted(decide(seen, start("new", "uhd", replaces="old")), seen)
        assert write.freed == Freed(expired=(within(dead("a"), "uhd"), over))

    def test_it_requires_the_counts_that_were_seen(self) -> None:
        """The write requires the seen counts of the groups that it changes, but only room in the total."""
        over = within(dead("a"), "hdr", "uhd")
        seen = grouped(over, within(lease("b"), "hdr"))
        _, write = admitted(decide(seen, start("new", "uhd")), seen)
        assert write.counts == (Bound(3), AsSeen(2, 1, "hdr"), AsSeen(1, 1, "uhd"))


class TestShadow:
    """Shadow mode: limits are not enforced, and the limit that would have refused is named."""

    def test_a_full_group_is_recorded(self) -> None:
        """A full group is recorded, and the stream is counted above its limit."""
        seen = grouped(uhd("a"))
        decision = decide(seen, start("new", "uhd"), SHADOW)
        outcome, write = admitted(decision, seen)
        assert isinstance(decision, Try)
        assert (outcome, decision.full) == (Outcome.WOULD_REFUSE, Bound(1, "uhd"))
        assert write.counts == (Bound(20), AsSeen(1, 2, "uhd"))

    def test_a_would_be_eviction_is_recorded_as_a_refusal(self) -> None:
        """A start that eviction would admit is recorded as a refusal, and no stream is ended."""
        both = replace(EVICT, enforcement=Enforcement.SHADOW)
        decision = decide(grouped(uhd("a")), start("new", "uhd"), both)
        assert isinstance(decision, Try)
        assert (decision.outcome, decision.full) == (Outcome.WOULD_REFUSE, Bound(1, "uhd"))

    def test_the_ceiling_is_enforced(self) -> None:
        """At the ceiling the start is refused by the total."""
        seen = grouped(*(uhd(f"{n}") for n in range(20)))
        assert decide(seen, start("new", "uhd"), SHADOW) == Refuse(Bound(3))


class TestEvict:
    """Eviction: the fewest streams make room; of several such choices, the oldest."""

    def test_a_stream_of_the_full_group_is_evicted(self) -> None:
        """A stream of the full group is evicted although others are older."""
        seen = grouped(lease("a", age=9), uhd("b", age=2), within(lease("c", age=5), "away"))
        outcome, write = admitted(decide(seen, start("new", "uhd", limit=9), EVICT), seen)
        assert (outcome, write.freed) == (Outcome.EVICTED, Freed(ended=(Ended("b", ("uhd",)),)))
        assert write.counts == (AsSeen(3, 3), AsSeen(1, 1, "uhd"))

    def test_one_stream_makes_room_in_both(self) -> None:
        """One stream makes room in both the group and the total."""
        seen = grouped(lease("a", age=9), uhd("b"), lease("c"))
        _, write = admitted(decide(seen, start("new", "uhd"), EVICT), seen)
        assert write.freed.ended_names == ("b",)

    def test_expired_streams_are_reclaimed_first(self) -> None:
        """No live stream is evicted for a slot that an expired one gives back."""
        seen = grouped(within(dead("a"), "uhd"), uhd("b"))
        outcome, write = admitted(decide(seen, start("new", "uhd", uhd=2), EVICT), seen)
        assert (outcome, write.freed) == (Outcome.RECLAIMED, Freed(expired=(within(dead("a"), "uhd"),)))

    def test_beside_expired_streams_as_few_as_necessary_are_evicted(self) -> None:
        """Under a lowered limit, expired streams are reclaimed and as few live ones as necessary evicted."""
        seen = grouped(within(dead("a"), "uhd"), uhd("b", age=5), uhd("c"))
        _, write = admitted(decide(seen, start("new", "uhd", uhd=2), EVICT), seen)
        assert (write.freed.names, write.freed.ended_names) == (("a", "b"), ("b",))

    def test_neither_its_own_nor_the_replaced_stream_is_evicted(self) -> None:
        """The newcomer's own stream and the replaced one are not evicted: they give their slots back."""
        seen = grouped(within(lease("new", age=9), "away"), uhd("old", age=8), uhd("b"))
        _, write = admitted(decide(seen, start("new", "uhd", replaces="old"), EVICT), seen)
        assert write.freed.names == ("new", "old", "b")
        assert after(seen, write).groups == {"uhd": 1}

    def test_the_limit_that_eviction_cannot_satisfy_is_named(self) -> None:
        """The limit that eviction cannot satisfy is named, and no stream is evicted for the other limit."""
        seen = grouped(uhd("a"), lease("b"), lease("c"))
        assert decide(seen, start("new", "uhd", uhd=0), EVICT) == Refuse(Bound(0, "uhd"))
        full_of_others = grouped(uhd("a"), anonymous=3)
        assert decide(full_of_others, start("new", "uhd"), EVICT) == Refuse(Bound(3))


class TestMiscounts:
    """Code from before groups ends streams without lowering the counts of their groups."""

    def test_a_wrong_count_refuses_no_start(self) -> None:
        """A wrong count refuses no start: the streams are recounted, and the count becomes right."""
        seen = grouped(uhd=1)
        outcome, write = admitted(decide(seen, start("new", "uhd")), seen)
        assert (outcome, write.freed) == (Outcome.ADMITTED, NOTHING)
        assert after(seen, write).groups == {"uhd": 1, RECOUNTS: 1}

    def test_a_wrong_count_evicts_no_stream(self) -> None:
        """No stream is evicted if the recount finds room."""
        seen = grouped(uhd("a"), uhd=2)
        outcome, write = admitted(decide(seen, start("new", "uhd", uhd=2), EVICT), seen)
        assert (outcome, write.freed) == (Outcome.ADMITTED, NOTHING)

    def test_a_wrong_count_is_corrected_by_one_of_two_starts(self) -> None:
        """Of two starts that saw the same wrong count, one gets the free slot."""
        seen = grouped(uhd("a"), uhd=2)
        b, c = (decide(seen, start(name, "uhd", uhd=2)) for name in "bc")
        assert isinstance(b, Try)
        assert isinstance(c, Try)
        left = after(seen, b.write)
        assert left.groups == {"uhd": 2, RECOUNTS: 1}
        assert not permits(left, c.write)
        assert decide(left, start("c", "uhd", uhd=2)) == Refuse(Bound(2, "uhd"))

    def test_a_right_count_is_not_rewritten(self) -> None:
        """A right count gets no number, so a state that old code never wrote stays as small as before."""
        seen = grouped(uhd("a"), away=1)
        assert recount(seen, ["uhd"], NOTHING, ["uhd"]) == (AsSeen(1, 2, "uhd"),)
        assert recount(seen, ["uhd", "away"], Freed(ended=(Ended("a", ("uhd",)),))) == (
            AsSeen(1, 0, "away"),
            AsSeen(1, 0, "uhd"),
            AsSeen(0, 1, RECOUNTS),
        )
        assert not is_miscounted(seen, ["uhd"])
        assert is_miscounted(seen, ["uhd", "away"])


class TestEnd:
    """An end takes a stream out of each of its groups."""

    def test_the_second_write_names_the_streams_groups(self) -> None:
        """The second write of an end names the stream's groups if the player named none, or others."""
        seen = grouped(uhd("a"), uhd("b"))
        for groups in ((), ("away",)):
            decision = decide_end(Situation(seen, EndNamed(USER, "a", "load-1", groups), POLICY, NOW))
            write = Release(USER, "a", RETAIN, "load-1", groups=("uhd",))
            assert decision == Try(write, Outcome.ENDED)
            assert after(seen, write).groups == {"uhd": 1}

    def test_a_missing_stream_needs_no_second_write(self) -> None:
        """A stream that does not exist, or that another page load started again, needs no second write."""
        seen = grouped(replace(uhd("a"), play="load-2"))
        for request in (EndNamed(USER, "b"), EndNamed(USER, "a", "load-1")):
            assert decide_end(Situation(seen, request, POLICY, NOW)) == Settled(Outcome.ALREADY_ENDED)


class TestHouseholds:
    """Stories of players, as the use cases answer them."""

    def test_the_second_screen_in_a_group_of_one_is_refused(self) -> None:
        """The refusal names the group; the stream is admitted outside it, and an end lets a third one in."""
        home = Household()
        home.limiter.start(start("tv", "uhd"))
        with pytest.raises(LimitReached) as refused:
            home.limiter.start(start("phone", "uhd"))
        assert (refused.value.full, refused.value.limit) == (Bound(1, "uhd"), 3)
        assert names(refused.value.live) == ["tv"]
        assert home.limiter.start(start("phone")).outcome is Outcome.ADMITTED
        home.limiter.end(EndNamed(USER, "tv", groups=("uhd",)))
        answer = home.limiter.start(start("tablet", "uhd"))
        assert answer.lease is not None
        assert (answer.outcome, answer.lease.groups) == (Outcome.ADMITTED, ("uhd",))

    def test_ordinary_calls_are_one_write(self) -> None:
        """A start, a replacement in the same groups, an end that names them and a refusal take one write."""
        home = Household()
        calls: list[tuple[Callable[[], object], int]] = [
            (lambda: home.limiter.start(start("a", "uhd")), 1),
            (lambda: home.limiter.start(start("b", "uhd", replaces="a")), 1),
            (lambda: home.beat("b"), 1),
            (lambda: home.limiter.start(start("c", "away", replaces="b")), 2),
            (lambda: home.limiter.start(start("c", "uhd")), 2),
            (lambda: home.end("c"), 2),
            (lambda: home.end("c"), 1),
            (lambda: home.limiter.start(start("d", "uhd")), 1),
            (lambda: home.limiter.end(EndNamed(USER, "d", groups=("uhd",))), 1),
        ]
        for call, writes in calls:
            before = len(home.store.writes)
            call()
            assert len(home.store.writes) == before + writes
        assert home.store.read_now() == Snapshot()

    def test_a_stream_that_joins_another_group_takes_no_slot_of_others(self) -> None:
        """A stream that joins another group gives up its own slots, and reclaims and evicts no others."""
        home = Household()
        home.limiter.start(start("tv"))
        answer = verified(home.limiter.start(start("tv", "uhd")))
        assert (answer.outcome, answer.reclaimed, answer.evicted) == (Outcome.REPLACED, 0, 0)

    def test_an_eviction_in_a_group_is_counted(self) -> None:
        """An eviction in a group is counted beside a replaced stream and expired slots."""
        home = Household(EVICT)
        home.limiter.start(start("over", "uhd", uhd=3))
        home.clock.advance(92)
        for name in ("old", "a"):
            home.limiter.start(start(name, "uhd", uhd=3, limit=9))
        answer = verified(home.limiter.start(start("new", "uhd", limit=9, replaces="old")))
        assert (answer.outcome, answer.reclaimed, answer.evicted) == (Outcome.EVICTED, 1, 1)

    def test_shadow_names_the_limit_that_would_have_refused(self) -> None:
        """Shadow mode names the limit that would have refused, also where an expired slot was given back."""
        home = Household(SHADOW)
        home.limiter.start(start("over", "uhd"))
        home.clock.advance(92)
        first = verified(home.limiter.start(start("tv", "uhd")))
        second = verified(home.limiter.start(start("phone", "uhd")))
        assert (first.full, second.full) == (None, Bound(1, "uhd"))

    @pytest.mark.parametrize("enforcement", Enforcement)
    def test_a_blocked_group_is_refused_without_the_store(self, enforcement: Enforcement) -> None:
        """With the store unavailable, an enforced group limit of zero refuses; others admit unverified."""
        policy = Policy(on_store_failure=OnStoreFailure.OPEN, enforcement=enforcement)
        limiter = StreamLimiter(FailingRepository(StoreUnavailable()), FakeClock(NOW), policy)
        answer = limiter.start(start("tv", "uhd"))
        assert answer.lease is not None
        assert (answer.outcome, answer.lease.groups) == (Outcome.UNVERIFIED, ("uhd",))
        if enforcement is Enforcement.SHADOW:
            assert limiter.start(start("tv", "uhd", uhd=0)).outcome is Outcome.UNVERIFIED
            return
        with pytest.raises(LimitReached) as blocked:
            limiter.start(start("tv", "uhd", uhd=0))
        assert (blocked.value.full, blocked.value.limit) == (Bound(0, "uhd"), 3)


class TestTokens:
    """Groups together with playback tokens."""

    def test_a_second_write_counts_names_and_groups(self) -> None:
        """The name of a stream that leaves its group is counted once."""
        policy = Policy(token_overlap=2)
        seen = replace(grouped(within(dead("o"), "uhd"), lease("a")), tokens=frozenset("ao"))
        _, write = admitted(decide(seen, start("a", "uhd"), policy), seen)
        assert isinstance(write.names, Recounted)
        left = after(seen, write)
        assert (left.tokens, left.groups) == (frozenset("a"), {"uhd": 1})
