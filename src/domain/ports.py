"""What the domain asks of the world around it. Adapters implement these; the domain imports none of them."""

from collections.abc import Iterator
from typing import Protocol

from domain.streams import Lease, Snapshot
from domain.values import value_object
from domain.writes import Write


class Clock(Protocol):
    """Tells the time, and lets it pass."""

    def now(self) -> float:
        """The wall clock in epoch seconds. May be off by less than the grace between hosts."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back. For deadlines and durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        ...


@value_object
class Deadline:
    """The moment by which a request must have its answer: set once, handed down to every step.

    Attributes:
        clock: tells how much is left.
        at: the moment, on the clock's monotonic scale.
    """

    clock: Clock
    at: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> "Deadline":
        """The deadline that lies so many seconds ahead."""
        return cls(clock, clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left; negative when it has passed."""
        return self.at - self.clock.monotonic()


@value_object
class Landed:
    """The write took effect; `state` is the user's state after it."""

    state: Snapshot


@value_object
class Rejected:
    """The write's condition did not hold; `state` is what it met. Nothing changed."""

    state: Snapshot


class StreamRepository(Protocol):
    """Keeps each user's streams. A user that it has never heard of has the empty `Snapshot`."""

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
        """Make one conditional change to one user's state, as `domain.writes` defines it.

        Condition, change and the returned state are one atomic step: no other write to that
        user comes in between. A repository may repeat the step when it did not learn its outcome;
        the first try may then have landed, and `Rejected` shows a state that holds its effect.

        Raises:
            StoreUnavailable: no outcome within the deadline; the write may or may not have landed.
            StoreThrottled: the store turned it away; it did not land, unless an earlier try did.
            StoreContended: earlier writes of the request left no time for one attempt.
            StoreFault: the store refuses such requests altogether.
        """
        ...

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:
        """The user's state, with every write that landed before this call.

        Raises:
            StoreUnavailable, StoreThrottled, StoreContended, StoreFault: as for `apply`.
        """
        ...


@value_object
class Proof:
    """What a playback token proves: that it was issued for this user's stream.

    Attributes:
        expires_at: when the token ends, or has ended.
        session_until: until when its holder may renew it without a login; `None` = never.
    """

    expires_at: float
    session_until: int | None


class TokenIssuer(Protocol):
    """Issues playback tokens, texts that let a player have video until a lease ends, and recognises them."""

    def prepare(self) -> None:
        """Make ready to issue tokens: begins each request that may need one, and may take one call.

        Raises:
            TokensUnavailable: no tokens can be issued now.
        """
        ...

    def issue(self, user_id: str, lease: Lease, now: float, session_until: int | None = None) -> str:
        """Return the token of this user's lease: it ends when the lease does. Calls nothing.

        Raises:
            TokensUnavailable: it cannot be issued.
        """
        ...

    def proof(self, token: str, user_id: str, stream_id: str) -> Proof | None:
        """Return what a text proves of this user's stream, be it expired or not. Calls nothing.

        Returns:
            `None` = nothing: it is no token, or one of another user, stream or issuer.

        Raises:
            TokensUnavailable: that cannot be known now.
        """
        ...


class Census(Protocol):
    """Goes through every user that there is. For operators: it reads the whole store."""

    def estimate(self) -> int:
        """About how many users there are, for a progress display; may be hours old."""
        ...

    def states(self) -> Iterator[tuple[str, Snapshot]]:
        """Each user with its state, in no particular order.

        Each state is a consistent one, but not all are of the same moment.
        """
        ...
