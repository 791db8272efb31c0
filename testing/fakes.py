"""Stand-ins for the outside world, set by hand."""

import re

from adapters.in_memory import InMemoryStreamRepository
from domain.errors import TokensUnavailable
from domain.ports import Deadline, Landed, Proof, Rejected
from domain.streams import Lease, Snapshot
from domain.writes import Write


class FakeClock:
    """A `Clock` that stands still until a test moves it.

    Args:
        now: epoch seconds to begin with.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        """Return epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let this time pass, on both scales."""
        self._now += seconds
        self._monotonic += seconds

    def sleep(self, seconds: float) -> None:
        """Return at once: no test waits, and a pause of another caller moves no clock."""


class RecordingRepository:
    """A `StreamRepository` in memory that also records its calls.

    Attributes:
        writes: every write.
        seconds_left: of the deadline of every write and read.
    """

    def __init__(self) -> None:
        self._streams = InMemoryStreamRepository()
        self.writes: list[Write] = []
        self.seconds_left: list[float] = []

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
        """Make the change, if its condition holds."""
        self.writes.append(write)
        self.seconds_left.append(deadline.remaining())
        return self._streams.apply(write, deadline)

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:
        """Return the user's state."""
        self.seconds_left.append(deadline.remaining())
        return self._streams.read(user_id, deadline)

    def read_now(self, user_id: str = "user-1") -> Snapshot:
        """Return the user's state, unrecorded."""
        return self._streams.read(user_id, Deadline.after(1, FakeClock()))


class FailingRepository:
    """A `StreamRepository` that fails every call.

    Args:
        error: the error of every call.
        cause: the error that led to it, as from an adapter.
    """

    def __init__(self, error: Exception, cause: Exception | None = None) -> None:
        self._error = error
        self._cause = cause

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:  # noqa: ARG002 - fails for all
        """Fail."""
        raise self._error from self._cause

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:  # noqa: ARG002 - fails for all
        """Fail."""
        raise self._error from self._cause


class FakeTokens:
    """A `TokenIssuer` whose tokens can be read.

    Attributes:
        available: true if it can issue tokens.
    """

    def __init__(self) -> None:
        self.available = True

    def prepare(self) -> None:
        """Return if tokens can be issued now."""
        if not self.available:
            raise TokensUnavailable

    def issue(self, user_id: str, lease: Lease, now: float, session_until: int | None = None) -> str:
        """Return a token that names what it is for."""
        self.prepare()
        session = "" if session_until is None else f" in a session until {session_until}"
        return f"{user_id} {lease.stream_id} until {lease.expires_at} at {now:.0f}{session}"

    def proof(self, token: str, user_id: str, stream_id: str) -> Proof | None:
        """Return the contents of a token of this user's stream."""
        self.prepare()
        form = rf"{user_id} {stream_id} until (\d+) at \d+(?: in a session until (\d+))?"
        if not (found := re.fullmatch(form, token)):
            return None
        return Proof(int(found[1]), None if found[2] is None else int(found[2]))


def unhurried(_: int, __: int) -> bool:
    """Report nothing and limit nothing, as a proof's `Progress`."""
    return True
