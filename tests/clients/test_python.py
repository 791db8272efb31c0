"""The Python client, in threads and in asyncio, over a scripted service and a clock set by hand."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain, repeat
from math import inf
from typing import Any, Final

import httpx
import pytest

from stream_limiter_client import (
    AsyncStream,
    AsyncStreamLimiter,
    GroupLimit,
    LimitReached,
    ServiceError,
    Stream,
    StreamGone,
    StreamLimiter,
    TooManyStarts,
)
from stream_limiter_client.play import Notice, Pause, Play, Post, Steps, Timing, answer_of

HOLD: Final = {"streamCount": 1, "maxStreams": 3, "expiresInSeconds": 90, "heartbeatSeconds": 30}
HOLDER: Final = {
    "streamId": "tv-1",
    "device": "TV",
    "startedAt": "2026-11-24T05:19:39Z",
    "expiresAt": "2026-11-24T05:21:09Z",
}
FULL: Final = {"code": "limit_reached", "detail": "full", "anonymousCount": 1, "streams": [HOLDER]}
UHD_FULL: Final = FULL | {"limit": {"group": "uhd", "max": 1}}
TOO_MANY: Final = httpx.Response(429, json={"code": "too_many_starts"}, headers={"retry-after": "60"})
UNAVAILABLE: Final = httpx.Response(503, json={"code": "store_unavailable"})


Answer = httpx.Response | Exception | Callable[[], httpx.Response] | None


def answers_of(*answers: Answer) -> Iterator[Answer]:
    """Yield these in order, and then the last one forever."""
    return chain(answers, repeat(answers[-1] if answers else None))


class Service(httpx.MockTransport):
    """A service with scripted answers in order; the last one repeats forever. An operation may have its own.

    `None` is a network that fails, an exception is any other failure on the way, a function makes the answer.
    `enough` is set after the wanted number of heartbeats.
    """

    def __init__(self, *answers: Answer, **by_operation: list[Answer]) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.headers: list[httpx.Headers] = []
        self.queries: list[bytes] = []
        self.timeouts: list[float] = []
        self._others: Iterator[Answer] = answers_of(*answers)
        self._by_operation = {
            f"/stream/{operation}": answers_of(*script) for operation, script in by_operation.items()
        }
        self.heartbeats_wanted = inf
        self.enough = threading.Event()
        super().__init__(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append((request.url.path, json.loads(request.content) if request.content else None))
        self.headers.append(request.headers)
        self.queries.append(request.url.query)
        if sum(path.endswith("/heartbeat") for path, _ in self.requests) >= self.heartbeats_wanted:
            self.enough.set()
        self.timeouts.append(request.extensions["timeout"]["read"])
        answer = next(self._by_operation.get(request.url.path, self._others))
        if callable(answer):
            answer = answer()
        if answer is None:
            raise httpx.ConnectError("no network")
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture(params=["threads", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    """Return which of the two clients."""
    return str(request.param)


def play_once(kind: str, service: Service, timing: Timing | None = None, **options: Any) -> str:
    """Play one stream from its start to its end; return its name."""
    if kind == "threads":
        with (
            StreamLimiter("http://api/v1", "token", transport=service, timing=timing) as limiter,
            limiter.stream("1", **options) as stream,
        ):
            return stream.stream_id

    async def play() -> str:
        async def token() -> str:
            return "token"

        async with (
            AsyncStreamLimiter("http://api/v1", token, transport=service, timing=timing) as limiter,
            limiter.stream("1", **options) as stream,
        ):
            return stream.stream_id

    return asyncio.run(play())


def test_a_block_takes_a_slot_and_frees_it(kind: str) -> None:
    """The start has a name, a play, the device, the replaced stream and the token, and an end follows."""
    service = Service(httpx.Response(200, json=HOLD))
    name = play_once(kind, service, device="TV", replaces="old")
    play = service.requests[0][1]["play"]
    body = {"userId": "1", "streamId": name, "play": play}
    assert play != name
    assert service.requests == [
        ("/v1/stream/start", {**body, "device": "TV", "replaces": "old"}),
        ("/v1/stream/end", body),
    ]
    assert [headers["authorization"] for headers in service.headers] == ["Bearer token"] * 2
    assert play_once(kind, service) != name


def test_a_refusal_lists_the_streams_that_hold_the_slots(kind: str) -> None:
    """The error lists the streams, and no end follows a start that took nothing."""
    service = Service(httpx.Response(403, json=FULL))
    with pytest.raises(LimitReached, match="full") as refused:
        play_once(kind, service)
    assert [(holder.stream_id, holder.device) for holder in refused.value.streams] == [("tv-1", "TV")]
    assert (refused.value.anonymous_count, refused.value.limit) == (1, None)
    assert len(service.requests) == 1


def test_a_refusal_names_the_full_group(kind: str) -> None:
    """The error has the group and its limit as values."""
    with pytest.raises(LimitReached) as refused:
        play_once(kind, Service(httpx.Response(403, json=UHD_FULL)), groups=["uhd"])
    assert refused.value.limit == GroupLimit("uhd", 1)


def test_an_unanswered_start_is_retried_under_the_same_name(kind: str) -> None:
    """After a lost request and after a 503 the start is repeated under the same name."""
    service = Service(None, UNAVAILABLE, httpx.Response(200, json=HOLD))
    play_once(kind, service, Timing(random=lambda: -0.99))
    assert [path for path, _ in service.requests] == ["/v1/stream/start"] * 3 + ["/v1/stream/end"]
    assert len({body["streamId"] for _, body in service.requests}) == 1


@pytest.mark.parametrize(
    ("answer", "status"), [(None, 0), (httpx.Response(400, json={"code": "invalid_request"}), 400)]
)
def test_a_start_is_given_up_at_its_time_limit_or_for_a_wrong_call(
    kind: str, answer: httpx.Response | None, status: int
) -> None:
    """A start is given up when patience has run out, and at once when the call is wrong."""
    service = Service(answer)
    with pytest.raises(ServiceError) as failed:
        play_once(kind, service, Timing(patience_seconds=0))
    assert failed.value.status == status
    assert len(service.requests) == 1


def starts(
    kind: str, service: Service, times: int, *, ends: bool = False, stream_id: str | None = None
) -> list[dict[str, str]]:
    """Return the requests of a stream that starts several times, and ends at last, or each time."""

    def in_threads() -> None:
        with StreamLimiter("http://api", transport=service, timing=Timing(patience_seconds=0)) as limiter:
            stream = limiter.stream("1", stream_id=stream_id)
            for _ in range(times):
                with contextlib.suppress(ServiceError):
                    stream.start()
                if ends:
                    stream.end()
            stream.end()

    async def in_asyncio() -> None:
        timing = Timing(patience_seconds=0)
        async with AsyncStreamLimiter("http://api", transport=service, timing=timing) as limiter:
            stream = limiter.stream("1", stream_id=stream_id)
            for _ in range(times):
                with contextlib.suppress(ServiceError):
                    await stream.start()
                if ends:
                    await stream.end()
            await stream.end()

    asyncio.run(in_asyncio()) if kind == "asyncio" else in_threads()
    return [body for _, body in service.requests]


@pytest.mark.parametrize("groups", [["uhd", "away"], ()])
def test_a_stream_names_its_groups_with_each_start_and_each_end(kind: str, groups: Iterable[str]) -> None:
    """An end that names the groups is one write; a stream in no group does not mention groups."""
    service = Service(httpx.Response(200, json=HOLD))
    play_once(kind, service, groups=iter(groups))
    assert [body.get("groups") for _, body in service.requests] == [list(groups) or None] * 2


def changes(kind: str, service: Service, *requested: list[str] | None) -> list[list[str] | None]:
    """Start a stream in `hd`, then with these groups, and end it; return the groups of each request."""
    timing = Timing(patience_seconds=0)

    def in_threads() -> None:
        with (
            StreamLimiter("http://api", transport=service, timing=timing) as limiter,
            limiter.stream("1", groups=["hd"], stream_id="mine") as stream,
        ):
            for groups in requested:
                with contextlib.suppress(ServiceError):
                    stream.start(groups=groups)

    async def in_asyncio() -> None:
        async with (
            AsyncStreamLimiter("http://api", transport=service, timing=timing) as limiter,
            limiter.stream("1", groups=["hd"], stream_id="mine") as stream,
        ):
            for groups in requested:
                with contextlib.suppress(ServiceError):
                    await stream.start(groups=groups)

    asyncio.run(in_asyncio()) if kind == "asyncio" else in_threads()
    assert len({body["play"] for _, body in service.requests}) == 1
    return [body.get("groups") for _, body in service.requests]


def test_a_stream_is_in_the_groups_of_its_latest_start(kind: str) -> None:
    """A start that names other groups, or none, moves the stream; its name and play stay the same."""
    service = Service(httpx.Response(200, json=HOLD))
    assert changes(kind, service, ["uhd"], None, []) == [["hd"], ["uhd"], ["uhd"], None, None]


LISTED: Final = UHD_FULL | {"streams": [HOLDER, HOLDER | {"streamId": "mine"}]}


@pytest.mark.parametrize(
    "answer", [httpx.Response(403, json=LISTED), TOO_MANY, None], ids=["refused", "429", "lost"]
)
def test_a_failed_change_of_groups_leaves_the_stream_in_its_groups(
    kind: str, answer: httpx.Response | None
) -> None:
    """A refusal that lists the stream has taken nothing from it: its end names its old groups."""
    held = httpx.Response(200, json=HOLD)
    assert changes(kind, Service(held, answer, held), ["uhd"]) == [["hd"], ["uhd"], ["hd"]]


def test_a_refused_change_of_groups_of_a_gone_stream_leaves_nothing_to_end(kind: str) -> None:
    """A stream that is gone has no slot left to end after the refusal."""
    held, full = httpx.Response(200, json=HOLD), httpx.Response(403, json=UHD_FULL)
    assert changes(kind, Service(held, full, held), ["uhd"]) == [["hd"], ["uhd"]]


def test_a_refused_start_does_not_end_an_earlier_play(kind: str) -> None:
    """A slot of an earlier play does not belong to this one: there is nothing to end."""
    service = Service(httpx.Response(403, json=LISTED))
    assert len(starts(kind, service, times=1, stream_id="mine")) == 1


def test_five_next_episodes_share_one_name_and_play(kind: str) -> None:
    """Next episodes have one name and one play, and replace nothing."""
    first, *others, end = starts(kind, Service(httpx.Response(200, json=HOLD)), times=5)
    assert others == [first] * 4
    assert end == first
    assert "replaces" not in first


def test_a_play_after_an_end_has_a_new_nonce(kind: str) -> None:
    """A play after an end has the screen's name and a new nonce, which its own end repeats."""
    first, end, second, last = starts(kind, Service(httpx.Response(200, json=HOLD)), times=2, ends=True)
    assert first["streamId"] == end["streamId"] == second["streamId"] == last["streamId"]
    assert first["play"] == end["play"] != second["play"] == last["play"]


