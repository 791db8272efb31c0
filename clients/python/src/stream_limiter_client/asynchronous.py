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
        """Return a stream, which `async with` or `start()` starts.

        Args:
            user_id: whose it is; `None` where the token says so.
            device: a label for people, such as "living room".
            replaces: a stream of the same user that ends in the same moment.
            max_streams: the user's limit, where callers sign; by default the service's.
            groups: those that it counts in beside all streams, such as `["uhd"]`; a start may name others.
            group_limits: the user's limits of groups, where callers sign; by default the service's.
            stream_id: the screen's name, where it outlives the process; by default each stream makes one.
            on_gone: called, by the heartbeats' task, when the slot was taken away.
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
        return AsyncStream(self, play, on_gone, {Notice.LAPSED: on_lapsed, Notice.ADMITTED: on_admitted})

    async def streams(self, user_id: str | None, *, max_streams: int | None = None) -> UserStreams:
        """List the user's live streams.

        Args:
            user_id: whose they are; `None` where the token says so.
            max_streams: the user's limit, where callers sign; by default the service's.

        Raises:
            ServiceError: the service does not answer, or not with a list.
        """
        return UserStreams.of(await self.send("GET", list_path(user_id, max_streams)))

    async def send(self, method: str, path: str, *, is_signed: bool = True, **content: Any) -> Any:
        """Make one request, with the caller's login unless it is not to be signed."""
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
            raise ServiceError(0, {"detail": "The token could not be had."}) from error

    async def close(self) -> None:
        """Close the connections. Streams that play on need them."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncStream:
    """One player's stream; made by `AsyncStreamLimiter.stream`."""

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

    async def start(self, *, replaces: str | None = None, groups: Iterable[str] | None = None) -> None:
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
        """Give the slot back. False when the service could not be told: then the lease ends it."""
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
        """Stop without a word, as a crash does: the slot comes back when the lease runs out."""
        await self._stop()
        self._play.let_go()

    async def _stop(self) -> None:
        """Send no more heartbeats."""
        heart, self._heart = self._heart, None
        if heart is not None and heart is not asyncio.current_task():
            heart.cancel()
            await asyncio.wait([heart])  # not `await heart`: that could not be told from our own cancellation

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def _keep(self) -> None:
        """Hold the slot until the stream is ended, abandoned, started again or gone.

        No caller is there to handle an error of a request: whatever is raised by it may pass.
        """
        try:
            await self._follow(self._play.keep(), caught=Exception)
        except ServiceError as reason:
            self._gone = reason
            told = self._on_gone(reason) if self._on_gone is not None else None
            if isinstance(told, Awaitable):
                await told

    async def _notify(self, notice: Notice) -> None:
        """Call back; the slot does not depend on what that raises."""
        callback = self._callbacks[notice]
        if callback is None:
            return
        try:
            told = callback()
            if isinstance(told, Awaitable):
                await told
        except Exception:
            _logger.exception("A callback of stream %s raised: %s.", self.stream_id, notice.name.lower())

    async def _follow(self, steps: Steps, caught: type[Exception] = ServiceError) -> None:
        """Do what the play says, step by step; what is caught of a request's errors is the play's affair."""
        with contextlib.suppress(StopIteration):
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)  # a task that is to stop is cancelled in it
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
