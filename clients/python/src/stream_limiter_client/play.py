"""What both clients share: what to send, when, and what to make of the answers. It does no I/O itself."""

import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

import httpx

from stream_limiter_client.errors import LimitReached, ServiceError, StreamGone

REQUEST_SECONDS: Final = 5.0
"""For one request: the service answers within 3 s, whatever happens behind it."""
PATIENCE_SECONDS: Final = 15.0
FIRST_DELAY_SECONDS: Final = 0.3
LONGEST_DELAY_SECONDS: Final = 10.0
MOST_DOUBLINGS: Final = 8  # more of them make no longer delay, and at last no number

_KINDS: Final[Mapping[str, type[ServiceError]]] = {"limit_reached": LimitReached, "stream_gone": StreamGone}


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time and chance come from.

    Attributes:
        now: epoch seconds; not a monotonic clock, which stands still while a machine sleeps.
        random: from 0 to 1, for jitter.
        patience_seconds: how long a call is repeated while nothing answers.
    """

    now: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    patience_seconds: float = PATIENCE_SECONDS

    def delay(self, failures: int, error: ServiceError, longest: float = LONGEST_DELAY_SECONDS) -> float:
        """How long to wait after so many failures in a row: doubled each time, with jitter."""
        doubled = min(
            FIRST_DELAY_SECONDS * 2.0 ** min(failures, MOST_DOUBLINGS), LONGEST_DELAY_SECONDS, longest
        )
        return max(error.retry_after, doubled * (0.5 + self.random() / 2))

    def backoff(self, patience_seconds: float | None = None) -> "Backoff":
        """The pauses of one call that is repeated."""
        patience = self.patience_seconds if patience_seconds is None else patience_seconds
        return Backoff(self, self.now() + patience)


@dataclass(slots=True)
class Backoff:
    """The pauses between the tries of one call, until patience has run out."""

    timing: Timing
    until: float
    failures: int = 0

    def pause_after(self, error: ServiceError) -> float:
        """How long to wait before the next try.

        Raises:
            ServiceError: this very error, when another try is no use or comes too late.
        """
        self.failures += 1
        delay = self.timing.delay(self.failures, error)
        if not error.is_passing or self.timing.now() + delay > self.until:
            raise error
        return delay


class Next(Enum):
    """What a heartbeat that failed leads to."""

    TRY_AGAIN = auto()
    START_AGAIN = auto()
    STOP = auto()


@dataclass(slots=True)
class Play:
    """One stream's life, by its player's clock.

    Attributes:
        user_id: whose it is; `None` where the token says so.
        stream_id: its name, new for each play.
    """

    timing: Timing
    user_id: str | None
    device: str | None
    replaces: str | None
    stream_id: str
    lease_until: float = 0
    _is_name_used: bool = field(default=False, init=False)
    _heartbeat_seconds: float = field(default=0, init=False)
    _next_heartbeat_at: float = field(default=0, init=False)
    _failures: int = field(default=0, init=False)

    def start_body(self) -> dict[str, str]:
        """What a start says."""
        return self.body() | _given(device=self.device, replaces=self.replaces)

    def body(self) -> dict[str, str]:
        """What a heartbeat and an end say."""
        return _given(userId=self.user_id, streamId=self.stream_id)

    def begin(self, *, hands_over: bool) -> None:
        """Take a new name, unless this one was never admitted; a slot that is held goes over to it."""
        if self._is_name_used:
            held = self.stream_id
            self.renamed()
            self.replaces = held if hands_over else None

    def hold(self, answer: Any, asked_at: float) -> None:
        """Note that the slot is ours, from when it was asked for: no longer than the service means.

        Raises:
            ServiceError: this is no answer of the service.
        """
        try:
            lease_until = asked_at + answer["expiresInSeconds"]
            heartbeat_seconds = float(answer["heartbeatSeconds"])
        except (LookupError, TypeError, ValueError) as error:
            raise ServiceError(0, {"detail": "What answered is not the service."}) from error
        self._is_name_used = True
        self.lease_until = lease_until
        self._heartbeat_seconds = heartbeat_seconds
        self._failures = 0
        self._next_heartbeat_at = self.timing.now() + self._heartbeat_seconds

    def seconds_to_heartbeat(self) -> float:
        """How long to wait before the next heartbeat."""
        return max(0.0, self._next_heartbeat_at - self.timing.now())

    def after_failure(self, error: ServiceError, asked_at: float) -> Next:
        """Whose lease had run out may ask again. Who lost its slot before that was evicted, and stops."""
        if isinstance(error, StreamGone):
            return Next.START_AGAIN if asked_at >= self.lease_until else Next.STOP
        self._failures += 1
        delay = self.timing.delay(self._failures, error, self._heartbeat_seconds)
        self._next_heartbeat_at = self.timing.now() + delay
        return Next.TRY_AGAIN

    def renamed(self) -> None:
        """Begin a new play: a late packet of the old one cannot end it."""
        self.stream_id = fresh_stream_id()
        self.replaces = None
        self.lease_until = 0
        self._is_name_used = False


def fresh_stream_id() -> str:
    """A name that no other play has."""
    return secrets.token_hex(12)


def answer_of(response: httpx.Response) -> Any:
    """The answer's JSON.

    Raises:
        ServiceError: it is not 200, or no JSON.
    """
    try:
        told = response.json()
    except ValueError:
        raise ServiceError(0 if response.is_success else response.status_code, {}) from None
    if response.is_success:
        return told
    problem = told if isinstance(told, dict) else {}
    kind = _KINDS.get(problem.get("code", ""), ServiceError)
    wait = response.headers.get("retry-after", "")
    raise kind(response.status_code, problem, float(wait) if wait.isdecimal() else 0)


def headers_of(token: str | None) -> dict[str, str]:
    """The header that carries the caller's token."""
    return {} if token is None else {"authorization": f"Bearer {token}"}


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
