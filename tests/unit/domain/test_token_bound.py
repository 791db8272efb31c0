"""The token bound: starts, ends and starts again collect no more tokens than the limit and the overlap."""

from dataclasses import replace

import pytest

from domain.attempt import Attempt
from domain.bounds import Bound
from domain.decisions import (
    Gone,
    Postpone,
    Refuse,
    Settled,
    Try,
    decide_heartbeat,
    decide_start,
    first_heartbeat,
)
from domain.errors import StoreUnavailable, StreamGone, TokensUnavailable, TooManyStarts
from domain.limiter import StreamLimiter
from domain.policy import Enforcement, OnLimit, OnStoreFailure, Outcome, Policy
from domain.requests import EndNamed, Heartbeat, StartAnonymous, StartNamed
from domain.situation import Situation
from domain.streams import Lease, Snapshot, SpentToken
from domain.token_names import Counted, Recounted
from domain.writes import Admit, Extend
from testing.fakes import FailingRepository, FakeClock, FakeTokens
from tests.unit.domain.household import Household
from tests.unit.domain.states import NOW, RETAIN, USER, dead, lease, named, state

TOKENS = Policy(token_overlap=2)
EVICT = replace(TOKENS, on_limit=OnLimit.EVICT_OLDEST)
SHADOW = replace(TOKENS, enforcement=Enforcement.SHADOW)


def counted(*leases: Lease, spent: dict[str, int] | None = None) -> Snapshot:
    """Return a state of these leases and spent tokens (name to seconds left), their names counted."""
    ends = {name: NOW + left for name, left in (spent or {}).items()}
    names = frozenset({*(lease.stream_id for lease in leases), *ends})
    return replace(state(*leases), tokens=names, spent=ends)


def admitted(decision: object) -> Admit:
    """Return the write of a decision to admit."""
    assert isinstance(decision, Try)
    assert isinstance(decision.write, Admit)
    return decision.write


class TestWhatIsOver:
    """The name of an expired lease counts towards the token bound until its lease is taken away."""

    @pytest.mark.parametrize("replaces", ["a", None])
    def test_it_does_not_put_a_start_off(self, replaces: str | None) -> None:
        """Though there is a slot beside it, or it is the stream that is replaced: its token is over."""
        limit = 1 if replaces else 2
        seen = counted(dead("a"), spent=dict.fromkeys("bcd"[: limit + 1], 9))
        write = admitted(decide_start(Attempt(seen, named(limit, replaces=replaces), TOKENS, NOW)))
        assert (write.freed.expired, write.freed.ended) == ((dead("a"),), ())
        assert isinstance(write.names, Recounted)
        assert write.names.names == {"new", *seen.spent}


