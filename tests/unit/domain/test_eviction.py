from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.eviction import fewest
from domain.streams import Lease
from tests.unit.domain.states import thoroughly

GROUPS = ("away", "hdr", "uhd")

groupings = st.sets(st.sampled_from(GROUPS)).map(lambda groups: tuple(sorted(groups)))
needs = st.dictionaries(st.sampled_from([None, *GROUPS]), st.integers(1, 3), min_size=1)


def streams(*groups: tuple[str, ...]) -> list[Lease]:
    """Return leases in these groups, the oldest first, named by their places."""
    return [Lease(f"{place}", place, 99, groups=each) for place, each in enumerate(groups)]


def makes_room(leases: tuple[Lease, ...], lacking: dict[str | None, int]) -> bool:
    """Return whether ending these streams gives every count back the slots that it lacks."""
    return all(
        sum(group is None or group in lease.groups for lease in leases) >= need
        for group, need in lacking.items()
    )


@thoroughly
@given(st.lists(groupings, max_size=6), needs)
def test_the_fewest_streams_are_chosen_and_of_these_the_oldest(
    groups: list[tuple[str, ...]], lacking: dict[str | None, int]
) -> None:
    """The choice equals the first of the smallest choices when all are tried in order of age."""
    leases = streams(*groups)
    choices = (choice for number in range(7) for choice in combinations(leases, number))
    expected = next((choice for choice in choices if makes_room(choice, lacking)), None)
    assert fewest(leases, lacking) == expected


def test_one_stream_of_two_full_groups_is_evicted_before_two_older_ones() -> None:
    """Evicting one younger stream is better than evicting two older ones."""
    leases = streams(("uhd",), ("away",), ("away", "uhd"))
    assert fewest(leases, {"uhd": 1, "away": 1}) == (leases[2],)


def test_streams_of_no_full_group_stay() -> None:
    """Streams outside the full groups stay, however old they are."""
    leases = streams((), ("hdr",), ("uhd",), ("uhd",))
    assert fewest(leases, {"uhd": 1}) == (leases[2],)


def test_one_eviction_also_frees_a_slot_of_the_total() -> None:
    """A stream of the full group also gives back a slot of the total."""
    leases = streams((), ("uhd",))
    assert fewest(leases, {None: 1, "uhd": 1}) == (leases[1],)
    assert fewest(leases, {None: 2, "uhd": 1}) == tuple(leases)


def test_without_a_shortage_no_stream_is_ended() -> None:
    """If no slot is lacking, no stream is ended, even where there are streams to end."""
    assert fewest(streams((), ("uhd",)), {}) == ()


@pytest.mark.parametrize("lacking", [{"uhd": 2}, {None: 3}, {"hdr": 1}, {"uhd": 1, "hdr": 1}])
def test_if_all_streams_cannot_make_room_none_is_ended(lacking: dict[str | None, int]) -> None:
    """If all streams together cannot make room, none is ended."""
    assert fewest(streams((), ("uhd",)), lacking) is None


class LookedUp(tuple[str, ...]):
    """The groups of a lease, which count their look-ups and allow only a limited number."""

    __slots__ = ()
    times = 0
    ALLOWED = 20_000

    def __contains__(self, group: object) -> bool:
        LookedUp.times += 1
        assert LookedUp.times < self.ALLOWED
        return super().__contains__(group)


@pytest.mark.parametrize("seed", range(40))
def test_the_search_is_bounded(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search over 20 streams in four groups takes thousands of steps; every choice would be a million."""
    monkeypatch.setattr(LookedUp, "times", 0)
    chance = Random(seed)  # noqa: S311 - which streams
    groups = [LookedUp(chance.sample("abcd", chance.randint(1, 3))) for _ in range(20)]
    lacking: dict[str | None, int] = {group: chance.randint(1, 8) for group in (None, *"abcd")}
    fewest(streams(*groups), lacking)
    assert LookedUp.times > 0