def test_a_start_after_an_unanswered_one_repeats_it(kind: str) -> None:
    """A start without an answer may have landed, and its repeat must not take a second slot."""
    held = httpx.Response(200, json=HOLD)
    first, lost, again, end = starts(kind, Service(held, None, held), times=3)
    assert first == lost == again == end
    first, again, end = starts(kind, Service(None, held), times=2)
    assert first == again == end


@pytest.mark.parametrize("answer", [TOO_MANY, None, httpx.Response(400, json={})], ids=["429", "lost", "400"])
def test_a_failed_start_leaves_the_held_slot_unchanged(kind: str, answer: httpx.Response | None) -> None:
    """Heartbeats continue, the token stays, and the stream to be replaced is left alone."""
    held = httpx.Response(200, json=HOLD | {"heartbeatSeconds": 0.05, "playbackToken": "token"})
    service = Service(held, answer, held)
    timing = Timing(patience_seconds=0)

    def in_threads() -> tuple[bool, str | None]:
        with StreamLimiter("http://api", transport=service, timing=timing) as limiter:
            stream = limiter.stream("1")
            stream.start()
            with pytest.raises(ServiceError):
                stream.start(replaces="tv-1")
            state = stream.is_gone, stream.playback_token
            assert service.enough.wait(TIMEOUT_SECONDS), "the heartbeats have ended"
            stream.start()
            stream.abandon()
            assert stream.playback_token is None
            return state

    async def in_asyncio() -> tuple[bool, str | None]:
        async with AsyncStreamLimiter("http://api", transport=service, timing=timing) as limiter:
            stream = limiter.stream("1")
            await stream.start()
            with pytest.raises(ServiceError):
                await stream.start(replaces="tv-1")
            state = stream.is_gone, stream.playback_token
            assert await asyncio.to_thread(service.enough.wait, TIMEOUT_SECONDS), "the heartbeats have ended"
            await stream.start()
            await stream.abandon()
            assert stream.playback_token is None
            return state

    service.heartbeats_wanted = 2
    state = asyncio.run(in_asyncio()) if kind == "asyncio" else in_threads()
    assert state == (False, "token")
    started = [body for path, body in service.requests if path == "/stream/start"]
    assert [body.get("replaces") for body in started] == [None, "tv-1", None]
    assert {body["play"] for _, body in service.requests} == {started[0]["play"]}


def test_a_refused_start_leaves_no_slot_to_end(kind: str) -> None:
    """After a refusal nothing is left to end, because the slot was gone already."""
    held, full = httpx.Response(200, json=HOLD), httpx.Response(403, json=FULL)
    assert len(starts(kind, Service(held, full, held), times=2)) == 2


def test_a_cancelled_start_leaves_the_held_slot_unchanged() -> None:
    """A task that stops waiting for the next episode keeps the current one."""

    async def play() -> None:
        service = Service(httpx.Response(200, json=HOLD | {"heartbeatSeconds": 0.05}), None)
        service.heartbeats_wanted = 2
        timing = Timing(now=lambda: 1000.0, random=lambda: -0.99)  # its patience does not end
        async with AsyncStreamLimiter("http://api", transport=service, timing=timing) as limiter:
            stream = limiter.stream("1")
            await stream.start()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.start(), 0.1)
            assert await asyncio.to_thread(service.enough.wait, TIMEOUT_SECONDS), "the heartbeats have ended"
            await stream.abandon()

    asyncio.run(play())


