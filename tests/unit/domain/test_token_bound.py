"""The token bound: starting and ending again never collects more tokens than the limit and the overlap."""

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


class TestExpiredLeases:
    """The name of an expired lease counts towards the token bound until its lease is taken away."""

    @pytest.mark.parametrize("replaces", ["a", None])
    def test_it_does_not_postpone_a_start(self, replaces: str | None) -> None:
        """A start beside a free slot or as a replacement is admitted: the lease's token has expired."""
        limit = 1 if replaces else 2
        seen = counted(dead("a"), spent=dict.fromkeys("bcd"[: limit + 1], 9))
        write = admitted(decide_start(Attempt(seen, named(limit, replaces=replaces), TOKENS, NOW)))
        assert (write.freed.expired, write.freed.ended) == ((dead("a"),), ())
        assert isinstance(write.names, Recounted)
        assert write.names.names == {"new", *seen.spent}


class TestHouseholds:
    """Stories of honest players and of scripts, as the use cases answer them."""

    def test_a_script_that_circles_is_postponed(self) -> None:
        """With a limit of one and an overlap of two, a script gets three tokens, and waits for the fourth."""
        home = Household(TOKENS)
        for name in "abc":
            home.start(name, limit=1)
            home.end(name)
        with pytest.raises(TooManyStarts) as postponed:
            home.start("d", limit=1)
        assert (postponed.value.limit, postponed.value.live.count, postponed.value.seconds) == (1, 0, 92)
        home.clock.advance(92)
        assert home.start("d", limit=1).outcome is Outcome.ADMITTED
        assert home.store.read_now().tokens == frozenset({"d"})

    def test_a_screen_that_keeps_its_name_is_never_postponed(self) -> None:
        """A stream that keeps its name is never postponed, because its name is counted once."""
        home = Household(TOKENS)
        for _ in range(20):
            assert home.start("tv", limit=1).outcome is Outcome.ADMITTED
            home.end("tv")
        assert home.store.read_now().tokens == frozenset({"tv"})

    def test_a_refused_replacement_leaves_the_held_stream_unchanged(self) -> None:
        """A refused replacement leaves the held stream, its slot and its lease unchanged."""
        home = Household(TOKENS)
        home.start("a", limit=1)
        for old, new in ("ab", "bc"):
            home.start(new, limit=1, replaces=old)
        held = home.store.read_now()
        with pytest.raises(TooManyStarts):
            home.start("d", limit=1, replaces="c")
        assert home.store.read_now() == held
        assert home.beat("c").outcome is Outcome.EXTENDED

    def test_a_late_end_does_not_end_the_reloaded_page(self) -> None:
        """After a reload, the old page's end finds an ended stream, and its heartbeat a gone one."""
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

    def test_a_heartbeat_counts_a_stream_from_before_tokens(self) -> None:
        """A first heartbeat counts an old stream together with all others; later ones are ordinary."""
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

    def test_a_repeat_keeps_the_fields_it_omits(self) -> None:
        """The play and the path of a stream change only where the repeat names others."""
        home = Household(Policy())
        for play, path_prefix in (("load-1", "/film/"), ("load-2", None), (None, "/series/"), (None, None)):
            home.limiter.start(StartNamed(USER, "tv", 3, play=play, path_prefix=path_prefix))
        held = home.store.read_now().leases["tv"]
        assert (held.play, held.path_prefix) == ("load-2", "/series/")
        home.limiter.start(StartNamed(USER, "tv", 3, play="load-3"))
        assert home.store.read_now().leases["tv"].path_prefix == "/series/"

    def test_an_anonymous_start_lists_the_evicted_streams(self) -> None:
        """An anonymous start returns the evicted streams and the time of the eviction."""
        home = Household(EVICT)
        for name in "abc":
            home.start(name)
        answer = home.start_anonymous("1")
        assert (answer.outcome, answer.evicted, answer.reclaimed, answer.at) == (Outcome.EVICTED, 1, 0, NOW)

    def test_without_tokens_no_name_is_counted(self) -> None:
        """Without tokens the state is as it was before tokens existed."""
        home = Household(Policy())
        home.start("a")
        home.beat("a")
        home.start("b", replaces="a")
        home.end("b")
        assert all(getattr(write, "names", None) is None for write in home.store.writes)
        assert home.store.read_now() == Snapshot()


