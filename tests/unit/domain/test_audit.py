from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.audit import ROUNDS, Finding, end_streams, examine, repair
from domain.bounds import AsSeen, Bound
from domain.group_counts import RECOUNTS
from domain.policy import Policy
from domain.ports import Deadline, StreamRepository
from domain.streams import AnonymousSlots, Lease, Snapshot
from domain.token_names import Counted
from domain.writes import Admit, AnonymousStream, Ended, Extend, Freed, Release, Repair, Write
from testing.fakes import FakeClock, RecordingRepository
from tests.unit.domain.races import RacingRepository
from tests.unit.domain.states import NOW, USER, dead, lease, state

POLICY = Policy()
DEADLINE = Deadline.after(1, FakeClock())

Tool = Callable[[StreamRepository], object]


def repair_user(store: StreamRepository) -> bool:
    """Repair the user's state."""
    return repair(store, USER, POLICY, NOW, DEADLINE)


def end_user(store: StreamRepository) -> int | None:
    """End all of the user's streams, and return how many slots that gave back."""
    done = end_streams(store, USER, POLICY, NOW, DEADLINE)
    return None if done is None else done[0].slots


def store_of(*writes: Write) -> RecordingRepository:
    """Return a store after these writes."""
    store = RecordingRepository()
    for write in writes:
        store.apply(write, DEADLINE)
    return store


def admit(newcomer: Lease | AnonymousStream) -> Admit:
    """Return a write that takes a slot whatever the limit."""
    return Admit(USER, newcomer, (Bound(20),), None)


LIVE, EXPIRED = admit(lease("a")), admit(lease("b", left=-100))
COUNTED = admit(AnonymousStream("start:1", NOW + 900, None))
MISCOUNTED = Repair(USER, Snapshot(leases={"c": lease("c")}), Freed(), None)
"""A write that replaces a stream that does not exist: after it the count is one too high."""

tools = pytest.mark.parametrize("tool", [repair_user, end_user])


def test_a_consistent_state_is_not_reported() -> None:
    """A state in order is not reported, nor is a user without any state."""
    assert examine(state(lease("a"), anonymous=1), POLICY, NOW) is None
    assert examine(Snapshot(), POLICY, NOW) is None


def test_an_expired_stream_is_reported() -> None:
    """An expired stream is reported, because it holds its slot until a start needs it."""
    seen = state(lease("a"), dead("b"), anonymous=2, anonymous_left=-2)
    finding = Finding(0, Freed((dead("b"),), anonymous=seen.anonymous))
    assert examine(seen, POLICY, NOW) == finding


@pytest.mark.parametrize(("stored", "miscount"), [(5, 2), (0, -3)])
def test_a_count_that_differs_from_its_parts_is_reported(stored: int, miscount: int) -> None:
    """The difference between a count and its parts is reported with its size and direction."""
    seen = Snapshot(stored, AnonymousSlots(2, NOW + 9), {"a": lease("a")})
    assert examine(seen, POLICY, NOW) == Finding(miscount, Freed())


def test_a_repair_leaves_what_is_live() -> None:
    """A repair keeps live streams, and repeating it writes nothing."""
    store = store_of(LIVE, EXPIRED, COUNTED)
    assert repair_user(store)
    left = store.read(USER, DEADLINE)
    assert (left.stream_count, set(left.leases), left.anonymous.count) == (2, {"a"}, 1)
    assert repair_user(store)
    assert store.read(USER, DEADLINE) == left


def test_ending_one_stream_leaves_the_others() -> None:
    """One stream is ended, live or expired; the others stay, and a repeat is harmless."""
    for name, left in (("a", {"b"}), ("b", {"a"})):
        store = store_of(LIVE, EXPIRED, COUNTED)
        done = [end_streams(store, USER, POLICY, NOW, DEADLINE, stream_id=name) for _ in range(2)]
        assert [each and each[0].names for each in done] == [(name,), ()]
        state_after = store.read(USER, DEADLINE)
        assert (state_after.stream_count, set(state_after.leases)) == (2, left)
        assert state_after.anonymous.count == 1


