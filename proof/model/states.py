"""What the model speaks of: players, hosts at work, the store, and all of them together."""

from dataclasses import dataclass
from typing import Final

from domain.policy import Policy
from domain.streams import Lease
from domain.writes import Write
from proof.frozen import FrozenState
from proof.requests import Request

USER: Final = "1"
DEADLINE_TICKS: Final = 1
"""How long a host works on one request; shorter than a lease, as in the service."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A request in a host's hands.

    Attributes:
        step: the write that it makes next.
        began: when the host took it up, in true time.
        skew: how far the host's clock is ahead.
        landed: whether this very write landed already, its reply lost.
    """

    step: Write
    began: int
    skew: int
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
    left_behind: tuple[Write, ...] = ()
    losses: int = 0
    granted: tuple[str, ...] = ()
    """Anonymous requests whose start landed."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who does what, under which policy.

    Attributes:
        name: in a few words.
        scripts: each player's requests, in their order.
        repeated: a script whose requests arrive again, each at any time after it was first sent:
            (the player's place, the request's place).
        horizon: how many seconds pass at most.
        losses: how many replies get lost, and writes are left behind, at most, in one story.
    """

    name: str
    policy: Policy
    scripts: tuple[tuple[Request, ...], ...]
    repeated: tuple[tuple[int, int], ...] = ()
    horizon: int = 6
    losses: int = 1
