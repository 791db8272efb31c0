"""The policy: the configured behaviour of the service, applied to a state at a given time.

`docs/leases.md` describes it in prose.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor
from typing import Final

from domain.ports import Proof
from domain.requests import StartNamed
from domain.streams import NO_SLOTS, Lease, LiveStreams, Snapshot, age
from domain.writes import Freed, have_expired

MAX_STREAMS: Final = 3
"""The number of streams that a user may watch at once by default."""

DAY_SECONDS: Final = 86_400


class OnLimit(StrEnum):
    """The treatment of a start when live streams take every slot."""

    REJECT = "reject"
    EVICT_OLDEST = "evict_oldest"


class Enforcement(StrEnum):
    """The treatment of a start above the limit: refused, or only recorded (the first step of a roll-out)."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class OnStoreFailure(StrEnum):
    """The answer to a start or heartbeat while the store is unavailable: an error, or an unverified yes."""

    CLOSED = "closed"
    OPEN = "open"


class Outcome(StrEnum):
    """The result of a request, in one word."""

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
    """The behaviour of the service, as the settings define it.

    Attributes:
        lease_seconds: how long a named stream holds its slot without a heartbeat.
        heartbeat_seconds: the interval of heartbeats, which answers state; shorter than the lease.
        grace_seconds: how long a slot stays live after its expiry, as clocks differ.
        anonymous_seconds: how long after the last anonymous start the anonymous streams are
            presumed to have ended; 0 = never.
        on_limit: the treatment of a start when every slot is taken.
        enforcement: whether the limit is enforced.
        on_store_failure: the answer while the store is unavailable.
        token_overlap: the number of streams above the limit that may have an unexpired playback token;
            `None` = there are no tokens, and no names are counted.
        open_tokens: whether a stream that is admitted unverified still gets a token. The token bound does
            not count it.
    """

    lease_seconds: int = 90
    heartbeat_seconds: float = 30
    grace_seconds: int = 2
    anonymous_seconds: int = 43_200
    on_limit: OnLimit = OnLimit.REJECT
    enforcement: Enforcement = Enforcement.ENFORCE
    on_store_failure: OnStoreFailure = OnStoreFailure.CLOSED
    token_overlap: int | None = None
    open_tokens: bool = False

    def lease_of(self, request: StartNamed, now: float) -> Lease:
        """Return the lease that a start takes now."""
        return Lease(
            request.stream_id,
            floor(now),
            self.lease_until(now),
            request.device,
            request.play,
            request.path_prefix,
            request.groups,
        )

    def lease_until(self, now: float) -> int:
        """Return when a lease that is taken or extended now expires."""
        return ceil(now + self.lease_seconds)

    def allows_renewal(self, proof: Proof, now: float) -> bool:
        """Return whether a token may still be renewed, at most one lease after its own lease has expired."""
        return (
            proof.session_until is not None
            and now < proof.session_until
            and now <= proof.expires_at + self.lease_seconds
        )

    def anonymous_until(self, now: float) -> int | None:
        """Return when anonymous streams are presumed to have ended, if none starts later; `None` = never."""
        return ceil(now + self.anonymous_seconds) if self.anonymous_seconds else None

    def retain_until(self, now: float) -> int | None:
        """Return when a user's state may be deleted, as everything in it has expired; `None` = never."""
        if not self.anonymous_seconds:
            return None
        return ceil(now) + max(self.lease_seconds, self.anonymous_seconds) + DAY_SECONDS

    def latest_expired(self, now: float) -> int:
        """Return the latest expiry that counts as expired now: the grace has passed too."""
        return floor(now) - self.grace_seconds

    def latest_expired_anonymous(self, now: float) -> int | None:
        """Return the same for anonymous slots; `None` = they never expire."""
        return self.latest_expired(now) if self.anonymous_seconds else None

    def is_live(self, lease: Lease, now: float) -> bool:
        """Return whether the lease still holds its slot against others."""
        return lease.expires_at > self.latest_expired(now)

    def live(self, state: Snapshot, now: float) -> LiveStreams:
        """Return the live part of a user's state."""
        anonymous_expired = have_expired(state.anonymous, self.latest_expired_anonymous(now))
        leases = (lease for lease in state.leases.values() if self.is_live(lease, now))
        return LiveStreams(
            leases=tuple(sorted(leases, key=age)),
            anonymous_count=0 if anonymous_expired else state.anonymous.count,
        )

    def expired(self, state: Snapshot, now: float) -> Freed:
        """Return the part of a user's state that has expired, but still takes slots."""
        leases = (lease for lease in state.leases.values() if not self.is_live(lease, now))
        anonymous_expired = have_expired(state.anonymous, self.latest_expired_anonymous(now))
        return Freed(
            expired=tuple(sorted(leases, key=age)),
            anonymous=state.anonymous if anonymous_expired else NO_SLOTS,
        )
