"""Which streams make room for a newcomer: the fewest that do, of several such choices the oldest."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from domain.streams import Lease

_NEVER: Final = 1_000
"""More streams than any user has."""


def fewest(leases: Sequence[Lease], lacking: Mapping[str | None, int]) -> tuple[Lease, ...] | None:
    """Return the fewest leases that make room; `None` = even all of them do not.

    Args:
        leases: those that may be ended, in the order in which they are preferred.
        lacking: how many slots are needed of each group; of `None`, of any stream.
    """
    helpful = [lease for lease in leases if not lacking.keys().isdisjoint((None, *lease.groups))]

    def without(needs: tuple[int, ...], lease: Lease) -> tuple[int, ...]:
        """Return what is needed still when this one is ended."""
        return tuple(
            needs[at] - 1 if needs[at] and (group is None or group in lease.groups) else needs[at]
            for at, group in enumerate(lacking)
        )

    @cache  # else it would try every subset: with it, a few thousand steps for 20 leases in four groups
    def steps(place: int, needs: tuple[int, ...]) -> int:
        """Return how many of the leases from this place on it takes."""
        if not any(needs):
            return 0
        if max(needs) > len(helpful) - place:
            return _NEVER
        return min(1 + steps(place + 1, without(needs, helpful[place])), steps(place + 1, needs))

    needs = tuple(lacking.values())
    if steps(0, needs) >= _NEVER:
        return None
    chosen: list[Lease] = []
    for place, lease in enumerate(helpful):
        with_it = without(needs, lease)
        if 1 + steps(place + 1, with_it) <= steps(place, needs):
            chosen.append(lease)
            needs = with_it
    return tuple(chosen)
