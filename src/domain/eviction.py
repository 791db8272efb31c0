"""The choice of streams to evict: as few as possible, and of several such choices the oldest."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from domain.streams import Lease

_NEVER: Final = 1_000
"""More streams than any user has."""


def fewest(leases: Sequence[Lease], lacking: Mapping[str | None, int]) -> tuple[Lease, ...] | None:
    """Return the fewest leases that make room; `None` if all of them together do not.

    Args:
        leases: the leases that may be ended, in order of preference.
        lacking: the number of slots needed in each group; under `None`, in all.
    """
    helpful = [lease for lease in leases if not lacking.keys().isdisjoint((None, *lease.groups))]

    def without(needs: tuple[int, ...], lease: Lease) -> tuple[int, ...]:
        """Return what is still needed once this lease is ended."""
        return tuple(
            needs[at] - 1 if needs[at] and (group is None or group in lease.groups) else needs[at]
            for at, group in enumerate(lacking)
        )

    @cache  # without it every subset is tried; with it, 20 leases in four groups take a few thousand steps
    def steps(place: int, needs: tuple[int, ...]) -> int:
        """Return how many of the leases from this place on are needed."""
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
