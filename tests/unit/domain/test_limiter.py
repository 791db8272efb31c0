import pytest

from domain.errors import LimitReached, NoActiveStream, StreamGone
from domain.limiter import DEADLINE_SECONDS, Answer
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.requests import ListStreams, StartNamed
from domain.streams import Lease, LiveStreams
from tests.unit.domain.household import Household, live, names
from tests.unit.domain.states import NOW, USER


@pytest.fixture
def home() -> Household:
    """Return a user without any state."""
    return Household()


class TestOriginalContract:
    """Starts and ends without names, which are only counted."""

    def test_four_starts_and_four_ends(self, home: Household) -> None:
        """The fourth start of three and the fourth end are refused, and the counts show it."""
        assert [live(home.start_anonymous(f"{n}")).count for n in range(3)] == [1, 2, 3]
        with pytest.raises(LimitReached) as reached:
            home.start_anonymous("3")
        assert (reached.value.limit, reached.value.live.count) == (3, 3)
        assert [live(home.end_anonymous(f"{n}")).count for n in range(3)] == [2, 1, 0]
        with pytest.raises(NoActiveStream) as none:
            home.end_anonymous("3")
        assert none.value.live == LiveStreams()

    def test_every_ordinary_call_is_one_write(self, home: Household) -> None:
        """An accepted start, heartbeat or end takes one write, as does a refused end or heartbeat."""
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

    def test_every_call_has_a_deadline_and_a_retention_time(self, home: Household) -> None:
        """Every call keeps its deadline, and the state of a user who only ends streams is kept as long."""
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
        """A repeated anonymous call is recognised by its idempotency key, for starts and ends apart."""
        assert home.start_anonymous("1").outcome is Outcome.ADMITTED
        assert home.start_anonymous("1").outcome is Outcome.REPLAYED
        home.start_anonymous("2")
        assert home.end_anonymous("1").outcome is Outcome.ENDED
        again = home.end_anonymous("1")
        assert (again.outcome, live(again).count) == (Outcome.REPLAYED, 1)

    @pytest.mark.parametrize(("others", "outcome"), [(3, Outcome.REPLAYED), (4, Outcome.ADMITTED)])
    def test_a_repeat_is_recognised_after_three_others(
        self, home: Household, others: int, outcome: Outcome
    ) -> None:
        """A repeat is recognised across three other anonymous changes, and counts as new after a fourth."""
        home.start_anonymous("1", limit=9)
        for n in range(others):
            home.start_anonymous(f"other-{n}", limit=9)
        assert home.start_anonymous("1", limit=9).outcome is outcome

    def test_an_anonymous_end_ends_no_named_stream(self, home: Household) -> None:
        """An anonymous end ends no named stream, and its refusal lists the named streams."""
        home.start("a")
        with pytest.raises(NoActiveStream) as none:
            home.end_anonymous("1")
        assert names(none.value.live) == ["a"]

    def test_anonymous_slots_expire_after_their_period(self, home: Household) -> None:
        """A user who never sent an end is admitted again one period and grace after the last start."""
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

    def test_an_answer_has_the_lease(self, home: Household) -> None:
        """The answer has the lease's expiry and the time by the service's clock."""
        home.clock.advance(0.5)
        answer = home.limiter.start(StartNamed(USER, "a", 3, device="tv"))
        lease = Lease("a", NOW, NOW + 91, "tv")
        assert answer == Answer(Outcome.ADMITTED, LiveStreams((lease,)), lease, NOW + 0.5)

    def test_a_heartbeat_keeps_a_slot(self, home: Household) -> None:
        """A heartbeat keeps the slot for as long as heartbeats arrive."""
        home.start("a", limit=1)
        for _ in range(9):
            home.clock.advance(85)
            assert home.beat("a").outcome is Outcome.EXTENDED
            with pytest.raises(LimitReached):
                home.start("b", limit=1)
        assert home.beat("a").lease == Lease("a", NOW, NOW + 9 * 85 + 90)

    def test_an_overtaken_heartbeat_gets_the_later_expiry(self, home: Household) -> None:
        """A late heartbeat moves no expiry back, and its player gets the later expiry, not an error."""
        home.start("a")
        home.clock.advance(-5)  # a host whose clock is behind
        answer = home.beat("a")
        assert answer.outcome is Outcome.EXTENDED
        assert answer.lease == Lease("a", NOW, NOW + 90)

    def test_a_crashed_players_slot_is_taken_over(self, home: Household) -> None:
        """A crashed player's slot is free after a lease and the grace, and its heartbeat is then gone."""
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
        """A player that was away longer than its lease continues while its slot is free."""
        home.start("a", limit=1)
        home.clock.advance(500)
        assert home.live().count == 0
        assert names(live(home.beat("a"))) == ["a"]
        with pytest.raises(LimitReached):
            home.start("b", limit=1)

    def test_an_end_can_be_repeated(self, home: Household) -> None:
        """A repeated end is harmless, and is answered that the stream had already ended."""
        home.start("a")
        home.start("b")
        assert home.end("a").outcome is Outcome.ENDED
        again = home.end("a")
        assert (again.outcome, names(live(again)), again.lease) == (Outcome.ALREADY_ENDED, ["b"], None)

    def test_a_restarted_player_gets_a_whole_lease(self, home: Household) -> None:
        """A repeat right after the start writes nothing more; a start a minute later renews the lease."""
        home.start("a")
        assert home.start("a").lease == Lease("a", NOW, NOW + 90)
        home.clock.advance(60)
        answer = home.start("a")
        assert (answer.outcome, answer.lease) == (Outcome.REPLAYED, Lease("a", NOW, NOW + 150))
        assert live(answer).count == 1

    def test_a_chain_of_replacements_takes_one_slot(self, home: Household) -> None:
        """A chain of replacements, each call repeated, holds one slot at a limit of one."""
        home.start("e0", limit=1)
        for n in range(1, 6):
            for outcome in (Outcome.REPLACED, Outcome.REPLAYED):
                answer = home.start(f"e{n}", limit=1, replaces=f"e{n - 1}")
                assert (answer.outcome, names(live(answer))) == (outcome, [f"e{n}"])

    def test_an_evicted_players_heartbeat_is_gone(self) -> None:
        """The newcomer is admitted, and the oldest stream's next heartbeat is answered gone."""
        home = Household(Policy(on_limit=OnLimit.EVICT_OLDEST))
        for name in "abc":
            home.start(name)
            home.clock.advance(1)
        assert home.start("d").outcome is Outcome.EVICTED
        with pytest.raises(StreamGone):
            home.beat("a")
        assert names(home.live()) == ["b", "c", "d"]

    def test_an_answer_counts_the_reclaimed_slots(self, home: Household) -> None:
        """An answer counts the expired slots, named and anonymous, that one start gives back."""
        home.start("a")
        home.start("b")
        home.start_anonymous("1")
        home.clock.advance(50_000)
        answer = home.start("c")
        assert (answer.outcome, answer.reclaimed, answer.evicted) == (Outcome.RECLAIMED, 3, 0)

    def test_an_answer_counts_the_evicted(self) -> None:
        """An answer counts the evicted streams, but not the replaced one and not the expired ones."""
        home = Household(Policy(on_limit=OnLimit.EVICT_OLDEST))
        home.start("dead", limit=5)
        home.clock.advance(100)
        for name in "abcd":
            home.start(name, limit=5)
        answer = home.start("e", limit=2, replaces="a")
        assert (answer.outcome, answer.reclaimed, answer.evicted) == (Outcome.EVICTED, 1, 2)
        assert names(live(answer)) == ["d", "e"]

    def test_counts_leave_out_what_has_expired(self, home: Household) -> None:
        """Counts leave out expired streams in answers and in lists, although their slots are still stored."""
        home.start("a")
        home.start_anonymous("1")
        home.clock.advance(92)
        answer = home.start("b")
        assert (names(live(answer)), live(answer).anonymous_count) == (["b"], 1)
        listed = home.limiter.list_streams(ListStreams(USER, 3))
        assert (listed.outcome, listed.live, listed.lease) == (Outcome.LISTED, answer.live, None)

    def test_shadow_admits_until_enforcement_begins(self) -> None:
        """Streams above the limit keep their slots, and none is admitted until there is room."""
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