def test_a_postponed_start_has_a_retry_time(kind: str) -> None:
    """The error has the waiting time if that is too long for the start; no end follows."""
    service = Service(TOO_MANY)
    with pytest.raises(TooManyStarts) as postponed:
        play_once(kind, service)
    assert (postponed.value.retry_after, len(service.requests)) == (60, 1)


def test_a_gateways_429_is_retried(kind: str) -> None:
    """A gateway's 429 is not a problem of the service's, and the start is repeated soon."""
    service = Service(
        httpx.Response(429, json={"message": "Too Many Requests"}), httpx.Response(200, json=HOLD)
    )
    play_once(kind, service, Timing(random=lambda: -0.99))
    assert [path for path, _ in service.requests] == ["/v1/stream/start"] * 2 + ["/v1/stream/end"]


def test_a_captive_portals_answer_is_not_an_admission(kind: str) -> None:
    """A 200 of a captive portal is not an admission."""
    with pytest.raises(ServiceError, match="not the service"):
        play_once(kind, Service(httpx.Response(200, json={"hotel": "Please sign in"})))


def test_a_task_that_is_cancelled_while_it_ends_a_stream_is_cancelled() -> None:
    """The cancellation is not taken for the end of the heartbeats."""

    async def play() -> bool:
        service = Service(httpx.Response(200, json=HOLD))
        async with AsyncStreamLimiter("http://api", transport=service) as limiter:
            stream = limiter.stream("1")
            await stream.start()
            ending = asyncio.create_task(stream.end())
            asyncio.get_running_loop().call_soon(ending.cancel)
            await asyncio.wait([ending])
            return ending.cancelled()

    assert asyncio.run(play())


def test_a_gone_callback_may_be_a_coroutine() -> None:
    """A coroutine as callback is awaited, and the flag is set by then."""

    async def play() -> list[tuple[str, bool]]:
        service = Service(
            httpx.Response(200, json=HOLD | {"heartbeatSeconds": 0.01}),
            httpx.Response(410, json={"code": "stream_gone", "detail": "gone"}),
        )
        notified = asyncio.Event()
        recorded: list[tuple[str, bool]] = []

        async def on_gone(reason: ServiceError) -> None:
            await asyncio.sleep(0)
            recorded.append((str(reason), stream.is_gone))
            notified.set()

        async with AsyncStreamLimiter("http://api", transport=service) as limiter:
            stream = limiter.stream("1", on_gone=on_gone)
            await stream.start()
            await notified.wait()
        return recorded

    assert asyncio.run(play()) == [("gone", True)]


def test_a_token_that_cannot_be_fetched_is_a_service_error(kind: str) -> None:
    """A missing token is a service error, so that a heartbeat is retried."""

    def token() -> str:
        raise OSError("no token")

    async def request_list() -> None:
        async with AsyncStreamLimiter("http://api", token, transport=Service()) as limiter:
            await limiter.streams("1")

    in_threads = StreamLimiter("http://api", token, transport=Service())
    with pytest.raises(ServiceError, match="token") as failed:
        asyncio.run(request_list()) if kind == "asyncio" else in_threads.streams("1")
    assert failed.value.is_passing


def test_a_backend_signs_every_request_and_names_the_limits(kind: str) -> None:
    """Limits are in a start's body and in a list's query, which is encoded as a signature requires."""
    listed = {"streamCount": 0, "anonymousCount": 0, "maxStreams": 5, "streams": []}
    held, seen = httpx.Response(200, json=HOLD), httpx.Response(200, json=listed)
    service = Service(held, held, seen, seen)

    def sign(request: httpx.Request) -> httpx.Request:
        request.headers["authorization"] = f"signed {request.method} {len(request.content) > 0}"
        return request

    def in_threads() -> None:
        with StreamLimiter("http://api/v1", auth=sign, transport=service) as limiter:
            with limiter.stream("1", max_streams=5, group_limits={"uhd": 2}):
                pass
            limiter.streams("a b+c", max_streams=5)
            limiter.streams(None)

    async def in_asyncio() -> None:
        async with AsyncStreamLimiter("http://api/v1", auth=sign, transport=service) as limiter:
            async with limiter.stream("1", max_streams=5, group_limits={"uhd": 2}):
                pass
            await limiter.streams("a b+c", max_streams=5)
            await limiter.streams(None)

    asyncio.run(in_asyncio()) if kind == "asyncio" else in_threads()
    assert [body and body.get("maxStreams") for _, body in service.requests] == [5, None, None, None]
    assert [body and body.get("groupLimits") for _, body in service.requests] == [
        {"uhd": 2},
        None,
        None,
        None,
    ]
    assert service.queries == [b"", b"", b"userId=a%20b%2Bc&maxStreams=5", b""]
    signatures = [headers["authorization"] for headers in service.headers]
    assert signatures == ["signed POST True"] * 2 + ["signed GET False"] * 2


OFTEN: Final = HOLD | {"heartbeatSeconds": 0.01}
TIMEOUT_SECONDS: Final = 20


def is_gone_after(kind: str, service: Service, requests: int, *, closed: bool = False) -> bool:
    """Return whether a stream is gone after this number of requests; its limiter may be closed."""
    timing = Timing(random=lambda: -0.99)  # so that it retries at once
    enough = threading.Event()
    tried: list[None] = []

    def token() -> str:
        tried.append(None)
        if len(tried) > requests:
            enough.set()
        return "token"

    def in_threads() -> bool:
        limiter = StreamLimiter("http://api", token, transport=service, timing=timing)
        stream = limiter.stream("1")
        stream.start()
        if closed:
            limiter.close()
        assert enough.wait(TIMEOUT_SECONDS), "the heartbeats have ended"
        stream.abandon()
        limiter.close()
        return stream.is_gone

    async def in_asyncio() -> bool:
        limiter = AsyncStreamLimiter("http://api", token, transport=service, timing=timing)
        stream = limiter.stream("1")
        await stream.start()
        if closed:
            await limiter.close()
        assert await asyncio.to_thread(enough.wait, TIMEOUT_SECONDS), "the heartbeats have ended"
        await stream.abandon()
        await limiter.close()
        return stream.is_gone

    return asyncio.run(in_asyncio()) if kind == "asyncio" else in_threads()


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(502, json={"code": ["bad", "gateway"]}),
        httpx.Response(200, content=b'{"expiresInSeconds": 90, "heartbeatSeconds": 1e999}'),
        httpx.Response(200, content=b'{"expiresInSeconds": 90, "heartbeatSeconds": 1' + b"0" * 400 + b"}"),
        RuntimeError("It cannot be signed."),
    ],
    ids=["code that is not text", "infinite", "huge", "raised on the way"],
)
def test_heartbeats_continue_after_any_answer_or_error(
    kind: str, trouble: httpx.Response | Exception
) -> None:
    """Any answer or error may be transient: the next heartbeat is answered, and the slot is not gone."""
    held = httpx.Response(200, json=OFTEN)
    service = Service(held, trouble, trouble, held)
    assert not is_gone_after(kind, service, requests=6)
    assert {path for path, _ in service.requests[1:]} == {"/stream/heartbeat"}