def test_ending_a_missing_stream_writes_nothing() -> None:
    """Ending a stream that does not exist changes nothing, even if a count is wrong or one has expired."""
    store = store_of(LIVE, EXPIRED, MISCOUNTED)
    before, written = store.read(USER, DEADLINE), len(store.writes)
    assert end_streams(store, USER, POLICY, NOW, DEADLINE, stream_id="z") == (Freed(), before)
    assert len(store.writes) == written


def test_ending_all_leaves_nothing() -> None:
    """Live and expired streams, named or not, are ended and counted, and a repeat is harmless."""
    store = store_of(LIVE, EXPIRED, COUNTED)
    assert [end_user(store), end_user(store)] == [3, 0]
    left = store.read(USER, DEADLINE)
    assert (left.stream_count, left.leases, left.anonymous.count) == (0, {}, 0)


@tools
def test_a_repair_of_an_unknown_user_writes_nothing(tool: Tool) -> None:
    """A repair of an unknown user creates no state."""
    store = store_of()
    tool(store)
    assert store.writes == []


@tools
def test_a_wrong_count_is_corrected(tool: Tool) -> None:
    """A wrong count is repaired even if nothing else is wrong and no slot is given back."""
    store = store_of(MISCOUNTED)
    assert store.read(USER, DEADLINE) == Snapshot(stream_count=1)
    tool(store)
    assert store.read(USER, DEADLINE) == Snapshot()


@tools
def test_a_repair_keeps_one_deadline(tool: Tool) -> None:
    """A repair keeps one deadline from read to write, and the write says until when the state is kept."""
    store = store_of()
    store.apply(EXPIRED, Deadline.after(9, FakeClock()))
    tool(store)
    assert store.seconds_left == [9, 1, 1]
    assert store.writes[1].retain_until == POLICY.retain_until(NOW)


@pytest.mark.parametrize(("tool", "done"), [(repair_user, True), (end_user, 2)])
def test_a_lost_race_leads_to_another_round(tool: Tool, done: object) -> None:
    """A lost race leads to another round, not to a failure."""
    store = store_of(LIVE, EXPIRED)
    racing = RacingRepository(store, lambda round_: move(store, round_) if round_ == 0 else None)
    assert (tool(racing), racing.rounds) == (done, 2)


@pytest.mark.parametrize(("tool", "given_up"), [(repair_user, False), (end_user, None)])
def test_a_state_that_keeps_changing_is_given_up(tool: Tool, given_up: object) -> None:
    """A state that keeps changing is given up after a few rounds, with nothing half-done."""
    store = store_of(LIVE, EXPIRED)
    racing = RacingRepository(store, lambda round_: move(store, round_))
    assert (tool(racing), racing.rounds) == (given_up, ROUNDS)
    assert store.read(USER, DEADLINE).stream_count == 2


def move(store: StreamRepository, round_: int) -> None:
    """Move the expired stream's expiry: it stays expired, but differs from what was seen."""
    store.apply(Extend(USER, "b", NOW - 90 + round_, None), DEADLINE)


TOKENS = Policy(token_overlap=2)


def named(*leases: Lease, tokens: str | None, **spent: int) -> Snapshot:
    """Return a state of these leases, counted names and spent tokens (name to seconds left)."""
    ends = {name: NOW + left for name, left in spent.items()}
    return replace(state(*leases), tokens=None if tokens is None else frozenset(tokens), spent=ends)


@pytest.mark.parametrize("policy", [TOKENS, POLICY])
def test_correctly_counted_names_are_not_reported(policy: Policy) -> None:
    """Names are in order if they are those of leases and spent tokens, whatever the operator's settings."""
    assert examine(named(lease("a"), tokens="ab", b=9), policy, NOW) is None


def test_wrongly_counted_names_are_reported() -> None:
    """A counted name without a lease or token, or the reverse, is reported; the next start repairs it."""
    finding = examine(named(lease("a"), tokens="xy", b=9, y=9), TOKENS, NOW)
    assert finding == Finding(0, Freed(), miscounted_names=("a", "b", "x"))
    assert finding.is_minor
    assert examine(state(lease("a")), TOKENS, NOW) == Finding(0, Freed(), miscounted_names=("a",))
    assert examine(state(lease("a")), POLICY, NOW) is None
    assert not Finding(1, Freed()).is_minor