class TestHouseholds:
    """Stories of honest players and of scripts, told by the use cases."""

    def test_a_script_that_circles_is_put_off(self) -> None:
        """With a limit of one and an overlap of two it gets three tokens, and waits for the fourth."""
        home = Household(TOKENS)
        for name in "abc":
            home.start(name, limit=1)
            home.end(name)
        with pytest.raises(TooManyStarts) as put_off:
            home.start("d", limit=1)
        assert (put_off.value.limit, put_off.value.live.count, put_off.value.seconds) == (1, 0, 92)
        home.clock.advance(92)
        assert home.start("d", limit=1).outcome is Outcome.ADMITTED
        assert home.store.read_now().tokens == frozenset({"d"})

    def test_a_screen_that_keeps_its_name_is_never_put_off(self) -> None:
        """However often it starts and ends: its name is counted once."""
        home = Household(TOKENS)
        for _ in range(20):
            assert home.start("tv", limit=1).outcome is Outcome.ADMITTED
            home.end("tv")
        assert home.store.read_now().tokens == frozenset({"tv"})

    def test_a_refused_replacement_keeps_what_is_held(self) -> None:
        """The held stream, its slot and its lease stay as they were."""
        home = Household(TOKENS)
        home.start("a", limit=1)
        for old, new in ("ab", "bc"):
            home.start(new, limit=1, replaces=old)
        held = home.store.read_now()
        with pytest.raises(TooManyStarts):
            home.start("d", limit=1, replaces="c")
        assert home.store.read_now() == held
        assert home.beat("c").outcome is Outcome.EXTENDED

    def test_a_late_farewell_does_not_end_the_reloaded_page(self) -> None:
        """Its end is answered as that of a stream that is over; its heartbeat as one that is gone."""
        home = Household(TOKENS)
        limiter = home.limiter
        limiter.start(StartNamed(USER, "tv", 3, play="load-1"))
        reloaded = limiter.start(StartNamed(USER, "tv", 3, play="load-2"))
        assert reloaded.outcome is Outcome.REPLAYED
        assert limiter.end(EndNamed(USER, "tv", play="load-1")).outcome is Outcome.ALREADY_ENDED
        with pytest.raises(StreamGone):
            limiter.heartbeat(Heartbeat(USER, "tv", play="load-1"))
        assert limiter.heartbeat(Heartbeat(USER, "tv", play="load-2")).outcome is Outcome.EXTENDED
        assert limiter.end(EndNamed(USER, "tv")).outcome is Outcome.ENDED

    def test_a_stream_from_before_there_were_tokens_is_counted_by_its_heartbeat(self) -> None:
        """With all others; the next ones are ordinary."""
        home = Household(Policy())
        for name in "ab":
            home.start(name)
        home.clock.advance(10)
        limiter = StreamLimiter(home.store, home.clock, TOKENS, FakeTokens())
        beat = limiter.heartbeat(Heartbeat(USER, "a"))
        assert (beat.outcome, beat.token) == (Outcome.EXTENDED, f"{USER} a until {NOW + 100} at {NOW + 10}")
        assert home.store.read_now().tokens == frozenset("ab")
        written = len(home.store.writes)
        limiter.heartbeat(Heartbeat(USER, "b"))
        assert len(home.store.writes) == written + 1

    def test_a_repeat_keeps_what_it_leaves_out(self) -> None:
        """The play and the path of a stream change only where the repeat names others."""
        home = Household(Policy())
        for play, path_prefix in (("load-1", "/film/"), ("load-2", None), (None, "/series/"), (None, None)):
            home.limiter.start(StartNamed(USER, "tv", 3, play=play, path_prefix=path_prefix))
        held = home.store.read_now().leases["tv"]
        assert (held.play, held.path_prefix) == ("load-2", "/series/")
        home.limiter.start(StartNamed(USER, "tv", 3, play="load-3"))
        assert home.store.read_now().leases["tv"].path_prefix == "/series/"

    def test_an_anonymous_start_says_whom_it_evicted(self) -> None:
        """And when."""
        home = Household(EVICT)
        for name in "abc":
            home.start(name)
        answer = home.start_anonymous("1")
        assert (answer.outcome, answer.evicted, answer.reclaimed, answer.at) == (Outcome.EVICTED, 1, 0, NOW)

    def test_without_tokens_no_name_is_counted(self) -> None:
        """The state is what it always was."""
        home = Household(Policy())
        home.start("a")
        home.beat("a")
        home.start("b", replaces="a")
        home.end("b")
        assert all(getattr(write, "names", None) is None for write in home.store.writes)
        assert home.store.read_now() == Snapshot()