def test_an_automatic_start_continues_after_any_error(kind: str) -> None:
    """An automatic start continues as a heartbeat does, because no caller can handle its error."""
    unverified = httpx.Response(200, json=OFTEN | {"verified": False})
    gone = httpx.Response(410, json={"code": "stream_gone"})
    service = Service(unverified, gone, RuntimeError("It cannot be signed."), unverified)
    assert not is_gone_after(kind, service, requests=5)
    paths = [path for path, _ in service.requests]
    assert paths[1:5] == ["/stream/heartbeat", "/stream/start", "/stream/start", "/stream/heartbeat"]


def test_heartbeats_of_a_closed_limiter_keep_failing(kind: str) -> None:
    """Neither the thread nor the task ends, and the stream is not taken for one that plays on."""
    service = Service(httpx.Response(200, json=OFTEN))
    assert not is_gone_after(kind, service, requests=5, closed=True)


SHORT: Final = httpx.Response(200, json=HOLD | {"expiresInSeconds": 3, "heartbeatSeconds": 0.01})
"""A lease of three seconds, each of which is a request: `recorded` has such a clock."""
UNTIL_LAPSED: Final = ["/stream/start", "/stream/heartbeat", "/stream/heartbeat"]
"""The requests during such a lease."""
Events = list[tuple[str, bool, bool]]


@pytest.mark.parametrize(
    ("why", "reason", "by"),
    [
        ({"reason": "replaced", "by": "phone"}, "replaced", "phone"),
        ({"reason": "expired"}, "expired", None),
        ({"reason": 7, "by": ["phone"]}, None, None),
        ({}, None, None),
    ],
    ids=str,
)
def test_a_gone_stream_keeps_the_reason_and_the_device(
    kind: str, why: dict[str, Any], reason: str | None, by: str | None
) -> None:
    """The reason is kept until the stream starts again, and one of another type is ignored."""
    answer = httpx.Response(410, json={"code": "stream_gone"} | why)
    quick, usual = (httpx.Response(200, json=HOLD | {"heartbeatSeconds": seconds}) for seconds in (0.01, 30))
    service = Service(start=[quick, usual], heartbeat=[answer])
    limiter = (StreamLimiter if kind == "threads" else AsyncStreamLimiter)("http://api", transport=service)
    recorded: list[ServiceError] = []
    known: list[ServiceError | None] = []
    stream = limiter.stream("1", on_gone=recorded.append)

    async def play() -> None:
        known.append(stream.gone)
        await outcome(stream.start())
        await wait_until(lambda: bool(recorded))
        known.append(stream.gone)
        await outcome(stream.start())
        known.append(stream.gone)
        await outcome(stream.abandon())

    asyncio.run(play())
    (gone,) = recorded
    assert isinstance(gone, StreamGone)
    assert (gone.reason, gone.by) == (reason, by)
    assert known == [None, gone, None]


async def outcome(of: object) -> object:
    """Return the result, awaited where the client is the one for asyncio."""
    return await of if isinstance(of, Awaitable) else of


async def wait_until(event: Callable[[], bool], *seen: object) -> None:
    """Wait until this holds; if it does not, fail with what was seen."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not event():
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.01)


def recorded(
    kind: str,
    service: Service,
    until: Callable[[Events], bool],
    on_lapsed: Callable[[Stream | AsyncStream], object] = lambda _: None,
    close: Callable[[Stream | AsyncStream], object] = lambda stream: stream.end(),
) -> Events:
    """Play until this holds; return the callbacks, and `is_lapsed` and `is_gone` each time."""
    timing = Timing(now=lambda: 1000.0 + len(service.requests), random=lambda: -0.99)
    limiter = (StreamLimiter if kind == "threads" else AsyncStreamLimiter)(
        "http://api", transport=service, timing=timing
    )
    events: Events = []

    def note(event: str) -> None:
        events.append((event, stream.is_lapsed, stream.is_gone))

    def lapse() -> object:
        note("lapsed")
        return on_lapsed(stream)

    stream = limiter.stream(
        "1",
        stream_id="mine",
        on_lapsed=lapse,
        on_admitted=lambda: note("admitted"),
        on_gone=lambda _: note("gone"),
    )

    async def play() -> None:
        await outcome(stream.start())
        await wait_until(lambda: until(events), events, service.requests)
        await outcome(close(stream))
        note("over")
        await outcome(limiter.close())

    asyncio.run(play())
    return events


LAPSED: Final = ("lapsed", True, False)
ADMITTED: Final = ("admitted", False, False)
OVER: Final = ("over", False, False)


def test_a_lapse_and_its_admission_are_each_called_back_once(kind: str) -> None:
    """However many starts fail, there is one callback for each, and no request outlasts the lease."""
    service = Service(start=[SHORT, None, None, SHORT], heartbeat=[None, None, SHORT], end=[SHORT])
    assert recorded(kind, service, lambda events: ADMITTED in events) == [LAPSED, ADMITTED, OVER]
    paths = [path for path, _ in service.requests]
    assert paths[:6] == [*UNTIL_LAPSED, *["/stream/start"] * 3]
    assert service.timeouts[:6] == [5, 2, 1, 5, 5, 5]
    assert paths[-1] == "/stream/end"
    starts = [body for path, body in service.requests if path == "/stream/start"]
    assert starts == [starts[0]] * 4


def test_a_stream_that_is_extended_in_time_does_not_lapse(kind: str) -> None:
    """A stream whose every other heartbeat fails does not lapse."""
    service = Service(SHORT, heartbeat=[None, SHORT] * 20)
    assert recorded(kind, service, lambda _: len(service.requests) > 30) == [OVER]


def test_a_lapsed_stream_that_is_refused_is_gone(kind: str) -> None:
    """A refused stream is not lapsed any more, and has nothing to end."""
    service = Service(start=[SHORT, httpx.Response(403, json=FULL)], heartbeat=[None])
    gone = ("gone", False, True)
    assert recorded(kind, service, lambda events: gone in events) == [LAPSED, gone, ("over", False, True)]
    assert [path for path, _ in service.requests] == [*UNTIL_LAPSED, "/stream/start"]


def test_a_lapsed_stream_frees_its_slot(kind: str) -> None:
    """An end is sent for a lapsed stream, because a start without an answer may have landed."""
    service = Service(start=[SHORT, None], heartbeat=[None], end=[SHORT])
    assert recorded(kind, service, lambda _: len(service.requests) > 4) == [LAPSED, OVER]
    assert [path for path, _ in service.requests].count("/stream/end") == 1
    assert service.requests[-1] == ("/stream/end", service.requests[0][1])


def test_a_lapsed_stream_that_is_abandoned_sends_nothing_more(kind: str) -> None:
    """An abandoned stream sends nothing more, and is not lapsed any more."""
    service = Service(start=[SHORT, None], heartbeat=[None])
    events = recorded(
        kind, service, lambda _: len(service.requests) > 4, close=lambda stream: stream.abandon()
    )
    assert events == [LAPSED, OVER]
    assert {path for path, _ in service.requests} == {"/stream/start", "/stream/heartbeat"}


def test_a_start_of_a_lapsed_stream_that_succeeds_is_not_called_back(kind: str) -> None:
    """A caller's successful start has no callback, and heartbeats continue."""
    service = Service(SHORT, heartbeat=[None, None, SHORT])
    events = recorded(
        kind, service, lambda _: len(service.requests) > 5, on_lapsed=lambda stream: stream.start()
    )
    assert events == [LAPSED, OVER]
    assert [path for path, _ in service.requests][:6] == [*UNTIL_LAPSED, *UNTIL_LAPSED]


