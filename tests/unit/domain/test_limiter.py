from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.in_memory import InMemoryStreamRepository
from domain.errors import (
    LimitReached,
    NoActiveStream,
    StoreContended,
    StoreError,
    StoreFault,
    StoreThrottled,
    StoreUnavailable,
    StreamGone,
)
from domain.limiter import DEADLINE_SECONDS, MAX_ROUNDS, Answer, StreamLimiter
from domain.policy import Enforcement, OnLimit, OnStoreFailure, Outcome, Policy
from domain.ports import Deadline, Landed, Rejected
from domain.requests import (
    EndAnonymous,
    EndNamed,
    EndRequest,
    Heartbeat,
    ListStreams,
    StartAnonymous,
    StartNamed,
)
from domain.streams import Lease, LiveStreams
from domain.writes import Extend, Release, Write
from tests.fakes import FailingRepository, FakeClock, RecordingRepository
from tests.unit.domain.races import RacingRepository
from tests.unit.domain.states import NOW, USER

OPEN = Policy(on_store_failure=OnStoreFailure.OPEN)


class Household:
    """One user's players, the service that they speak to, and what it asked of its store."""

    def __init__(self, policy: Policy = Policy()) -> None:  # noqa: B008 - frozen
        self.store = RecordingRepository()
        self.clock = FakeClock(NOW)
        self.limiter = StreamLimiter(self.store, self.clock, policy)

    def start(self, name: str, limit: int = 3, replaces: str | None = None) -> Answer:
        """Start a named stream."""
        return self.limiter.start(StartNamed(USER, name, limit, replaces=replaces))

    def start_anonymous(self, key: str, limit: int = 3) -> Answer:
        """Start a stream without a name."""
        return self.limiter.start(StartAnonymous(USER, key, limit))

    def beat(self, name: str) -> Answer:
        """Send a named stream's heartbeat."""
        return self.limiter.heartbeat(Heartbeat(USER, name))

    def end(self, name: str) -> Answer:
        """End a named stream."""
        return self.limiter.end(EndNamed(USER, name))

    def end_anonymous(self, key: str) -> Answer:
        """End a stream without a name."""
        return self.limiter.end(EndAnonymous(USER, key))

    def live(self) -> LiveStreams:
        """Who is watching."""
        return live(self.limiter.list_streams(ListStreams(USER, 3)))


def live(answer: Answer) -> LiveStreams:
    """The live streams that an answer tells of."""
    assert answer.live is not None
    return answer.live


def names(streams: LiveStreams) -> list[str]:
    """What they are called."""
    return [lease.stream_id for lease in streams.leases]


@pytest.fixture
def home() -> Household:
    """A user of whom nothing is known yet."""
    return Household()