class TestStart:
    """Decisions about a start whose write was rejected."""

    def test_expired_spent_tokens_are_forgotten(self) -> None:
        """Spent tokens are forgotten at expiry plus grace, not a second before, and names are recounted."""
        seen = counted(lease("a"), spent={"b": -2, "c": -1, "d": 5, "e": 9})
        write = admitted(decide_start(Attempt(seen, named(), TOKENS, NOW)))
        over = (SpentToken("b", NOW - 2),)
        assert write.names == Recounted(seen.tokens, frozenset({"a", "c", "d", "e", "new"}), over)

    def test_expired_leases_are_reclaimed_with_their_names(self) -> None:
        """An expired lease is reclaimed with its name, because its token has expired too."""
        seen = counted(dead("a"), lease("b"), lease("c"), spent={"d": 9})
        decision = decide_start(Attempt(seen, named(), TOKENS, NOW))
        write = admitted(decision)
        assert write.freed.expired == (dead("a"),)
        assert write.names == Recounted(seen.tokens, frozenset({"b", "c", "d", "new"}), ())

    def test_a_stale_spent_token_beside_a_lease_goes_with_the_lease(self) -> None:
        """A stale spent token that old code left beside a lease goes with the lease."""
        seen = counted(dead("a"), lease("b"), lease("c"), spent={"a": -5, "b": -5, "x": 9})
        write = admitted(decide_start(Attempt(seen, named(), TOKENS, NOW)))
        assert write.names == Recounted(
            seen.tokens, frozenset({"b", "c", "x", "new"}), (SpentToken("a", NOW - 5),)
        )

    def test_a_name_that_starts_again_keeps_the_later_expiry(self) -> None:
        """If a host's clock is behind, the last token's later expiry is kept beside the lease's."""
        seen = counted(spent={"new": 91, "b": 9})
        write = admitted(decide_start(Attempt(seen, named(), TOKENS, NOW)))
        assert write.newcomer == Lease("new", NOW, NOW + 91)
        assert write.names == Recounted(seen.tokens, frozenset({"new", "b"}), ())

    def test_an_uncounted_state_is_counted_first(self) -> None:
        """A state that was never counted, as after the first key is configured, is counted first."""
        seen = state(lease("a"), lease("b"))
        write = admitted(decide_start(Attempt(seen, named(), TOKENS, NOW)))
        assert write.names == Recounted(None, frozenset({"a", "b", "new"}), ())

    def test_the_plain_write_is_retried_when_room_appears(self) -> None:
        """If the state has changed and there is room, the plain write is retried without a recount."""
        write = admitted(decide_start(Attempt(counted(lease("a")), named(), TOKENS, NOW)))
        assert write.names == Counted(5)

    def test_a_start_waits_for_as_many_tokens_as_necessary(self) -> None:
        """A start waits for as many spent tokens as it takes, with the grace, and never for leases."""
        spent = {"s": 40, "t": 20, "u": 30, "v": 50}
        seen = counted(lease("a", left=10), spent=spent)
        assert decide_start(Attempt(seen, named(), TOKENS, NOW)) == Postpone(NOW + 22)
        assert decide_start(Attempt(seen, named(limit=2), TOKENS, NOW)) == Postpone(NOW + 32)

    def test_a_full_limit_is_refused_before_the_token_bound(self) -> None:
        """A full limit is refused before the token bound, since waiting for tokens would free no slot."""
        seen = counted(lease("a"), lease("b"), lease("c"), spent={"d": 9, "e": 9})
        assert decide_start(Attempt(seen, named(), TOKENS, NOW)) == Refuse(Bound(3))

    def test_eviction_has_its_own_bound(self) -> None:
        """The evicted stream's token counts; with fewer slots than streams, the tokens of all count."""
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
        """An anonymous newcomer has no token: it is not postponed, and removes the names that it reclaims."""
        seen = counted(dead("a"), lease("b"), spent=dict.fromkeys("stuv", 9))
        write = admitted(decide_start(Attempt(seen, StartAnonymous(USER, "1", 2), TOKENS, NOW)))
        assert write.names == Recounted(seen.tokens, frozenset("bstuv"), ())

    def test_shadow_forgets_the_oldest_tokens_beyond_its_bound(self) -> None:
        """Shadow mode counts twenty names and the overlap, and postpones no start."""
        spent = {f"s{place}": place + 1 for place in range(23)}
        decision = decide_start(Attempt(counted(lease("a"), spent=spent), named(), SHADOW, NOW))
        assert isinstance(decision, Try)
        assert decision.outcome is Outcome.WOULD_REFUSE
        names = admitted(decision).names
        assert isinstance(names, Recounted)
        assert names.forgotten == tuple(SpentToken(f"s{place}", NOW + place + 1) for place in range(3))
        assert names.names == {"a", "new", *(f"s{place}" for place in range(3, 23))}

    def test_a_repeat_is_settled_only_if_its_name_is_counted(self) -> None:
        """A repeat whose name is not counted renews the lease and recounts all names."""
        assert decide_start(Attempt(counted(lease("new")), named(), TOKENS, NOW)) == Settled(Outcome.REPLAYED)
        uncounted = state(lease("new"), lease("b"))
        renewal = Extend(USER, "new", NOW + 90, RETAIN, names=Recounted(None, frozenset({"new", "b"}), ()))
        assert decide_start(Attempt(uncounted, named(), TOKENS, NOW)) == Try(renewal, Outcome.REPLAYED)

    @pytest.mark.parametrize(("play", "path_prefix"), [("load-2", None), (None, "/film/")])
    def test_a_start_of_another_play_writes_its_play(self, play: str | None, path_prefix: str | None) -> None:
        """A reloaded page or another path is not a repeat; fields that the start leaves out are kept."""
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
        """The first write requires a counted name and its own play; without tokens no name is counted."""
        extend = Extend(USER, "a", NOW + 90, RETAIN, of_play="load-1", names=Counted(bound=0))
        assert first_heartbeat(self.beat, TOKENS, NOW) == Try(extend, Outcome.EXTENDED)
        assert first_heartbeat(self.beat, Policy(), NOW) == Try(replace(extend, names=None), Outcome.EXTENDED)

    def test_an_uncounted_stream_is_counted_with_all_others(self) -> None:
        """A stream that old code admitted is counted with all others, and its later expiry is kept."""
        seen = replace(state(lease("a", left=95), lease("b")), tokens=frozenset({"b"}))
        names = Recounted(frozenset({"b"}), frozenset({"a", "b"}), ())
        extend = Extend(USER, "a", NOW + 95, RETAIN, of_play="load-1", names=names)
        assert decide_heartbeat(Situation(seen, self.beat, TOKENS, NOW)) == Try(extend, Outcome.EXTENDED)
        assert decide_heartbeat(Situation(seen, self.beat, Policy(), NOW)) == Settled(Outcome.EXTENDED)

    def test_a_stream_of_another_play_is_gone(self) -> None:
        """A stream of another play is gone, as is one that does not exist."""
        for seen in (counted(replace(lease("a"), play="load-2")), counted(lease("b"))):
            assert decide_heartbeat(Situation(seen, self.beat, TOKENS, NOW)) == Gone()
        assert decide_heartbeat(Situation(counted(lease("a")), self.beat, TOKENS, NOW)) == Settled(
            Outcome.EXTENDED
        )


