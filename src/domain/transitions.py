"""The meaning of the writes.

A write lands as a whole if `permits` holds on the state that it meets, and changes nothing otherwise. `after`
returns the state that it leaves. An adapter expresses these two functions in the language of its store, and
one contract suite checks every adapter.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from domain.bounds import AsSeen, Bound, Count
from domain.streams import REMEMBERED_MARKS, AnonymousSlots, Lease, Snapshot
from domain.token_names import Counted, names_after, names_permit
from domain.writes import (
    NOTHING,
    Admit,
    AnonymousStream,
    Extend,
    Freed,
    Release,
    ReleaseAnonymous,
    Repair,
    Write,
    group_names,
    have_expired,
)

_AS_COUNTED = Counted(bound=0)


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


def _expiry(state: Snapshot, stream_id: str) -> int | None:
    lease = state.leases.get(stream_id)
    return None if lease is None else lease.expires_at


def _remaining(state: Snapshot, freed: Freed) -> AnonymousSlots:
    return replace(state.anonymous, count=state.anonymous.count - freed.anonymous.count)


def _remember(state: Snapshot, mark: str) -> tuple[str, ...]:
    return (mark, *state.marks)[:REMEMBERED_MARKS]


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
