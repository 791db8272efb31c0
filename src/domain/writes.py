"""The changes that a repository can make to one user's state.

Every write is atomic and conditional: it lands as a whole, or changes nothing. `domain.transitions` defines
on which states a write lands, and which state it leaves.
"""

from collections.abc import Iterable

from domain.bounds import AsSeen, Count
from domain.streams import NO_SLOTS, AnonymousSlots, Displaced, Lease, Snapshot
from domain.token_names import Names, Recounted
from domain.values import value_object


@value_object
class AnonymousStream:
    """A newcomer without a name.

    Attributes:
        mark: the mark of the request that starts it, so that its repeat is recognised.
        expires_at: when all anonymous streams will be presumed to have ended; `None` = never.
        presumed_expired: no anonymous slots that expired at or before this second may be left, as this
            write would revive them; `None` = they never expire.
    """

    mark: str
    expires_at: int | None
    presumed_expired: int | None

    @property
    def groups(self) -> tuple[str, ...]:
        """No groups: only a named stream is in groups."""
        return ()


@value_object
class Ended:
    """A stream that is ended to make room, whether its lease has expired or not.

    Attributes:
        groups: the groups that it is in.
    """

    stream_id: str
    groups: tuple[str, ...] = ()


@value_object
class Freed:
    """The slots that a newcomer's write gives back.

    Attributes:
        expired: expired leases, and the newcomer's own if it has one; each must still have the expiry and the
            groups that were seen.
        ended: streams that are ended to make room; each must still exist, in these groups.
        anonymous: anonymous slots that have expired; they must be as they were seen.
    """

    expired: tuple[Lease, ...] = ()
    ended: tuple[Ended, ...] = ()
    anonymous: AnonymousSlots = NO_SLOTS

    @property
    def slots(self) -> int:
        """The number of these slots."""
        return len(self.expired) + len(self.ended) + self.anonymous.count

    @property
    def streams(self) -> tuple[Lease | Ended, ...]:
        """The named streams among them."""
        return (*self.expired, *self.ended)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of those streams."""
        return tuple(stream.stream_id for stream in self.streams)

    @property
    def ended_names(self) -> tuple[str, ...]:
        """The names of the streams that are ended to make room."""
        return tuple(stream.stream_id for stream in self.ended)

    def slots_in(self, group: str | None) -> int:
        """Return the number of these slots in a group; `None` = in all."""
        return self.slots if group is None else sum(group in stream.groups for stream in self.streams)


NOTHING = Freed()


@value_object
class Admit:
    """A write that takes a slot for a newcomer and gives back others.

    Lands if the newcomer is new (its name has no lease, except in `freed.expired`; its request is not
    remembered), all of `freed` is as stated, each of the counts has room for it once these slots are given
    back or is as it was seen, and its name can be counted. A newcomer's lease ends no earlier than the token
    that was spent under its name.

    Attributes:
        counts: the counts that the write depends on.
        names: how the newcomer's name is counted towards the token bound; `None` = not at all.
    """

    user_id: str
    newcomer: Lease | AnonymousStream
    counts: tuple[Count, ...]
    retain_until: int | None
    freed: Freed = NOTHING
    names: Names | None = None


@value_object
class Extend:
    """A write that moves a lease's expiry forward and ends the stream that it `replaces`, if any.

    Lands if the lease exists, is of the same play, and does not expire later already (a late packet never
    moves an expiry back), the replaced stream is as stated, and its name is counted.

    Attributes:
        of_play: the page load that the lease must be of; `None` = any.
        play: the new play of the lease; `None` = unchanged.
        path_prefix: the new path prefix of the lease; `None` = unchanged.
        displaced: the displaced streams that the lease remembers from now on; empty = unchanged.
        names: how its name is counted towards the token bound; `None` = not at all.
    """

    user_id: str
    stream_id: str
    expires_at: int
    retain_until: int | None
    replaces: Ended | None = None
    of_play: str | None = None
    play: str | None = None
    path_prefix: str | None = None
    displaced: tuple[Displaced, ...] = ()
    names: Names | None = None


@value_object
class Release:
    """A write that gives a named stream's slot back.

    Lands if the stream exists, of the same play and in these groups.

    Attributes:
        of_play: the page load that the stream must be of; `None` = any.
        spends: whether its name stays counted until its last token has expired.
        groups: the groups that it is in.
    """

    user_id: str
    stream_id: str
    retain_until: int | None
    of_play: str | None = None
    spends: bool = False
    groups: tuple[str, ...] = ()


@value_object
class ReleaseAnonymous:
    """A write that gives one anonymous slot back.

    Lands if there is one and the request is not remembered.
    """

    user_id: str
    mark: str
    retain_until: int | None


@value_object
class Repair:
    """An operator's write that gives back slots and makes the counts equal their parts again.

    Lands if the counts, and every lease and slot that it removes, are as they were seen.

    Attributes:
        seen: the state that was read.
        freed: the slots of it that are given back.
        names: the names that count towards the token bound; `None` = none do.
        groups: the groups that are recounted.
    """

    user_id: str
    seen: Snapshot
    freed: Freed
    retain_until: int | None
    names: Recounted | None = None
    groups: tuple[AsSeen, ...] = ()

    @property
    def correction(self) -> int:
        """The difference that makes the count equal its remaining parts."""
        parts = self.seen.anonymous.count + len(self.seen.leases)
        return parts - self.freed.slots - self.seen.stream_count


Write = Admit | Extend | Release | ReleaseAnonymous | Repair


def group_names(streams: Iterable[Lease | Ended]) -> tuple[str, ...]:
    """Return the groups of these streams: a group appears once for each stream in it."""
    return tuple(group for stream in streams for group in stream.groups)


def have_expired(slots: AnonymousSlots, presumed_expired: int | None) -> bool:
    """Return whether there are anonymous slots, and they have expired.

    They have if their expiry is at or before `presumed_expired`, or was never recorded; `None` = anonymous
    slots never expire.
    """
    if slots.count == 0 or presumed_expired is None:
        return False
    return slots.expires_at is None or slots.expires_at <= presumed_expired