class TestTokens:
    """The tokens in answers."""

    def test_a_hold_has_the_token_of_the_stored_lease(self) -> None:
        """A start, a heartbeat and a repeat return the token of the stored lease, even if it ends later."""
        home = Household(TOKENS, FakeTokens())
        assert home.start("a").token == f"{USER} a until {NOW + 90} at {NOW}"
        home.clock.advance(-5)
        assert home.start("a").token == f"{USER} a until {NOW + 90} at {NOW - 5}"
        assert home.beat("a").token == f"{USER} a until {NOW + 90} at {NOW - 5}"
        home.clock.advance(35)
        assert home.beat("a").token == f"{USER} a until {NOW + 120} at {NOW + 30}"

    def test_other_answers_have_no_token(self) -> None:
        """An anonymous start and an end answer without a token."""
        home = Household(TOKENS, FakeTokens())
        home.start("a")
        assert (home.start_anonymous("1").token, home.end("a").token) == (None, None)
        assert Household(TOKENS).start("a").token is None

    def test_without_keys_starts_fail_and_heartbeats_continue(self) -> None:
        """Without keys a named start fails before it writes, and a heartbeat extends without a token."""
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
    def test_an_unverified_stream_has_a_token_only_if_configured(self, open_tokens: bool) -> None:  # noqa: FBT001 - a case
        """An unverified stream's token lives for one lease, and the bound does not count it."""
        policy = replace(TOKENS, on_store_failure=OnStoreFailure.OPEN, open_tokens=open_tokens)
        store = FailingRepository(StoreUnavailable())
        limiter = StreamLimiter(store, FakeClock(NOW), policy, FakeTokens())
        expected = f"{USER} a until {NOW + 90} at {NOW}" if open_tokens else None
        assert limiter.start(StartNamed(USER, "a", 3)).token == expected
        assert limiter.heartbeat(Heartbeat(USER, "a")).token == expected
        assert limiter.start(StartAnonymous(USER, "1", 3)).token is None