def test_a_lapsed_stream_whose_start_fails_continues_to_retry(kind: str) -> None:
    """The stream stays lapsed, and calls back when it has its slot again."""
    wrong = httpx.Response(400, json={"code": "invalid_request"})
    service = Service(start=[SHORT, wrong, SHORT], heartbeat=[None, None, SHORT], end=[SHORT])
    events = recorded(
        kind, service, lambda events: ADMITTED in events, on_lapsed=lambda stream: stream.start()
    )
    assert events == [LAPSED, ADMITTED, OVER]


def test_a_callback_may_end_its_lapsed_stream(kind: str) -> None:
    """A stream that its callback ends does not start again."""
    service = Service(SHORT, heartbeat=[None])
    events = recorded(
        kind, service, lambda _: len(service.requests) > 3, on_lapsed=lambda stream: stream.end()
    )
    assert events == [LAPSED, OVER]
    assert [path for path, _ in service.requests] == [*UNTIL_LAPSED, "/stream/end"]


def test_a_callback_that_raises_costs_no_slot(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """A callback's error is logged, and the stream starts again."""

    def fail(_: Stream | AsyncStream) -> None:
        raise RuntimeError("The video is missing.")

    service = Service(start=[SHORT], heartbeat=[None, None, SHORT], end=[SHORT])
    events = recorded(kind, service, lambda events: ADMITTED in events, on_lapsed=fail)
    assert events == [LAPSED, ADMITTED, OVER]
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "A callback of stream mine raised: lapsed."
    ]


def test_an_answer_to_a_stopped_thread_is_dropped() -> None:
    """A start that is answered after the end brings back neither the slot nor a callback."""
    lapsed: list[Stream | AsyncStream] = []

    def end_first() -> httpx.Response:
        lapsed[0].end()
        return SHORT

    service = Service(start=[SHORT, end_first], heartbeat=[None], end=[SHORT])
    events = recorded("threads", service, lambda _: len(service.requests) > 4, on_lapsed=lapsed.append)
    assert events == [LAPSED, OVER]


@pytest.mark.parametrize(
    "answer", [{"code": ["limit_reached"]}, {"code": {}}, {"code": None}, ["limit_reached"]]
)
def test_a_code_that_is_not_a_text_is_ignored(answer: Any) -> None:
    """A code of another type is ignored, because the status decides."""
    with pytest.raises(ServiceError) as failed:
        answer_of(httpx.Response(502, json=answer))
    assert (type(failed.value), failed.value.code, failed.value.is_passing) == (ServiceError, None, True)


@pytest.mark.parametrize(("header", "seconds"), [("20", 20), ("9" * 400, 300), ("soon", 0)])
def test_retry_after_is_honoured_within_bounds(header: str, seconds: float) -> None:
    """A proxy's `Retry-After` does not silence the heartbeats for good."""
    with pytest.raises(ServiceError) as failed:
        answer_of(httpx.Response(503, json={}, headers={"retry-after": header}))
    assert failed.value.retry_after == seconds


def test_the_users_streams_can_be_listed() -> None:
    """The user's streams are listed as values."""
    listed = {
        "streamCount": 3,
        "anonymousCount": 1,
        "maxStreams": 3,
        "streams": [HOLDER, HOLDER | {"groups": ["uhd"]}],
    }
    with StreamLimiter("http://api", transport=Service(httpx.Response(200, json=listed))) as limiter:
        streams = limiter.streams("1")
    assert (streams.stream_count, streams.anonymous_count, streams.streams[0].stream_id) == (3, 1, "tv-1")
    assert [stream.groups for stream in streams.streams] == [(), ("uhd",)]


