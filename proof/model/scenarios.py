"""Scenarios without playback tokens: each pair of scripts, under each limit and each policy."""

from collections.abc import Iterator
from itertools import product
from typing import Final

from domain.policy import Enforcement, OnLimit, Policy
from domain.requests import EndAnonymous, EndNamed, Heartbeat, StartAnonymous, StartNamed
from proof.harness.requests import Request
from proof.model.states import USER, Scenario

LIMITS: Final = (0, 1, 2)

_MODES: Final = {
    "reject": (OnLimit.REJECT, Enforcement.ENFORCE),
    "evict": (OnLimit.EVICT_OLDEST, Enforcement.ENFORCE),
    "shadow": (OnLimit.REJECT, Enforcement.SHADOW),
}

Scripts = tuple[tuple[Request, ...], tuple[Request, ...]]


def scenarios(horizon: int) -> Iterator[Scenario]:
    """Yield all scenarios, each over `horizon` seconds."""
    for limit, (mode, (on_limit, enforcement)) in product(LIMITS, _MODES.items()):
        for name, (scripts, repeated, anonymous_seconds) in _stories(limit).items():
            policy = Policy(
                lease_seconds=2,
                heartbeat_seconds=1,
                grace_seconds=1,
                anonymous_seconds=anonymous_seconds,
                on_limit=on_limit,
                enforcement=enforcement,
            )
            yield Scenario(f"{name}, limit {limit}, {mode}", policy, scripts, repeated, horizon)


def _stories(limit: int) -> dict[str, tuple[Scripts, tuple[tuple[int, int], ...], int]]:
    """Return by name: the two scripts, the packets that arrive again, and the period of anonymous slots."""
    a, b = _start("a", limit), _start("b", limit)
    x, z = StartAnonymous(USER, "x", limit), StartAnonymous(USER, "z", limit)
    return {
        "heartbeats": (((a, Heartbeat(USER, "a")), (b,)), ((0, 1),), 2),
        "a start after its end": (((a, EndNamed(USER, "a")), (b,)), ((0, 0),), 2),
        "a name used again": (((a, a), (b,)), ((1, 0),), 2),
        "next episode": (((a, _start("c", limit, replaces="a")), (b,)), ((0, 1),), 2),
        "the plan changes": (((_start("a", limit + 1),), (b, Heartbeat(USER, "b"))), ((1, 0),), 2),
        "without names": (((x, EndAnonymous(USER, "y")), (z,)), ((0, 0),), 2),
        "mixed": (((x,), (b, EndAnonymous(USER, "y"))), ((0, 0),), 2),
        "forever": (((x,), (b, Heartbeat(USER, "b"))), ((0, 0),), 0),
    }


def _start(stream_id: str, limit: int, replaces: str | None = None) -> StartNamed:
    return StartNamed(USER, stream_id, limit, replaces=replaces)
