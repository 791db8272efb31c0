from dataclasses import replace

import pytest

from domain.attempt import Attempt
from domain.decisions import Gone, Try, decide_heartbeat, decide_start, first_start
from domain.errors import StreamGone
from domain.gone import MARK_LENGTH, MAX_DISPLACED, mark
from domain.policy import OnLimit, Policy
from domain.requests import EndNamed, Heartbeat, StartNamed
from domain.situation import Situation
from domain.streams import Displaced, GoneReason, Lease, Snapshot
from domain.writes import Admit, Extend
from tests.unit.domain.household import Household
from tests.unit.domain.states import NOW, POLICY, USER, dead, lease, state

EVICT = Policy(on_limit=OnLimit.EVICT_OLDEST)


def new(replaces: str | None = None, limit: int = 3, groups: tuple[str, ...] = ()) -> StartNamed:
    """A start of the stream `new`."""
    return StartNamed(USER, "new", limit, "phone", replaces, groups=groups)


def remembered(seen: Snapshot, request: StartNamed, policy: Policy = POLICY) -> tuple[Displaced, ...]:
    """Return what the newcomer's lease remembers."""
    decision = decide_start(Attempt(seen, request, policy, NOW))
    assert isinstance(decision, Try)
    match decision.write:
        case Admit(newcomer=Lease(displaced=displaced)) | Extend(displaced=displaced):
            return displaced
    raise AssertionError(decision)


def by(device: str | None, *displaced: Displaced, age: int = 0) -> Lease:
    """Return a lease on this device that began `age` seconds ago and displaced these streams."""
    return replace(lease(f"on-{device}", age=age, device=device), displaced=displaced)


def why(*leases: Lease, play: str | None = "load-1", spent: tuple[str, ...] = ()) -> Gone:
    """Return why the stream `old` is gone, as this play's heartbeat learns it."""
    seen = replace(state(*leases), spent=dict.fromkeys(spent, NOW + 9))
    decision = decide_heartbeat(Situation(seen, Heartbeat(USER, "old", play), POLICY, NOW))
    assert isinstance(decision, Gone)
    return decision


OF_PLAY, OF_NAME = mark("old", "load-1"), mark("old")
REPLACED, EVICTED, EXPIRED, ENDED = GoneReason


class TestMark:
    """The mark that stands for a stream."""

    def test_each_play_of_a_stream_has_its_own_mark(self) -> None:
        """Two plays, two names and a name without a play have different marks, all of one length."""
        marks = {mark("a", "1"), mark("a", "2"), mark("b", "1"), mark("a"), mark("x" * 64, "y" * 64)}
        assert len(marks) == 5
        assert {len(one) for one in marks} == {MARK_LENGTH}


