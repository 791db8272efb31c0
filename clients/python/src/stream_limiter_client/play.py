"""The protocol shared by both clients: the requests, their times, and the use of the answers. No I/O."""

import random
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf, nan
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from stream_limiter_client.errors import LimitReached, ServiceError, StreamGone, TooManyStarts
from stream_limiter_client.heartbeat_url import HeartbeatUrl, is_answer

REQUEST_SECONDS: Final = 5.0
"""The timeout of one request: the service answers within 3 s, even if its dependencies fail."""
PATIENCE_SECONDS: Final = 15.0
FIRST_DELAY_SECONDS: Final = 0.3
LONGEST_DELAY_SECONDS: Final = 10.0
LONGEST_RETRY_AFTER_SECONDS: Final = 300.0
"""The longest delay of a heartbeat, whatever a proxy requests."""
LONGEST_LEASE_SECONDS: Final = 86_400.0
"""The longest lease that a service can have."""
MAX_DOUBLINGS: Final = 8  # more would not lengthen the delay, but finally overflow

_KINDS: Final[Mapping[str, type[ServiceError]]] = {
    "limit_reached": LimitReached,
    "stream_gone": StreamGone,
    "too_many_starts": TooManyStarts,
}

Field = str | int | tuple[str, ...] | Mapping[str, int]
Auth = httpx.Auth | Callable[[httpx.Request], httpx.Request] | None


@dataclass(frozen=True, slots=True)
class Timing:
    """The sources of time and randomness.

    Attributes:
        now: epoch seconds; not a monotonic clock, which stops while a machine sleeps.
        random: a number from 0 to 1, for jitter.
        patience_seconds: how long an unanswered call is retried.
    """

    now: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    patience_seconds: float = PATIENCE_SECONDS

    def delay(self, failures: int, error: ServiceError, longest: float = LONGEST_DELAY_SECONDS) -> float:
        """Return the delay after consecutive failures: exponential backoff with jitter."""
        doubled = min(
            FIRST_DELAY_SECONDS * 2.0 ** min(failures, MAX_DOUBLINGS), LONGEST_DELAY_SECONDS, longest
        )
        return max(error.retry_after, doubled * (0.5 + self.random() / 2))


