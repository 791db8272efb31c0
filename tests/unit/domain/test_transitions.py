from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.bounds import Bound
from domain.streams import AnonymousSlots, LiveStreams, Snapshot
from domain.transitions import after, permits
from domain.writes import Admit, AnonymousStream, Ended, Extend, Freed, Release, Repair
from tests.unit.domain.states import NOW, USER, dead, lease, state


def test_a_write_does_not_change_the_earlier_state() -> None:
    """A write leaves the earlier state unchanged, so that it can still be decided upon."""
    seen = state(lease("a"), dead("b"), marks=("start:1",))
    after(seen, Admit(USER, lease("c"), (Bound(3),), None, Freed(expired=(dead("b"),), ended=(Ended("a"),))))
    after(seen, Extend(USER, "a", NOW + 100, None, replaces=Ended("b")))
    assert seen == state(lease("a"), dead("b"), marks=("start:1",))


def test_a_state_cannot_be_changed() -> None:
    """The leases of a state are a read-only view."""
    leases: Any = after(Snapshot(), Admit(USER, lease("a"), (Bound(3),), None)).leases
    with pytest.raises(TypeError):
        leases["b"] = lease("b")


def test_a_named_start_leaves_the_marks() -> None:
    """A named start keeps the marks, so that a repeated anonymous start does not count twice."""
    seen = state(anonymous=1, marks=("start:2", "end:1"))
    assert after(seen, Admit(USER, lease("a"), (Bound(3),), None)).marks == seen.marks


def test_freed_leases_are_named_and_anonymous_slots_counted() -> None:
    """Expired and ended leases are named; anonymous slots are only a number."""
    freed = Freed((dead("a"),), (Ended("b"), Ended("c")), AnonymousSlots(2, NOW))
    assert (freed.slots, freed.names) == (5, ("a", "b", "c"))


def test_the_live_count_includes_named_and_anonymous_streams() -> None:
    """The count of live streams includes both kinds."""
    assert LiveStreams((lease("a"), lease("b")), 3).count == 5


@pytest.mark.parametrize(("stored", "correction"), [(9, -6), (3, 0), (0, 3)])
def test_a_repair_corrects_a_count_of_any_error(stored: int, correction: int) -> None:
    """After a repair the count equals the remaining streams, whatever it was before."""
    seen = Snapshot(stored, AnonymousSlots(2, NOW + 9), {"a": lease("a"), "b": dead("b")})
    repair = Repair(USER, seen, Freed(expired=(dead("b"),)), None)
    assert repair.correction == correction
    assert permits(seen, repair)
    assert after(seen, repair) == Snapshot(3, AnonymousSlots(2, NOW + 9), {"a": lease("a")})


@pytest.mark.parametrize("meaning", [permits, after])
def test_an_unknown_kind_of_write_raises(meaning: Callable[[Snapshot, Any], object]) -> None:
    """A kind of write without a meaning raises an error."""
    with pytest.raises(AssertionError, match="not a write"):
        meaning(Snapshot(), "not a write")


def test_an_ended_streams_uncounted_name_is_counted() -> None:
    """An ended stream's name is counted even if it was not before, as after a release without tokens."""
    seen = replace(state(lease("a")), tokens=frozenset("b"))
    left = after(seen, Release(USER, "a", None, spends=True))
    assert (left.tokens, left.spent) == (frozenset("ab"), {"a": NOW + 90})


def test_an_anonymous_newcomer_removes_expired_streams_from_their_groups() -> None:
    """An expired stream leaves its groups with its slot."""
    over = replace(dead("a"), groups=("uhd",))
    seen = replace(state(over), groups={"uhd": 1})
    newcomer = AnonymousStream("start:1", NOW + 900, NOW)
    left = after(seen, Admit(USER, newcomer, (Bound(1),), None, Freed(expired=(over,))))
    assert (left.stream_count, dict(left.groups)) == (1, {})


def test_a_repair_removes_ended_streams_from_their_groups() -> None:
    """A repair takes the ended streams out of their groups, including groups that it does not recount."""
    seen = replace(state(replace(lease("a"), groups=("uhd",))), groups={"uhd": 1})
    repair = Repair(USER, seen, Freed(ended=(Ended("a", ("uhd",)),)), None)
    assert permits(seen, repair)
    assert after(seen, repair) == Snapshot()
