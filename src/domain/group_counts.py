"""Counts of groups that are made anew from the leases, where old code has left them too high.

A release that knows no groups ends a stream without a look at its groups. Their counts are then higher than
the number of leases in them, never lower, and the next write that decides on the leases corrects them. A
condition on the count alone is not enough for that: another recount may come in between, and streams that
join may raise the count to what it was before. So these recounts are numbered.
"""

from collections.abc import Collection
from typing import Final

from domain.bounds import AsSeen
from domain.streams import Snapshot
from domain.writes import Freed

RECOUNTS: Final = ""
"""In place of a group's name, which is never empty: how many times counts that were wrong were made anew."""


def recount(
    state: Snapshot, groups: Collection[str], freed: Freed, joined: Collection[str] = ()
) -> tuple[AsSeen, ...]:
    """Count the streams in these groups anew, once these slots are free and the newcomer joined its own."""
    anew = [
        AsSeen(state.count(group), state.leases_in(group) - freed.slots_in(group) + (group in joined), group)
        for group in sorted(groups)
    ]
    if is_miscounted(state, groups):
        recounts = state.count(RECOUNTS)
        anew.append(AsSeen(recounts, recounts + 1, RECOUNTS))
    return tuple(anew)


def counts(state: Snapshot) -> dict[str, int]:
    """Return the stored count of each group, in alphabetical order."""
    return {group: count for group, count in sorted(state.groups.items()) if group != RECOUNTS}


def is_miscounted(state: Snapshot, groups: Collection[str]) -> bool:
    """Return whether the count of one of these groups is not the number of leases in it."""
    return any(state.count(group) != state.leases_in(group) for group in groups)