class TestOriginalContract:
    """Start and end without names: only counted."""

    def test_four_starts_and_four_ends(self, home: Household) -> None:
        """The fourth start of three and the fourth end are refused, and the counts say so."""
        assert [live(home.start_anonymous(f"{n}")).count for n in range(3)] == [1, 2, 3]
        with pytest.raises(LimitReached) as reached:
            home.start_anonymous("3")
        assert (reached.value.limit, reached.value.live.count) == (3, 3)
        assert [live(home.end_anonymous(f"{n}")).count for n in range(3)] == [2, 1, 0]
        with pytest.raises(NoActiveStream) as none:
            home.end_anonymous("3")
        assert none.value.live == LiveStreams()

    def test_every_ordinary_call_is_one_write(self, home: Household) -> None:
        """A start, heartbeat or end that is answered yes, and any end or heartbeat answered no."""
        home.start_anonymous("1")
        home.start("a")
        home.start("b", replaces="a")
        home.beat("b")
        home.end("b")
        home.end("b")
        home.end_anonymous("1")
        with pytest.raises(NoActiveStream):
            home.end_anonymous("2")
        with pytest.raises(StreamGone):
            home.beat("b")
        assert len(home.store.writes) == 9

    def test_every_call_has_its_deadline_and_says_until_when_the_state_is_kept(self, home: Household) -> None:
        """Whatever is asked is answered in time, and a user who only ends streams is not swept early."""
        home.start_anonymous("1")
        home.start("a")
        home.beat("a")
        home.end("a")
        home.end_anonymous("1")
        home.live()
        assert home.store.seconds_left == [DEADLINE_SECONDS] * 6
        kept = home.limiter.policy.retain_until(NOW)
        assert [write.retain_until for write in home.store.writes] == [kept] * 5

    def test_a_repeated_anonymous_call_counts_once(self, home: Household) -> None:
        """Known by its request id, start and end apart."""
        assert home.start_anonymous("1").outcome is Outcome.ADMITTED
        assert home.start_anonymous("1").outcome is Outcome.REPLAYED
        home.start_anonymous("2")
        assert home.end_anonymous("1").outcome is Outcome.ENDED
        again = home.end_anonymous("1")
        assert (again.outcome, live(again).count) == (Outcome.REPLAYED, 1)

    @pytest.mark.parametrize(("others", "outcome"), [(3, Outcome.REPLAYED), (4, Outcome.ADMITTED)])
    def test_a_repeat_is_recognised_across_three_others(
        self, home: Household, others: int, outcome: Outcome
    ) -> None:
        """With a fourth anonymous change between, it counts as new: the bound that is documented."""
        home.start_anonymous("1", limit=9)
        for n in range(others):
            home.start_anonymous(f"other-{n}", limit=9)
        assert home.start_anonymous("1", limit=9).outcome is outcome

    def test_an_anonymous_end_ends_no_named_stream(self, home: Household) -> None:
        """The refusal tells which named ones there are."""
        home.start("a")
        with pytest.raises(NoActiveStream) as none:
            home.end_anonymous("1")
        assert names(none.value.live) == ["a"]

    def test_anonymous_slots_are_over_after_their_period(self, home: Household) -> None:
        """A user who never sent an end is let in again, one period and grace after the last start."""
        for n in range(3):
            home.start_anonymous(f"{n}")
        home.clock.advance(43_201)
        with pytest.raises(LimitReached):
            home.start_anonymous("3")
        home.clock.advance(1)
        assert home.live().count == 0
        answer = home.start_anonymous("3")
        assert (answer.outcome, live(answer).count, answer.reclaimed) == (Outcome.RECLAIMED, 1, 3)


