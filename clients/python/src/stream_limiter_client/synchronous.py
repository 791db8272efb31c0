"""The client for threads."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import httpx

from stream_limiter_client.answers import UserStreams
from stream_limiter_client.errors import LimitReached, ServiceError
from stream_limiter_client.play import (
    REQUEST_SECONDS,
    Auth,
    Notice,
    Pause,
    Play,
    Steps,
    Timing,
    answer_of,
    fresh_name,
    headers_of,
    list_path,
)

Token = str | Callable[[], str] | None
OnGone = Callable[[ServiceError], object]
OnNotice = Callable[[], object]

_logger = logging.getLogger(__name__)


class StreamLimiter:
    """The service, for one player or many.

    Args:
        url: where the API is.
        token: the caller's JWT, or what gets one; asked before every request.
        auth: what signs each request, in httpx's way, where callers sign (`auth = iam`).
        transport: httpx's way to the network, where it is not the usual one.
        timing: clock, chance and patience.
    """

    def __init__(
        self,
        url: str,
        token: Token = None,
        *,
        auth: Auth = None,
        transport: httpx.BaseTransport | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.timing = timing or Timing()
        self._token = token
        self._http = httpx.Client(base_url=url, auth=auth, timeout=REQUEST_SECONDS, transport=transport)

    def stream(  # noqa: PLR0913 - all but the user have a default, and a name in every call
        self,
        user_id: str | None,
        *,
        device: str | None = None,
        replaces: str | None = None,
        max_streams: int | None = None,
        groups: Iterable[str] = (),
        group_limits: Mapping[str, int] | None = None,
        stream_id: str | None = None,
        on_gone: OnGone | None = None,
        on_lapsed: OnNotice | None = None,
        on_admitted: OnNotice | None = None,
    ) -> "Stream":
        """Return a stream, which `with` or `start()` starts.

        Args:
            user_id: whose it is; `None` where the token says so.
            device: a label for people, such as "living room".
            replaces: a stream of the same user that ends in the same moment.
            max_streams: the user's limit, where callers sign; by default the service's.
            groups: those that it counts in beside all streams, such as `["uhd"]`; a start may name others.
            group_limits: the user's limits of groups, where callers sign; by default the service's.
            stream_id: the screen's name, where it outlives the process; by default each stream makes one.
            on_gone: called, in the heartbeats' thread, when the slot was taken away.
            on_lapsed: called there when the lease ran out and no answer had extended it: pause. The stream
                starts again by itself, for as long as it takes.
            on_admitted: called there when that start took a slot: play on.
        """
        play = Play(
            self.timing,
            user_id,
            device,
            replaces,
            stream_id or fresh_name(),
            max_streams,
            tuple(groups),
            group_limits,
        )
        return Stream(self, play, on_gone, {Notice.LAPSED: on_lapsed, Notice.ADMITTED: on_admitted})

    def streams(self, user_id: str | None, *, max_streams: int | None = None) -> UserStreams:
        """List the user's live streams.

        Args:
            user_id: whose they are; `None` where the token says so.
            max_streams: the user's limit, where callers sign; by default the service's.

        Raises:
            ServiceError: the service does not answer, or not with a list.
        """
        return UserStreams.of(self.send("GET", list_path(user_id, max_streams)))

    def send(self, method: str, path: str, *, is_signed: bool = True, **content: Any) -> Any:
        """Make one request, with the caller's login unless it is not to be signed."""
        token = self._login() if is_signed else None
        auth = httpx.USE_CLIENT_DEFAULT if is_signed else None
        try:
            response = self._http.request(method, path, headers=headers_of(token), auth=auth, **content)
        except httpx.RequestError as error:
            raise ServiceError(0, {}) from error
        return answer_of(response)

    def _login(self) -> str | None:
        try:
            return self._token() if callable(self._token) else self._token
        except Exception as error:
            raise ServiceError(0, {"detail": "The token could not be had."}) from error

    def close(self) -> None:
        """Close the connections. Streams that play on need them."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stream:
    """One player's stream; made by `StreamLimiter.stream`."""

    def __init__(
        self,
        limiter: StreamLimiter,
        play: Play,
        on_gone: OnGone | None,
        callbacks: Mapping[Notice, OnNotice | None],
    ) -> None:
        self._limiter = limiter
        self._play = play
        self._on_gone = on_gone
        self._callbacks = callbacks
        self._stopped = threading.Event()
        self._gone: ServiceError | None = None
        self._heart: threading.Thread | None = None

    @property
    def stream_id(self) -> str:
        """The screen's name, the same for each of its plays."""
        return self._play.stream_id

    @property
    def playback_token(self) -> str | None:
        """The newest playback token, for the CDN; `None` when there is none, or it is over."""
        return self._play.playback_token

    @property
    def is_gone(self) -> bool:
        """Whether the slot was taken away: then stop."""
        return self._gone is not None

    @property
    def gone(self) -> ServiceError | None:
        """What took the slot away, a `StreamGone` or a `LimitReached`; `None` while it was not."""
        return self._gone

    @property
    def is_lapsed(self) -> bool:
        """Whether the lease ran out, and the stream starts again by itself: then pause."""
        return self._play.is_lapsed

    def start(self, *, replaces: str | None = None, groups: Iterable[str] | None = None) -> None:
        """Take a slot, and keep it by heartbeats. One that is held serves the next play.

        When it raises anything but `LimitReached`, what was held is held still. A stream that is refused
        other groups goes on in those that it has.

        No lapse waits for the answer: at the end of a lease this raises, and the stream lapses. A start of a
        lapsed stream that succeeds ends the lapse and calls nothing back; one that fails leaves it lapsed.

        Args:
            replaces: a stream of the same user that ends in the same moment.
            groups: those that it counts in from now on, under the same name; by default those that it has.

        Raises:
            LimitReached: every slot is taken; says who holds them, and which group is full.
            TooManyStarts: the start is put off for longer than it may wait; says for how long.
            ServiceError: the service does not answer for long, or takes the call for wrong.
        """
        is_held = self._heart is not None and not self.is_gone
        self._stop()
        self._stopped = stopped = threading.Event()
        self._gone = None
        try:
            self._follow(self._play.start(is_held=is_held, replaces=replaces, groups=groups), stopped)
            is_held = True
        except LimitReached as refusal:
            is_held = is_held and refusal.names(self.stream_id)
            raise
        finally:
            if is_held:
                self._heart = threading.Thread(
                    target=self._keep, args=(stopped,), name=f"heartbeat {self.stream_id}", daemon=True
                )
                self._heart.start()

    def end(self) -> bool:
        """Give the slot back. False when the service could not be told: then the lease ends it."""
        if self._heart is None:
            return True
        self._stop()
        if self.is_gone:
            return True
        try:
            self._follow(self._play.end(), stopped=threading.Event())
        except ServiceError:
            return False
        return True

    def abandon(self) -> None:
        """Stop without a word, as a crash does: the slot comes back when the lease runs out."""
        self._stop()
        self._play.let_go()

    def _stop(self) -> None:
        """Send no more heartbeats."""
        self._stopped.set()
        if self._heart is not None and self._heart is not threading.current_thread():
            self._heart.join(REQUEST_SECONDS)  # a start of its own must not land after the end
        self._heart = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _keep(self, stopped: threading.Event) -> None:
        """Hold the slot until the stream is ended, abandoned, started again or gone."""
        try:
            self._follow(self._play.keep(), stopped, by_itself=True)
        except ServiceError as reason:
            if stopped.is_set():
                return
            self._gone = reason
            if self._on_gone is not None:
                self._on_gone(reason)

    def _notify(self, notice: Notice) -> None:
        """Call back; the slot does not depend on what that raises."""
        callback = self._callbacks[notice]
        if callback is None:
            return
        try:
            callback()
        except Exception:
            _logger.exception("A callback of stream %s raised: %s.", self.stream_id, notice.name.lower())

    def _follow(self, steps: Steps, stopped: threading.Event, *, by_itself: bool = False) -> None:
        """Do what the play says, step by step.

        By itself, no caller is there to handle an error of a request: whatever is raised by it may pass. And
        what is answered after the stop is nobody's any more.
        """
        caught = Exception if by_itself else ServiceError
        with contextlib.suppress(StopIteration):
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    step = steps.send(stopped.wait(step.seconds))
                    continue
                if isinstance(step, Notice):
                    self._notify(step)
                    step = steps.send(stopped.is_set())
                    continue
                failure = answer = None
                try:
                    answer = self._limiter.send(
                        "POST", step.path, is_signed=step.is_signed, json=step.body, timeout=step.seconds
                    )
                except caught as error:
                    failure = ServiceError.of(error)
                if by_itself and stopped.is_set():
                    return
                step = steps.send(answer) if failure is None else steps.throw(failure)
