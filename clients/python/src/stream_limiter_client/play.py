"""What both clients share: what to send, when, and what to make of the answers. It does no I/O itself."""

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
"""For one request: the service answers within 3 s, whatever happens behind it."""
PATIENCE_SECONDS: Final = 15.0
FIRST_DELAY_SECONDS: Final = 0.3
LONGEST_DELAY_SECONDS: Final = 10.0
LONGEST_RETRY_AFTER_SECONDS: Final = 300.0
"""A heartbeat is not put off for longer, whatever a proxy asks for."""
LONGEST_LEASE_SECONDS: Final = 86_400.0
"""No service is set to more."""
MOST_DOUBLINGS: Final = 8  # more of them make no longer delay, and at last no number

_KINDS: Final[Mapping[str, type[ServiceError]]] = {
    "limit_reached": LimitReached,
    "stream_gone": StreamGone,
    "too_many_starts": TooManyStarts,
}

Field = str | int | tuple[str, ...] | Mapping[str, int]
Auth = httpx.Auth | Callable[[httpx.Request], httpx.Request] | None


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


@dataclass(frozen=True, slots=True)
class Post:
    """A request to be sent; its answer, or the `ServiceError`, is what the play goes on with.

    Attributes:
        path: the operation's, or a whole URL that is not the API's.
        body: what is sent as JSON.
        seconds: how long to wait for the answer: not past the end of a lease, so that no lapse is late.
        is_signed: whether the caller's login goes with it.
    """

    path: str
    body: Mapping[str, Field]
    seconds: float = REQUEST_SECONDS
    is_signed: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """Time to be waited; whether the play was stopped meanwhile is what it goes on with."""

    seconds: float


class Notice(Enum):
    """An event to call back for; whether the play was stopped by then is what it goes on with."""

    LAPSED = auto()
    """The lease ran out, and no answer had extended it."""
    ADMITTED = auto()
    """The slot was taken again after a lapse, by a start that nobody asked for."""


Steps = Generator[Post | Pause | Notice, Any, None]
"""What a client does, one after the other: it sends, waits and calls back, and decides nothing."""


def fresh_name() -> str:
    """Return a name that no other screen and no other play has."""
    return secrets.token_hex(12)


