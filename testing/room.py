"""The room for a start, found by trying every choice: a meaning of the limits apart from the domain's."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Self

from domain.bounds import Bound
from domain.policy import Policy
from domain.requests import StartAnonymous, StartNamed
from domain.streams import Lease, Snapshot


def bounds_of(request: StartNamed | StartAnonymous) -> tuple[Bound, ...]:
    """Return the limits that apply to a start."""
    return (Bound(request.limit), *(request.group_bounds if isinstance(request, StartNamed) else ()))


@dataclass(frozen=True, slots=True)
class Room:
    """The state that a newcomer meets, by the clock of one host.

    Attributes:
        bounds: the limits that apply to it.
        others: the live named streams except its own and the one that it replaces, oldest first.
        anonymous: the number of live streams without a name.
    """

    bounds: tuple[Bound, ...]
    others: tuple[Lease, ...]
    anonymous: int

    @classmethod
    def of(cls, state: Snapshot, request: StartNamed | StartAnonymous, policy: Policy, now: float) -> Self:
        """Return the room for a start in this state."""
        live = policy.live(state, now)
        given_up = {request.stream_id, request.replaces} if isinstance(request, StartNamed) else set()
        others = tuple(lease for lease in live.leases if lease.stream_id not in given_up)
        return cls(bounds_of(request), others, live.anonymous_count)

    def full(self, ended: Iterable[Lease] = ()) -> list[Bound]:
        """Return the limits that keep the newcomer out if these others are ended."""
        left = [lease for lease in self.others if lease not in ended]
        return [bound for bound in self.bounds if self._taken(left, bound.group) + 1 > bound.limit]

    def fewest(self) -> tuple[str, ...] | None:
        """Return the fewest others that make room, the oldest such choice; `None` if no choice does."""
        for number in range(len(self.others) + 1):
            for choice in combinations(self.others, number):  # in the order of age
                if not self.full(choice):
                    return tuple(lease.stream_id for lease in choice)
        return None

    def _taken(self, leases: list[Lease], group: str | None) -> int:
        if group is None:
            return len(leases) + self.anonymous
        return sum(group in lease.groups for lease in leases)
