"""The changes that a repository can make to one user's state, and what each of them means.

Every write is atomic and conditional: it lands wholly when `permits` holds on the state that it
meets, and changes nothing otherwise. `after` is the state that it leaves. These two functions are
the meaning; an adapter says the same in its store's language, and one contract suite holds it to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import assert_never

from domain.streams import NO_SLOTS, REMEMBERED_MARKS, AnonymousSlots, Lease, Snapshot


@dataclass(frozen=True, slots=True)
class AnonymousStream:
    """A newcomer without a name.

    Attributes:
        mark: of the request that starts it, so that its repeat is recognised.
        expires_at: when all anonymous slots will be presumed over; `None` = never.
        presumed_over: anonymous slots that expired at or before this second must not be there
            (they would be revived); `None` = they never expire.
    """

    mark: str
    expires_at: int | None
    presumed_over: int | None


@dataclass(frozen=True, slots=True)
class Freed:
    """The slots that a newcomer's write gives back in passing.

    Attributes:
        expired: leases that ran out; each must still have the expiry that was seen.
        ended: names of streams that must make room; each must still be there.
        anonymous: anonymous slots that are presumed over; they must be as they were seen.
    """

    expired: tuple[Lease, ...] = ()
    ended: tuple[str, ...] = ()
    anonymous: AnonymousSlots = NO_SLOTS

    @property
    def slots(self) -> int:
        """How many slots that gives back."""
        return len(self.expired) + len(self.ended) + self.anonymous.count

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all streams among them."""
        return (*(lease.stream_id for lease in self.expired), *self.ended)


NOTHING = Freed()


@dataclass(frozen=True, slots=True)
class Admit:
    """Take a slot for a newcomer, giving back others in the same write.

    Lands when the newcomer is new (its name is not there, or only as one of `freed.expired`; its
    request is not remembered), all of `freed` is as stated, and fewer than `limit` slots
    remain taken once they are given back.

    Attributes:
        tight: whether it lands only when the newcomer takes the last slot, `limit - 1` others
            remaining taken: nobody is evicted for a slot that came free meanwhile.
    """

    user_id: str
    newcomer: Lease | AnonymousStream
    limit: int
    retain_until: int | None
    freed: Freed = NOTHING
    tight: bool = False


@dataclass(frozen=True, slots=True)
class Extend:
    """Move a lease's expiry forward, and end the stream that it `replaces`, if it names one.

    Lands when the lease is there and does not expire later already (a late packet never moves an
    expiry back), and the replaced stream is there.
    """

    user_id: str
    stream_id: str
    expires_at: int
    retain_until: int | None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Give a named stream's slot back. Lands when the stream is there."""

    user_id: str
    stream_id: str
    retain_until: int | None


@dataclass(frozen=True, slots=True)
class ReleaseAnonymous:
    """Give one anonymous slot back. Lands when there is one and the request is not remembered."""

    user_id: str
    mark: str
    retain_until: int | None


@dataclass(frozen=True, slots=True)
class Repair:
    """Give back expired slots and make the count equal its parts again: an operator's tool.

    Lands when the counts and every lease and slot that it removes are as they were seen.

    Attributes:
        seen: the state that was looked at.
        expired: what of it is over.
    """

    user_id: str
    seen: Snapshot
    expired: Freed
    retain_until: int | None

    @property
    def correction(self) -> int:
        """What to add to the count, so that it equals what remains."""
        parts = self.seen.anonymous.count + len(self.seen.leases)
        return parts - self.expired.slots - self.seen.stream_count


Write = Admit | Extend | Release | ReleaseAnonymous | Repair


def permits(state: Snapshot, write: Write) -> bool:
    """Whether the write lands on this state."""
    match write:
        case Admit(newcomer=newcomer, limit=limit, freed=freed, tight=tight):
            remaining = state.stream_count - freed.slots
            return (
                _is_new(state, newcomer, freed)
                and _is_as_stated(state, freed)
                and (remaining == limit - 1 if tight else remaining < limit)
            )
        case Extend(stream_id=stream_id, expires_at=expires_at, replaces=replaces):
            lease = state.leases.get(stream_id)
            return (
                lease is not None
                and lease.expires_at <= expires_at
                and (replaces is None or replaces in state.leases)
            )
        case Release(stream_id=stream_id):
            return stream_id in state.leases
        case ReleaseAnonymous(mark=mark):
            return state.anonymous.count > 0 and mark not in state.marks
        case Repair(seen=seen, expired=expired):
            return (
                state.stream_count == seen.stream_count
                and state.anonymous == seen.anonymous
                and _is_as_stated(state, expired)
            )
        case _:
            assert_never(write)