class TestLeases:
    """Streams with a name."""

    def test_an_answer_tells_the_lease(self, home: Household) -> None:
        """The player learns until when it holds its slot, and by whose clock."""
        home.clock.advance(0.5)
        answer = home.limiter.start(StartNamed(USER, "a", 3, device="tv"))
        lease = Lease("a", NOW, NOW + 91, "tv")
        assert answer == Answer(Outcome.ADMITTED, LiveStreams((lease,)), lease, NOW + 0.5)

    def test_a_heartbeat_keeps_a_slot(self, home: Household) -> None:
        """For as long as it keeps coming."""
        home.start("a", limit=1)
        for _ in range(9):
            home.clock.advance(85)
            assert home.beat("a").outcome is Outcome.EXTENDED
            with pytest.raises(LimitReached):
                home.start("b", limit=1)
        assert home.beat("a").lease == Lease("a", NOW, NOW + 9 * 85 + 90)

    def test_an_overtaken_heartbeat_is_told_the_later_expiry(self, home: Household) -> None:
        """A late packet moves nothing back, and its player is not told that its stream is gone."""
        home.start("a")
        home.clock.advance(-5)  # a host whose clock is behind
        answer = home.beat("a")
        assert answer.outcome is Outcome.EXTENDED
        assert answer.lease == Lease("a", NOW, NOW + 90)

    def test_a_crashed_players_slot_is_taken_over(self, home: Household) -> None:
        """After a lease and the grace and not before; the old player's heartbeat then learns of it."""
        home.start("a", limit=1)
        home.clock.advance(91.875)
        with pytest.raises(LimitReached) as reached:
            home.start("b", limit=1)
        assert names(reached.value.live) == ["a"]
        home.clock.advance(0.125)
        assert home.start("b", limit=1).outcome is Outcome.RECLAIMED
        with pytest.raises(StreamGone) as gone:
            home.beat("a")
        assert gone.value.stream_id == "a"
        assert names(home.live()) == ["b"]

    def test_an_expired_lease_is_extended_while_its_slot_is_free(self, home: Household) -> None:
        """A player that was away longer than its lease goes on, as long as nobody needed the slot."""
        home.start("a", limit=1)
        home.clock.advance(500)
        assert home.live().count == 0
        assert names(live(home.beat("a"))) == ["a"]
        with pytest.raises(LimitReached):
            home.start("b", limit=1)

    def test_an_end_can_be_repeated(self, home: Household) -> None:
        """It is harmless, and says that there was nothing to end."""
        home.start("a")
        home.start("b")
        assert home.end("a").outcome is Outcome.ENDED
        again = home.end("a")
        assert (again.outcome, names(live(again)), again.lease) == (Outcome.ALREADY_ENDED, ["b"], None)

    def test_a_restarted_player_gets_a_whole_lease(self, home: Household) -> None:
        """A repeated packet right after the start writes nothing more; a start a minute later renews."""
        home.start("a")
        assert home.start("a").lease == Lease("a", NOW, NOW + 90)
        home.clock.advance(60)
        answer = home.start("a")
        assert (answer.outcome, answer.lease) == (Outcome.REPLAYED, Lease("a", NOW, NOW + 150))
        assert live(answer).count == 1

    def test_a_chain_of_replacements_takes_one_slot(self, home: Household) -> None:
        """Episode after episode, each call repeated, at a limit of one."""
        home.start("e0", limit=1)
        for n in range(1, 6):
            for outcome in (Outcome.REPLACED, Outcome.REPLAYED):
                answer = home.start(f"e{n}", limit=1, replaces=f"e{n - 1}")
                assert (answer.outcome, names(live(answer))) == (outcome, [f"e{n}"])

    def test_the_evicted_player_learns_of_it(self) -> None:
        """The newcomer is in, and the oldest stream's next heartbeat says gone."""
        home = Household(Policy(on_limit=OnLimit.EVICT_OLDEST))
        for name in "abc":
            home.start(name)
            home.clock.advance(1)
        assert home.start("d").outcome is Outcome.EVICTED
        with pytest.raises(StreamGone):
            home.beat("a")
        assert names(home.live()) == ["b", "c", "d"]

    def test_an_answer_counts_the_slots_that_were_over(self, home: Household) -> None:
        """Named and anonymous ones alike, all of which one start gives back."""
        home.start("a")
        home.start("b")
        home.start_anonymous("1")
        home.clock.advance(50_000)
        answer = home.start("c")
        assert (answer.outcome, answer.reclaimed, answer.evicted) == (Outcome.RECLAIMED, 3, 0)

    def test_an_answer_counts_the_evicted(self) -> None:
        """As many as it took; not the stream that the newcomer replaces, and not the dead."""
        home = Household(Policy(on_limit=OnLimit.EVICT_OLDEST))
        home.start("dead", limit=5)
        home.clock.advance(100)
        for name in "abcd":
            home.start(name, limit=5)
        answer = home.start("e", limit=2, replaces="a")
        assert (answer.outcome, answer.reclaimed, answer.evicted) == (Outcome.EVICTED, 1, 2)
        assert names(live(answer)) == ["d", "e"]

    def test_counts_leave_out_what_has_expired(self, home: Household) -> None:
        """In answers and in lists, though the slots are still stored."""
        home.start("a")
        home.start_anonymous("1")
        home.clock.advance(92)
        answer = home.start("b")
        assert (names(live(answer)), live(answer).anonymous_count) == (["b"], 1)
        listed = home.limiter.list_streams(ListStreams(USER, 3))
        assert (listed.outcome, listed.live, listed.lease) == (Outcome.LISTED, answer.live, None)

    def test_shadow_admits_until_enforcement_begins(self) -> None:
        """Those above the limit keep their slots; nobody comes in until they are gone."""
        home = Household(Policy(enforcement=Enforcement.SHADOW))
        outcomes = [home.start(name).outcome for name in "abcd"]
        assert outcomes == [Outcome.ADMITTED] * 3 + [Outcome.WOULD_REFUSE]
        home.limiter.policy = Policy()
        assert home.beat("d").outcome is Outcome.EXTENDED
        for name in "ab":
            with pytest.raises(LimitReached):
                home.start("e")
            home.end(name)
        assert names(live(home.start("e"))) == ["c", "d", "e"]


class Race:
    """A start of `new` under a limit of one, while a dead stream `old` is there and others meddle."""

    def __init__(self) -> None:
        self.store = InMemoryStreamRepository()
        self.clock = FakeClock(NOW)
        self.limiter = StreamLimiter(self.store, self.clock, Policy())
        self.limiter.start(StartNamed(USER, "old", 1))
        self.clock.advance(1000)

    def write(self, write: Write) -> bool:
        """Another request's write."""
        return isinstance(self.store.apply(write, Deadline.after(1, self.clock)), Landed)

    def move_old(self, round_: int) -> bool:
        """A late heartbeat, sent long ago: the dead lease stays dead, and is not the one that was seen."""
        return self.write(Extend(USER, "old", NOW + 91 + round_, None))

    def start(self, other: Callable[[int], object], policy: Policy = OPEN) -> tuple[Answer, int]:
        """Start `new` in this race: the answer, and the number of writes that it took."""
        racing = RacingRepository(self.store, other)
        answer = StreamLimiter(racing, self.clock, policy).start(StartNamed(USER, "new", 1))
        return answer, racing.rounds


