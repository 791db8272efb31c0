"""Use cases for streams in groups: the answers to callers, and the number of writes."""

from dataclasses import replace

import pytest

from domain.bounds import Bound
from domain.decisions import Settled, Try, decide_end, first_end, first_start
from domain.errors import LimitReached
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.requests import EndNamed, StartNamed
from domain.situation import Situation
from domain.writes import Admit, Ended, Release
from tests.unit.domain.household import Household, live, verified
from tests.unit.domain.states import NOW, POLICY, RETAIN, USER, lease, state

ONE_UHD = (Bound(1, "uhd"),)


def uhd(name: str, limit: int = 3, replaces: str | None = None) -> StartNamed:
    """Return a start in UHD, which has one place; the group `hdr` has no limit."""
    return StartNamed(USER, name, limit, None, replaces, groups=("hdr", "uhd"), group_bounds=ONE_UHD)


@pytest.fixture
def home() -> Household:
    """Return a household with three streams."""
    return Household()


class TestStart:
    """Newcomers, which take a slot in each of their counts."""

    def test_the_refusal_names_the_limit_that_is_full(self, home: Household) -> None:
        """The refusal names the group if only the group is full, and the total if all slots are taken."""
        home.limiter.start(uhd("a"))
        with pytest.raises(LimitReached) as reached:
            home.limiter.start(uhd("b"))
        assert (reached.value.full, reached.value.limit, str(reached.value)) == (
            Bound(1, "uhd"),
            3,
            "limit of 1 reached",
        )
        with pytest.raises(LimitReached) as reached:
            home.limiter.start(uhd("b", limit=1))
        assert reached.value.full == Bound(1)

    def test_shadow_names_the_limit_that_would_have_refused(self) -> None:
        """Shadow mode names the limit that would have refused, and an ordinary start names none."""
        home = Household(Policy(enforcement=Enforcement.SHADOW))
        assert verified(home.limiter.start(uhd("a"))).full is None
        assert verified(home.limiter.start(uhd("a"))).full is None, "a repeat"
        above = verified(home.limiter.start(uhd("b")))
        assert (above.outcome, above.full) == (Outcome.WOULD_REFUSE, Bound(1, "uhd"))

    def test_the_lease_is_in_its_groups(self, home: Household) -> None:
        """The lease has the start's groups in answers and in lists."""
        answer = home.limiter.start(uhd("a"))
        assert answer.lease is not None
        assert answer.lease.groups == ("hdr", "uhd")
        assert [stream.groups for stream in home.live().leases] == [("hdr", "uhd")]

    def test_the_replaced_stream_is_assumed_to_be_in_the_same_groups(self) -> None:
        """A replaced stream is assumed to be in the same groups, so that a swap within them is one write."""
        write = first_start(uhd("b", replaces="a"), POLICY, NOW).write
        assert isinstance(write, Admit)
        assert write.freed.ended == (Ended("a", ("hdr", "uhd")),)

    def test_a_change_of_groups_keeps_the_stream(self, home: Household) -> None:
        """A stream that changes its groups keeps its slot and start, and is neither reclaimed nor evicted."""
        home.start("a")
        home.clock.advance(20)
        changed = verified(home.limiter.start(uhd("a")))
        assert (changed.outcome, changed.reclaimed, changed.evicted) == (Outcome.REPLACED, 0, 0)
        assert changed.lease is not None
        assert (changed.lease.started_at, changed.lease.expires_at) == (NOW, NOW + 110)
        assert live(changed).count == 1
        assert home.start("a").outcome is Outcome.REPLACED
        assert home.limiter.start(uhd("b")).outcome is Outcome.ADMITTED

    def test_an_evicted_stream_is_counted_and_a_replaced_one_is_not(self) -> None:
        """A start that replaces one stream and evicts another in the group counts one eviction."""
        home = Household(Policy(on_limit=OnLimit.EVICT_OLDEST))
        home.limiter.start(uhd("a"))
        home.start("b")
        answer = verified(home.limiter.start(uhd("c", replaces="b")))
        assert (answer.outcome, answer.reclaimed, answer.evicted) == (Outcome.EVICTED, 0, 1)
        assert [stream.stream_id for stream in live(answer).leases] == ["c"]


class TestEnd:
    """Ends, which give back the stream's slot in each count."""

    def test_named_groups_are_freed_in_one_write(self, home: Household) -> None:
        """An end that names its groups frees the place in UHD with one write."""
        home.limiter.start(uhd("a"))
        writes = len(home.store.writes)
        ended = home.limiter.end(EndNamed(USER, "a", groups=("hdr", "uhd")))
        assert (ended.outcome, len(home.store.writes) - writes) == (Outcome.ENDED, 1)
        assert home.limiter.start(uhd("b")).outcome is Outcome.ADMITTED

    @pytest.mark.parametrize("groups", [(), ("uhd",), ("away", "hdr", "uhd")])
    def test_others_take_a_second_write(self, home: Household, groups: tuple[str, ...]) -> None:
        """An end that names other groups takes a second write, because the rejection shows the right ones."""
        home.limiter.start(uhd("a"))
        writes = len(home.store.writes)
        ended = home.limiter.end(EndNamed(USER, "a", groups=groups))
        assert (ended.outcome, len(home.store.writes) - writes) == (Outcome.ENDED, 2)
        assert home.limiter.start(uhd("b")).outcome is Outcome.ADMITTED

    def test_the_second_write_repeats_the_first_with_the_leases_groups(self) -> None:
        """The second write has the same play and bookkeeping, and the groups of the lease."""
        request = EndNamed(USER, "a", "load-1", ("sd",))
        policy = Policy(token_overlap=2)
        grouped = replace(lease("a"), groups=("hdr",), play="load-1")
        write = Release(USER, "a", RETAIN, "load-1", spends=True, groups=("hdr",))
        assert decide_end(Situation(state(grouped), request, policy, NOW)) == Try(write, Outcome.ENDED)
        assert first_end(request, policy, NOW) == Try(replace(write, groups=("sd",)), Outcome.ENDED)

    def test_a_missing_stream_or_another_play_has_ended(self) -> None:
        """A missing stream, or one of another play, needs no second write."""
        request = EndNamed(USER, "a", "load-1")
        ended = Settled(Outcome.ALREADY_ENDED)
        assert decide_end(Situation(state(lease("b")), request, POLICY, NOW)) == ended
        reloaded = replace(lease("a"), groups=("uhd",), play="load-2")
        assert decide_end(Situation(state(reloaded), request, POLICY, NOW)) == ended
