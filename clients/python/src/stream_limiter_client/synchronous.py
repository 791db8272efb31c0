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
    """The client of the service, for one or more players.

    Args:
        url: the API's base URL.
        token: the caller's JWT, or a function that returns one and is called before every request.
        auth: the httpx authentication that signs each request, if callers sign (`auth = iam`).
        transport: an httpx transport other than the default.
        timing: the clock, the source of randomness and the patience.
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
        """Return a stream, to be started by `with` or `start()`.

        Args:
            user_id: the stream's user; `None` if the token identifies the user.
            device: a label for people, such as "living room".
            replaces: a stream of the same user that ends at the same moment.
            max_streams: the user's limit, if callers sign; by default the service's.
            groups: the groups in which it counts as well, such as `["uhd"]`; a start may name others.
            group_limits: the user's group limits, if callers sign; by default the service's.
            stream_id: the screen's name, if it outlives the process; by default each stream generates one.
            on_gone: called in the heartbeats' thread when the slot was taken away.
            on_lapsed: called there when the lease expired before an answer extended it: pause. The stream
                tries to restart automatically, without a time limit.
            on_admitted: called there when that restart took a slot: resume.
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
            user_id: the streams' user; `None` if the token identifies the user.
            max_streams: the user's limit, if callers sign; by default the service's.

        Raises:
            ServiceError: the service did not answer, or not with a list.
        """
        return UserStreams.of(self.send("GET", list_path(user_id, max_streams)))

    def send(self, method: str, path: str, *, is_signed: bool = True, **content: Any) -> Any:
        """Send one request, with the caller's login if `is_signed`."""
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
            raise ServiceError(0, {"detail": "The token could not be obtained."}) from error

    def close(self) -> None:
        """Close the connections, which streams need as long as they play."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stream:
    """One player's stream, created by `StreamLimiter.stream`."""

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
        """The newest playback token, for the CDN; `None` if there is none or it has expired."""
        return self._play.playback_token

    @property
    def is_gone(self) -> bool:
        """`True` if the slot was taken away and the player must stop."""
        return self._gone is not None

    @property
    def gone(self) -> ServiceError | None:
        """The reason for the loss of the slot, a `StreamGone` or a `LimitReached`; otherwise `None`."""
        return self._gone

    @property
    def is_lapsed(self) -> bool:
        """`True` if the lease has expired and the stream is restarting: the player must pause."""
        return self._play.is_lapsed

    def start(self, *, replaces: str | None = None, groups: Iterable[str] | None = None) -> None:
        """Take a slot, and keep it by heartbeats. A slot that is already held is reused for the next play.

        After an error, a stream that held no slot before still holds none: do not play, and start again when
        the viewer asks. After any error but `LimitReached`, a slot held before is still held. If only a
        change of groups is refused, the stream continues in its present groups.

        A start does not delay a lapse: if the lease expires first, this raises, and the stream lapses. For a
        lapsed stream, success ends the lapse without a callback; failure leaves the stream lapsed.

        Args:
            replaces: a stream of the same user that ends at the same moment.
            groups: the groups in which it counts from now on, under the same name; by default unchanged.

        Raises:
            LimitReached: every slot is taken; lists the streams that hold them, and the full group.
            TooManyStarts: the start is deferred beyond the patience; contains the required wait.
            ServiceError: the service did not answer within the patience, or rejected the call.
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
        """Give the slot back. Return `False` if the call failed: then the lease frees the slot."""
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
        """Stop without calling the service, as after a crash: the slot is freed when the lease expires."""
        self._stop()
        self._play.release()

    def _stop(self) -> None:
        """Stop the heartbeats."""
        self._stopped.set()
        if self._heart is not None and self._heart is not threading.current_thread():
            self._heart.join(REQUEST_SECONDS)  # an automatic restart must not arrive after the end
        self._heart = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _keep(self, stopped: threading.Event) -> None:
        """Hold the slot until the stream is ended, abandoned, started again or gone."""
        try:
            self._follow(self._play.keep(), stopped, in_background=True)
        except ServiceError as reason:
            if stopped.is_set():
                return
            self._gone = reason
            if self._on_gone is not None:
                self._on_gone(reason)

    def _notify(self, notice: Notice) -> None:
        """Call back, and log an exception of the callback, which must not affect the slot."""
        callback = self._callbacks[notice]
        if callback is None:
            return
        try:
            callback()
        except Exception:
            _logger.exception("A callback of stream %s raised: %s.", self.stream_id, notice.name.lower())

    def _follow(self, steps: Steps, stopped: threading.Event, *, in_background: bool = False) -> None:
        """Execute the steps of a play.

        In the heartbeats' thread (`in_background`), no caller can handle a request's errors, so all of them
        are treated as temporary; an answer that arrives after the stop is ignored.
        """
        caught = Exception if in_background else ServiceError
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
                if in_background and stopped.is_set():
                    return
                step = steps.send(answer) if failure is None else steps.throw(failure)