@pytest.fixture
def race() -> Race:
    """A race for one slot."""
    return Race()


class TestRaces:
    """Writes that others overtake."""

    def test_without_a_race_two_writes_are_enough(self, race: Race) -> None:
        """The refused first one brings all that the second needs."""
        answer, rounds = race.start(lambda _: None)
        assert (answer.outcome, rounds) == (Outcome.RECLAIMED, 2)

    def test_a_lost_race_is_decided_anew(self, race: Race) -> None:
        """From the state that the rejected write met."""
        answer, rounds = race.start(lambda n: race.move_old(n) if n <= 2 else None)
        assert (answer.outcome, rounds) == (Outcome.RECLAIMED, 4)
        assert names(live(answer)) == ["new"]

    def test_a_slot_that_became_free_meanwhile_is_taken(self, race: Race) -> None:
        """The plain write again: there is nothing left to reclaim."""
        answer, rounds = race.start(lambda n: race.write(Release(USER, "old", None)) if n == 1 else None)
        assert (answer.outcome, rounds) == (Outcome.ADMITTED, 3)

    def test_nobody_is_evicted_once_a_slot_came_free(self) -> None:
        """The end of one stream saves the oldest: the plain write takes the slot."""
        home = Household(Policy(on_limit=OnLimit.EVICT_OLDEST))
        for name in "abc":
            home.start(name)
            home.clock.advance(1)
        racing = RacingRepository(home.store, lambda n: home.end("c") if n == 1 else None)
        answer = StreamLimiter(racing, home.clock, home.limiter.policy).start(StartNamed(USER, "new", 3))
        assert (answer.outcome, names(live(answer))) == (Outcome.ADMITTED, ["a", "b", "new"])

    def test_a_slot_that_was_revived_meanwhile_is_not_taken(self, race: Race) -> None:
        """Its player's heartbeat came first."""
        beat = Extend(USER, "old", NOW + 1090, None)
        with pytest.raises(LimitReached) as reached:
            race.start(lambda n: race.write(beat) if n == 1 else None)
        assert names(reached.value.live) == ["old"]

    def test_ones_own_earlier_try_is_recognised(self, race: Race) -> None:
        """The repeat that overtook this call has taken the slot for both."""

        def repeat(round_: int) -> None:
            if round_ == 1:
                race.limiter.start(StartNamed(USER, "new", 1))

        answer, rounds = race.start(repeat)
        assert (answer.outcome, rounds) == (Outcome.REPLAYED, 2)

    @pytest.mark.parametrize("policy", [Policy(), OPEN])
    def test_who_loses_every_race_is_told_so(self, race: Race, policy: Policy) -> None:
        """After so many rounds it is contention, in open mode too: the store was never away."""
        rounds = 0

        def meddle(round_: int) -> None:
            nonlocal rounds
            rounds += 1
            assert race.move_old(round_)

        with pytest.raises(StoreContended):
            race.start(meddle, policy)
        assert rounds == MAX_ROUNDS

    def test_no_round_begins_after_the_deadline(self, race: Race) -> None:
        """A request that took its time is given up, however few rounds it had."""
        rounds = 0

        def meddle(round_: int) -> None:
            nonlocal rounds
            rounds += 1
            race.move_old(round_)
            race.clock.advance(DEADLINE_SECONDS / 2)

        with pytest.raises(StoreContended):
            race.start(meddle)
        assert rounds == 2

    def test_a_refusal_that_comes_late_is_still_a_refusal(self, race: Race) -> None:
        """The state was seen: there is nothing left to wait for."""

        def revive_slowly(_: int) -> None:
            race.clock.advance(DEADLINE_SECONDS)
            race.write(Extend(USER, "old", NOW + 2000, None))

        with pytest.raises(LimitReached):
            race.start(revive_slowly)

    def test_one_deadline_is_handed_down_to_every_round(self, race: Race) -> None:
        """Later rounds get what the earlier ones left."""
        left: list[float] = []
        store = race.store

        class Watched(RacingRepository):
            def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
                left.append(deadline.remaining())
                race.clock.advance(0.5)
                return super().apply(write, deadline)

        watched = Watched(store, lambda n: race.move_old(n) if n <= 2 else None)
        StreamLimiter(watched, race.clock, Policy()).start(StartNamed(USER, "new", 1))
        assert left == [2.5, 2.0, 1.5, 1.0]


