"""Detection and repair of inconsistent user state.

Nothing here is needed for the service to be right: expired slots are taken over by the next start
that needs them, and names are counted anew by the next write that is rejected. An audit lists them,
and every count that differs from its parts.
"""

from collections.abc import Callable

from domain import group_counts
from domain.policy import Policy
from domain.ports import Deadline, Landed, StreamRepository
from domain.streams import Snapshot
from domain.token_names import recount
from domain.values import value_object
from domain.writes import NOTHING, Ended, Freed, Repair, group_names

ROUNDS = 5
"""Attempts at a repair, when the state moves under it."""


@value_object
class Finding:
    """An inconsistency in one user's state.

    Attributes:
        miscount: the stored count less what it should be; 0 when it is right.
        expired: slots that are over and still taken.
        miscounted_names: names that count towards the token bound and should not, or the reverse.
        spent: names of streams whose last token is over and that are still counted.
        miscounted_groups: groups whose count is not the number of leases in them.
    """

    miscount: int
    expired: Freed
    miscounted_names: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()
    miscounted_groups: tuple[str, ...] = ()

    @property
    def is_minor(self) -> bool:
        """Whether the next write that is rejected repairs this; only the count of all streams needs us."""
        return self.miscount == 0


def examine(state: Snapshot, policy: Policy, now: float) -> Finding | None:
    """Return what is wrong with one user's state; `None` when it is in order."""
    miscount = state.stream_count - state.anonymous.count - len(state.leases)
    miscounted: frozenset[str] = frozenset()
    spent: tuple[str, ...] = ()
    if _are_names_counted(state, policy):
        miscounted = (state.tokens or frozenset()) ^ (state.leases.keys() | state.spent.keys())
        spent = tuple(token.stream_id for token in recount(state, None, (), policy.over_since(now)).over)
    groups = tuple(group for group in _groups(state) if group_counts.is_miscounted(state, [group]))
    finding = Finding(miscount, policy.expired(state, now), tuple(sorted(miscounted)), spent, groups)
    return None if finding == Finding(0, Freed()) else finding


def repair(
    repository: StreamRepository, user_id: str, policy: Policy, now: float, deadline: Deadline
) -> bool:
    """Repair what is wrong with a user, on the condition that it still is as it was seen.

    Returns:
        Whether the state is in order now; false when it kept moving.
    """

    def plan(state: Snapshot) -> Repair | None:
        return _repair(user_id, state, policy.expired(state, now), policy, now)

    return _give_back(repository, user_id, plan, deadline) is not None


def end_all(
    repository: StreamRepository, user_id: str, policy: Policy, now: float, deadline: Deadline
) -> Freed | None:
    """End every stream of a user, live or not, in one write. Their playback tokens stay counted.

    Returns:
        The slots that were given back; `None` when the state kept moving.
    """

    def plan(state: Snapshot) -> Repair | None:
        expired = policy.expired(state, now).expired
        ended = tuple(
            Ended(name, lease.groups) for name, lease in sorted(state.leases.items()) if lease not in expired
        )
        return _repair(user_id, state, Freed(expired, ended, state.anonymous), policy, now)

    return _give_back(repository, user_id, plan, deadline)


def _repair(user_id: str, state: Snapshot, freed: Freed, policy: Policy, now: float) -> Repair | None:
    """Return the write that gives these slots back and makes the counts right, if anything is to be done."""
    if freed.slots == 0 and examine(state, policy, now) is None:
        return None
    names = None
    if _are_names_counted(state, policy):
        reclaimed = [lease.stream_id for lease in freed.expired]
        names = recount(state, None, reclaimed, policy.over_since(now))
    groups = group_counts.recount(state, _groups(state), freed)
    return Repair(user_id, state, freed, policy.retain_until(now), names, groups)


def _groups(state: Snapshot) -> list[str]:
    """Return the groups that are counted, or should be."""
    return sorted({*group_counts.counts(state), *group_names(state.leases.values())})


def _are_names_counted(state: Snapshot, policy: Policy) -> bool:
    """Return whether there are playback tokens: the state knows where an operator's settings do not."""
    return policy.token_overlap is not None or state.tokens is not None


def _give_back(
    repository: StreamRepository,
    user_id: str,
    plan: Callable[[Snapshot], Repair | None],
    deadline: Deadline,
) -> Freed | None:
    """Make the planned repair, planned anew when the state moves under it.

    Returns:
        The slots that it gave back; `None` when the state kept moving.
    """
    state = repository.read(user_id, deadline)
    for _ in range(ROUNDS):
        write = plan(state)
        if write is None:
            return NOTHING
        result = repository.apply(write, deadline)
        if isinstance(result, Landed):
            return write.freed
        state = result.state
    return None
