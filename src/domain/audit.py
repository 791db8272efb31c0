"""What an operator looks for: states that are not as they should be, and how to mend or clear them.

Nothing here is needed for the service to be right: expired slots are taken over by the next start
that needs them. An audit shows them, and would show a count that differs from its parts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from domain.policy import Policy
from domain.ports import Deadline, Landed, StreamRepository
from domain.streams import Snapshot
from domain.writes import Freed, Repair

ROUNDS = 5
"""How often a repair is tried again on what it meets, when the state moves under it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it should be with one user.

    Attributes:
        miscount: the stored count less what it should be; 0 when it is right.
        expired: what is over and still takes slots.
    """

    miscount: int
    expired: Freed


def examine(state: Snapshot, policy: Policy, now: float) -> Finding | None:
    """Look at one user's state; `None` when all is well."""
    miscount = state.stream_count - state.anonymous.count - len(state.leases)
    expired = policy.expired(state, now)
    if miscount == 0 and expired.slots == 0:
        return None
    return Finding(miscount, expired)


def repair(
    repository: StreamRepository, user_id: str, policy: Policy, now: float, deadline: Deadline
) -> bool:
    """Mend what is wrong with a user, on the condition that it still is as it was seen.

    Returns:
        Whether all is well now; false when the state kept moving.
    """
    freed = _give_back(
        repository, user_id, lambda state: policy.expired(state, now), policy.retain_until(now), deadline
    )
    return freed is not None


def end_all(
    repository: StreamRepository, user_id: str, policy: Policy, now: float, deadline: Deadline
) -> int | None:
    """End every stream of a user, live or not, in one write.

    Returns:
        How many slots were taken before; `None` when the state kept moving.
    """
    return _give_back(repository, user_id, _everything, policy.retain_until(now), deadline)


def _everything(state: Snapshot) -> Freed:
    return Freed(expired=tuple(state.leases.values()), anonymous=state.anonymous)


def _give_back(
    repository: StreamRepository,
    user_id: str,
    choose: Callable[[Snapshot], Freed],
    retain_until: int | None,
    deadline: Deadline,
) -> int | None:
    """Give back the slots that are chosen of what is there, and make the count right.

    Returns:
        How many slots those were; `None` when the state kept moving.
    """
    state = repository.read(user_id, deadline)
    for _ in range(ROUNDS):
        write = Repair(user_id, state, choose(state), retain_until)
        if write.expired.slots == 0 and write.correction == 0:
            return 0
        result = repository.apply(write, deadline)
        if isinstance(result, Landed):
            return write.expired.slots
        state = result.state
    return None
