"""The reason why a stream is gone, as far as the state that rejects its heartbeat shows it.

A newcomer's lease remembers the last streams that it displaced by their marks. All marks have the same
length, so the size of the state stays bounded.

A stream may start again under its name and be gone for another reason. So a mark stands for one play, if the
displacing write had seen one, and is valid as long as the newcomer's lease exists. A mark of a name alone is
valid for the duration of one lease: a player without a heartbeat for longer had lost its slot anyway.
"""

from hashlib import sha256
from typing import Final

from domain.requests import Heartbeat, StartNamed
from domain.situation import Situation
from domain.streams import Displaced, GoneReason, Snapshot, age
from domain.writes import Freed

MAX_DISPLACED: Final = 2
"""The most displaced streams that one lease remembers: each adds to the size of the state."""

MARK_LENGTH: Final = 8
"""Hexadecimal digits of a mark: enough to distinguish the few streams of one user."""


def mark(stream_id: str, play: str | None = None) -> str:
    """Return the mark of a play of a stream; of the stream alone if its play is not known."""
    return sha256(f"{stream_id}/{play or ''}".encode()).hexdigest()[:MARK_LENGTH]


def displaced(
    state: Snapshot, request: StartNamed, freed: Freed, earlier: tuple[Displaced, ...] = ()
) -> tuple[Displaced, ...]:
    """Return the displaced streams that the lease of this start remembers.

    Streams that were live come first, as their viewers are still watching, then those that had expired, then
    those that the lease had displaced earlier.
    """

    def remembered(stream_id: str, reason: GoneReason) -> Displaced:
        lease = state.leases.get(stream_id)
        return Displaced(reason, mark(stream_id, lease.play if lease else None))

    ended = (
        remembered(name, GoneReason.REPLACED if name == request.replaces else GoneReason.EVICTED)
        for name in freed.ended_names
    )
    expired = (
        remembered(lease.stream_id, GoneReason.EXPIRED)
        for lease in freed.expired
        if lease.stream_id != request.stream_id
    )
    return (*ended, *expired, *earlier)[:MAX_DISPLACED]


def gone_reason(situation: Situation[Heartbeat]) -> tuple[GoneReason | None, str | None]:
    """Return the reason why a stream is gone, and the device of the stream that took its slot.

    Both are `None` where the state does not show it: a wrong reason is worse than none.
    """
    state, request = situation.state, situation.request
    of_name = mark(request.stream_id)
    of_play = mark(request.stream_id, request.play) if request.play else None
    for lease in sorted(state.leases.values(), key=age, reverse=True):  # the newest first
        is_recent = situation.now - lease.started_at <= situation.policy.lease_seconds
        known = {of_play, of_name} if is_recent else {of_play}
        for stream in lease.displaced:
            if stream.mark in known:
                by = None if stream.reason is GoneReason.EXPIRED else lease.device
                return stream.reason, by
    return GoneReason.ENDED if request.stream_id in state.spent else None, None
