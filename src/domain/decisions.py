"""The rules: the first write of a request, and the decision when that write was rejected.

Pure and total: every decision is a function of the state that was seen, the request, the policy and the
time. `docs/leases.md` describes the rules in prose.
"""

from collections.abc import Sequence
from dataclasses import replace

from domain.attempt import Attempt
from domain.bounds import AsSeen, Bound
from domain.eviction import fewest
from domain.gone import displaced, gone_reason
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.requests import EndNamed, Heartbeat, StartAnonymous, StartRequest
from domain.situation import Situation
from domain.streams import CEILING, GoneReason, Lease, Snapshot
from domain.token_names import Counted, Recounted, by_end, forget_oldest
from domain.transitions import permits
from domain.values import value_object
from domain.writes import Admit, Ended, Extend, Freed, Release


@value_object
class Try:
    """A write to make. If it lands, it has this outcome; otherwise the request is decided again.

    Attributes:
        full: the limit that would have refused the request, where limits are not enforced.
    """

    write: Admit | Extend | Release
    outcome: Outcome
    full: Bound | None = None


@value_object
class Settled:
    """The end of a request whose effect the state already shows: nothing is written."""

    outcome: Outcome


@value_object
class Postpone:
    """The refusal of a start for now: there is a slot, but too many names have an unexpired token.

    Attributes:
        until: the epoch second at which enough of those tokens have expired.
    """

    until: int


@value_object
class Refuse:
    """The refusal of a start.

    Attributes:
        full: the limit that is reached.
    """

    full: Bound


@value_object
class Gone:
    """The refusal of a heartbeat whose stream is gone, or belongs to another page load.

    Attributes:
        reason: the reason, or `None` where the state does not show it.
        by: the device of the stream that took its slot, if known.
    """

    reason: GoneReason | None = None
    by: str | None = None


Decision = Try | Settled | Postpone | Refuse
"""The decision about a start."""

_UNSEEN = Snapshot()


def first_start(request: StartRequest, policy: Policy, now: float) -> Try:
    """Return the first write of a start, which has not seen the state: right for every ordinary call.

    It assumes that a replaced stream is in the newcomer's own groups.
    """
    attempt = Attempt(_UNSEEN, request, policy, now)
    if isinstance(request, StartAnonymous) or request.replaces is None:
        return Try(attempt.admit(), Outcome.ADMITTED)
    replaced = Freed(ended=(Ended(request.replaces, request.groups),))
    return Try(attempt.admit(replaced), Outcome.REPLACED)


def decide_start(attempt: Attempt) -> Decision:
    """Decide about a start whose write was rejected. The order of the rules matters."""
    return (
        _replay(attempt)
        or _room(attempt)
        or _reclaim(attempt)
        or _shadow(attempt)
        or _token_bound(attempt)
        or _evict(attempt)
        or Refuse(_refusing(attempt))
    )


def first_heartbeat(request: Heartbeat, policy: Policy, now: float) -> Try:
    """Return the first write of a heartbeat: right for every ordinary one."""
    extend = Extend(
        request.user_id,
        request.stream_id,
        policy.lease_until(now),
        policy.retain_until(now),
        of_play=request.play,
        names=None if policy.token_overlap is None else Counted(bound=0),
    )
    return Try(extend, Outcome.EXTENDED)


def decide_heartbeat(situation: Situation[Heartbeat]) -> Try | Settled | Gone:
    """Decide about a heartbeat whose write was rejected."""
    request, policy, now = situation.request, situation.policy, situation.now
    lease = situation.state.leases.get(request.stream_id)
    if lease is None:
        return Gone(*gone_reason(situation))
    if not lease.belongs_to(request.play):
        return Gone()  # the name has started again, so the state shows nothing about the earlier stream
    if situation.is_counted(request.stream_id):
        return Settled(Outcome.EXTENDED)  # a later heartbeat overtook this one, and its expiry holds
    extend = Extend(
        request.user_id,
        request.stream_id,
        max(policy.lease_until(now), lease.expires_at),
        policy.retain_until(now),
        of_play=request.play,
        names=situation.recount(),
    )
    return Try(extend, Outcome.EXTENDED)


def first_end(request: EndNamed, policy: Policy, now: float) -> Try:
    """Return the first write of an end: right if the player names the stream's groups."""
    release = Release(
        request.user_id,
        request.stream_id,
        policy.retain_until(now),
        of_play=request.play,
        spends=policy.token_overlap is not None,
        groups=request.groups,
    )
    return Try(release, Outcome.ENDED)


def decide_end(situation: Situation[EndNamed]) -> Try | Settled:
    """Decide about an end whose write was rejected."""
    request = situation.request
    lease = situation.state.leases.get(request.stream_id)
    if lease is None or not lease.belongs_to(request.play):
        return Settled(Outcome.ALREADY_ENDED)
    return first_end(replace(request, groups=lease.groups), situation.policy, situation.now)


