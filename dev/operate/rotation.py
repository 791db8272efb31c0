"""The order in which a playback key is replaced, so that no token is refused for it.

The edge learns the new key, the service verifies with it, then signs with it, and at last both forget the old
one. Each step follows from where the keys are now: a rotation may stop after any step, and go on later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.playback_keys import FRESH_SECONDS, STALE_SECONDS, PlaybackKey
from entrypoints.settings import MOST_GRACE_SECONDS, MOST_LEASE_SECONDS_WITH_TOKENS

READ_AFTER_SECONDS: Final = FRESH_SECONDS
"""How long after a change a process may still know the keys of before."""

OVER_AFTER_SECONDS: Final = STALE_SECONDS + MOST_LEASE_SECONDS_WITH_TOKENS + MOST_GRACE_SECONDS
"""How long after the new key signs a token of the old one may be good, in any stage.

A process that cannot read the parameter signs with the keys that it has until they are stale; a token lives
for a lease, and the clocks of the service and the edge differ by less than the grace.
"""

_KID: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Placement:
    """The keys of a stage, by where they are."""

    service: Sequence[PlaybackKey]
    """In the parameter: the first signs, all verify."""
    edge: Sequence[PlaybackKey] | None
    """In the KeyValueStore; `None` where the stage has none."""
    written_at: float
    """When the parameter was written last, in epoch seconds; 0 if it was never."""

    @property
    def newest(self) -> PlaybackKey | None:
        """The key that was made last, or the one that signs where no name tells."""
        return max([*self.service, *(self.edge or ())], key=_made, default=None)


@dataclass(frozen=True)
class Step:
    """One write: these keys into the parameter, or else into the KeyValueStore."""

    effect: str
    """The effect, in words, without a secret."""
    service: Sequence[PlaybackKey] | None = None
    edge: Sequence[PlaybackKey] | None = None
    not_before: float = 0.0
    """The earliest moment at which the step is safe, in epoch seconds."""


def made_at(kid: str) -> float | None:
    """Return the moment at which a key of this name was made, or `None` if the name does not say."""
    try:
        return datetime.strptime(kid, _KID).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def name_of(moment: float) -> str:
    """Return the `kid` of a key that is made at this moment: 16 characters, which is the longest."""
    return datetime.fromtimestamp(moment, UTC).strftime(_KID)


def introduction(placement: Placement, key: PlaybackKey) -> Step:
    """Return the step that brings a new key in: to the edge first, where there is one."""
    if placement.edge is not None:
        return Step(f"the edge knows {key.kid}", edge=[*placement.edge, key])
    return _addition(placement, key)


def next_step(placement: Placement, now: float) -> Step | None:
    """Return the next step of the rotation that is under way, or `None` if there is none."""
    return next(_steps(placement, now), None)


def _steps(placement: Placement, now: float) -> Iterator[Step]:
    """Yield the steps whose effect is missing, in their order: only the first may be taken."""
    service, edge, newest = placement.service, placement.edge, placement.newest
    if newest is None:
        return
    signs = service[:1] == [newest]
    over_at = placement.written_at + OVER_AFTER_SECONDS
    needed = [newest] if signs and now >= over_at else service
    if edge is not None and (missing := [key for key in needed if key not in edge]):
        names = ", ".join(key.kid for key in missing)
        yield Step(f"the edge knows {names}", edge=[*edge, *missing])
    if newest not in service:
        yield _addition(placement, newest)
    if not signs:
        others = [key for key in service if key != newest]
        read_at = placement.written_at + READ_AFTER_SECONDS
        yield Step(f"the service signs with {newest.kid}", service=[newest, *others], not_before=read_at)
    if edge not in (None, [newest]):
        yield Step(f"the edge knows only {newest.kid}", edge=[newest], not_before=over_at)
    if len(service) > 1:
        yield Step(f"the service knows only {newest.kid}", service=[newest], not_before=over_at)


def _addition(placement: Placement, key: PlaybackKey) -> Step:
    does = "verifies" if placement.service else "signs"
    return Step(f"the service {does} with {key.kid}", service=[*placement.service, key])


def _made(key: PlaybackKey) -> float:
    return made_at(key.kid) or 0.0