class TestStart:
    """Decisions about a start whose write was rejected."""

    def test_spent_tokens_that_are_over_are_forgotten(self) -> None:
        """At their expiry and the grace, not a second before; the names are counted anew."""
        seen = counted(lease("a"), spent={"b": -2, "c": -1, "d": 5, "e": 9})
        write = admitted(decide_start(Attempt(seen, named(), TOKENS, NOW)))
        over = (SpentToken("b", NOW - 2),)
        assert write.names == Recounted(seen.tokens, frozenset({"a", "c", "d", "e", "new"}), over)

    def test_expired_leases_are_reclaimed_with_their_names(self) -> None:
        """A lease that is over has no token any more."""
        seen = counted(dead("a"), lease("b"), lease("c"), spent={"d": 9})
        decision = decide_start(Attempt(seen, named(), TOKENS, NOW))
        write = admitted(decision)
        assert write.freed.expired == (dead("a"),)
        assert write.names == Recounted(seen.tokens, frozenset({"b", "c", "d", "new"}), ())

    def test_a_stale_spent_token_beside_a_lease_goes_with_the_lease(self) -> None:
        """Old code, which knows of no spent tokens, lets a name start beside its own."""
        seen = counted(dead("a"), lease("b"), lease("c"), spent={"a": -5, "b": -5, "x": 9})
        write = admitted(decide_start(Attempt(seen, named(), TOKENS, NOW)))
        assert write.names == Recounted(
            seen.tokens, frozenset({"b", "c", "x", "new"}), (SpentToken("a", NOW - 5),)
        )

    def test_a_name_that_starts_again_keeps_the_later_expiry(self) -> None:
        """By a host whose clock is behind, the last token ends later than the lease would."""
        seen = counted(spent={"new": 91, "b": 9})
        write = admitted(decide_start(Attempt(seen, named(), TOKENS, NOW)))
        assert write.newcomer == Lease("new", NOW, NOW + 91)
        assert write.names == Recounted(seen.tokens, frozenset({"new", "b"}), ())

    def test_a_state_that_was_never_counted_is_counted_first(self) -> None:
        """As after a key was configured for the first time."""
        seen = state(lease("a"), lease("b"))
        write = admitted(decide_start(Attempt(seen, named(), TOKENS, NOW)))
        assert write.names == Recounted(None, frozenset({"a", "b", "new"}), ())

    def test_room_is_found_again_by_the_plain_write(self) -> None:
        """The state moved meanwhile: nothing has to be counted anew."""
        write = admitted(decide_start(Attempt(counted(lease("a")), named(), TOKENS, NOW)))
        assert write.names == Counted(5)

    def test_the_wait_is_for_as_many_as_it_takes(self) -> None:
        """The spent tokens that end first, with the grace; leases are not waited for."""
        spent = {"s": 40, "t": 20, "u": 30, "v": 50}
        seen = counted(lease("a", left=10), spent=spent)
        assert decide_start(Attempt(seen, named(), TOKENS, NOW)) == Postpone(NOW + 22)
        assert decide_start(Attempt(seen, named(limit=2), TOKENS, NOW)) == Postpone(NOW + 32)

    def test_a_full_limit_is_refused_before_the_token_bound(self) -> None:
        """Nobody is told to come again in a while for a slot that is not free then."""
        seen = counted(lease("a"), lease("b"), lease("c"), spent={"d": 9, "e": 9})
        assert decide_start(Attempt(seen, named(), TOKENS, NOW)) == Refuse(Bound(3))

    def test_eviction_has_its_own_bound(self) -> None:
        """The evicted stream's token counts; with fewer slots than streams, all of those count."""
        three = (lease("a", age=3), lease("b", age=2), lease("c", age=1))
        one_spent = counted(*three, spent={"d": 9})
        decision = decide_start(Attempt(one_spent, named(), EVICT, NOW))
        assert isinstance(decision, Try)
        assert decision.outcome is Outcome.EVICTED
        assert admitted(decision).freed.ended_names == ("a",)
        assert admitted(decision).names == Recounted(one_spent.tokens, frozenset("abcd") | {"new"}, ())
        assert decide_start(
            Attempt(counted(*three, spent={"d": 9, "e": 19}), named(), EVICT, NOW)
        ) == Postpone(NOW + 11)
        lowered = decide_start(Attempt(one_spent, named(limit=1), EVICT, NOW))
        assert admitted(lowered).freed.ended_names == ("a", "b", "c")

    def test_an_anonymous_newcomer_adds_no_name(self) -> None:
        """It has no token: it is not put off, and takes the names of what it reclaims out."""
        seen = counted(dead("a"), lease("b"), spent=dict.fromkeys("stuv", 9))
        write = admitted(decide_start(Attempt(seen, StartAnonymous(USER, "1", 2), TOKENS, NOW)))
        assert write.names == Recounted(seen.tokens, frozenset("bstuv"), ())

    def test_shadow_forgets_the_oldest_beyond_its_own_bound(self) -> None:
        """Twenty names and the overlap are counted; nobody is put off."""
        spent = {f"s{place}": place + 1 for place in range(23)}
        decision = decide_start(Attempt(counted(lease("a"), spent=spent), named(), SHADOW, NOW))
        assert isinstance(decision, Try)
        assert decision.outcome is Outcome.WOULD_REFUSE
        names = admitted(decision).names
        assert isinstance(names, Recounted)
        assert names.over == tuple(SpentToken(f"s{place}", NOW + place + 1) for place in range(3))
        assert names.names == {"a", "new", *(f"s{place}" for place in range(3, 23))}

    def test_a_repeat_is_settled_only_where_its_name_is_counted(self) -> None:
        """Else the repeat renews the lease and counts all names."""
        assert decide_start(Attempt(counted(lease("new")), named(), TOKENS, NOW)) == Settled(Outcome.REPLAYED)
        uncounted = state(lease("new"), lease("b"))
        renewal = Extend(USER, "new", NOW + 90, RETAIN, names=Recounted(None, frozenset({"new", "b"}), ()))
        assert decide_start(Attempt(uncounted, named(), TOKENS, NOW)) == Try(renewal, Outcome.REPLAYED)

    @pytest.mark.parametrize(("play", "path_prefix"), [("load-2", None), (None, "/film/")])
    def test_a_start_of_another_play_writes_its_own(self, play: str | None, path_prefix: str | None) -> None:
        """A reloaded page, or another path, is no repeat; what the start leaves out stays."""
        seen = state(replace(lease("new"), play="load-1", path_prefix="/series/"))
        start = replace(named(), play=play, path_prefix=path_prefix)
        renewal = Extend(USER, "new", NOW + 90, RETAIN, play=play, path_prefix=path_prefix)
        assert decide_start(Attempt(seen, start, Policy(), NOW)) == Try(renewal, Outcome.REPLAYED)
        same = replace(named(), play="load-1", path_prefix="/series/")
        assert decide_start(Attempt(seen, same, Policy(), NOW)) == Settled(Outcome.REPLAYED)