def _replay(attempt: Attempt) -> Decision | None:
    """Grant the slot that the newcomer has already, by an earlier try of the request or an earlier start."""
    request, policy, now = attempt.request, attempt.policy, attempt.now
    if isinstance(request, StartAnonymous):
        return Settled(Outcome.REPLAYED) if request.mark in attempt.state.marks else None
    lease = attempt.live_own
    if lease is None or lease.groups != request.groups:
        return None
    replaced = attempt.replaced
    shows_the_request = (
        replaced is None
        and lease.expires_at - now >= policy.lease_seconds - policy.heartbeat_seconds
        and request.play in {None, lease.play}
        and request.path_prefix in {None, lease.path_prefix}
        and attempt.is_counted(request.stream_id)
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
        names=attempt.recount(),
    )
    if replaced is not None:
        freed = Freed(ended=(replaced,))
        renewal = replace(renewal, displaced=displaced(attempt.state, request, freed, lease.displaced))
    return Try(renewal, Outcome.REPLAYED if replaced is None else Outcome.REPLACED)


def _room(attempt: Attempt) -> Decision | None:
    """Admit the newcomer by the plain write if the state has changed and now permits it."""
    plain = attempt.admit(attempt.taken_over)
    return Try(plain, _outcome(attempt, plain)) if permits(attempt.state, plain) else None


def _reclaim(attempt: Attempt) -> Decision | None:
    """Admit the newcomer if expired slots and the names of expired tokens make room."""
    reclaim = _without_expired(attempt)
    if reclaim is None or _postpone(attempt, reclaim, attempt.request.limit):
        return None
    return Try(reclaim, _outcome(attempt, reclaim))


def _shadow(attempt: Attempt) -> Decision | None:
    """Admit the newcomer above limits that are not enforced, and name the one that would have refused it."""
    if attempt.policy.enforcement is not Enforcement.SHADOW:
        return None
    exceeded = _exceeded(attempt)
    bounds = (Bound(CEILING),)
    above = attempt.recounted(replace(attempt.admit(attempt.free), counts=bounds))
    if isinstance(above.names, Recounted):
        names = forget_oldest(attempt.state, above.names, CEILING + attempt.overlap)
        above = replace(above, names=names)
    if not attempt.fits(bounds, above):
        return Refuse(_refusing(attempt))
    full = next(iter(exceeded), None)  # none if only the token bound would put it off
    return Try(above, Outcome.WOULD_REFUSE, full)


def _token_bound(attempt: Attempt) -> Decision | None:
    """Put the newcomer off if there is room, but too many names have an unexpired token. Evict no stream."""
    return _postpone(attempt, _without_expired(attempt), attempt.request.limit)


def _evict(attempt: Attempt) -> Decision | None:
    """Make room by ending as few live named streams as possible; of several such choices, the oldest."""
    if attempt.policy.on_limit is not OnLimit.EVICT_OLDEST:
        return None
    state, bounds, free = attempt.state, attempt.request.bounds, attempt.free
    chosen = fewest(attempt.evictable(free), attempt.lacking(bounds, free))
    if chosen is None:
        return None
    freed = replace(free, ended=(*free.ended, *(Ended(lease.stream_id, lease.groups) for lease in chosen)))
    # The total as it was seen: no stream is evicted if a slot has become free meanwhile.
    as_seen = AsSeen(state.stream_count, state.stream_count - freed.slots + 1)
    counts = tuple(as_seen if bound.group is None else bound for bound in bounds)
    evict = attempt.recounted(replace(attempt.admit(freed), counts=counts))
    if not attempt.fits(bounds, evict):
        return None
    most = max(attempt.request.limit, attempt.live.count)  # evicted streams keep their tokens for a while
    return _postpone(attempt, evict, most) or Try(evict, Outcome.EVICTED)


def _without_expired(attempt: Attempt) -> Admit | None:
    """Return the write that admits the newcomer in place of expired slots, if they make room."""
    reclaim = attempt.recounted(attempt.admit(attempt.free))
    return reclaim if attempt.fits(attempt.request.bounds, reclaim) else None


def _exceeded(attempt: Attempt) -> Sequence[Bound]:
    """Return the limits that refuse a start: those that are full, and in which no eviction makes room."""
    policy, bounds, free = attempt.policy, attempt.request.bounds, attempt.free
    lacking = attempt.lacking(bounds, free)
    full = [bound for bound in bounds if bound.group in lacking]
    if policy.on_limit is OnLimit.EVICT_OLDEST and policy.enforcement is Enforcement.ENFORCE:
        evictable = attempt.evictable(free)
        full = [bound for bound in full if fewest(evictable, {bound.group: lacking[bound.group]}) is None]
    return full


def _refusing(attempt: Attempt) -> Bound:
    """Return the limit that a refusal names, even if a store rejected a write that fits every limit."""
    return (*_exceeded(attempt), *attempt.request.bounds)[0]


def _outcome(attempt: Attempt, admit: Admit) -> Outcome:
    """Return the outcome of a start that frees these slots."""
    freed = admit.freed
    if freed.anonymous.count or any(not attempt.is_live(lease) for lease in freed.expired):
        return Outcome.RECLAIMED
    return Outcome.REPLACED if freed.streams else Outcome.ADMITTED


def _postpone(attempt: Attempt, admit: Admit | None, limit: int) -> Postpone | None:
    """Put a newcomer off whose name is one too many. An anonymous newcomer adds no name."""
    match admit:
        case Admit(newcomer=Lease(stream_id=own), names=Recounted(names=names)):
            too_many = len(names) - limit - attempt.overlap
            if too_many > 0:
                over_last = by_end(attempt.state, names - {own})[too_many - 1]
                return Postpone(over_last.expires_at + attempt.policy.grace_seconds)
    return None
