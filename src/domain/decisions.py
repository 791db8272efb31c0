"""The rules: which write a request asks for first, and what to do when that write was rejected.

Pure and total: every decision is a function of the state that was seen, the request, the policy
and the clock. `docs/leases.md` describes the same in prose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.bounds import AsSeen, Bound
from domain.eviction import fewest
from domain.group_counts import recount as recount_groups
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.requests import EndNamed, Heartbeat, StartAnonymous, StartNamed, StartRequest
from domain.streams import CEILING, NO_SLOTS, Lease, Snapshot
from domain.token_names import Counted, Recounted, by_end, forget_oldest, recount
from domain.writes import NOTHING, Admit, AnonymousStream, Ended, Extend, Freed, Release, group_names, permits


@dataclass(frozen=True, slots=True)
class Try:
    """Make this write; if it lands, the request's outcome is this, else decide again.

    Attributes:
        full: the limit that would have refused the request, where limits are not enforced.
    """

    write: Admit | Extend | Release
    outcome: Outcome
    full: Bound | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is left to write: the state already shows the request's effect."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Postpone:
    """There are slots, but too many names have an unexpired token.

    Attributes:
        until: the epoch second at which enough of them are over.
    """

    until: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The answer is no.

    Attributes:
        full: the limit that is reached; `None` = it is not about a limit.
    """

    full: Bound | None = None


Decision = Try | Settled | Postpone | Refuse

_UNSEEN = Snapshot()


def first_start(request: StartRequest, policy: Policy, now: float) -> Try:
    """The write that a start begins with, knowing nothing of the state: right for every ordinary call.

    A stream that is replaced is taken to be in the newcomer's own groups.
    """
    replaces = request.replaces if isinstance(request, StartNamed) else None
    if replaces is None:
        return Try(_admit(_UNSEEN, request, policy, now), Outcome.ADMITTED)
    freed = Freed(ended=(Ended(replaces, _groups(request)),))
    return Try(_admit(_UNSEEN, request, policy, now, freed), Outcome.REPLACED)


