"""The rules: which write a request asks for first, and what to do when that write was refused.

Pure and total: every decision is a function of the state that was seen, the request, the policy
and the clock. `docs/leases.md` tells the same in prose.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, floor
from typing import Final

from domain.requests import Heartbeat, StartAnonymous, StartNamed, StartRequest
from domain.streams import CEILING, NO_SLOTS, Lease, LiveStreams, Snapshot
from domain.writes import NOTHING, Admit, AnonymousStream, Extend, Freed, is_over, permits

MAX_STREAMS: Final = 3
"""How many streams a user may watch at once, when nothing else is configured."""

DAY_SECONDS: Final = 86_400


class OnLimit(StrEnum):
    """What a start meets when every slot is taken by a live stream."""

    REJECT = "reject"
    EVICT_OLDEST = "evict_oldest"


class Enforcement(StrEnum):
    """Whether the limit is enforced, or a start above it only recorded (a roll-out's first step)."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class OnStoreFailure(StrEnum):
    """What a start or heartbeat is told while the store is away: no, or an unverified yes."""

    CLOSED = "closed"
    OPEN = "open"


class Outcome(StrEnum):
    """What became of a request, in one word."""

    ADMITTED = "admitted"
    REPLAYED = "replayed"
    RECLAIMED = "reclaimed"
    REPLACED = "replaced"
    EVICTED = "evicted"
    WOULD_REFUSE = "would_refuse"
    UNVERIFIED = "unverified"
    EXTENDED = "extended"
    ENDED = "ended"
    ALREADY_ENDED = "already_ended"
    LISTED = "listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the service behaves: one value, made of the settings.

    Attributes:
        lease_seconds: how long a named stream holds its slot without a heartbeat.
        heartbeat_seconds: how often players are told to send one; shorter than the lease.
        grace_seconds: how long an expired slot stays live still, for clocks that disagree.
        anonymous_seconds: how long after the last anonymous start the anonymous slots are
            presumed over; 0 = never.
        on_limit: what a start meets when every slot is taken.
        enforcement: whether the limit is enforced.
        on_store_failure: what to answer while the store is away.
    """

    lease_seconds: int = 90
    heartbeat_seconds: float = 30
    grace_seconds: int = 2
    anonymous_seconds: int = 43_200
    on_limit: OnLimit = OnLimit.REJECT
    enforcement: Enforcement = Enforcement.ENFORCE
    on_store_failure: OnStoreFailure = OnStoreFailure.CLOSED

    def lease_of(self, request: StartNamed, now: float) -> Lease:
        """The lease that a start takes now."""
        return Lease(request.stream_id, floor(now), self.lease_until(now), request.device)

    def lease_until(self, now: float) -> int:
        """When a lease that is taken or extended now ends."""
        return ceil(now + self.lease_seconds)

    def anonymous_until(self, now: float) -> int | None:
        """When anonymous slots are presumed over if none is taken after now; `None` = never."""
        return ceil(now + self.anonymous_seconds) if self.anonymous_seconds else None

    def retain_until(self, now: float) -> int | None:
        """When a user's whole state may be swept, as everything in it is long over; `None` = never."""
        if not self.anonymous_seconds:
            return None
        return ceil(now) + max(self.lease_seconds, self.anonymous_seconds) + DAY_SECONDS

    def over_since(self, now: float) -> int:
        """The latest expiry that counts as over now: the grace has passed as well."""
        return floor(now) - self.grace_seconds

    def anonymous_over_since(self, now: float) -> int | None:
        """The same for anonymous slots; `None` = they never expire."""
        return self.over_since(now) if self.anonymous_seconds else None

    def is_live(self, lease: Lease, now: float) -> bool:
        """Whether the lease still holds its slot against others."""
        return lease.expires_at > self.over_since(now)

    def live(self, state: Snapshot, now: float) -> LiveStreams:
        """The live part of a user's state."""
        over = is_over(state.anonymous, self.anonymous_over_since(now))
        leases = (lease for lease in state.leases.values() if self.is_live(lease, now))
        return LiveStreams(
            leases=tuple(sorted(leases, key=_age)),
            anonymous_count=0 if over else state.anonymous.count,
        )

    def expired(self, state: Snapshot, now: float) -> Freed:
        """The part of a user's state that is over, and still takes slots."""
        leases = (lease for lease in state.leases.values() if not self.is_live(lease, now))
        over = is_over(state.anonymous, self.anonymous_over_since(now))
        return Freed(
            expired=tuple(sorted(leases, key=_age)),
            anonymous=state.anonymous if over else NO_SLOTS,
        )


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
class Refuse:
    """The answer is no."""


Decision = Try | Settled | Refuse


def first_start(request: StartRequest, policy: Policy, now: float) -> Try:
    """The write that a start begins with, knowing nothing of the state: right for every ordinary call."""
    replaces = request.replaces if isinstance(request, StartNamed) else None
    if replaces is None:
        return Try(_admit(request, policy, now, request.limit), Outcome.ADMITTED)
    return Try(_admit(request, policy, now, request.limit, Freed(ended=(replaces,))), Outcome.REPLACED)


def decide_start(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision:
    """What to do about a start whose write was refused by this state. The order of the rules matters."""
    return (
        _replay(state, request, policy, now)
        or _room(state, request, policy, now)
        or _reclaim(state, request, policy, now)
        or _shadow(state, request, policy, now)
        or _evict(state, request, policy, now)
        or Refuse()
    )


def heartbeat_write(request: Heartbeat, policy: Policy, now: float) -> Extend:
    """The write that a heartbeat makes."""
    return Extend(request.user_id, request.stream_id, policy.lease_until(now), policy.retain_until(now))


def _replay(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """An earlier try of this very request landed, or the same player comes back: it has its slot."""
    if isinstance(request, StartAnonymous):
        return Settled(Outcome.REPLAYED) if request.mark in state.marks else None
    lease = state.leases.get(request.stream_id)
    if lease is None or not policy.is_live(lease, now):
        return None
    replaces = request.replaces if request.replaces in state.leases else None
    left = lease.expires_at - now
    if replaces is None and left >= policy.lease_seconds - policy.heartbeat_seconds:
        return Settled(Outcome.REPLAYED)
    renewal = Extend(
        request.user_id,
        request.stream_id,
        max(policy.lease_until(now), lease.expires_at),
        policy.retain_until(now),
        replaces,
    )
    return Try(renewal, Outcome.REPLAYED if replaces is None else Outcome.REPLACED)


def _room(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """The state moved meanwhile, and the plain write fits it now."""
    replaced = _replaced(state, request)
    plain = _admit(request, policy, now, request.limit, replaced)
    outcome = Outcome.REPLACED if replaced.ended else Outcome.ADMITTED
    return Try(plain, outcome) if permits(state, plain) else None


def _reclaim(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """There is room once the expired slots are gone."""
    freed = _over_and_replaced(state, request, policy, now)
    reclaim = _admit(request, policy, now, request.limit, freed)
    return Try(reclaim, Outcome.RECLAIMED) if permits(state, reclaim) else None


def _shadow(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """The limit is not enforced: admit above it, and say that it would have been a refusal."""
    if policy.enforcement is not Enforcement.SHADOW:
        return None
    freed = _over_and_replaced(state, request, policy, now)
    above = _admit(request, policy, now, CEILING, freed)
    return Try(above, Outcome.WOULD_REFUSE) if permits(state, above) else Refuse()


def _evict(state: Snapshot, request: StartRequest, policy: Policy, now: float) -> Decision | None:
    """Make room by ending the user's oldest named streams, as few as it takes."""
    if policy.on_limit is not OnLimit.EVICT_OLDEST or request.limit == 0:
        return None
    for freed in _ever_more(state, _over_and_replaced(state, request, policy, now), policy, now):
        evict = replace(_admit(request, policy, now, request.limit, freed), tight=True)
        if permits(state, evict):
            return Try(evict, Outcome.EVICTED)
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
    newcomer: Lease | AnonymousStream
    if isinstance(request, StartNamed):
        newcomer = policy.lease_of(request, now)
    else:
        newcomer = AnonymousStream(
            request.mark, policy.anonymous_until(now), policy.anonymous_over_since(now)
        )
    return Admit(request.user_id, newcomer, limit, policy.retain_until(now), freed)


def _age(lease: Lease) -> tuple[int, str]:
    return lease.started_at, lease.stream_id
