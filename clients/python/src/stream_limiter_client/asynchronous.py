"""The client for asyncio."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
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

Token = str | Callable[[], str | Awaitable[str]] | None
OnGone = Callable[[ServiceError], object | Awaitable[object]]
OnNotice = Callable[[], object | Awaitable[object]]

_logger = logging.getLogger(__name__)


class AsyncStreamLimiter:
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
        transport: httpx.AsyncBaseTransport | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.timing = timing or Timing()
        self._token = token
        self._http = httpx.AsyncClient(base_url=url, auth=auth, timeout=REQUEST_SECONDS, transport=transport)

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
    ) -> "AsyncStream":
        """Return a stream, to be started by `async with` or `start()`.

        Args:
            user_id: the stream's user; `None` if the token identifies the user.
            device: a label for people, such as "living room".
            replaces: a stream of the same user that ends at the same moment.
            max_streams: the user's limit, if callers sign; by default the service's.
            groups: the groups in which it counts as well, such as `["uhd"]`; a start may name others.
            group_limits: the user's group limits, if callers sign; by default the service's.
            stream_id: the screen's name, if it outlives the process; by default each stream generates one.
            on_gone: called by the heartbeats' task when the slot was taken away.
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
        return AsyncStream(self, play, on_gone, {Notice.LAPSED: on_lapsed, Notice.ADMITTED: on_admitted})

    async def streams(self, user_id: str | None, *, max_streams: int | None = None) -> UserStreams:
        """List the user's live streams.

        Args:
            user_id: the streams' user; `None` if the token identifies the user.
            max_streams: the user's limit, if callers sign; by default the service's.

        Raises:
            ServiceError: the service did not answer, or not with a list.
        """
        return UserStreams.of(await self.send("GET", list_path(user_id, max_streams)))

    async def send(self, method: str, path: str, *, is_signed: bool = True, **content: Any) -> Any:
        """Send one request, with the caller's login if `is_signed`."""
        token = await self._login() if is_signed else None
        auth = httpx.USE_CLIENT_DEFAULT if is_signed else None
        try:
            response = await self._http.request(method, path, headers=headers_of(token), auth=auth, **content)
        except httpx.RequestError as error:
            raise ServiceError(0, {}) from error
        return answer_of(response)

    async def _login(self) -> str | None:
        try:
            token = self._token() if callable(self._token) else self._token
            return await token if isinstance(token, Awaitable) else token
        except Exception as error:
            raise ServiceError(0, {"detail": "The token could not be obtained."}) from error

    async def close(self) -> None:
        """Close the connections, which streams need as long as they play."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncStream:
    """One player's stream, created by `AsyncStreamLimiter.stream`."""

    def __init__(
        self,
        limiter: AsyncStreamLimiter,
        play: Play,
        on_gone: OnGone | None,
        callbacks: Mapping[Notice, OnNotice | None],
    ) -> None:
        self._limiter = limiter
        self._play = play
        self._on_gone = on_gone
        self._callbacks = callbacks
        self._gone: ServiceError | None = None
        self._heart: asyncio.Task[None] | None = None

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

    async def start(self, *, replaces: str | None = None, groups: Iterable[str] | None = None) -> None:
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
        await self._stop()
        self._gone = None
        try:
            await self._follow(self._play.start(is_held=is_held, replaces=replaces, groups=groups))
            is_held = True
        except LimitReached as refusal:
            is_held = is_held and refusal.names(self.stream_id)
            raise
        finally:
            if is_held:
                self._heart = asyncio.create_task(self._keep(), name=f"heartbeat {self.stream_id}")

    async def end(self) -> bool:
        """Give the slot back. Return `False` if the call failed: then the lease frees the slot."""
        if self._heart is None:
            return True
        await self._stop()
        if self.is_gone:
            return True
        try:
            await self._follow(self._play.end())
        except ServiceError:
            return False
        return True

    async def abandon(self) -> None:
        """Stop without calling the service, as after a crash: the slot is freed when the lease expires."""
        await self._stop()
        self._play.release()

    async def _stop(self) -> None:
        """Stop the heartbeats."""
        heart, self._heart = self._heart, None
        if heart is not None and heart is not asyncio.current_task():
            heart.cancel()
            await asyncio.wait([heart])  # `await heart` could not distinguish its cancellation from ours

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def _keep(self) -> None:
        """Hold the slot until the stream is ended, abandoned, started again or gone.

        No caller can handle a request's errors here, so all of them are treated as temporary.
        """
        try:
            await self._follow(self._play.keep(), caught=Exception)
        except ServiceError as reason:
            self._gone = reason
            result = self._on_gone(reason) if self._on_gone is not None else None
            if isinstance(result, Awaitable):
                await result

    async def _notify(self, notice: Notice) -> None:
        """Call back, and log an exception of the callback, which must not affect the slot."""
        callback = self._callbacks[notice]
        if callback is None:
            return
        try:
            result = callback()
            if isinstance(result, Awaitable):
                await result
        except Exception:
            _logger.exception("A callback of stream %s raised: %s.", self.stream_id, notice.name.lower())

    async def _follow(self, steps: Steps, caught: type[Exception] = ServiceError) -> None:
        """Execute the steps of a play; pass the errors of the type `caught` on to the play."""
        with contextlib.suppress(StopIteration):
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)  # stopping the task cancels this sleep
                    step = next(steps)
                    continue
                if isinstance(step, Notice):
                    await self._notify(step)
                    is_stopped = self._heart is not asyncio.current_task()  # by the callback itself
                    step = steps.send(is_stopped)
                    continue
                try:
                    answer = await self._limiter.send(
                        "POST", step.path, is_signed=step.is_signed, json=step.body, timeout=step.seconds
                    )
                except caught as error:
                    step = steps.throw(ServiceError.of(error))
                else:
                    step = steps.send(answer)