@dataclass(frozen=True, slots=True)
class Post:
    """A request to be sent; the play continues with its answer or its `ServiceError`.

    Attributes:
        path: the path of an API operation, or a full URL outside the API.
        body: the JSON body.
        seconds: the timeout, which does not exceed the lease, so that a lapse is noticed in time.
        is_signed: whether the request carries the caller's login.
    """

    path: str
    body: Mapping[str, Field]
    seconds: float = REQUEST_SECONDS
    is_signed: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait; the play continues with whether it was stopped meanwhile."""

    seconds: float


class Notice(Enum):
    """An event that triggers a callback; the play continues with whether it was stopped meanwhile."""

    LAPSED = auto()
    """The lease expired before an answer extended it."""
    ADMITTED = auto()
    """The slot was taken again after a lapse, by an automatic restart."""


Steps = Generator[Post | Pause | Notice, Any, None]
"""The steps that a client executes in order: it sends, waits and calls back, but decides nothing."""


def fresh_name() -> str:
    """Return a unique name for a screen or a play."""
    return secrets.token_hex(12)


@dataclass(slots=True)
class Play:
    """The life of one stream, one play after another, by its player's clock.

    Attributes:
        user_id: the stream's user; `None` if the token identifies the user.
        replaces: the stream that a start replaces, until that stream is known to have ended.
        stream_id: the screen's name, which never changes.
        max_streams: the user's limit; `None` if the caller does not set it.
        groups: the groups in which the stream counts as well, from the latest admitted start.
        group_limits: the user's group limits; `None` if the caller does not set them.
        nonce: the API's `play`, which distinguishes this play from earlier ones, whose late ends are ignored.
        is_lapsed: whether the lease has expired, and the slot is neither taken again nor lost yet.
    """

    timing: Timing
    user_id: str | None
    device: str | None
    replaces: str | None
    stream_id: str
    max_streams: int | None = None
    groups: tuple[str, ...] = ()
    group_limits: Mapping[str, int] | None = None
    nonce: str = field(default_factory=fresh_name, init=False)
    is_lapsed: bool = field(default=False, init=False)
    _has_lease: bool = field(default=False, init=False)
    _lease_until: float = field(default=0, init=False)
    _token: str | None = field(default=None, init=False)
    _token_until: float = field(default=0, init=False)
    _heartbeat_url: HeartbeatUrl = field(default_factory=HeartbeatUrl, init=False)
    _heartbeat_seconds: float = field(default=0, init=False)
    _next_heartbeat_at: float = field(default=0, init=False)
    _is_verified: bool = field(default=True, init=False)

    @property
    def playback_token(self) -> str | None:
        """The newest playback token; `None` if there is none or it has expired."""
        return self._token if self.timing.now() < self._token_until else None

    def start(
        self, *, is_held: bool, replaces: str | None = None, groups: Iterable[str] | None = None
    ) -> Steps:
        """Take a slot, or reuse the one that is held. A start that fails changes nothing.

        A start does not outlast the lease of a held slot, so that a lapse is noticed in time.

        Args:
            is_held: whether a slot is held, whose heartbeats wait for the answer: this shortens the patience.
            replaces: a stream that ends at the same moment.
            groups: the groups in which the stream counts from now on; `None` keeps the present ones.

        Raises:
            ServiceError: the slot was refused, or the service did not answer within the patience.
        """
        patience = self.timing.patience_seconds
        if is_held:
            patience = min(patience, self._heartbeat_seconds, self._seconds_to_lapse() or inf)
        requested = self.groups if groups is None else tuple(groups)
        try:
            yield from self._take_slot(patience, replaces or self.replaces, requested)
        except LimitReached as refusal:
            if not (is_held and refusal.names(self.stream_id)):
                self._lose()
            raise

    def keep(self) -> Steps:
        """Hold the slot, and take it again after its lease has expired, until the play is stopped.

        Raises:
            ServiceError: the slot is gone; the error is the reason.
        """
        until_due = self._next_heartbeat_at - self.timing.now()
        failures, pause = 0, max(0.0, min(until_due, self._heartbeat_seconds))
        while not (yield Pause(min(pause, self._seconds_to_lapse()))):
            if not self._seconds_to_lapse():
                self.is_lapsed, self._has_lease = True, False
                if (yield Notice.LAPSED):
                    return
            was_lapsed = self.is_lapsed
            try:
                yield from self._renew()
            except ServiceError as error:
                if isinstance(error, StreamGone) or not (self._has_lease or error.is_passing):
                    self._lose()
                    raise
                failures += 1
                pause = self.timing.delay(failures, error, self._heartbeat_seconds)
                continue
            failures, pause = 0, self._heartbeat_seconds
            if was_lapsed and (yield Notice.ADMITTED):
                return

    def end(self) -> Steps:
        """Give the slot back. The next play gets a new nonce, so a late end does not end it.

        Raises:
            ServiceError: the call failed.
        """
        body = self._body() | _given(groups=self.groups or None)  # the service then needs only one write
        self.nonce = fresh_name()
        self.release()
        yield from self._retry("/stream/end", body, self.timing.patience_seconds)

    def release(self) -> None:
        """Record that the slot is no longer ours."""
        self._lose()
        self.replaces = None

    def _renew(self) -> Steps:
        """Try once to extend the lease, or to take the slot again if there is no lease.

        Raises:
            StreamGone: the slot was taken away.
            ServiceError: the attempt failed.
        """
        if self._has_lease:
            try:
                yield from self._extend()
            except StreamGone:
                if self._is_verified:
                    raise
                self._has_lease = False  # the store never had the slot, so this is not an eviction
            else:
                return
        yield from self._take_slot(0, self.replaces, self.groups)

    def _extend(self) -> Steps:
        """Send a heartbeat to the heartbeat URL if possible, and to the API if that fails."""
        target, token = self._heartbeat_url.target, self.playback_token
        if target is not None and token is not None:
            body = self._body() | {"userId": target.user_id, "playbackToken": token}
            requested_at = self.timing.now()
            try:
                self._hold((yield self._post(target.url, body, is_signed=False)), requested_at, self.replaces)
            except ServiceError as error:
                if is_answer(error):
                    raise
                self._heartbeat_url.fail(self._lease_until)
                if not self._seconds_to_lapse():
                    raise
            else:
                self._heartbeat_url.succeed()
                return
        requested_at = self.timing.now()
        answer = yield self._post("/stream/heartbeat", self._body())
        self._hold(answer, requested_at, self.replaces)
        self._heartbeat_url.learn(answer, requested_at, self.user_id)

    def _take_slot(self, patience_seconds: float, replaces: str | None, groups: tuple[str, ...]) -> Steps:
        other = None if replaces == self.stream_id else replaces
        body = self._body() | _given(
            device=self.device,
            replaces=other,
            groups=groups or None,
            maxStreams=self.max_streams,
            groupLimits=self.group_limits,
        )
        answer, requested_at = yield from self._retry("/stream/start", body, patience_seconds)
        self._hold(answer, requested_at, other)
        self._heartbeat_url.learn(answer, requested_at, self.user_id)
        self.groups = groups

    def _retry(
        self, path: str, body: Mapping[str, Field], patience_seconds: float
    ) -> Generator[Post | Pause, Any, tuple[Any, float]]:
        """Return the answer and the time of its request; retry the call until the patience has run out."""
        until = self.timing.now() + patience_seconds
        failures = 0
        while True:
            requested_at = self.timing.now()
            try:
                return (yield self._post(path, body)), requested_at
            except ServiceError as error:
                failures += 1
                delay = self.timing.delay(failures, error)
                is_too_late = self.timing.now() + delay > until
                if not error.is_passing or is_too_late or (yield Pause(delay)):
                    raise

    def _body(self) -> dict[str, Field]:
        return _given(userId=self.user_id, streamId=self.stream_id, play=self.nonce)

    def _post(self, path: str, body: Mapping[str, Field], *, is_signed: bool = True) -> Post:
        return Post(path, body, min(REQUEST_SECONDS, self._seconds_to_lapse() or inf), is_signed)

    def _seconds_to_lapse(self) -> float:
        """Return the remaining time of the lease: 0 if it has expired, `inf` once the lapse was noticed."""
        return inf if self.is_lapsed else max(0.0, self._lease_until - self.timing.now())

    def _lose(self) -> None:
        """Discard the lease and its token."""
        self.is_lapsed, self._has_lease = False, False
        self._lease_until = self._token_until = 0

    def _hold(self, answer: Any, requested_at: float, replaces: str | None) -> None:
        """Record the lease. It counts from the request, so that it does not exceed the service's own.

        Args:
            answer: the answer to a start or a heartbeat.
            requested_at: the time of that request.
            replaces: the stream to be replaced, which may not have ended if the answer is unverified.

        Raises:
            ServiceError: the answer is not from the service.
        """
        try:
            lease_seconds = float(answer["expiresInSeconds"])
            heartbeat_seconds = float(answer["heartbeatSeconds"])
        except (LookupError, TypeError, ValueError, OverflowError):
            lease_seconds = heartbeat_seconds = nan
        if not (
            0 <= lease_seconds <= LONGEST_LEASE_SECONDS and 0 < heartbeat_seconds <= LONGEST_LEASE_SECONDS
        ):
            raise ServiceError(0, {"detail": "What answered is not the service."})
        self.is_lapsed, self._has_lease = False, True
        # The service rounds the lease down; a lease of 0 seconds would lapse and restart in an endless loop.
        self._lease_until = requested_at + max(lease_seconds, heartbeat_seconds)
        self._heartbeat_seconds = heartbeat_seconds
        self._next_heartbeat_at = requested_at + heartbeat_seconds
        self._is_verified = answer.get("verified") is not False
        self.replaces = None if self._is_verified else replaces
        if token := answer.get("playbackToken"):
            self._token, self._token_until = token, self._lease_until


def answer_of(response: httpx.Response) -> Any:
    """Return the answer's JSON.

    Raises:
        ServiceError: the response is not a 200, or not JSON.
    """
    try:
        body = response.json()
    except ValueError:
        raise ServiceError(0 if response.is_success else response.status_code, {}) from None
    if response.is_success:
        return body
    error = ServiceError(response.status_code, body if isinstance(body, dict) else {}, _retry_after(response))
    kind = _KINDS.get(error.code or "", ServiceError)
    raise kind(error.status, error.problem, error.retry_after)


def _retry_after(response: httpx.Response) -> float:
    wait = response.headers.get("retry-after", "")
    return min(float(wait), LONGEST_RETRY_AFTER_SECONDS) if wait.isdecimal() else 0


def headers_of(token: str | None) -> dict[str, str]:
    """Return the header that carries the caller's token."""
    return {} if token is None else {"authorization": f"Bearer {token}"}


def list_path(user_id: str | None, max_streams: int | None) -> str:
    """Return the path of a list. SigV4 requires a space in the query to be %20, not a plus sign."""
    query = urlencode(_given(userId=user_id, maxStreams=max_streams), quote_via=quote)
    return f"/stream?{query}" if query else "/stream"


def _given(**fields: Field | None) -> dict[str, Field]:
    return {name: value for name, value in fields.items() if value is not None}
