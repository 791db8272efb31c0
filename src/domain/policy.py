"""The policy: how the service is configured to behave, and what that makes of a state and a clock.

`docs/leases.md` describes the same in prose.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor
from typing import Final

from domain.ports import Proof
from domain.requests import StartNamed
from domain.streams import NO_SLOTS, Lease, LiveStreams, Snapshot, age
from domain.writes import Freed, is_over

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
        token_overlap: how many streams more than the limit may have an unexpired playback token;
            `None` = there are no tokens, and no names are counted.
        open_tokens: whether a stream that is admitted unverified has a token all the same. The token
            bound does not count it.
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
        """When a lease that is taken or extended now ends."""
        return ceil(now + self.lease_seconds)

    def lets_renew(self, proof: Proof, now: float) -> bool:
        """Return whether a token may still be renewed: its lease may be over, but not for another lease."""
        return (
            proof.session_until is not None
            and now < proof.session_until
            and now <= proof.expires_at + self.lease_seconds
        )

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
            leases=tuple(sorted(leases, key=age)),
            anonymous_count=0 if over else state.anonymous.count,
        )

    def expired(self, state: Snapshot, now: float) -> Freed:
        """The part of a user's state that is over, and still takes slots."""
        leases = (lease for lease in state.leases.values() if not self.is_live(lease, now))
        over = is_over(state.anonymous, self.anonymous_over_since(now))
        return Freed(
            expired=tuple(sorted(leases, key=age)),
            anonymous=state.anonymous if over else NO_SLOTS,
        )