class TestRemembering:
    """The memory of the newcomer's lease, in the write that admits it."""

    def test_a_newcomer_that_displaces_no_stream_remembers_none(self) -> None:
        """A newcomer's lease remembers nothing after a first write or a takeover of its own expired lease."""
        write = first_start(new(), POLICY, NOW).write
        assert isinstance(write, Admit)
        assert write.newcomer == Lease("new", NOW, NOW + 90, "phone")
        assert remembered(state(dead("new"), lease("a"), lease("b")), new()) == ()

    def test_a_first_write_remembers_the_replaced_stream_by_name(self) -> None:
        """The first write has seen no state, so it knows the replaced stream by name without its play."""
        write = first_start(new(replaces="old"), POLICY, NOW).write
        assert isinstance(write, Admit)
        assert isinstance(write.newcomer, Lease)
        assert write.newcomer.displaced == (Displaced(REPLACED, OF_NAME),)

    def test_a_second_write_remembers_the_play(self) -> None:
        """The second write knows the play from the state, whatever the kind of displacement."""
        old = replace(lease("old", age=9), play="load-1")
        others = lease("a"), lease("b")
        assert remembered(state(old, *others), new(replaces="old")) == (Displaced(REPLACED, OF_PLAY),)
        assert remembered(state(old, *others), new(), EVICT) == (Displaced(EVICTED, OF_PLAY),)
        over = replace(dead("old"), play="load-1")
        assert remembered(state(over, *others), new()) == (Displaced(EXPIRED, OF_PLAY),)

    def test_two_are_remembered_and_live_ones_first(self) -> None:
        """A lease remembers two displaced streams, live ones first, however many make room."""
        seen = state(dead("a"), dead("b"), lease("c", age=2), lease("d"), lease("e"), lease("f"))
        displaced = remembered(seen, new(limit=3), EVICT)
        assert displaced == (Displaced(EVICTED, mark("c")), Displaced(EVICTED, mark("d")))
        assert len(displaced) == MAX_DISPLACED
        seen = state(dead("a"), dead("b"), lease("old"), lease("d"), lease("e"))
        displaced = remembered(seen, new(replaces="old"))
        assert displaced == (Displaced(REPLACED, OF_NAME), Displaced(EXPIRED, mark("a")))

    def test_a_live_stream_that_displaces_another_one_remembers_both(self) -> None:
        """A live stream that displaces another remembers both, latest first, on a renewal or new groups."""
        earlier = Displaced(EVICTED, mark("b"))
        own = replace(lease("new"), displaced=(earlier, Displaced(EXPIRED, mark("c"))))
        seen = state(own, lease("old"))
        assert remembered(seen, new(replaces="old")) == (Displaced(REPLACED, OF_NAME), earlier)
        moved = remembered(seen, new(replaces="old", groups=("uhd",)))
        assert moved == (Displaced(REPLACED, OF_NAME), earlier)
        assert remembered(seen, new(groups=("uhd",))) == own.displaced

    def test_a_restarted_stream_drops_its_old_memory(self) -> None:
        """A stream that starts again drops its old memory, which a new lease would make look recent."""
        over = replace(dead("new"), displaced=(Displaced(EVICTED, mark("old")),))
        assert remembered(state(over, lease("a"), lease("b")), new()) == ()


class TestReason:
    """The reason why a stream is gone, as the state shows it."""

    @pytest.mark.parametrize("reason", [REPLACED, EVICTED])
    def test_a_displaced_stream_learns_the_device(self, reason: GoneReason) -> None:
        """A displaced stream learns the device of the lease that remembers it, if that has one."""
        assert why(lease("a"), by("phone", Displaced(reason, OF_PLAY))) == Gone(reason, "phone")
        assert why(by(None, Displaced(reason, OF_PLAY))) == Gone(reason)

    def test_an_expired_stream_learns_no_device(self) -> None:
        """An expired stream learns no device, because no stream took its slot."""
        assert why(by("phone", Displaced(EXPIRED, OF_PLAY))) == Gone(EXPIRED)

    def test_the_second_of_two_is_found(self) -> None:
        """The second of the two remembered streams is found too."""
        both = Displaced(EXPIRED, mark("a")), Displaced(EVICTED, OF_PLAY)
        assert why(by("phone", *both)) == Gone(EVICTED, "phone")

    def test_a_play_is_remembered_as_long_as_the_newcomer_exists(self) -> None:
        """A laptop that wakes up in the morning learns which device took its slot at night."""
        assert why(by("phone", Displaced(EVICTED, OF_PLAY), age=9_999)) == Gone(EVICTED, "phone")

    def test_a_name_is_remembered_for_one_lease(self) -> None:
        """A memory by name alone is used for one lease: after that, the name may have started again."""
        name = Displaced(REPLACED, OF_NAME)
        for play in ("load-1", None):
            assert why(by("phone", name, age=90), play=play) == Gone(REPLACED, "phone")
            assert why(by("phone", name, age=91), play=play) == Gone()

    def test_the_latest_memory_wins(self) -> None:
        """A stream that was displaced twice learns of the second time."""
        first = by("phone", Displaced(REPLACED, OF_NAME), age=20)
        second = by("desk", Displaced(EVICTED, OF_NAME), age=10)
        assert why(first, second) == why(second, first) == Gone(EVICTED, "desk")

    @pytest.mark.parametrize("play", ["load-2", None])
    def test_another_play_learns_nothing_of_it(self, play: str | None) -> None:
        """A displacement of one play says nothing about another play."""
        assert why(by("phone", Displaced(EVICTED, OF_PLAY)), play=play) == Gone()

    def test_another_stream_learns_nothing_of_it(self) -> None:
        """Only a memory of the stream's own name counts."""
        assert why(by("phone", Displaced(EVICTED, mark("other", "load-1")))) == Gone()

    def test_a_restarted_stream_has_no_reason(self) -> None:
        """A restarted stream does not inherit the reason of its earlier play."""
        there = replace(lease("old"), play="load-2")
        assert why(there, by("phone", Displaced(EVICTED, OF_PLAY)), spent=("old",)) == Gone()

    def test_a_spent_token_shows_that_a_stream_was_ended(self) -> None:
        """A spent token shows that a stream was ended, where no lease remembers it."""
        assert why(lease("a"), spent=("old",)) == Gone(ENDED)
        assert why(by("phone", Displaced(EVICTED, OF_PLAY)), spent=("old",)) == Gone(EVICTED, "phone")
        assert why(lease("a"), spent=("other",)) == Gone()