class Clock:
    """A clock that stands still where it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def heartbeats(self, hold: dict[str, Any] = HOLD, groups: tuple[str, ...] = ()) -> Steps:
        """Return the heartbeats of a play admitted at 1000, with a lease until 1090; the first one is due."""
        play = Play(Timing(lambda: self.now, lambda: 1.0), "1", None, "old", "mine")
        play.nonce = "this"
        start = play.start(is_held=False, groups=groups)
        body = {"userId": "1", "streamId": "mine", "play": "this", "replaces": "old"}
        assert next(start) == Post("/stream/start", body | ({"groups": groups} if groups else {}))
        with pytest.raises(StopIteration):
            start.send(hold)
        heartbeats = play.keep()
        assert next(heartbeats) == Pause(30)
        return heartbeats


UNVERIFIED: Final = {"expiresInSeconds": 90, "heartbeatSeconds": 30, "verified": False}
GONE: Final = StreamGone(410, {"code": "stream_gone"})
LOST: Final = ServiceError(0, {})
HEARTBEAT: Final = Post("/stream/heartbeat", {"userId": "1", "streamId": "mine", "play": "this"})


def failed(heartbeats: Steps, error: ServiceError) -> float:
    """Send one heartbeat, which fails; return the seconds until the next one."""
    assert next(heartbeats) == HEARTBEAT
    pause = heartbeats.throw(error)
    assert isinstance(pause, Pause)
    return pause.seconds


def next_after_gone(heartbeats: Steps) -> Post:
    """Send one heartbeat, which is answered with a 410; return the request that comes next."""
    heartbeat = next(heartbeats)
    assert isinstance(heartbeat, Post)
    assert heartbeat.path == "/stream/heartbeat"
    post = heartbeats.throw(GONE)
    assert isinstance(post, Post)
    return post


def lapsed(clock: Clock, heartbeats: Steps) -> Post:
    """Let the first lease expire; return the request that comes then."""
    clock.now = 1090.0
    assert next(heartbeats) is Notice.LAPSED
    post = next(heartbeats)
    assert isinstance(post, Post)
    return post


def test_a_stream_evicted_within_its_lease_stops() -> None:
    """An evicted stream stops, because two players must not evict each other forever."""
    clock = Clock()
    heartbeats = clock.heartbeats()
    clock.now = 1089.9
    assert next(heartbeats) == Post(HEARTBEAT.path, HEARTBEAT.body, 1090.0 - 1089.9)
    with pytest.raises(StreamGone):
        heartbeats.throw(GONE)


def test_a_lapsed_stream_restarts_under_its_name_and_replaces_nothing() -> None:
    """The screen keeps its name, and what the first start replaced has ended."""
    clock = Clock()
    assert lapsed(clock, clock.heartbeats()) == Post("/stream/start", HEARTBEAT.body)


def test_a_lapsed_stream_restarts_in_its_groups() -> None:
    """A start after a lapse names the groups, because the store forgets them with the lease."""
    clock = Clock()
    again = lapsed(clock, clock.heartbeats(groups=("uhd",)))
    assert again == Post("/stream/start", {**HEARTBEAT.body, "groups": ("uhd",)})


def test_a_lapsed_unverified_stream_replaces_the_same_stream_again() -> None:
    """The start replaces again, because the store may not know that the other stream has ended."""
    clock = Clock()
    again = lapsed(clock, clock.heartbeats(UNVERIFIED))
    assert again == Post("/stream/start", {**HEARTBEAT.body, "replaces": "old"})


def test_no_pause_and_no_request_outlasts_the_lease() -> None:
    """A stream lapses at the end of its lease, and not when the next heartbeat fails."""
    clock = Clock()
    heartbeats = clock.heartbeats()
    clock.now = 1088.0
    assert next(heartbeats) == Post(HEARTBEAT.path, HEARTBEAT.body, 2.0)
    clock.now = 1089.5
    assert heartbeats.throw(LOST) == Pause(0.5)
    clock.now = 1090.0
    assert next(heartbeats) is Notice.LAPSED


def test_a_late_answer_to_a_heartbeat_extends_the_lease() -> None:
    """The lease counts from when the heartbeat was sent, so no lapse is noticed."""
    clock = Clock()
    heartbeats = clock.heartbeats()
    clock.now = 1089.0
    assert isinstance(next(heartbeats), Post)
    clock.now = 1091.0
    assert heartbeats.send(HOLD) == Pause(30)
    assert next(heartbeats) == HEARTBEAT


def test_a_lapse_is_reported_once_and_ends_with_the_next_admission() -> None:
    """A long lapse is noticed once; then heartbeats continue, and the next lapse is another one."""
    clock = Clock()
    heartbeats = clock.heartbeats()
    start = lapsed(clock, heartbeats)
    for _ in range(2000):
        clock.now += 100
        assert isinstance(heartbeats.throw(LOST), Pause)
        assert next(heartbeats) == start
    assert heartbeats.send(HOLD) is Notice.ADMITTED
    assert next(heartbeats) == Pause(30)
    assert next(heartbeats) == HEARTBEAT
    clock.now += 90
    assert heartbeats.throw(LOST) == Pause(0)
    assert next(heartbeats) is Notice.LAPSED


def test_a_lapse_begins_at_the_end_of_an_unverified_lease() -> None:
    """The lapse begins at the end of the unverified lease."""
    clock = Clock()
    heartbeats = clock.heartbeats(UNVERIFIED)
    again = next_after_gone(heartbeats)
    assert isinstance(heartbeats.throw(LOST), Pause)
    assert next(heartbeats) == again
    clock.now = 1089.75
    assert heartbeats.throw(LOST) == Pause(0.25)
    clock.now = 1090.0
    assert next(heartbeats) is Notice.LAPSED
    assert next(heartbeats) == again
    assert heartbeats.send(HOLD) is Notice.ADMITTED


def test_a_lease_of_zero_lasts_until_the_next_heartbeat() -> None:
    """A lease rounded down to zero does not make the stream lapse and start again without a pause."""
    heartbeats = Clock().heartbeats(HOLD | {"expiresInSeconds": 0})
    assert next(heartbeats) == HEARTBEAT


@pytest.mark.parametrize("reason", [LimitReached(403, FULL), ServiceError(400, {}), ServiceError(401, {})])
def test_a_lapsed_stream_whose_start_is_refused_has_stopped(reason: ServiceError) -> None:
    """A refused stream has stopped, and is not lapsed any more."""
    clock = Clock()
    play = held_play(clock, HOLD)
    heartbeats = play.keep()
    next(heartbeats)
    assert lapsed(clock, heartbeats).path == "/stream/start"
    assert play.is_lapsed
    with pytest.raises(ServiceError) as lost:
        heartbeats.throw(reason)
    assert lost.value is reason
    assert not play.is_lapsed


def test_a_start_of_a_held_stream_gives_up_at_the_end_of_the_lease() -> None:
    """At the end of its lease the stream lapses, as its heartbeats notice when they continue."""
    clock = Clock()
    play = held_play(clock, HOLD)
    clock.now = 1089.0
    start = play.start(is_held=True)
    assert next(start) == Post("/stream/start", {**HEARTBEAT.body, "play": play.nonce}, 1.0)
    clock.now = 1089.5
    with pytest.raises(ServiceError):
        start.throw(LOST)
    heartbeats = play.keep()
    assert next(heartbeats) == Pause(0)
    clock.now = 1090.0
    assert next(heartbeats) is Notice.LAPSED


@pytest.mark.parametrize("lapse", ["noticed", "slept through"])
def test_a_start_of_a_lapsed_stream_has_the_full_time_limit(lapse: str) -> None:
    """A lapsed stream has no lease left to wait for, even if a slept machine has not noticed yet."""
    clock = Clock()
    play = held_play(clock, HOLD)
    if lapse == "noticed":
        heartbeats = play.keep()
        next(heartbeats)
        lapsed(clock, heartbeats)
    clock.now = 1090.0
    start = play.start(is_held=True)
    assert next(start) == Post("/stream/start", {**HEARTBEAT.body, "play": play.nonce})
    assert start.throw(LOST) == Pause(0.6)
    assert isinstance(next(start), Post)
    with pytest.raises(StopIteration):
        start.send(HOLD)
    assert not play.is_lapsed


def test_a_failed_start_leaves_a_lapsed_stream_lapsed() -> None:
    """The stream goes on starting at once, and its lapse is not noticed a second time."""
    clock = Clock()
    play = held_play(clock, HOLD)
    heartbeats = play.keep()
    next(heartbeats)
    again = lapsed(clock, heartbeats)
    start = play.start(is_held=True)
    next(start)
    with pytest.raises(ServiceError):
        start.throw(ServiceError(400, {}))
    assert play.is_lapsed
    heartbeats = play.keep()
    assert next(heartbeats) == Pause(0)
    assert next(heartbeats) == again
    assert heartbeats.send(HOLD) is Notice.ADMITTED


@pytest.mark.parametrize("how", ["ended", "abandoned", "evicted", "refused"])
def test_an_ended_streams_lease_does_not_shorten_a_later_start(how: str) -> None:
    """An ended stream's remaining lease does not shorten a later start's patience."""
    play = held_play(Clock(), HOLD | {"expiresInSeconds": 1, "heartbeatSeconds": 0.5})
    lose(play, how)
    assert next(play.start(is_held=False)) == Post("/stream/start", {**HEARTBEAT.body, "play": play.nonce})


def test_an_unverified_stream_restarts_and_replaces_the_same_stream() -> None:
    """The store does not know the stream, so a 410 while its lease runs is not an eviction."""
    again = next_after_gone(Clock().heartbeats(UNVERIFIED))
    assert again == Post("/stream/start", {**HEARTBEAT.body, "replaces": "old"})


def test_a_stream_extended_unverified_restarts() -> None:
    """The lease may have expired in the store, which the heartbeats did not reach."""
    heartbeats = Clock().heartbeats()
    assert next(heartbeats) == HEARTBEAT
    assert heartbeats.send(UNVERIFIED) == Pause(30)
    assert next_after_gone(heartbeats).path == "/stream/start"


@pytest.mark.parametrize("path", ["/stream/heartbeat", "/stream/start"])
def test_after_a_verified_answer_a_410_is_an_eviction(path: str) -> None:
    """A 410 after a verified answer, while the lease runs, is an eviction."""
    heartbeats = Clock().heartbeats(UNVERIFIED)
    post = next_after_gone(heartbeats) if path == "/stream/start" else next(heartbeats)
    assert isinstance(post, Post)
    assert post.path == path
    assert heartbeats.send(HOLD) == Pause(30)
    with pytest.raises(StreamGone):
        next_after_gone(heartbeats)


def test_a_failed_heartbeat_is_retried_with_bounded_growing_delays() -> None:
    """The delay doubles each time, up to ten seconds."""
    heartbeats = Clock().heartbeats()
    pauses = [failed(heartbeats, LOST) for _ in range(8)]
    assert pauses == pytest.approx([0.6, 1.2, 2.4, 4.8, 9.6, 10, 10, 10])
    assert next(heartbeats) == HEARTBEAT
    assert heartbeats.send(HOLD) == Pause(30)
    assert failed(heartbeats, LOST) == pytest.approx(0.6)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refused_heartbeat_is_retried_during_the_lease(status: int) -> None:
    """Only a 410 means a lost slot: a token, or a deployment, may be right again in time."""
    heartbeats = Clock().heartbeats()
    assert failed(heartbeats, ServiceError(status, {})) == 0.6
    assert next(heartbeats) == HEARTBEAT


def test_retries_continue_through_days_without_a_network() -> None:
    """Any number of failures is followed by another attempt."""
    heartbeats = Clock().heartbeats()
    assert [failed(heartbeats, LOST) for _ in range(2000)][-1] == 10


def test_retry_after_delays_the_next_heartbeat() -> None:
    """A `Retry-After` makes the next heartbeat later."""
    assert failed(Clock().heartbeats(), ServiceError(503, {}, retry_after=20)) == 20


def held_play(clock: Clock, answer: dict[str, Any]) -> Play:
    """Return a play that was admitted at 1000 by this answer."""
    play = Play(Timing(lambda: clock.now, lambda: 1.0), "1", None, None, "mine")
    start = play.start(is_held=False)
    next(start)
    with pytest.raises(StopIteration):
        start.send(answer)
    return play


def test_a_stream_keeps_its_newest_token_until_it_ends() -> None:
    """A heartbeat without a token keeps the last token and its expiry."""
    clock = Clock()
    play = held_play(clock, HOLD | {"playbackToken": "first"})
    heartbeats = play.keep()
    next(heartbeats)
    clock.now = 1030.0
    next(heartbeats)
    heartbeats.send(HOLD | {"playbackToken": "token"})
    assert play.playback_token == "token"
    clock.now = 1060.0
    next(heartbeats)
    heartbeats.send(HOLD)
    clock.now = 1119.9
    assert play.playback_token == "token"
    clock.now = 1120.0
    assert play.playback_token is None


def test_a_stream_that_is_refused_other_groups_keeps_its_token() -> None:
    """A refused stream continues in its groups with its token."""
    play = held_play(Clock(), HOLD | {"playbackToken": "token"})
    start = play.start(is_held=True, groups=["uhd"])
    next(start)
    with pytest.raises(LimitReached):
        start.throw(LimitReached(403, LISTED))
    assert (play.playback_token, play.groups) == ("token", ())


def lose(play: Play, how: str) -> None:
    """End the play, or have its slot taken."""
    if how == "ended":
        next(play.end())
    elif how == "abandoned":
        play.release()
    elif how == "evicted":
        heartbeats = play.keep()
        next(heartbeats)
        next(heartbeats)
        with pytest.raises(StreamGone):
            heartbeats.throw(GONE)
    else:
        start = play.start(is_held=True)
        next(start)
        with pytest.raises(LimitReached):
            start.throw(LimitReached(403, FULL))


@pytest.mark.parametrize("how", ["ended", "abandoned", "evicted", "refused"])
def test_an_ended_stream_has_no_token(how: str) -> None:
    """An ended stream has no token, whatever is left of its lease."""
    play = held_play(Clock(), HOLD | {"playbackToken": "token"})
    lose(play, how)
    assert play.playback_token is None


def test_heartbeats_resume_on_schedule_after_a_start() -> None:
    """Time that passed during a start counts for the next heartbeat; a clock set back does not."""
    clock = Clock()
    play = held_play(clock, HOLD)
    for now, pause in ((1012.0, 18), (1040.0, 0), (900.0, 30)):
        clock.now = now
        assert next(play.keep()) == Pause(pause)


def test_a_start_makes_heartbeats_wait_for_one_heartbeat_at_most() -> None:
    """A start delays heartbeats by one interval at most, however long its patience is."""
    clock = Clock()
    play = held_play(clock, HOLD | {"heartbeatSeconds": 1})
    start = play.start(is_held=True)
    assert isinstance(next(start), Post)
    assert start.throw(LOST) == Pause(0.6)
    clock.now += 0.6
    assert isinstance(next(start), Post)
    with pytest.raises(ServiceError):
        start.throw(LOST)


def test_a_postponed_automatic_start_waits_without_a_time_limit() -> None:
    """An automatic start waits as long as it must, because no caller is there to retry."""
    heartbeats = Clock().heartbeats(UNVERIFIED)
    assert next_after_gone(heartbeats).path == "/stream/start"
    assert heartbeats.throw(TooManyStarts(429, {"code": "too_many_starts"}, retry_after=60)) == Pause(60)


def test_a_stream_does_not_replace_itself() -> None:
    """A stream that would replace itself, which the service refuses, replaces nothing."""
    start = held_play(Clock(), HOLD).start(is_held=True, replaces="mine")
    post = next(start)
    assert isinstance(post, Post)
    assert "replaces" not in post.body


URL: Final = "https://beats.example.com/"
TOKEN: Final = HOLD | {"playbackToken": "t1"}
NAMED: Final = TOKEN | {"heartbeatUrl": URL}
BY_TOKEN: Final = Post(URL, {**HEARTBEAT.body, "playbackToken": "t1"}, is_signed=False)


def next_asked(heartbeats: Steps, clock: Clock, seconds: float = 30) -> object:
    """Let the time pass to the next heartbeat; return its first request."""
    clock.now += seconds
    return next(heartbeats)


def test_heartbeats_go_to_the_url_of_the_answer(kind: str) -> None:
    """The newest token replaces the signature and the login, which is not requested any more."""
    logins: list[str] = []

    def login() -> str:
        logins.append("login")
        return "login"

    quick = httpx.Response(200, json=NAMED | {"heartbeatSeconds": 0.01})
    service = Service(httpx.Response(200, json=TOKEN | {"playbackToken": "t2"}), start=[quick])
    limiter = (StreamLimiter if kind == "threads" else AsyncStreamLimiter)(
        "http://api", login, auth=httpx.BasicAuth("backend", "secret"), transport=service
    )
    stream = limiter.stream("1", stream_id="mine")

    async def play() -> None:
        await outcome(stream.start())
        await wait_until(lambda: len(service.requests) >= 2)
        await outcome(stream.abandon())

    asyncio.run(play())
    (start, _), (renewal, body) = service.requests
    assert (start, renewal) == ("/stream/start", "/")
    assert body.pop("play")
    assert body == {"userId": "1", "streamId": "mine", "playbackToken": "t1"}
    assert "authorization" in service.headers[0]
    assert "authorization" not in service.headers[1]
    assert service.headers[1]["host"] == "beats.example.com"
    assert logins == ["login"]
    assert stream.playback_token is None


def test_the_urls_answer_extends_the_lease_and_renews_the_token() -> None:
    """The next heartbeat goes to the URL with the token of its answer."""
    clock = Clock()
    heartbeats = clock.heartbeats(NAMED)
    assert next_asked(heartbeats, clock) == BY_TOKEN
    assert heartbeats.send(TOKEN | {"playbackToken": "t2"}) == Pause(30)
    clock.now = 1119  # a second before the end of the lease
    post = next(heartbeats)
    assert isinstance(post, Post)
    assert (post.path, post.body["playbackToken"], post.seconds) == (URL, "t2", 1)


@pytest.mark.parametrize(
    "url",
    [
        "http://beats.example.com/",
        "ftp://localhost/",
        "//beats.example.com/",
        "https://host:port/",
        "beats",
        "",
        7,
        None,
    ],
)
def test_a_token_is_not_sent_over_a_readable_connection(url: object) -> None:
    """The heartbeat goes to the API if the token could be read on its way."""
    clock = Clock()
    assert next_asked(clock.heartbeats(TOKEN | {"heartbeatUrl": url}), clock) == HEARTBEAT


@pytest.mark.parametrize("url", ["http://localhost:8080/beat", "http://127.0.0.1/", "http://[::1]:3000/"])
def test_a_token_may_be_sent_over_loopback(url: str) -> None:
    """A token may be sent over loopback, because it does not leave the machine."""
    clock = Clock()
    post = next_asked(clock.heartbeats(TOKEN | {"heartbeatUrl": url}), clock)
    assert isinstance(post, Post)
    assert post.path == url


def test_without_a_token_heartbeats_go_to_the_api() -> None:
    """Without a token, or with an expired one after an answer without any, the API is called."""
    clock = Clock()
    assert next_asked(clock.heartbeats(HOLD | {"heartbeatUrl": URL}), clock) == HEARTBEAT
    heartbeats = clock.heartbeats(NAMED)
    next_asked(heartbeats, clock)
    heartbeats.send(HOLD | {"expiresInSeconds": 3600})
    assert next_asked(heartbeats, clock, 90) == HEARTBEAT


@pytest.mark.parametrize(
    ("named", "body"),
    [
        ({}, {"streamId": "mine", "play": "this"}),
        ({"userId": 7}, {"streamId": "mine", "play": "this"}),
        ({"userId": "anna"}, {"userId": "anna", "streamId": "mine", "play": "this", "playbackToken": "t1"}),
    ],
    ids=str,
)
def test_a_login_users_heartbeat_uses_the_id_in_the_answer(
    named: dict[str, Any], body: dict[str, Any]
) -> None:
    """The URL needs the user's id from the answer, because it does not know the login."""
    clock = Clock()
    play = Play(Timing(lambda: clock.now, lambda: 1.0), None, None, None, "mine")
    play.nonce = "this"
    start = play.start(is_held=False)
    next(start)
    with pytest.raises(StopIteration):
        start.send(NAMED | named)
    heartbeats = play.keep()
    next(heartbeats)
    post = next_asked(heartbeats, clock)
    assert isinstance(post, Post)
    assert post.body == body