def decide_start(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision:
    """Decide about a start whose write was refused by this state. The order of the rules matters."""
    return (
        _replay(state, request, policy, now)
        or _room(state, request, policy, now)
        or _reclaim(state, request, policy, now)
        or _shadow(state, request, policy, now)
        or _token_bound(state, request, policy, now)
        or _evict(state, request, policy, now)
        or Refuse(_full(state, request, policy, now))
    )


def first_heartbeat(request: Heartbeat, policy: Policy, now: float) -> Try:
    """Return the write that a heartbeat begins with: right for every ordinary one."""
    extend = Extend(
        request.user_id,
        request.stream_id,
        policy.lease_until(now),
        policy.retain_until(now),
        of_play=request.play,
        names=None if policy.token_overlap is None else Counted(bound=0),
    )
    return Try(extend, Outcome.EXTENDED)


def decide_heartbeat(state: Snapshot, request: Heartbeat, policy: Policy, now: float) -> Decision:
    """Decide about a heartbeat whose write was refused by this state."""
    lease = state.leases.get(request.stream_id)
    if lease is None or not lease.is_of(request.play):
        return Refuse()
    if _is_counted(state, request.stream_id, policy):
        return Settled(Outcome.EXTENDED)  # a later heartbeat overtook this one, and its expiry holds
    extend = Extend(
        request.user_id,
        request.stream_id,
        max(policy.lease_until(now), lease.expires_at),
        policy.retain_until(now),
        of_play=request.play,
        names=_recount(state, policy, now),
    )
    return Try(extend, Outcome.EXTENDED)


def first_end(request: EndNamed, policy: Policy, now: float) -> Try:
    """Return the write that an end begins with: right where the player names the stream's groups, if any."""
    release = Release(
        request.user_id,
        request.stream_id,
        policy.retain_until(now),
        of_play=request.play,
        spends=policy.token_overlap is not None,
        groups=request.groups,
    )
    return Try(release, Outcome.ENDED)


def decide_end(state: Snapshot, request: EndNamed, policy: Policy, now: float) -> Try | Settled:
    """Decide about an end whose write was refused by this state."""
    lease = state.leases.get(request.stream_id)
    if lease is None or not lease.is_of(request.play):
        return Settled(Outcome.ALREADY_ENDED)
    return first_end(replace(request, groups=lease.groups), policy, now)


def _replay(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """An earlier try of this very request landed, or the same player comes back: it has its slot."""
    if isinstance(request, StartAnonymous):
        return Settled(Outcome.REPLAYED) if request.mark in state.marks else None
    lease = state.leases.get(request.stream_id)
    if lease is None or not policy.is_live(lease, now) or lease.groups != request.groups:
        return None
    replaced = _replaced(state, request)
    left = lease.expires_at - now
    shows_the_request = (
        replaced is None
        and left >= policy.lease_seconds - policy.heartbeat_seconds
        and request.play in {None, lease.play}
        and request.path_prefix in {None, lease.path_prefix}
        and _is_counted(state, request.stream_id, policy)
    )
    if shows_the_request:
        return Settled(Outcome.REPLAYED)
    renewal = Extend(
        request.user_id,
        request.stream_id,
        max(policy.lease_until(now), lease.expires_at),
        policy.retain_until(now),
        replaced,
        play=request.play,
        path_prefix=request.path_prefix,
        names=_recount(state, policy, now),
    )
    return Try(renewal, Outcome.REPLAYED if replaced is None else Outcome.REPLACED)


def _room(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """The state moved meanwhile, and the plain write fits it now."""
    freed = _taken_over(state, request, policy, now)
    plain = _admit(state, request, policy, now, freed)
    return Try(plain, _outcome(freed, policy, now)) if permits(state, plain) else None


def _reclaim(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """There is room once what is over is gone: the expired slots, and the names of spent tokens."""
    freed = _over_and_taken_over(state, request, request.bounds, policy, now)
    reclaim = _recounted(state, _admit(state, request, policy, now, freed), policy, now)
    if not _fits(state, request.bounds, reclaim) or _postpone(state, reclaim, policy, request.limit):
        return None
    return Try(reclaim, _outcome(freed, policy, now))


def _shadow(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """The limits are not enforced: admit above them, and say that it would have been a refusal."""
    if policy.enforcement is not Enforcement.SHADOW:
        return None
    full = _full(state, request, policy, now)
    bounds = (Bound(CEILING),)
    freed = _over_and_taken_over(state, request, request.bounds, policy, now)
    admit = replace(_admit(state, request, policy, now, freed), counts=bounds)
    above = _recounted(state, admit, policy, now)
    if isinstance(above.names, Recounted) and policy.token_overlap is not None:
        above = replace(above, names=forget_oldest(state, above.names, CEILING + policy.token_overlap))
    return Try(above, Outcome.WOULD_REFUSE, full) if _fits(state, bounds, above) else Refuse(full)


def _token_bound(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """There is room, but too many names have an unexpired token: nothing that is held is given up."""
    freed = _over_and_taken_over(state, request, request.bounds, policy, now)
    reclaim = _recounted(state, _admit(state, request, policy, now, freed), policy, now)
    if not _fits(state, request.bounds, reclaim):
        return None
    return _postpone(state, reclaim, policy, request.limit)


def _evict(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """Make room by ending live named streams, as few as it takes; of several such choices the oldest."""
    if policy.on_limit is not OnLimit.EVICT_OLDEST:
        return None
    freed = _over_and_taken_over(state, request, request.bounds, policy, now)
    chosen = fewest(_evictable(state, freed, policy, now), _lacking(state, request.bounds, freed))
    if chosen is None:
        return None
    freed = replace(freed, ended=(*freed.ended, *(Ended(lease.stream_id, lease.groups) for lease in chosen)))
    # Every count as it was seen: nobody is evicted for a slot that came free meanwhile.
    as_seen = AsSeen(state.stream_count, state.stream_count - freed.slots + 1)
    admit = replace(_admit(state, request, policy, now, freed), counts=(as_seen,))
    evict = _recounted(state, admit, policy, now)
    if not _fits(state, request.bounds, evict):
        return None
    most = max(request.limit, policy.live(state, now).count)  # evicted streams keep their tokens a while
    return _postpone(state, evict, policy, most) or Try(evict, Outcome.EVICTED)


def _full(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Bound | None:
    """Return the limit that refuses a start, if one does: the first that no eviction makes room under."""
    freed = _over_and_taken_over(state, request, request.bounds, policy, now)
    lacking = _lacking(state, request.bounds, freed)
    full = [bound for bound in request.bounds if bound.group in lacking]
    if policy.on_limit is OnLimit.EVICT_OLDEST and policy.enforcement is Enforcement.ENFORCE:
        evictable = _evictable(state, freed, policy, now)
        full = [bound for bound in full if fewest(evictable, {bound.group: lacking[bound.group]}) is None]
    return next(iter(full), None)


def _evictable(state: Snapshot, freed: Freed, policy: Policy, now: float) -> Sequence[Lease]:
    """Return the live named streams that are not given up yet, the oldest first."""
    return [lease for lease in policy.live(state, now).leases if lease.stream_id not in freed.names]


def _lacking(state: Snapshot, bounds: Sequence[Bound], freed: Freed) -> Mapping[str | None, int]:
    """Return how many slots each limit lacks for a newcomer once these are free; none where there is room.

    Groups are counted by their leases, as old code, which knows of no groups, leaves their counts too high.
    """
    lacking = {}
    for bound in bounds:
        taken = state.stream_count if bound.group is None else state.leases_in(bound.group)
        lacks = taken - freed.slots_in(bound.group) + 1 - bound.limit
        if lacks > 0:
            lacking[bound.group] = lacks
    return lacking


def _fits(state: Snapshot, bounds: Sequence[Bound], admit: Admit) -> bool:
    """Return whether a write stays within the limits and lands on the state that it was decided on."""
    return not _lacking(state, bounds, admit.freed) and permits(state, admit)


def _outcome(freed: Freed, policy: Policy, now: float) -> Outcome:
    """Return what a start comes to that gives these slots back."""
    if freed.anonymous.count or any(not policy.is_live(lease, now) for lease in freed.expired):
        return Outcome.RECLAIMED
    return Outcome.REPLACED if freed.streams else Outcome.ADMITTED


def _groups(request: StartRequest) -> tuple[str, ...]:
    return request.groups if isinstance(request, StartNamed) else ()


def _replaced(state: Snapshot, request: StartNamed) -> Ended | None:
    """Return the stream that a start replaces, where it is there."""
    lease = state.leases.get(request.replaces or "")
    return None if lease is None else Ended(lease.stream_id, lease.groups)


def _taken_over(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Freed:
    """Return whose slots the start may have at once: the stream's that it replaces, and its own.

    It has a live lease of its own where it joins other groups.
    """
    if not isinstance(request, StartNamed):
        return NOTHING
    own = state.leases.get(request.stream_id)
    replaced = _replaced(state, request)
    return Freed(
        (own,) if own is not None and policy.is_live(own, now) else (),
        (replaced,) if replaced is not None else (),
    )


def _over_and_taken_over(
    state: Snapshot, request: StartRequest, bounds: Sequence[Bound], policy: Policy, now: float
) -> Freed:
    """Return that, and of what is over the newcomer's own and what counts towards a full limit.

    Where there are playback tokens, all that is over goes: each name counts towards the token bound.
    """
    taken_over = _taken_over(state, request, policy, now)
    full = _lacking(state, bounds, taken_over).keys()
    counts_names = policy.token_overlap is not None
    over = policy.expired(state, now)
    own = request.stream_id if isinstance(request, StartNamed) else None
    expired = [
        lease
        for lease in over.expired
        if counts_names or lease.stream_id == own or not full.isdisjoint((None, *lease.groups))
    ]
    gone = [lease.stream_id for lease in expired]
    return Freed(
        (*taken_over.expired, *expired),
        tuple(stream for stream in taken_over.ended if stream.stream_id not in gone),
        over.anonymous if None in full or own is None else NO_SLOTS,
    )


def _admit(
    state: Snapshot, request: StartRequest, policy: Policy, now: float, freed: Freed = NOTHING
) -> Admit:
    """Return the write that admits a newcomer where there is room, whatever names are counted already."""
    retain_until = policy.retain_until(now)
    if isinstance(request, StartNamed):
        overlap = policy.token_overlap
        names = None if overlap is None else Counted(request.limit + overlap)
        newcomer = _newcomer(state, request, policy, now)
        return Admit(request.user_id, newcomer, request.bounds, retain_until, freed, names)
    stream = AnonymousStream(request.mark, policy.anonymous_until(now), policy.anonymous_over_since(now))
    return Admit(request.user_id, stream, request.bounds, retain_until, freed)


def _newcomer(state: Snapshot, request: StartNamed, policy: Policy, now: float) -> Lease:
    """Return the lease that a start takes. A live stream that joins other groups stays what it is else."""
    lease = policy.lease_of(request, now)
    own = state.leases.get(request.stream_id)
    if own is None or not policy.is_live(own, now):
        return lease
    return replace(
        own,
        expires_at=max(lease.expires_at, own.expires_at),
        play=request.play or own.play,
        path_prefix=request.path_prefix or own.path_prefix,
        groups=request.groups,
    )


def _recounted(state: Snapshot, admit: Admit, policy: Policy, now: float) -> Admit:
    """Return the same write for this very state, its groups counted anew, and its names where they are."""
    freed = admit.freed
    joined = admit.newcomer.groups if isinstance(admit.newcomer, Lease) else ()
    touched = {*joined, *group_names(freed.streams)}
    of_all = [count for count in admit.counts if count.group is None]
    admit = replace(admit, counts=(*of_all, *recount_groups(state, touched, freed, joined)))
    if policy.token_overlap is None:
        return admit
    reclaimed = [lease.stream_id for lease in freed.expired]
    if not isinstance(admit.newcomer, Lease):
        return replace(admit, names=_recount(state, policy, now, reclaimed=reclaimed))
    name = admit.newcomer.stream_id
    until = max(admit.newcomer.expires_at, state.spent.get(name, 0))  # its last token may outlive its lease
    return replace(
        admit,
        newcomer=replace(admit.newcomer, expires_at=until),
        names=_recount(state, policy, now, newcomer=name, reclaimed=reclaimed),
    )


def _recount(
    state: Snapshot,
    policy: Policy,
    now: float,
    *,
    newcomer: str | None = None,
    reclaimed: Sequence[str] = (),
) -> Recounted | None:
    """Count the names of this state anew, where they are counted at all."""
    if policy.token_overlap is None:
        return None
    return recount(state, newcomer, reclaimed, policy.over_since(now))


def _is_counted(state: Snapshot, stream_id: str, policy: Policy) -> bool:
    """Return whether nothing is left to count of this stream's name."""
    return policy.token_overlap is None or stream_id in (state.tokens or ())


def _postpone(state: Snapshot, admit: Admit, policy: Policy, limit: int) -> Postpone | None:
    """Put a newcomer off whose name is one too many. An anonymous newcomer adds no name."""
    match admit:
        case Admit(newcomer=Lease(stream_id=own), names=Recounted(names=names)):
            too_many = len(names) - limit - (policy.token_overlap or 0)
            if too_many > 0:
                over_last = by_end(state, names, own)[too_many - 1]
                return Postpone(over_last.expires_at + policy.grace_seconds)
    return None