class Away:
    """The service while its store fails every call."""

    def __init__(self, error: Exception, policy: Policy = OPEN) -> None:
        self.limiter = StreamLimiter(FailingRepository(error), FakeClock(NOW + 0.5), policy)


class TestStoreFailure:
    """What players are told while the store is away."""

    def test_open_admits_a_named_start_unverified(self) -> None:
        """With the lease that it would have had, and without a count."""
        answer = Away(StoreUnavailable()).limiter.start(StartNamed(USER, "a", 3, device="tv"))
        lease = Lease("a", NOW, NOW + 91, "tv")
        assert answer == Answer(Outcome.UNVERIFIED, None, lease, NOW + 0.5)

    def test_open_admits_an_anonymous_start_unverified(self) -> None:
        """There is no lease to tell of."""
        answer = Away(StoreUnavailable()).limiter.start(StartAnonymous(USER, "1", 3))
        assert answer == Answer(Outcome.UNVERIFIED, None, None, NOW + 0.5)

    def test_open_answers_a_heartbeat_unverified(self) -> None:
        """The player goes on, with a lease as long as ever."""
        answer = Away(StoreUnavailable()).limiter.heartbeat(Heartbeat(USER, "a"))
        assert answer == Answer(Outcome.UNVERIFIED, None, Lease("a", NOW, NOW + 91), NOW + 0.5)

    @pytest.mark.parametrize("start", [StartNamed(USER, "a", 0), StartAnonymous(USER, "1", 0)])
    def test_open_keeps_the_blocked_out(self, start: StartNamed | StartAnonymous) -> None:
        """A limit of zero needs no store to be known, except where it is only recorded."""
        with pytest.raises(LimitReached) as reached:
            Away(StoreUnavailable()).limiter.start(start)
        assert (reached.value.limit, reached.value.live) == (0, LiveStreams())
        shadow = replace(OPEN, enforcement=Enforcement.SHADOW)
        assert Away(StoreUnavailable(), shadow).limiter.start(start).outcome is Outcome.UNVERIFIED

    @pytest.mark.parametrize("request_", [EndNamed(USER, "a"), EndAnonymous(USER, "1")])
    def test_open_ends_nothing_unverified(self, request_: EndRequest) -> None:
        """A slot that was not given back is not said to be."""
        with pytest.raises(StoreUnavailable):
            Away(StoreUnavailable()).limiter.end(request_)

    def test_open_lists_nothing_unverified(self) -> None:
        """What is not known is not told."""
        with pytest.raises(StoreUnavailable):
            Away(StoreUnavailable()).limiter.list_streams(ListStreams(USER, 3))

    @pytest.mark.parametrize("error", [StoreThrottled(), StoreContended(), StoreFault()])
    def test_open_is_for_a_store_that_is_away(self, error: StoreError) -> None:
        """What a caller can bring about, or what we did wrong, admits nobody."""
        limiter = Away(error).limiter
        with pytest.raises(type(error)):
            limiter.start(StartNamed(USER, "a", 3))
        with pytest.raises(type(error)):
            limiter.heartbeat(Heartbeat(USER, "a"))

    @pytest.mark.parametrize("policy", [Policy(), OPEN])
    def test_what_is_unknown_passes_through(self, policy: Policy) -> None:
        """No error is swallowed that nobody thought of."""
        limiter = Away(ZeroDivisionError(), policy).limiter
        with pytest.raises(ZeroDivisionError):
            limiter.start(StartAnonymous(USER, "1", 3))
        with pytest.raises(ZeroDivisionError):
            limiter.heartbeat(Heartbeat(USER, "a"))

    def test_closed_admits_nobody(self) -> None:
        """Not a start, and not a heartbeat."""
        limiter = Away(StoreUnavailable(), Policy()).limiter
        with pytest.raises(StoreUnavailable):
            limiter.start(StartNamed(USER, "a", 3))
        with pytest.raises(StoreUnavailable):
            limiter.heartbeat(Heartbeat(USER, "a"))
