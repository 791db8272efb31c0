"""Detection and repair of inconsistent user state.

The service does not depend on it: the next start that needs an expired slot takes it over, and the next
write that is rejected recounts the names. An audit lists both, and every count that differs from its parts.
"""

from collections.abc import Callable

from domain import group_counts
from domain.policy import Policy
from domain.ports import Deadline, Landed, StreamRepository
from domain.streams import NO_SLOTS, Snapshot
from domain.token_names import recount
from domain.values import value_object
from domain.writes import NOTHING, Ended, Freed, Repair, group_names

ROUNDS = 5
"""Attempts at a repair while other requests change the state."""


@value_object
class Finding:
    """An inconsistency in one user's state.

    Attributes:
        miscount: the stored count less the correct one; 0 if it is correct.
        expired: expired slots that are still taken.
        miscounted_names: names that count towards the token bound but should not, or the reverse.
        spent: names that are still counted although their last token has expired.
        miscounted_groups: groups whose count is not the number of leases in them.
    """

    miscount: int
    expired: Freed
    miscounted_names: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()
    miscounted_groups: tuple[str, ...] = ()

    @property
    def is_minor(self) -> bool:
        """True if the next write that is rejected repairs it: only the count of all streams needs help."""
        return self.miscount == 0


def examine(state: Snapshot, policy: Policy, now: float) -> Finding | None:
    """Return what is inconsistent in one user's state; `None` if nothing is."""
    miscount = state.stream_count - state.anonymous.count - len(state.leases)
    miscounted: frozenset[str] = frozenset()
    spent: tuple[str, ...] = ()
    if _are_names_counted(state, policy):
        miscounted = (state.tokens or frozenset()) ^ (state.leases.keys() | state.spent.keys())
        spent = tuple(
            token.stream_id for token in recount(state, None, (), policy.latest_expired(now)).forgotten
        )
    groups = tuple(group for group in _groups(state) if group_counts.is_miscounted(state, [group]))
    finding = Finding(miscount, policy.expired(state, now), tuple(sorted(miscounted)), spent, groups)
    return None if finding == Finding(0, Freed()) else finding


def repair(
    repository: StreamRepository, user_id: str, policy: Policy, now: float, deadline: Deadline
) -> bool:
    """Repair a user's state, on the condition that it has not changed since it was read.

    Returns:
        True if the state is consistent now; false if it kept changing.
    """

    def plan(state: Snapshot) -> Repair | None:
        return _repair(user_id, state, policy.expired(state, now), policy, now)

    return _free_slots(repository, user_id, plan, deadline) is not None


def end_streams(  # noqa: PLR0913 - as `repair`, and the stream
    repository: StreamRepository,
    user_id: str,
    policy: Policy,
    now: float,
    deadline: Deadline,
    *,
    stream_id: str | None = None,
) -> tuple[Freed, Snapshot] | None:
    """End one stream of a user, or all if it is `None`, live or not, in one write.

    Their playback tokens stay counted, even if the operator's settings have no playback key.

    Returns:
        The slots that were given back, and the state after it; `None` if the state kept changing.
    """

    def plan(state: Snapshot) -> Repair | None:
        if stream_id is not None and stream_id not in state.leases:
            return None
        names = sorted(state.leases) if stream_id is None else [stream_id]
        leases = [state.leases[name] for name in names]
        freed = Freed(
            expired=tuple(lease for lease in leases if not policy.is_live(lease, now)),
            ended=tuple(Ended(one.stream_id, one.groups) for one in leases if policy.is_live(one, now)),
            anonymous=state.anonymous if stream_id is None else NO_SLOTS,
        )
        return _repair(user_id, state, freed, policy, now)

    return _free_slots(repository, user_id, plan, deadline)


def _repair(user_id: str, state: Snapshot, freed: Freed, policy: Policy, now: float) -> Repair | None:
    """Return the write that gives these slots back and corrects the counts; `None` if none is needed."""
    if freed.slots == 0 and examine(state, policy, now) is None:
        return None
    names = None
    if _are_names_counted(state, policy):
        reclaimed = [lease.stream_id for lease in freed.expired]
        names = recount(state, None, reclaimed, policy.latest_expired(now))
    groups = group_counts.recount(state, _groups(state), freed)
    return Repair(user_id, state, freed, policy.retain_until(now), names, groups)


def _groups(state: Snapshot) -> list[str]:
    """Return the groups that are counted, or should be."""
    return sorted({*group_counts.counts(state), *group_names(state.leases.values())})


def _are_names_counted(state: Snapshot, policy: Policy) -> bool:
    """Return whether names are counted: the state shows it where an operator's settings do not."""
    return policy.token_overlap is not None or state.tokens is not None


def _free_slots(
    repository: StreamRepository,
    user_id: str,
    plan: Callable[[Snapshot], Repair | None],
    deadline: Deadline,
) -> tuple[Freed, Snapshot] | None:
    """Make the planned repair, and plan it again if the state has changed.

    Returns:
        The slots that it gave back, and the state after it; `None` if the state kept changing.
    """
    state = repository.read(user_id, deadline)
    for _ in range(ROUNDS):
        write = plan(state)
        if write is None:
            return NOTHING, state
        result = repository.apply(write, deadline)
        if isinstance(result, Landed):
            return write.freed, result.state
        state = result.state
    return None
