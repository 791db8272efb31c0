"""The values of the model: players, hosts at work, the store, and all of them together."""

from dataclasses import dataclass
from typing import Final

from domain.policy import Policy
from domain.streams import Lease, SpentToken
from proof.harness.frozen import FrozenState
from proof.harness.requests import Request
from proof.model.old_code import Step

USER: Final = "1"
DEADLINE_TICKS: Final = 1
"""The seconds that a host works on one request; shorter than a lease, as in the service."""


@dataclass(frozen=True, slots=True)
class Host:
    """A function instance.

    Attributes:
        policy: its policy. One without tokens also stands for code from before tokens.
        skew: the seconds that its clock is ahead of the true time, which is the edge's.
        knows_groups: false for code from before groups.
    """

    policy: Policy
    skew: int
    knows_groups: bool = True


@dataclass(frozen=True, slots=True)
class Flight:
    """A request that a host works on.

    Attributes:
        step: the next write.
        began: the true time at which the host received it.
        host: the host.
        landed: whether this write landed already but its reply was lost.
    """

    step: Step
    began: int
    host: Host
    landed: bool = False


@dataclass(frozen=True, slots=True)
class Player:
    """A sender of requests, one after another.

    Attributes:
        sent: the number of requests sent, including the one in flight.
        flight: the request without an answer so far.
        slot: the slot that its last answer granted; `None` without one.
    """

    sent: int = 0
    flight: Flight | None = None
    slot: Lease | None = None


@dataclass(frozen=True, slots=True)
class World:
    """One state of everything."""

    now: int
    store: FrozenState
    players: tuple[Player, ...]
    left_behind: tuple[Step, ...] = ()
    losses: int = 0
    granted: tuple[str, ...] = ()
    """Anonymous requests whose start landed."""
    tokens: frozenset[SpentToken] = frozenset()
    """The unexpired playback tokens of the players: for each name, the one that expires last."""
    uncounted: frozenset[tuple[str, int | None]] = frozenset()
    """The names that old code admitted or ended, each with the time until which the token bound excepts it;
    `None` = until a lease and the grace after its first token."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The participants, their requests and the policy.

    Attributes:
        name: a short name.
        policy: the policy of the service.
        scripts: each player's requests, in their order.
        repeated: places of requests that arrive again, each at any time after it was first sent:
            (the player's place, the request's place).
        horizon: the maximum of seconds that pass.
        beside: policies of some hosts that differ, as during a deployment.
        losses: the maximum of lost replies and of writes left behind in one story.
        old_code: whether one of the hosts runs code from before groups.
    """

    name: str
    policy: Policy
    scripts: tuple[tuple[Request, ...], ...]
    repeated: tuple[tuple[int, int], ...] = ()
    horizon: int = 6
    losses: int = 1
    beside: Policy | None = None
    old_code: bool = False

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All policies."""
        return (self.policy,) if self.beside is None else (self.policy, self.beside)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """A host of each policy and code with a correct clock, and one that is ahead by the grace."""
        right = [Host(policy, 0) for policy in self.policies]
        old = [Host(self.policy, 0, knows_groups=False)] if self.old_code else []
        return (*right, *old, Host(self.policy, self.policy.grace_seconds))