def after(state: Snapshot, write: Write) -> Snapshot:
    """The state that the write leaves, when it lands on this one."""
    match write:
        case Admit():
            return _admitted(state, write)
        case Extend(stream_id=stream_id, expires_at=expires_at, replaces=replaces):
            lease = replace(state.leases[stream_id], expires_at=expires_at)
            gone = () if replaces is None else (replaces,)
            return replace(
                state,
                stream_count=state.stream_count - len(gone),
                leases=_leases(state, without=gone, plus=lease),
            )
        case Release(stream_id=stream_id):
            return replace(
                state,
                stream_count=state.stream_count - 1,
                leases=_leases(state, without=(stream_id,)),
            )
        case ReleaseAnonymous(mark=mark):
            return replace(
                state,
                stream_count=state.stream_count - 1,
                anonymous=replace(state.anonymous, count=state.anonymous.count - 1),
                marks=_remember(state, mark),
            )
        case Repair(expired=expired):
            return replace(
                state,
                stream_count=state.stream_count + write.correction,
                anonymous=_remaining(state, expired),
                leases=_leases(state, without=expired.names),
            )
        case _:
            assert_never(write)


def _admitted(state: Snapshot, write: Admit) -> Snapshot:
    newcomer, freed = write.newcomer, write.freed
    stream_count = state.stream_count - freed.slots + 1
    remaining = _remaining(state, freed)
    if isinstance(newcomer, Lease):
        leases = _leases(state, without=freed.names, plus=newcomer)
        return Snapshot(stream_count, remaining, leases, state.marks)
    anonymous = AnonymousSlots(remaining.count + 1, newcomer.expires_at)
    leases = _leases(state, without=freed.names)
    return Snapshot(stream_count, anonymous, leases, _remember(state, newcomer.mark))


def _is_new(state: Snapshot, newcomer: Lease | AnonymousStream, freed: Freed) -> bool:
    if isinstance(newcomer, Lease):
        # A dead lease of the newcomer's own name is overwritten: it is among the freed.
        return newcomer.stream_id not in state.leases or newcomer.stream_id in freed.names
    return newcomer.mark not in state.marks and (
        freed.anonymous.count > 0 or not is_over(state.anonymous, newcomer.presumed_over)
    )


def _is_as_stated(state: Snapshot, freed: Freed) -> bool:
    return (
        all(_expiry(state, lease.stream_id) == lease.expires_at for lease in freed.expired)
        and all(stream_id in state.leases for stream_id in freed.ended)
        and (freed.anonymous.count == 0 or state.anonymous == freed.anonymous)
    )


def is_over(slots: AnonymousSlots, presumed_over: int | None) -> bool:
    """Whether there are anonymous slots, and they are presumed over.

    They are when their expiry lies at or before `presumed_over`, or was never recorded;
    `None` = anonymous slots never expire.
    """
    if slots.count == 0 or presumed_over is None:
        return False
    return slots.expires_at is None or slots.expires_at <= presumed_over


def _expiry(state: Snapshot, stream_id: str) -> int | None:
    lease = state.leases.get(stream_id)
    return None if lease is None else lease.expires_at


def _remaining(state: Snapshot, freed: Freed) -> AnonymousSlots:
    return replace(state.anonymous, count=state.anonymous.count - freed.anonymous.count)


def _remember(state: Snapshot, mark: str) -> tuple[str, ...]:
    return (mark, *state.marks)[:REMEMBERED_MARKS]


def _leases(
    state: Snapshot, *, without: tuple[str, ...] = (), plus: Lease | None = None
) -> Mapping[str, Lease]:
    leases = {name: lease for name, lease in state.leases.items() if name not in without}
    if plus is not None:
        leases[plus.stream_id] = plus
    return MappingProxyType(leases)