def test_expired_spent_tokens_are_reported() -> None:
    """A spent token is reported from its expiry plus the grace on, and not a second earlier."""
    finding = examine(named(tokens="bc", b=-2, c=-1), TOKENS, NOW)
    assert finding == Finding(0, Freed(), spent=("b",))


def tokens_store() -> RecordingRepository:
    """Return a store with a live lease, an expired one, an expired spent token and an unexpired one."""
    counted = Counted(9)
    return store_of(
        replace(LIVE, names=counted),
        replace(EXPIRED, names=counted),
        *(replace(admit(lease(name, left=left)), names=counted) for name, left in (("s", -5), ("t", 50))),
        Release(USER, "s", None, spends=True),
        Release(USER, "t", None, spends=True),
    )


@pytest.mark.parametrize("policy", [TOKENS, POLICY])
def test_a_repair_recounts_names(policy: Policy) -> None:
    """A repair counts the names of the remaining leases and of the unexpired spent tokens."""
    store = tokens_store()
    assert repair(store, USER, policy, NOW, DEADLINE)
    left = store.read(USER, DEADLINE)
    assert (set(left.leases), left.tokens, left.spent) == ({"a"}, frozenset("at"), {"t": NOW + 50})
    assert examine(left, policy, NOW) is None


@pytest.mark.parametrize("policy", [TOKENS, POLICY])
def test_ending_all_leaves_the_tokens_counted(policy: Policy) -> None:
    """The token of an ended stream counts until it expires; that of an expired lease does not count."""
    store = tokens_store()
    done = end_streams(store, USER, policy, NOW, DEADLINE)
    assert done is not None
    freed, left = done
    assert freed.names == ("b", "a")
    assert left == store.read(USER, DEADLINE)
    assert (left.stream_count, left.tokens) == (0, frozenset("at"))
    assert left.spent == {"a": NOW + 90, "t": NOW + 50}


@pytest.mark.parametrize("policy", [TOKENS, POLICY])
def test_ending_one_stream_leaves_its_token_counted(policy: Policy) -> None:
    """The token of one ended stream counts until it expires, also where the settings name no key."""
    store = tokens_store()
    done = end_streams(store, USER, policy, NOW, DEADLINE, stream_id="a")
    assert done is not None
    freed, left = done
    assert freed == Freed(ended=(Ended("a"),))
    assert left == store.read(USER, DEADLINE)
    assert (set(left.leases), left.tokens) == ({"b"}, frozenset("abt"))
    assert left.spent == {"a": NOW + 90, "t": NOW + 50}


UHD = replace(lease("a"), groups=("uhd",))


def in_groups(*leases: Lease, **counts: int) -> Snapshot:
    """Return a state of these leases with these counts of groups."""
    return replace(state(*leases), groups=counts)


@pytest.mark.parametrize(
    ("seen", "groups"),
    [
        (in_groups(UHD, uhd=1), ()),
        (in_groups(UHD, **{"uhd": 1, RECOUNTS: 4}), ()),
        (in_groups(UHD, uhd=2), ("uhd",)),
        (in_groups(UHD), ("uhd",)),
        (in_groups(UHD, uhd=1, away=1, hdr=1), ("away", "hdr")),
    ],
)
def test_a_wrong_group_count_is_reported(seen: Snapshot, groups: tuple[str, ...]) -> None:
    """A wrong count of a group is reported as minor: the next start that it would reject recounts."""
    finding = examine(seen, POLICY, NOW)
    assert finding == (Finding(0, Freed(), miscounted_groups=groups) if groups else None)
    assert finding is None or finding.is_minor


def grouped_store(miscount: int) -> RecordingRepository:
    """Return a store with a live stream and an expired one in groups, which old code has miscounted."""
    store = store_of(admit(UHD), admit(replace(lease("b", left=-100), groups=("away", "uhd"))))
    wrong = AsSeen(2, 2 + miscount, "uhd")
    store.apply(Repair(USER, store.read_now(USER), Freed(), None, groups=(wrong,)), DEADLINE)
    return store


