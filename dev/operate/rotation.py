"""The order of steps that replaces a playback key without refusing a token.

The edge gets the new key, the service verifies with it, then signs with it, and finally both forget the old
one. Each step follows from the present places of the keys, so a rotation may stop after any step and continue
later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.playback_keys import FRESH_SECONDS, STALE_SECONDS, PlaybackKey
from entrypoints.settings import MAX_GRACE_SECONDS, MAX_LEASE_SECONDS_WITH_TOKENS

READ_AFTER_SECONDS: Final = FRESH_SECONDS
"""The time after a change for which a process may still have the old keys."""

EXPIRED_AFTER_SECONDS: Final = STALE_SECONDS + MAX_LEASE_SECONDS_WITH_TOKENS + MAX_GRACE_SECONDS
"""The time after the new key starts to sign for which an old key's token may be valid, in any stage.

A process that cannot read the parameter signs with its old keys until they are stale; a token lives for a
lease, and the clocks of the service and the edge differ by less than the grace.
"""

_KID: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Placement:
    """The keys of a stage, by place."""

    service: Sequence[PlaybackKey]
    """Keys in the parameter: the first signs, all verify."""
    edge: Sequence[PlaybackKey] | None
    """Keys in the KeyValueStore; `None` if the stage has none."""
    written_at: float
    """The time of the parameter's last write, in epoch seconds; 0 if it was never written."""

    @property
    def newest(self) -> PlaybackKey | None:
        """The key that was made last, or the one that signs if no name contains a time."""
        return max([*self.service, *(self.edge or ())], key=_made, default=None)


@dataclass(frozen=True)
class Step:
    """One write: these keys to the parameter or to the KeyValueStore."""

    effect: str
    """The effect, in words, without a secret."""
    service: Sequence[PlaybackKey] | None = None
    edge: Sequence[PlaybackKey] | None = None
    not_before: float = 0.0
    """The earliest time at which the step is safe, in epoch seconds."""


def made_at(kid: str) -> float | None:
    """Return the time in a key's name, or `None` if the name has none."""
    try:
        return datetime.strptime(kid, _KID).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def name_of(moment: float) -> str:
    """Return the `kid` of a key made at this moment: 16 characters, which is the maximum."""
    return datetime.fromtimestamp(moment, UTC).strftime(_KID)


def introduction(placement: Placement, key: PlaybackKey) -> Step:
    """Return the step that introduces a new key: to the edge first, if there is one."""
    if placement.edge is not None:
        return Step(f"the edge knows {key.kid}", edge=[*placement.edge, key])
    return _addition(placement, key)


def next_step(placement: Placement, now: float) -> Step | None:
    """Return the next step of a rotation in progress, or `None`."""
    return next(_steps(placement, now), None)


def _steps(placement: Placement, now: float) -> Iterator[Step]:
    """Yield the missing steps in order: only the first may be taken."""
    service, edge, newest = placement.service, placement.edge, placement.newest
    if newest is None:
        return
    signs = service[:1] == [newest]
    over_at = placement.written_at + EXPIRED_AFTER_SECONDS
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
