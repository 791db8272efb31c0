"""The values that everything else speaks of: leases, a user's state, and the part of it that is live.

Times are whole epoch seconds. An expiry is rounded up and the clock that it is compared with
is rounded down, so rounding never ends a lease early.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

CEILING: Final = 20
"""No limit, policy or mode lets a user have more slots than this (it bounds the size of the state)."""

REMEMBERED_MARKS: Final = 4
"""How many anonymous changes back a repeated request is recognised."""


class GoneReason(StrEnum):
    """Why a stream is no longer there.

    `replaced`: by a newcomer that named it. `evicted`: for a newcomer, at the limit. `expired`: a newcomer
    took its slot after its lease had run out. `ended`: otherwise, as by an `end` or by an operator.
    """

    REPLACED = "replaced"
    EVICTED = "evicted"
    EXPIRED = "expired"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Displaced:
    """A stream whose slot a newcomer took, as the newcomer's lease remembers it.

    Attributes:
        reason: why it had to go.
        mark: what stands for its name, and for its play where that was known (`domain.gone`).
    """

    reason: GoneReason
    mark: str


@dataclass(frozen=True, slots=True)
class Lease:
    """A named stream's hold on one slot.

    Attributes:
        stream_id: the name that the player chose.
        started_at: when the slot was taken; decides who is oldest.
        expires_at: when the hold ends, unless a heartbeat extends it.
        device: a label to show to people, if the player gave one.
        play: a nonce of the page load that started it, if the player gave one. An end or a heartbeat
            of another page load is of the past.
        path_prefix: the path that its playback tokens are good for, with a slash at its end;
            `None` = every path.
        groups: the groups that it is counted in besides, in alphabetical order.
        displaced: the last streams that it displaced, of which two at most are remembered.
    """

    stream_id: str
    started_at: int
    expires_at: int
    device: str | None = None
    play: str | None = None
    path_prefix: str | None = None
    groups: tuple[str, ...] = ()
    displaced: tuple[Displaced, ...] = ()

    def is_of(self, play: str | None) -> bool:
        """Return whether a request of this page load is about this stream; an unknown one is."""
        return play is None or self.play is None or self.play == play


@dataclass(frozen=True, slots=True)
class SpentToken:
    """The last playback token of a stream that is over.

    Attributes:
        stream_id: the name of that stream.
        expires_at: when the token ends.
    """

    stream_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class AnonymousSlots:
    """The slots taken by streams without a name: only counted, and they expire together.

    Attributes:
        count: how many there are.
        expires_at: when they are presumed over; `None` when no such time was recorded.
    """

    count: int = 0
    expires_at: int | None = None


NO_SLOTS: Final = AnonymousSlots()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A user's whole state, as one write saw it. A user without any state has the empty one.

    Attributes:
        stream_count: the stored number of slots taken, expired ones included. The invariant:
            it equals `anonymous.count` plus the number of leases.
        anonymous: the anonymous slots.
        leases: the named streams by their name, expired ones included.
        marks: of the latest anonymous changes, newest first, at most `REMEMBERED_MARKS`.
        tokens: the names that count towards the token bound: those of all leases and of all spent
            tokens; `None` = never counted, as without a playback key.
        spent: by the name of a stream that is over, when its last token ends.
        groups: by its name, the stored number of streams in a group, expired ones included, where there
            are any; never fewer than it has leases. Under the empty name: `domain.group_counts.RECOUNTS`.
    """

    stream_count: int = 0
    anonymous: AnonymousSlots = NO_SLOTS
    leases: Mapping[str, Lease] = field(default_factory=lambda: MappingProxyType({}))
    marks: tuple[str, ...] = ()
    tokens: frozenset[str] | None = None
    spent: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    groups: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def count(self, group: str | None) -> int:
        """Return the stored count of a group; `None` = of all streams."""
        return self.stream_count if group is None else self.groups.get(group, 0)

    def leases_in(self, group: str) -> int:
        """Return the number of leases in a group: what its stored count must be."""
        return sum(group in lease.groups for lease in self.leases.values())


@dataclass(frozen=True, slots=True)
class LiveStreams:
    """The part of a user's state that is live: what decisions, answers and lists speak of.

    Attributes:
        leases: live named streams, oldest first (ties by name).
        anonymous_count: live anonymous streams.
    """

    leases: tuple[Lease, ...] = ()
    anonymous_count: int = 0

    @property
    def count(self) -> int:
        """How many streams are live."""
        return len(self.leases) + self.anonymous_count


def age(lease: Lease) -> tuple[int, str]:
    """Return the key that sorts leases oldest first, ties by name."""
    return lease.started_at, lease.stream_id