@pytest.mark.parametrize(
    "failure",
    [
        ServiceError(401, {"code": "unauthenticated"}),
        ServiceError(403, {"Message": "Forbidden"}),
        ServiceError(404, {}),
        ServiceError(410, {}),
        ServiceError(413, {"code": "payload_too_large"}),
        ServiceError(400, {"code": "invalid_request"}),
        ServiceError(429, {"message": "Too Many Requests"}),
        ServiceError(502, {"message": "Internal Server Error"}),
        LOST,
        {"login": "here"},
    ],
    ids=str,
)
def test_an_unanswered_heartbeat_falls_back_to_the_api_at_once(
    failure: ServiceError | dict[str, Any],
) -> None:
    """The heartbeat goes to the API at once, and the next one to the URL again."""
    clock = Clock()
    heartbeats = clock.heartbeats(NAMED)
    assert next_asked(heartbeats, clock) == BY_TOKEN
    api = heartbeats.throw(failure) if isinstance(failure, ServiceError) else heartbeats.send(failure)
    assert api == HEARTBEAT
    assert heartbeats.send(NAMED) == Pause(30)
    assert next_asked(heartbeats, clock) == BY_TOKEN


@pytest.mark.parametrize("status", [429, 503])
def test_an_answer_of_the_service_is_final(status: int) -> None:
    """After the service's own answer the URL is called again, a little later: the API would give the same."""
    clock = Clock()
    heartbeats = clock.heartbeats(NAMED)
    next_asked(heartbeats, clock)
    for delay in (0.6, 1.2):
        pause = heartbeats.throw(ServiceError(status, {"code": "store_unavailable"}))
        assert pause == Pause(delay)
        assert next_asked(heartbeats, clock, delay) == BY_TOKEN


