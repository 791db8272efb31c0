"""The values that all other modules use: leases, a user's state, and its live part.

Times are whole epoch seconds. An expiry is rounded up, and the time that it is compared with
is rounded down, so rounding never ends a lease early.
"""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.values import value_object

CEILING: Final = 20
"""The most slots that a user can have under any limit, policy or mode: it bounds the size of the state."""

REMEMBERED_MARKS: Final = 4
"""The number of latest anonymous changes whose repeats are recognised."""


class GoneReason(StrEnum):
    """The reason why a stream is gone.

    `replaced`: by a newcomer that named it. `evicted`: for a newcomer, at the limit. `expired`: a newcomer
    took its slot after its lease had expired. `ended`: in any other way, such as by an `end` or an operator.
    """

    REPLACED = "replaced"
    EVICTED = "evicted"
    EXPIRED = "expired"
    ENDED = "ended"


@value_object
class Displaced:
    """A stream whose slot a newcomer took, as the newcomer's lease remembers it.

    Attributes:
        reason: why it is gone.
        mark: a digest of its name, and of its play if that was known (`domain.gone`).
    """

    reason: GoneReason
    mark: str


@value_object
class Lease:
    """A named stream's hold on one slot.

    Attributes:
        stream_id: the name that the player chose.
        started_at: when the slot was taken; decides which stream is the oldest.
        expires_at: when the hold ends, unless a heartbeat extends it.
        device: a label to show to people, if the player gave one.
        play: the nonce of the page load that started it, if the player gave one. An end or a heartbeat of
            another page load is out of date.
        path_prefix: the path that its playback tokens are valid for, with a slash at its end;
            `None` = every path.
        groups: the groups that it is also counted in, in alphabetical order.
        displaced: the last streams that it displaced, at most two.
    """

    stream_id: str
    started_at: int
    expires_at: int
    device: str | None = None
    play: str | None = None
    path_prefix: str | None = None
    groups: tuple[str, ...] = ()
    displaced: tuple[Displaced, ...] = ()

    def belongs_to(self, play: str | None) -> bool:
        """Return whether a request of this page load is about this stream; one without a nonce is."""
        return play is None or self.play is None or self.play == play


@value_object
class SpentToken:
    """The last playback token of a stream that has ended.

    Attributes:
        stream_id: the name of that stream.
        expires_at: when the token expires.
    """

    stream_id: str
    expires_at: int


@value_object
class AnonymousSlots:
    """The slots of streams without a name, which are only counted, and expire together.

    Attributes:
        count: their number.
        expires_at: when they are presumed to have ended; `None` where no such time was recorded.
    """

    count: int = 0
    expires_at: int | None = None


NO_SLOTS: Final = AnonymousSlots()


@value_object
class Snapshot:
    """A user's whole state, as one write saw it. A user without any state has the empty one.

    Attributes:
        stream_count: the stored number of slots taken, including expired ones. The invariant: it
            equals `anonymous.count` plus the number of leases.
        anonymous: the anonymous slots.
        leases: the named streams by name, including expired ones.
        marks: of the latest anonymous changes, newest first, at most `REMEMBERED_MARKS`.
        tokens: the names that count towards the token bound: those of all leases and of all spent
            tokens; `None` = never counted, as without a playback key.
        spent: when the last token of an ended stream expires, by the name of the stream.
        groups: the stored number of streams in a group, including expired ones, by the name of the group;
            never less than the number of its leases. Under the empty name: `domain.group_counts.RECOUNTS`.
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
        """Return the number of leases in a group, which its stored count should equal."""
        return sum(group in lease.groups for lease in self.leases.values())


@value_object
class LiveStreams:
    """The live part of a user's state, which decisions, answers and lists are about.

    Attributes:
        leases: live named streams, oldest first (ties by name).
        anonymous_count: live anonymous streams.
    """

    leases: tuple[Lease, ...] = ()
    anonymous_count: int = 0

    @property
    def count(self) -> int:
        """The number of live streams."""
        return len(self.leases) + self.anonymous_count


def age(lease: Lease) -> tuple[int, str]:
    """Return the key that sorts leases oldest first, ties by name."""
    return lease.started_at, lease.stream_id