@dataclass(slots=True)
class Play:
    """One stream's life, one play after the other, by its player's clock.

    Attributes:
        user_id: whose it is; `None` where the token says so.
        replaces: the stream that a start replaces, until it is known to be over.
        stream_id: the screen's name, which stays the same.
        max_streams: the user's limit; `None` where it is not the caller's to say.
        groups: those that the stream counts in beside all streams; of the latest start that was admitted.
        group_limits: the user's limits of groups; `None` where they are not the caller's to say.
        nonce: the API's `play`, which tells this play from those before it: their late ends do not count.
        is_lapsed: whether the lease ran out, and the slot is neither taken again nor lost yet.
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
        """The newest playback token; `None` when there is none, or it is over."""
        return self._token if self.timing.now() < self._token_until else None

    def start(
        self, *, is_held: bool, replaces: str | None = None, groups: Iterable[str] | None = None
    ) -> Steps:
        """Take a slot, or go on with the one that is held. One that fails changes nothing.

        It does not outlast the lease of a slot that is held, so that it puts off no lapse.

        Args:
            is_held: whether heartbeats wait for its answer: then they do not wait for long.
            replaces: a stream that ends in the same moment.
            groups: those that the stream counts in from now on; `None` = those that it has.

        Raises:
            ServiceError: the slot is refused, or nothing has answered for as long as patience lasts.
        """
        patience = self.timing.patience_seconds
        if is_held:
            patience = min(patience, self._heartbeat_seconds, self._seconds_to_lapse() or inf)
        asked = self.groups if groups is None else tuple(groups)
        try:
            yield from self._take_slot(patience, replaces or self.replaces, asked)
        except LimitReached as refusal:
            if not (is_held and refusal.names(self.stream_id)):
                self._lose()
            raise

    def keep(self) -> Steps:
        """Hold the slot, and take it again when its lease ran out, until the play is stopped.

        Raises:
            ServiceError: the slot is gone; this is why.
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
        """Give the slot back. The next play is another one, which this end, if it is late, does not end.

        Raises:
            ServiceError: the service could not be told.
        """
        body = self._body() | _given(groups=self.groups or None)  # named, they are ended in one write
        self.nonce = fresh_name()
        self.let_go()
        yield from self._insist("/stream/end", body, self.timing.patience_seconds)

    def let_go(self) -> None:
        """Note that the slot is not ours any more."""
        self._lose()
        self.replaces = None

    def _renew(self) -> Steps:
        """Extend the lease, or take the slot again where there is no lease: one try.

        Raises:
            StreamGone: the slot was taken away.
            ServiceError: the try failed.
        """
        if self._has_lease:
            try:
                yield from self._extend()
            except StreamGone:
                if self._is_verified:
                    raise
                self._has_lease = False  # the store never had it: that is no eviction
            else:
                return
        yield from self._take_slot(0, self.replaces, self.groups)

    def _extend(self) -> Steps:
        """Send a heartbeat: to the heartbeat URL if it is of use, and to the API if that does not answer."""
        target, token = self._heartbeat_url.target, self.playback_token
        if target is not None and token is not None:
            body = self._body() | {"userId": target.user_id, "playbackToken": token}
            asked_at = self.timing.now()
            try:
                self._hold((yield self._post(target.url, body, is_signed=False)), asked_at, self.replaces)
            except ServiceError as error:
                if is_answer(error):
                    raise
                self._heartbeat_url.fail(self._lease_until)
                if not self._seconds_to_lapse():
                    raise
            else:
                self._heartbeat_url.succeed()
                return
        asked_at = self.timing.now()
        answer = yield self._post("/stream/heartbeat", self._body())
        self._hold(answer, asked_at, self.replaces)
        self._heartbeat_url.learn(answer, asked_at, self.user_id)

    def _take_slot(self, patience_seconds: float, replaces: str | None, groups: tuple[str, ...]) -> Steps:
        other = None if replaces == self.stream_id else replaces
        body = self._body() | _given(
            device=self.device,
            replaces=other,
            groups=groups or None,
            maxStreams=self.max_streams,
            groupLimits=self.group_limits,
        )
        answer, asked_at = yield from self._insist("/stream/start", body, patience_seconds)
        self._hold(answer, asked_at, other)
        self._heartbeat_url.learn(answer, asked_at, self.user_id)
        self.groups = groups

    def _insist(
        self, path: str, body: Mapping[str, Field], patience_seconds: float
    ) -> Generator[Post | Pause, Any, tuple[Any, float]]:
        """Return the answer and the time of its request; repeat the call until patience has run out."""
        until = self.timing.now() + patience_seconds
        failures = 0
        while True:
            asked_at = self.timing.now()
            try:
                return (yield self._post(path, body)), asked_at
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
        """Return how long the lease runs still: 0 when it is over, `inf` once that was noticed."""
        return inf if self.is_lapsed else max(0.0, self._lease_until - self.timing.now())

    def _lose(self) -> None:
        """Note that nothing is left of the lease."""
        self.is_lapsed, self._has_lease = False, False
        self._lease_until = self._token_until = 0

    def _hold(self, answer: Any, asked_at: float, replaces: str | None) -> None:
        """Note that the slot is ours, from when it was asked for: no longer than the service means.

        Args:
            answer: to a start or a heartbeat.
            asked_at: when that was sent.
            replaces: what it was to replace: after an unverified answer that may not be over.

        Raises:
            ServiceError: this is no answer of the service.
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
        # The service rounds down; a lease of no time would lapse and start again without a pause.
        self._lease_until = asked_at + max(lease_seconds, heartbeat_seconds)
        self._heartbeat_seconds = heartbeat_seconds
        self._next_heartbeat_at = asked_at + heartbeat_seconds
        self._is_verified = answer.get("verified") is not False
        self.replaces = None if self._is_verified else replaces
        if token := answer.get("playbackToken"):
            self._token, self._token_until = token, self._lease_until


def answer_of(response: httpx.Response) -> Any:
    """Return the answer's JSON.

    Raises:
        ServiceError: it is not 200, or no JSON.
    """
    try:
        told = response.json()
    except ValueError:
        raise ServiceError(0 if response.is_success else response.status_code, {}) from None
    if response.is_success:
        return told
    error = ServiceError(response.status_code, told if isinstance(told, dict) else {}, _retry_after(response))
    kind = _KINDS.get(error.code or "", ServiceError)
    raise kind(error.status, error.problem, error.retry_after)


def _retry_after(response: httpx.Response) -> float:
    wait = response.headers.get("retry-after", "")
    return min(float(wait), LONGEST_RETRY_AFTER_SECONDS) if wait.isdecimal() else 0


def headers_of(token: str | None) -> dict[str, str]:
    """Return the header that carries the caller's token."""
    return {} if token is None else {"authorization": f"Bearer {token}"}


def list_path(user_id: str | None, max_streams: int | None) -> str:
    """Return the path of a list, its query as SigV4 wants it: a space is %20, and no plus sign."""
    query = urlencode(_given(userId=user_id, maxStreams=max_streams), quote_via=quote)
    return f"/stream?{query}" if query else "/stream"


def _given(**fields: Field | None) -> dict[str, Field]:
    return {name: value for name, value in fields.items() if value is not None}