def test_a_410_of_the_url_is_a_410() -> None:
    """The stream is gone, and the API is not called."""
    clock = Clock()
    heartbeats = clock.heartbeats(NAMED)
    next_asked(heartbeats, clock)
    with pytest.raises(StreamGone):
        heartbeats.throw(GONE)


def beats(heartbeats: Steps, clock: Clock, answer: dict[str, Any] | None = None) -> bool:
    """Let the URL give the next heartbeat this answer (`None`: none); return whether it was called.

    The API names it in every answer.
    """
    post = next_asked(heartbeats, clock)
    is_asked = post == BY_TOKEN
    if is_asked and answer is None:
        post = heartbeats.throw(LOST)
    assert post == (HEARTBEAT if answer is None or not is_asked else BY_TOKEN)
    assert heartbeats.send(answer if is_asked and answer else NAMED) == Pause(30)
    return is_asked


def test_a_url_that_fails_twice_in_a_row_is_not_used_until_the_lease_expires() -> None:
    """The lease that was held at the second failure, at 1060, lasts until 1120."""
    clock = Clock()
    heartbeats = clock.heartbeats(NAMED)
    assert [beats(heartbeats, clock) for _ in range(7)] == [True, True, False, False, True, True, False]


def test_only_failures_in_a_row_count() -> None:
    """After an answer of the URL in between, each failure is the first one."""
    clock = Clock()
    heartbeats = clock.heartbeats(NAMED)
    assert [beats(heartbeats, clock, answer) for answer in (None, TOKEN) * 4] == [True] * 8


def test_the_latest_answer_of_the_api_sets_the_url() -> None:
    """Each answer of the API names the URL to use, or none, which ends its use."""
    clock = Clock()
    heartbeats = clock.heartbeats(TOKEN)
    assert next_asked(heartbeats, clock) == HEARTBEAT
    heartbeats.send(NAMED)
    assert next_asked(heartbeats, clock) == BY_TOKEN
    assert heartbeats.throw(LOST) == HEARTBEAT
    heartbeats.send(TOKEN)
    assert next_asked(heartbeats, clock) == HEARTBEAT


def test_a_hanging_url_does_not_delay_a_lapse() -> None:
    """At the end of the lease no other server is called with one more heartbeat."""
    clock = Clock()
    heartbeats = clock.heartbeats(NAMED | {"expiresInSeconds": 32})
    post = next_asked(heartbeats, clock)
    assert isinstance(post, Post)
    assert (post.path, post.seconds) == (URL, 2)
    clock.now += 2
    assert heartbeats.throw(LOST) == Pause(0)
    assert next(heartbeats) == Notice.LAPSED
