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
"""How long a host works on one request; shorter than a lease, as in the service."""


@dataclass(frozen=True, slots=True)
class Host:
    """A function instance.

    Attributes:
        policy: how it behaves. One without tokens is also code from before there were any.
        skew: how far its clock is ahead of the true time, which is the edge's.
        knows_groups: whether it is not code from before there were groups.
    """

    policy: Policy
    skew: int
    knows_groups: bool = True


@dataclass(frozen=True, slots=True)
class Flight:
    """A request in a host's hands.

    Attributes:
        step: the write that it makes next.
        began: when the host took it up, in true time.
        host: the host.
        landed: whether this very write landed already, its reply lost.
    """

    step: Step
    began: int
    host: Host
    landed: bool = False


@dataclass(frozen=True, slots=True)
class Player:
    """Who sends requests, one after another.

    Attributes:
        sent: how many requests it has sent, the one in flight included.
        flight: the request that waits for its answer.
        told: the slot that it was told to hold; `None` when it was told none.
    """

    sent: int = 0
    flight: Flight | None = None
    told: Lease | None = None


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
    """The unexpired playback tokens that players were given: of each name, the one that ends last."""
    uncounted: frozenset[tuple[str, int | None]] = frozenset()
    """The names that old code admitted or ended, and until when the token bound excepts them;
    `None` = until a lease and the grace after their first token."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who does what, under which policy.

    Attributes:
        name: in a few words.
        policy: how the service behaves.
        scripts: each player's requests, in their order.
        repeated: a script whose requests arrive again, each at any time after it was first sent:
            (the player's place, the request's place).
        horizon: how many seconds pass at most.
        beside: how some of the hosts behave instead, as during a deployment.
        losses: how many replies get lost, and writes are left behind, at most, in one story.
        old_code: whether one of the hosts runs code from before there were groups.
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
        """All of them."""
        return (self.policy,) if self.beside is None else (self.policy, self.beside)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """A host of each policy and code with a right clock, and one whose clock is ahead by the grace."""
        right = [Host(policy, 0) for policy in self.policies]
        old = [Host(self.policy, 0, knows_groups=False)] if self.old_code else []
        return (*right, *old, Host(self.policy, self.policy.grace_seconds))