@pytest.mark.parametrize("miscount", [0, 3])
def test_a_repair_recounts_groups(miscount: int) -> None:
    """A repair recounts the groups after the expired streams have left them."""
    store = grouped_store(miscount)
    assert repair_user(store)
    left = store.read(USER, DEADLINE)
    assert (set(left.leases), left.groups) == ({"a"}, {"uhd": 1} | ({RECOUNTS: 1} if miscount else {}))
    assert examine(left, POLICY, NOW) is None


@pytest.mark.parametrize("miscount", [0, 3])
def test_ending_all_leaves_no_group(miscount: int) -> None:
    """Ending all streams removes every group's count, right or wrong."""
    store = grouped_store(miscount)
    assert end_user(store) == 2
    left = store.read(USER, DEADLINE)
    assert (left.stream_count, left.groups) == (0, {RECOUNTS: 1} if miscount else {})


JOINS = admit(replace(lease("c"), groups=("uhd",)))
LEAVES = Admit(USER, lease("a"), (Bound(20),), None, Freed(expired=(UHD,)))
"""Move the live stream to no group, so that only the group's count changes."""


@tools
@pytest.mark.parametrize("meanwhile", [JOINS, LEAVES])
def test_a_group_that_changes_meanwhile_is_counted_right(tool: Tool, meanwhile: Write) -> None:
    """A stream that joins or leaves a group between read and write is counted right."""
    store = grouped_store(3)
    racing = RacingRepository(store, lambda round_: round_ == 0 and store.apply(meanwhile, DEADLINE))
    tool(racing)
    assert racing.rounds == 2
    assert examine(store.read(USER, DEADLINE), POLICY, NOW) is None


def test_without_tokens_no_names_are_written() -> None:
    """Without tokens, a repair writes no names."""
    store = store_of(LIVE, EXPIRED)
    repair_user(store)
    end_user(store)
    assert [write.names for write in store.writes if isinstance(write, Repair)] == [None, None]


IN_GROUPS = (
    replace(lease("a"), groups=("hdr", "uhd")),
    replace(lease("b"), groups=("uhd",)),
    replace(lease("c", left=-100), groups=("uhd",)),
)
"""Two live streams and an expired one."""


def miscounted(**counts: int) -> RecordingRepository:
    """Return a store with streams in groups that have these counts."""
    store = store_of(*(admit(each) for each in IN_GROUPS))
    seen = store.read(USER, DEADLINE)
    wrong = tuple(AsSeen(seen.count(group), count, group) for group, count in counts.items())
    store.apply(Repair(USER, seen, Freed(), None, groups=wrong), DEADLINE)
    return store


def test_the_count_of_a_group_is_the_number_of_its_leases() -> None:
    """A group's count includes expired leases, and a group without leases has no count."""
    finding = examine(miscounted(uhd=5, sd=1).read(USER, DEADLINE), POLICY, NOW)
    assert finding is not None
    assert finding.miscounted_groups == ("sd", "uhd")
    assert finding.is_minor, "the next start that is rejected counts them anew"


def test_a_repair_recounts_groups_without_expired_streams() -> None:
    """A repair recounts the groups without the expired streams, and drops groups without streams."""
    store = miscounted(uhd=5, sd=1)
    assert repair_user(store)
    left = store.read(USER, DEADLINE)
    assert {group: count for group, count in left.groups.items() if group != RECOUNTS} == {"hdr": 1, "uhd": 2}
    assert examine(left, POLICY, NOW) is None
    assert repair_user(store)
    assert store.read(USER, DEADLINE) == left, "a repair of what is in order changes nothing"


def test_right_group_counts_follow_freed_slots() -> None:
    """A repair takes an expired stream out of its groups, and ending all takes all streams out of theirs."""
    store = store_of(*(admit(each) for each in IN_GROUPS))
    assert repair_user(store)
    assert store.read(USER, DEADLINE).groups == {"hdr": 1, "uhd": 2}
    assert end_user(store) == 2
    assert not store.read(USER, DEADLINE).groups
