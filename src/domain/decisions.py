"""The rules: which write a request asks for first, and what to do when that write was rejected.

Pure and total: every decision is a function of the state that was seen, the request, the policy
and the clock. `docs/leases.md` describes the same in prose.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.requests import Heartbeat, StartAnonymous, StartNamed, StartRequest
from domain.streams import CEILING, Lease, Snapshot
from domain.token_names import Counted, Recounted, by_end, forget_oldest, recount
from domain.writes import NOTHING, Admit, AnonymousStream, Extend, Freed, permits


@dataclass(frozen=True, slots=True)
class Try:
    """Make this write; if it lands, the request's outcome is this, else decide again."""

    write: Admit | Extend
    outcome: Outcome


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
    """The answer is no."""


Decision = Try | Settled | Postpone | Refuse


def first_start(request: StartRequest, policy: Policy, now: float) -> Try:
    """The write that a start begins with, knowing nothing of the state: right for every ordinary call."""
    replaces = request.replaces if isinstance(request, StartNamed) else None
    if replaces is None:
        return Try(_admit(request, policy, now, request.limit), Outcome.ADMITTED)
    return Try(_admit(request, policy, now, request.limit, Freed(ended=(replaces,))), Outcome.REPLACED)


def decide_start(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision:
    """Decide about a start whose write was refused by this state. The order of the rules matters."""
    return (
        _replay(state, request, policy, now)
        or _room(state, request, policy, now)
        or _reclaim(state, request, policy, now)
        or _shadow(state, request, policy, now)
        or _token_bound(state, request, policy, now)
        or _evict(state, request, policy, now)
        or Refuse()
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


def _replay(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """An earlier try of this very request landed, or the same player comes back: it has its slot."""
    if isinstance(request, StartAnonymous):
        return Settled(Outcome.REPLAYED) if request.mark in state.marks else None
    lease = state.leases.get(request.stream_id)
    if lease is None or not policy.is_live(lease, now):
        return None
    replaces = request.replaces if request.replaces in state.leases else None
    left = lease.expires_at - now
    shows_the_request = (
        replaces is None
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
        replaces,
        play=request.play,
        path_prefix=request.path_prefix,
        names=_recount(state, policy, now),
    )
    return Try(renewal, Outcome.REPLAYED if replaces is None else Outcome.REPLACED)


def _room(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """The state moved meanwhile, and the plain write fits it now."""
    replaced = _replaced(state, request)
    plain = _admit(request, policy, now, request.limit, replaced)
    outcome = Outcome.REPLACED if replaced.ended else Outcome.ADMITTED
    return Try(plain, outcome) if permits(state, plain) else None


def _reclaim(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """There is room once what is over is gone: the expired slots, and the names of spent tokens."""
    freed = _over_and_replaced(state, request, policy, now)
    reclaim = _recounted(state, _admit(request, policy, now, request.limit, freed), policy, now)
    if not permits(state, reclaim) or _postpone(state, reclaim, policy, request.limit):
        return None
    if freed.expired or freed.anonymous.count:
        return Try(reclaim, Outcome.RECLAIMED)
    return Try(reclaim, Outcome.REPLACED if freed.ended else Outcome.ADMITTED)


def _shadow(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """The limit is not enforced: admit above it, and say that it would have been a refusal."""
    if policy.enforcement is not Enforcement.SHADOW:
        return None
    freed = _over_and_replaced(state, request, policy, now)
    above = _recounted(state, _admit(request, policy, now, CEILING, freed), policy, now)
    if isinstance(above.names, Recounted) and policy.token_overlap is not None:
        above = replace(above, names=forget_oldest(state, above.names, CEILING + policy.token_overlap))
    return Try(above, Outcome.WOULD_REFUSE) if permits(state, above) else Refuse()


def _token_bound(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """There is room, but too many names have an unexpired token: nothing that is held is given up."""
    freed = _over_and_replaced(state, request, policy, now)
    reclaim = _recounted(state, _admit(request, policy, now, request.limit, freed), policy, now)
    return _postpone(state, reclaim, policy, request.limit) if permits(state, reclaim) else None


def _evict(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """Make room by ending the user's oldest named streams, as few as it takes."""
    if policy.on_limit is not OnLimit.EVICT_OLDEST or request.limit == 0:
        return None
    most = max(request.limit, policy.live(state, now).count)  # evicted streams keep their tokens a while
    for freed in _ever_more(state, _over_and_replaced(state, request, policy, now), policy, now):
        plain = replace(_admit(request, policy, now, request.limit, freed), tight=True)
        evict = _recounted(state, plain, policy, now)
        if permits(state, evict):
            return _postpone(state, evict, policy, most) or Try(evict, Outcome.EVICTED)
    return None


def _ever_more(state: Snapshot, freed: Freed, policy: Policy, now: float) -> Iterator[Freed]:
    """The freed slots, with one more of the oldest live streams ended at each step."""
    ended = freed.ended
    for lease in policy.live(state, now).leases:
        if lease.stream_id not in ended:
            ended = (*ended, lease.stream_id)
            yield Freed(freed.expired, ended, freed.anonymous)


def _replaced(state: Snapshot, request: StartRequest) -> Freed:
    """The stream that a start replaces, where it is there."""
    replaces = request.replaces if isinstance(request, StartNamed) else None
    if replaces is None or replaces not in state.leases:
        return NOTHING
    return Freed(ended=(replaces,))


def _over_and_replaced(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Freed:
    """Everything that is over, and the stream that the start replaces."""
    over = policy.expired(state, now)
    replaced = tuple(name for name in _replaced(state, request).ended if name not in over.names)
    return Freed(over.expired, replaced, over.anonymous)


def _admit(request: StartRequest, policy: Policy, now: float, limit: int, freed: Freed = NOTHING) -> Admit:
    """Return the write that admits a newcomer, whatever names are counted already."""
    retain_until = policy.retain_until(now)
    if isinstance(request, StartNamed):
        overlap = policy.token_overlap
        names = None if overlap is None else Counted(limit + overlap)
        return Admit(request.user_id, policy.lease_of(request, now), limit, retain_until, freed, names=names)
    newcomer = AnonymousStream(request.mark, policy.anonymous_until(now), policy.anonymous_over_since(now))
    return Admit(request.user_id, newcomer, limit, retain_until, freed)


def _recounted(state: Snapshot, admit: Admit, policy: Policy, now: float) -> Admit:
    """Return the same write for this very state, its names counted anew where they are counted at all."""
    if policy.token_overlap is None:
        return admit
    reclaimed = [lease.stream_id for lease in admit.freed.expired]
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
