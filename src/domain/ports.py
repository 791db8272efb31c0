"""The ports of the domain. Adapters implement them; the domain imports no adapter."""

from collections.abc import Iterator
from typing import Protocol

from domain.streams import Lease, Snapshot
from domain.values import value_object
from domain.writes import Write


class Clock(Protocol):
    """The time, and a way to wait."""

    def now(self) -> float:
        """Return the wall clock in epoch seconds. Hosts may differ by less than the grace."""
        ...

    def monotonic(self) -> float:
        """Return seconds since a fixed moment, which never go back. For deadlines and durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for this time."""
        ...


@value_object
class Deadline:
    """The time by which a request must have its answer: set once, and passed to every step.

    Attributes:
        clock: measures the time left.
        at: the time, on the clock's monotonic scale.
    """

    clock: Clock
    at: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> "Deadline":
        """Return the deadline that is this many seconds ahead."""
        return cls(clock, clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left; negative when the deadline has passed."""
        return self.at - self.clock.monotonic()


@value_object
class Landed:
    """The write took effect; `state` is the user's state after it."""

    state: Snapshot


@value_object
class Rejected:
    """The write's condition did not hold on `state`. Nothing changed."""

    state: Snapshot


class StreamRepository(Protocol):
    """The store of each user's streams. An unknown user has the empty `Snapshot`."""

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
        """Make one conditional change to one user's state, as `domain.transitions` defines it.

        Condition, change and the returned state are one atomic step: no other write to that
        user comes in between. A repository may repeat the step if its outcome is unknown; the first
        attempt may then have landed, and `Rejected` holds a state that shows its effect.

        Raises:
            StoreUnavailable: no outcome within the deadline; the write may or may not have landed.
            StoreThrottled: the store throttled it; it did not land, unless an earlier attempt did.
            StoreContended: earlier writes of the request left no time for an attempt.
            StoreFault: the store rejects such requests as wrong.
        """
        ...

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:
        """Return the user's state, with every write that landed before this call.

        Raises:
            StoreUnavailable, StoreThrottled, StoreContended, StoreFault: as for `apply`.
        """
        ...


@value_object
class Proof:
    """The proof in a playback token that it was issued for this user's stream.

    Attributes:
        expires_at: when the token expires, or expired.
        session_until: the time until which its holder may renew it without a login; `None` = never.
    """

    expires_at: float
    session_until: int | None


class TokenIssuer(Protocol):
    """The issuer of playback tokens: texts that give a player access to video until a lease ends."""

    def prepare(self) -> None:
        """Prepare to issue tokens at the beginning of each request that may need one. It may make one call.

        Raises:
            TokensUnavailable: no tokens can be issued now.
        """
        ...

    def issue(self, user_id: str, lease: Lease, now: float, session_until: int | None = None) -> str:
        """Return the token of this user's lease, which ends with the lease. This makes no call.

        Raises:
            TokensUnavailable: no token can be issued.
        """
        ...

    def proof(self, token: str, user_id: str, stream_id: str) -> Proof | None:
        """Return the proof in a token for this user's stream, expired or not. This makes no call.

        Returns:
            `None` if the text is not a token, or is that of another user, stream or issuer.

        Raises:
            TokensUnavailable: no token can be checked now.
        """
        ...


class Census(Protocol):
    """All users, for operators: it reads the whole store."""

    def estimate(self) -> int:
        """Return the approximate number of users for a progress display; it may be hours old.

        Raises:
            StoreError: the store could not be read.
        """
        ...

    def states(self) -> Iterator[tuple[str, Snapshot]]:
        """Yield each user with its state, in no particular order.

        Each state is consistent, but they are not all of the same moment.

        Raises:
            StoreError: the store could not be read.
        """
        ...