class TestHeartbeat:
    """Decisions about a heartbeat whose write was rejected."""

    beat = Heartbeat(USER, "a", play="load-1")

    def test_the_first_write_requires_a_counted_name(self) -> None:
        """And is of its own play; without tokens nothing is counted."""
        extend = Extend(USER, "a", NOW + 90, RETAIN, of_play="load-1", names=Counted(bound=0))
        assert first_heartbeat(self.beat, TOKENS, NOW) == Try(extend, Outcome.EXTENDED)
        assert first_heartbeat(self.beat, Policy(), NOW) == Try(replace(extend, names=None), Outcome.EXTENDED)

    def test_an_uncounted_stream_is_counted_with_all_others(self) -> None:
        """Old code admitted it; its later expiry holds."""
        seen = replace(state(lease("a", left=95), lease("b")), tokens=frozenset({"b"}))
        names = Recounted(frozenset({"b"}), frozenset({"a", "b"}), ())
        extend = Extend(USER, "a", NOW + 95, RETAIN, of_play="load-1", names=names)
        assert decide_heartbeat(Situation(seen, self.beat, TOKENS, NOW)) == Try(extend, Outcome.EXTENDED)
        assert decide_heartbeat(Situation(seen, self.beat, Policy(), NOW)) == Settled(Outcome.EXTENDED)

    def test_a_stream_of_another_play_is_gone(self) -> None:
        """As is one that is not there."""
        for seen in (counted(replace(lease("a"), play="load-2")), counted(lease("b"))):
            assert decide_heartbeat(Situation(seen, self.beat, TOKENS, NOW)) == Gone()
        assert decide_heartbeat(Situation(counted(lease("a")), self.beat, TOKENS, NOW)) == Settled(
            Outcome.EXTENDED
        )


class TestTokens:
    """The tokens that answers carry."""

    def test_a_hold_has_the_token_of_the_stored_lease(self) -> None:
        """Of a start and of a heartbeat, and of a repeat whose lease ends later than it asks for."""
        home = Household(TOKENS, FakeTokens())
        assert home.start("a").token == f"{USER} a until {NOW + 90} at {NOW}"
        home.clock.advance(-5)
        assert home.start("a").token == f"{USER} a until {NOW + 90} at {NOW - 5}"
        assert home.beat("a").token == f"{USER} a until {NOW + 90} at {NOW - 5}"
        home.clock.advance(35)
        assert home.beat("a").token == f"{USER} a until {NOW + 120} at {NOW + 30}"

    def test_no_other_answer_has_one(self) -> None:
        """An anonymous start, an end."""
        home = Household(TOKENS, FakeTokens())
        home.start("a")
        assert (home.start_anonymous("1").token, home.end("a").token) == (None, None)
        assert Household(TOKENS).start("a").token is None

    def test_without_keys_nobody_starts_and_nobody_stops(self) -> None:
        """A named start fails before it writes; a heartbeat extends without a token."""
        home = Household(TOKENS, tokens := FakeTokens())
        home.start("a")
        tokens.available = False
        with pytest.raises(TokensUnavailable):
            home.start("b")
        answer = home.beat("a")
        assert (answer.outcome, answer.token) == (Outcome.EXTENDED, None)
        assert home.start_anonymous("1").outcome is Outcome.ADMITTED
        assert len(home.store.writes) == 3

    @pytest.mark.parametrize("open_tokens", [False, True])
    def test_an_unverified_stream_has_a_token_only_where_it_is_asked_for(self, open_tokens: bool) -> None:  # noqa: FBT001 - a case
        """It lives for one lease, and the bound does not count it."""
        policy = replace(TOKENS, on_store_failure=OnStoreFailure.OPEN, open_tokens=open_tokens)
        store = FailingRepository(StoreUnavailable())
        limiter = StreamLimiter(store, FakeClock(NOW), policy, FakeTokens())
        expected = f"{USER} a until {NOW + 90} at {NOW}" if open_tokens else None
        assert limiter.start(StartNamed(USER, "a", 3)).token == expected
        assert limiter.heartbeat(Heartbeat(USER, "a")).token == expected
        assert limiter.start(StartAnonymous(USER, "1", 3)).token is None
