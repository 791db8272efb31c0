"""The changes that a repository can make to one user's state, and their meaning.

Every write is atomic and conditional: it lands as a whole if `permits` holds on the state that it meets, and
changes nothing otherwise. `after` returns the state that it leaves. These two functions define the meaning;
an adapter expresses it in the language of its store, and one contract suite checks every adapter.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from domain.bounds import AsSeen, Bound, Count
from domain.streams import NO_SLOTS, REMEMBERED_MARKS, AnonymousSlots, Displaced, Lease, Snapshot
from domain.token_names import Counted, Names, Recounted, names_after, names_permit
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

_AS_COUNTED = Counted(bound=0)


@value_object
class Admit:
    """Take a slot for a newcomer, and give back others in the same write.

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
    """Move a lease's expiry forward, and end the stream that it `replaces`, if any.

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
    """Give a named stream's slot back. Lands if the stream exists, of the same play and in these groups.

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
    """Give one anonymous slot back. Lands if there is one and the request is not remembered."""

    user_id: str
    mark: str
    retain_until: int | None


@value_object
class Repair:
    """Give back slots and make the counts equal their parts again, for an operator.

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


def permits(state: Snapshot, write: Write) -> bool:
    """Return whether the write lands on this state."""
    match write:
        case Admit(newcomer=newcomer, counts=counts, freed=freed, names=names):
            return (
                _is_new(state, newcomer, freed)
                and _matches(state, freed)
                and all(_permits_one_more(state, count, freed) for count in counts)
                and names_permit(state, names, _name(newcomer), freed.ended_names)
                and _outlives_its_tokens(state, write)
            )
        case Extend(stream_id=stream_id, expires_at=expires_at, names=names):
            lease = state.leases.get(stream_id)
            return (
                lease is not None
                and lease.expires_at <= expires_at
                and lease.belongs_to(write.of_play)
                and _matches(state, _replaced(write))
                and names_permit(state, names, stream_id, _replaced(write).ended_names)
            )
        case Release(stream_id=stream_id, of_play=of_play, groups=groups):
            lease = state.leases.get(stream_id)
            return lease is not None and lease.belongs_to(of_play) and lease.groups == groups
        case ReleaseAnonymous(mark=mark):
            return state.anonymous.count > 0 and mark not in state.marks
        case Repair(seen=seen, freed=freed, names=names, groups=groups):
            return (
                state.stream_count == seen.stream_count
                and state.anonymous == seen.anonymous
                and _matches(state, freed)
                and all(state.count(count.group) == count.seen for count in groups)
                and names_permit(state, names, None)
            )
        case _:
            assert_never(write)


def after(state: Snapshot, write: Write) -> Snapshot:
    """Return the state that the write leaves if it lands on this one."""
    match write:
        case Admit():
            return _admitted(state, write)
        case Extend():
            return _extended(state, write)
        case Release(stream_id=stream_id, spends=spends, groups=groups):
            tokens, spent = names_after(state, _AS_COUNTED if spends else None, None, (stream_id,))
            return replace(
                state,
                stream_count=state.stream_count - 1,
                leases=_leases(state, removed=(stream_id,)),
                tokens=tokens,
                spent=spent,
                groups=_groups(state, left=groups),
            )
        case ReleaseAnonymous(mark=mark):
            return replace(
                state,
                stream_count=state.stream_count - 1,
                anonymous=replace(state.anonymous, count=state.anonymous.count - 1),
                marks=_remember(state, mark),
            )
        case Repair(freed=freed, names=names, groups=groups):
            tokens, spent = names_after(state, names, None, freed.ended_names)
            return replace(
                state,
                stream_count=state.stream_count + write.correction,
                anonymous=_remaining(state, freed),
                leases=_leases(state, removed=freed.names),
                tokens=tokens,
                spent=spent,
                groups=_groups(state, left=group_names(freed.streams), counts=groups),
            )
        case _:
            assert_never(write)


def _admitted(state: Snapshot, write: Admit) -> Snapshot:
    newcomer, freed = write.newcomer, write.freed
    stream_count = state.stream_count - freed.slots + 1
    remaining = _remaining(state, freed)
    tokens, spent = names_after(state, write.names, _name(newcomer), freed.ended_names)
    groups = _groups(state, newcomer.groups, group_names(freed.streams), write.counts)
    if isinstance(newcomer, Lease):
        leases = _leases(state, removed=freed.names, added=newcomer)
        return Snapshot(stream_count, remaining, leases, state.marks, tokens, spent, groups)
    anonymous = AnonymousSlots(remaining.count + 1, newcomer.expires_at)
    leases = _leases(state, removed=freed.names)
    return Snapshot(stream_count, anonymous, leases, _remember(state, newcomer.mark), tokens, spent, groups)


def _extended(state: Snapshot, write: Extend) -> Snapshot:
    seen = state.leases[write.stream_id]
    lease = replace(
        seen,
        expires_at=write.expires_at,
        play=write.play or seen.play,
        path_prefix=write.path_prefix or seen.path_prefix,
        displaced=write.displaced or seen.displaced,
    )
    gone = _replaced(write)
    tokens, spent = names_after(state, write.names, None, gone.ended_names)
    return replace(
        state,
        stream_count=state.stream_count - gone.slots,
        leases=_leases(state, removed=gone.names, added=lease),
        tokens=tokens,
        spent=spent,
        groups=_groups(state, left=group_names(gone.streams)),
    )


def _replaced(write: Extend) -> Freed:
    return NOTHING if write.replaces is None else Freed(ended=(write.replaces,))


def _permits_one_more(state: Snapshot, count: Count, freed: Freed) -> bool:
    match count:
        case Bound(limit, group):
            return state.count(group) - freed.slots_in(group) < limit
        case AsSeen(seen, group=group):
            return state.count(group) == seen


def _name(newcomer: Lease | AnonymousStream) -> str | None:
    return newcomer.stream_id if isinstance(newcomer, Lease) else None


def _is_new(state: Snapshot, newcomer: Lease | AnonymousStream, freed: Freed) -> bool:
    if isinstance(newcomer, Lease):
        # An expired lease of the newcomer's own name is among the freed, and is overwritten.
        return newcomer.stream_id not in state.leases or newcomer.stream_id in freed.names
    return newcomer.mark not in state.marks and (
        freed.anonymous.count > 0 or not have_expired(state.anonymous, newcomer.presumed_expired)
    )


def _outlives_its_tokens(state: Snapshot, write: Admit) -> bool:
    """Return whether a name that starts again keeps the later expiry, where names are counted."""
    newcomer = write.newcomer
    if write.names is None or not isinstance(newcomer, Lease):
        return True
    return state.spent.get(newcomer.stream_id, newcomer.expires_at) <= newcomer.expires_at


def _matches(state: Snapshot, freed: Freed) -> bool:
    return (
        all(_expiry(state, lease.stream_id) == lease.expires_at for lease in freed.expired)
        and all(
            stream.stream_id in state.leases and state.leases[stream.stream_id].groups == stream.groups
            for stream in freed.streams
        )
        and (freed.anonymous.count == 0 or state.anonymous == freed.anonymous)
    )


def have_expired(slots: AnonymousSlots, presumed_expired: int | None) -> bool:
    """Return whether there are anonymous slots, and they have expired.

    They have if their expiry is at or before `presumed_expired`, or was never recorded; `None` = anonymous
    slots never expire.
    """
    if slots.count == 0 or presumed_expired is None:
        return False
    return slots.expires_at is None or slots.expires_at <= presumed_expired


def _expiry(state: Snapshot, stream_id: str) -> int | None:
    lease = state.leases.get(stream_id)
    return None if lease is None else lease.expires_at


def _remaining(state: Snapshot, freed: Freed) -> AnonymousSlots:
    return replace(state.anonymous, count=state.anonymous.count - freed.anonymous.count)


def _remember(state: Snapshot, mark: str) -> tuple[str, ...]:
    return (mark, *state.marks)[:REMEMBERED_MARKS]


def group_names(streams: Iterable[Lease | Ended]) -> tuple[str, ...]:
    """Return the groups of these streams: a group appears once for each stream in it."""
    return tuple(group for stream in streams for group in stream.groups)


def _groups(
    state: Snapshot,
    joined: tuple[str, ...] = (),
    left: tuple[str, ...] = (),
    counts: tuple[Count, ...] = (),
) -> Mapping[str, int]:
    """Return the counts of the groups after streams have joined and left, or as they were recounted."""
    after = Counter(state.groups)
    after.update(joined)
    after.subtract(left)
    for count in counts:
        if isinstance(count, AsSeen) and count.group is not None:
            after[count.group] = count.becomes
    return MappingProxyType({group: number for group, number in after.items() if number})


def _leases(
    state: Snapshot, *, removed: tuple[str, ...] = (), added: Lease | None = None
) -> Mapping[str, Lease]:
    leases = {name: lease for name, lease in state.leases.items() if name not in removed}
    if added is not None:
        leases[added.stream_id] = added
    return MappingProxyType(leases)