class TestStories:
    """The reasons that the use cases return to players."""

    def gone(self, home: Household, name: str) -> tuple[GoneReason | None, str | None]:
        """Return the outcome of a heartbeat of a stream that is gone, by its one write."""
        writes = len(home.store.writes)
        with pytest.raises(StreamGone) as gone:
            home.limiter.heartbeat(Heartbeat(USER, name))
        assert len(home.store.writes) == writes + 1
        return gone.value.reason, gone.value.by

    def test_the_evicted_stream(self) -> None:
        """An evicted stream learns which device displaced it, even after that device extended its lease."""
        home = Household(EVICT)
        home.start("tv", limit=1)
        home.limiter.start(StartNamed(USER, "phone", 1, "Ada's phone"))
        home.clock.advance(30)
        home.beat("phone")
        assert self.gone(home, "tv") == (EVICTED, "Ada's phone")

    def test_the_replaced_stream(self) -> None:
        """A replaced stream learns which device took its place."""
        home = Household(POLICY)
        home.start("tv", limit=1)
        home.limiter.start(StartNamed(USER, "phone", 1, "Ada's phone", replaces="tv"))
        assert self.gone(home, "tv") == (REPLACED, "Ada's phone")

    def test_the_stream_replaced_by_a_live_one(self) -> None:
        """A live stream that replaces another remembers that stream and its play, as a newcomer does."""
        home = Household(POLICY)
        home.limiter.start(StartNamed(USER, "tv", 2, play="load-1"))
        for replaces in (None, "tv"):
            home.limiter.start(StartNamed(USER, "phone", 2, "Ada's phone", replaces))
        home.clock.advance(91)
        home.beat("phone")
        with pytest.raises(StreamGone) as gone:
            home.limiter.heartbeat(Heartbeat(USER, "tv", "load-1"))
        assert (gone.value.reason, gone.value.by) == (REPLACED, "Ada's phone")

    def test_the_expired_stream(self) -> None:
        """An expired stream learns that its slot was taken over."""
        home = Household(POLICY)
        home.start("tv", limit=1)
        home.clock.advance(92)
        home.limiter.start(StartNamed(USER, "phone", 1, "Ada's phone"))
        assert self.gone(home, "tv") == (EXPIRED, None)

    @pytest.mark.parametrize(("overlap", "reason"), [(None, None), (3, ENDED)])
    def test_the_ended_stream(self, overlap: int | None, reason: GoneReason | None) -> None:
        """An ended stream is recognised by its spent token; without tokens it counts as expired."""
        home = Household(Policy(token_overlap=overlap))
        home.start("tv")
        home.limiter.end(EndNamed(USER, "tv"))
        assert self.gone(home, "tv") == (reason, None)

    def test_an_anonymous_newcomer_leaves_no_memory(self) -> None:
        """An anonymous newcomer leaves no memory, because it has no lease."""
        home = Household(EVICT)
        home.start("tv", limit=1)
        home.start_anonymous("1", limit=1)
        assert self.gone(home, "tv") == (None, None)
