"""Recounts of groups from the leases, as old code can leave their counts too high.

A release without groups ends a stream and leaves the counts of its groups unchanged. They are then higher
than the number of leases in them, never lower, and the next write that is decided from the leases corrects
them. A condition on the count alone is not enough: another recount may come in between, and streams that join
may raise the count to its former value. So these recounts are numbered.
"""

from collections.abc import Collection
from typing import Final

from domain.bounds import AsSeen
from domain.streams import Snapshot
from domain.writes import Freed

RECOUNTS: Final = ""
"""Stands where the name of a group would, which is never empty, and counts the recounts of wrong counts."""


def recount(
    state: Snapshot, groups: Collection[str], freed: Freed, joined: Collection[str] = ()
) -> tuple[AsSeen, ...]:
    """Recount the streams in these groups, once these slots are free and the newcomer has joined its own."""
    recounted = [
        AsSeen(state.count(group), state.leases_in(group) - freed.slots_in(group) + (group in joined), group)
        for group in sorted(groups)
    ]
    if is_miscounted(state, groups):
        recounts = state.count(RECOUNTS)
        recounted.append(AsSeen(recounts, recounts + 1, RECOUNTS))
    return tuple(recounted)


def counts(state: Snapshot) -> dict[str, int]:
    """Return the stored count of each group, in alphabetical order."""
    return {group: count for group, count in sorted(state.groups.items()) if group != RECOUNTS}


def is_miscounted(state: Snapshot, groups: Collection[str]) -> bool:
    """Return whether the count of one of these groups differs from the number of its leases."""
    return any(state.count(group) != state.leases_in(group) for group in groups)
