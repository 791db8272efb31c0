"""The Python client, in threads and in asyncio, over a service and a clock that do as they are told."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from stream_limiter_client import AsyncStreamLimiter, LimitReached, ServiceError, StreamGone, StreamLimiter
from stream_limiter_client.play import Pause, Play, Post, Steps, Timing, answer_of

HOLD: Final = {"streamCount": 1, "maxStreams": 3, "expiresInSeconds": 90, "heartbeatSeconds": 30}
FULL: Final = {
    "code": "limit_reached",
    "detail": "full",
    "anonymousCount": 1,
    "streams": [
        {
            "streamId": "tv-1",
            "device": "TV",
            "startedAt": "2026-11-24T05:19:39Z",
            "expiresAt": "2026-11-24T05:21:09Z",
        }
    ],
}
AWAY: Final = httpx.Response(503, json={"code": "store_unavailable"})


class Service(httpx.MockTransport):
    """Answers as it is told, in order; the last answer for ever.

    `None` is a network that fails, an exception is whatever else can go wrong on the way.
    """

    def __init__(self, *answers: httpx.Response | Exception | None) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.headers: list[httpx.Headers] = []
        self.queries: list[bytes] = []
        self._answers: Iterator[httpx.Response | Exception | None] = iter(answers)
        self._latest: httpx.Response | Exception | None = None
        super().__init__(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append((request.url.path, json.loads(request.content) if request.content else None))
        self.headers.append(request.headers)
        self.queries.append(request.url.query)
        self._latest = next(self._answers, self._latest)
        if self._latest is None:
            raise httpx.ConnectError("no network")
        if isinstance(self._latest, Exception):
            raise self._latest
        return httpx.Response(
            self._latest.status_code, headers=self._latest.headers, content=self._latest.content
        )


@pytest.fixture(params=["threads", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two clients."""
    return str(request.param)


def play_once(kind: str, service: Service, timing: Timing | None = None, **options: Any) -> str:
    """One stream from its start to its end; gives its name."""
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


def test_a_block_takes_a_slot_and_gives_it_back(kind: str) -> None:
    """With a fresh name, the device, the stream that it replaces, and the token."""
    service = Service(httpx.Response(200, json=HOLD))
    name = play_once(kind, service, device="TV", replaces="old")
    body = {"userId": "1", "streamId": name}
    assert service.requests == [
        ("/v1/stream/start", {**body, "device": "TV", "replaces": "old"}),
        ("/v1/stream/end", body),
    ]
    assert [headers["authorization"] for headers in service.headers] == ["Bearer token"] * 2
    assert play_once(kind, service) != name


def test_a_refusal_says_who_holds_the_slots(kind: str) -> None:
    """And no end follows a start that took nothing."""
    service = Service(httpx.Response(403, json=FULL))
    with pytest.raises(LimitReached, match="full") as refused:
        play_once(kind, service)
    assert [(holder.stream_id, holder.device) for holder in refused.value.streams] == [("tv-1", "TV")]
    assert refused.value.anonymous_count == 1
    assert len(service.requests) == 1


def test_a_start_that_is_not_answered_is_repeated_under_the_same_name(kind: str) -> None:
    """After a lost request and after a 503."""
    service = Service(None, AWAY, httpx.Response(200, json=HOLD))
    play_once(kind, service, Timing(random=lambda: -0.99))
    assert [path for path, _ in service.requests] == ["/v1/stream/start"] * 3 + ["/v1/stream/end"]
    assert len({body["streamId"] for _, body in service.requests}) == 1


@pytest.mark.parametrize(
    ("answer", "status"), [(None, 0), (httpx.Response(400, json={"code": "invalid_request"}), 400)]
)
def test_what_is_hopeless_is_given_up(kind: str, answer: httpx.Response | None, status: int) -> None:
    """When patience has run out, and at once when the call is wrong."""
    service = Service(answer)
    with pytest.raises(ServiceError) as failed:
        play_once(kind, service, Timing(patience_seconds=0))
    assert failed.value.status == status
    assert len(service.requests) == 1


def starts(kind: str, service: Service, times: int) -> list[dict[str, str]]:
    """What one stream sends that is started so often, and then ended; refusals are not minded."""

    def in_threads() -> None:
        with StreamLimiter("http://api", transport=service, timing=Timing(patience_seconds=0)) as limiter:
            stream = limiter.stream("1")
            for _ in range(times):
                with contextlib.suppress(ServiceError):
                    stream.start()
            stream.end()

    async def in_asyncio() -> None:
        timing = Timing(patience_seconds=0)
        async with AsyncStreamLimiter("http://api", transport=service, timing=timing) as limiter:
            stream = limiter.stream("1")
            for _ in range(times):
                with contextlib.suppress(ServiceError):
                    await stream.start()
            await stream.end()

    asyncio.run(in_asyncio()) if kind == "asyncio" else in_threads()
    return [body for _, body in service.requests]


def test_the_next_episode_takes_over_the_slot_that_is_held(kind: str) -> None:
    """A second start is a new play in the place of the first one; the end is the second one's."""
    first, second, end = starts(kind, Service(httpx.Response(200, json=HOLD)), times=2)
    assert second["replaces"] == first["streamId"]
    assert end["streamId"] == second["streamId"] != first["streamId"]


def test_a_start_after_one_that_was_not_answered_is_the_same_one_again(kind: str) -> None:
    """It may have landed, and must not take a second slot."""
    held = httpx.Response(200, json=HOLD)
    _, lost, again, _ = starts(kind, Service(held, None, held), times=3)
    assert lost == again
    assert lost["replaces"]


def test_what_is_not_the_service_keeps_no_slot(kind: str) -> None:
    """A 200 of a network that asks to sign in is no admission."""
    with pytest.raises(ServiceError, match="not the service"):
        play_once(kind, Service(httpx.Response(200, json={"hotel": "Please sign in"})))


def test_a_task_that_is_cancelled_while_it_ends_a_stream_is_cancelled() -> None:
    """The end of the heartbeats is not taken for it."""

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
    """It is waited for, and the flag is up by then."""

    async def play() -> list[tuple[str, bool]]:
        service = Service(
            httpx.Response(200, json=HOLD | {"heartbeatSeconds": 0.01}),
            httpx.Response(410, json={"code": "stream_gone", "detail": "gone"}),
        )
        told = asyncio.Event()
        heard: list[tuple[str, bool]] = []

        async def on_gone(reason: ServiceError) -> None:
            await asyncio.sleep(0)
            heard.append((str(reason), stream.is_gone))
            told.set()

        async with AsyncStreamLimiter("http://api", transport=service) as limiter:
            stream = limiter.stream("1", on_gone=on_gone)
            await stream.start()
            await told.wait()
        return heard

    assert asyncio.run(play()) == [("gone", True)]


def test_a_token_that_cannot_be_had_is_a_service_error(kind: str) -> None:
    """So that a heartbeat is tried again."""

    def token() -> str:
        raise OSError("no token")

    async def ask() -> None:
        async with AsyncStreamLimiter("http://api", token, transport=Service()) as limiter:
            await limiter.streams("1")

    in_threads = StreamLimiter("http://api", token, transport=Service())
    with pytest.raises(ServiceError, match="token") as failed:
        asyncio.run(ask()) if kind == "asyncio" else in_threads.streams("1")
    assert failed.value.is_passing


def test_a_backend_signs_every_request_and_names_the_limit(kind: str) -> None:
    """Of a start in its body, of a list in its query, which is encoded as a signature wants it."""
    listed = {"streamCount": 0, "anonymousCount": 0, "maxStreams": 5, "streams": []}
    held, seen = httpx.Response(200, json=HOLD), httpx.Response(200, json=listed)
    service = Service(held, held, seen, seen)

    def sign(request: httpx.Request) -> httpx.Request:
        request.headers["authorization"] = f"signed {request.method} {len(request.content) > 0}"
        return request

    def in_threads() -> None:
        with StreamLimiter("http://api/v1", auth=sign, transport=service) as limiter:
            with limiter.stream("1", max_streams=5):
                pass
            limiter.streams("a b+c", max_streams=5)
            limiter.streams(None)

    async def in_asyncio() -> None:
        async with AsyncStreamLimiter("http://api/v1", auth=sign, transport=service) as limiter:
            async with limiter.stream("1", max_streams=5):
                pass
            await limiter.streams("a b+c", max_streams=5)
            await limiter.streams(None)

    asyncio.run(in_asyncio()) if kind == "asyncio" else in_threads()
    assert [body and body.get("maxStreams") for _, body in service.requests] == [5, None, None, None]
    assert service.queries == [b"", b"", b"userId=a%20b%2Bc&maxStreams=5", b""]
    signatures = [headers["authorization"] for headers in service.headers]
    assert signatures == ["signed POST True"] * 2 + ["signed GET False"] * 2


OFTEN: Final = HOLD | {"heartbeatSeconds": 0.01}
WITHIN_SECONDS: Final = 20


def is_gone_after(kind: str, service: Service, requests: int, *, closed: bool = False) -> bool:
    """Return whether a stream is gone once it has tried so many requests; its limiter may be closed."""
    timing = Timing(random=lambda: -0.99)  # so that it tries again at once
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
        assert enough.wait(WITHIN_SECONDS), "the heartbeats have ended"
        stream.abandon()
        limiter.close()
        return stream.is_gone

    async def in_asyncio() -> bool:
        limiter = AsyncStreamLimiter("http://api", token, transport=service, timing=timing)
        stream = limiter.stream("1")
        await stream.start()
        if closed:
            await limiter.close()
        assert await asyncio.to_thread(enough.wait, WITHIN_SECONDS), "the heartbeats have ended"
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
    ids=["code that is no text", "infinite", "huge", "raised on the way"],
)
def test_heartbeats_go_on_whatever_is_answered_or_raised(
    kind: str, trouble: httpx.Response | Exception
) -> None:
    """It is a failure that may pass: the next heartbeat is answered, and the slot is not gone."""
    held = httpx.Response(200, json=OFTEN)
    service = Service(held, trouble, trouble, held)
    assert not is_gone_after(kind, service, requests=6)
    assert {path for path, _ in service.requests[1:]} == {"/stream/heartbeat"}


def test_a_start_by_itself_goes_on_whatever_is_raised(kind: str) -> None:
    """As a heartbeat does: no caller is there to handle it."""
    unverified = httpx.Response(200, json=OFTEN | {"verified": False})
    gone = httpx.Response(410, json={"code": "stream_gone"})
    service = Service(unverified, gone, RuntimeError("It cannot be signed."), unverified)
    assert not is_gone_after(kind, service, requests=5)
    paths = [path for path, _ in service.requests]
    assert paths[1:5] == ["/stream/heartbeat", "/stream/start", "/stream/start", "/stream/heartbeat"]


def test_heartbeats_of_a_limiter_that_was_closed_go_on_failing(kind: str) -> None:
    """Neither the thread nor the task ends with the stream taken for one that plays on."""
    service = Service(httpx.Response(200, json=OFTEN))
    assert not is_gone_after(kind, service, requests=5, closed=True)


@pytest.mark.parametrize(
    "answer", [{"code": ["limit_reached"]}, {"code": {}}, {"code": None}, ["limit_reached"]]
)
def test_a_code_that_is_no_text_is_ignored(answer: Any) -> None:
    """Its status is what counts."""
    with pytest.raises(ServiceError) as failed:
        answer_of(httpx.Response(502, json=answer))
    assert (type(failed.value), failed.value.code, failed.value.is_passing) == (ServiceError, None, True)


@pytest.mark.parametrize(("asked", "seconds"), [("20", 20), ("9" * 400, 300), ("soon", 0)])
def test_retry_after_is_heeded_within_bounds(asked: str, seconds: float) -> None:
    """No proxy silences the heartbeats for good."""
    with pytest.raises(ServiceError) as failed:
        answer_of(httpx.Response(503, json={}, headers={"retry-after": asked}))
    assert failed.value.retry_after == seconds


def test_the_users_streams_can_be_listed() -> None:
    """As values."""
    listed = {"streamCount": 2, "anonymousCount": 1, "maxStreams": 3, "streams": FULL["streams"]}
    with StreamLimiter("http://api", transport=Service(httpx.Response(200, json=listed))) as limiter:
        streams = limiter.streams("1")
    assert (streams.stream_count, streams.anonymous_count, streams.streams[0].stream_id) == (2, 1, "tv-1")


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now = 1000.0

    def heartbeats(self, hold: dict[str, Any] = HOLD) -> Steps:
        """Those of a play that was admitted at 1000, with a lease until 1090; the first one is due."""
        play = Play(Timing(lambda: self.now, lambda: 1.0), "1", None, "old", "mine")
        start = play.start(hands_over=False)
        assert next(start) == Post("/stream/start", {"userId": "1", "streamId": "mine", "replaces": "old"})
        with pytest.raises(StopIteration):
            start.send(hold)
        heartbeats = play.keep()
        assert next(heartbeats) == Pause(30)
        return heartbeats


GONE: Final = StreamGone(410, {"code": "stream_gone"})
LOST: Final = ServiceError(0, {})
HEARTBEAT: Final = Post("/stream/heartbeat", {"userId": "1", "streamId": "mine"})


def failed(heartbeats: Steps, error: ServiceError) -> float:
    """Send one heartbeat, which fails; gives the seconds until the next one."""
    assert next(heartbeats) == HEARTBEAT
    pause = heartbeats.throw(error)
    assert isinstance(pause, Pause)
    return pause.seconds


def next_after_gone(heartbeats: Steps) -> Post:
    """Send one heartbeat, which is answered by a 410; gives the request that comes next."""
    heartbeat = next(heartbeats)
    assert isinstance(heartbeat, Post)
    assert heartbeat.path == "/stream/heartbeat"
    post = heartbeats.throw(GONE)
    assert isinstance(post, Post)
    return post


def test_who_lost_its_slot_while_its_lease_ran_stops() -> None:
    """It was evicted: two players must not evict each other for ever."""
    clock = Clock()
    heartbeats = clock.heartbeats()
    clock.now = 1089.9
    assert next(heartbeats) == HEARTBEAT
    with pytest.raises(StreamGone):
        heartbeats.throw(GONE)


def test_whose_lease_had_run_out_starts_again_under_a_new_name_and_replaces_nothing() -> None:
    """A late packet of the old play cannot end the new one."""
    clock = Clock()
    heartbeats = clock.heartbeats()
    clock.now = 1090.0
    assert next(heartbeats) == HEARTBEAT
    again = heartbeats.throw(GONE)
    assert isinstance(again, Post)
    assert again.path == "/stream/start"
    assert again.body.keys() == {"userId", "streamId"}
    assert again.body["streamId"] != "mine"


UNVERIFIED: Final = {"expiresInSeconds": 90, "heartbeatSeconds": 30, "verified": False}


def test_who_was_admitted_unverified_starts_again_and_replaces_what_it_replaced() -> None:
    """The store has never heard of it: a 410 while its lease runs is no eviction."""
    again = next_after_gone(Clock().heartbeats(UNVERIFIED))
    assert again.path == "/stream/start"
    assert again.body["replaces"] == "old"
    assert again.body["streamId"] != "mine"


def test_who_was_told_unverified_that_it_goes_on_starts_again() -> None:
    """Its lease may have run out in the store, which its heartbeats did not reach."""
    heartbeats = Clock().heartbeats()
    assert next(heartbeats) == HEARTBEAT
    assert heartbeats.send(UNVERIFIED) == Pause(30)
    assert next_after_gone(heartbeats).path == "/stream/start"


@pytest.mark.parametrize("path", ["/stream/heartbeat", "/stream/start"])
def test_a_verified_answer_makes_the_lease_real_again(path: str) -> None:
    """A 410 after it, while the lease runs, is an eviction."""
    heartbeats = Clock().heartbeats(UNVERIFIED)
    post = next_after_gone(heartbeats) if path == "/stream/start" else next(heartbeats)
    assert isinstance(post, Post)
    assert post.path == path
    assert heartbeats.send(HOLD) == Pause(30)
    with pytest.raises(StreamGone):
        next_after_gone(heartbeats)


def test_a_heartbeat_that_fails_is_repeated_later_each_time_and_at_least_as_often_as_ever() -> None:
    """Doubled each time, up to ten seconds."""
    heartbeats = Clock().heartbeats()
    pauses = [failed(heartbeats, LOST) for _ in range(8)]
    assert pauses == pytest.approx([0.6, 1.2, 2.4, 4.8, 9.6, 10, 10, 10])
    assert next(heartbeats) == HEARTBEAT
    assert heartbeats.send(HOLD) == Pause(30)
    assert failed(heartbeats, LOST) == pytest.approx(0.6)


def test_a_network_that_stays_away_for_days_is_waited_for() -> None:
    """No number of failures is too many."""
    heartbeats = Clock().heartbeats()
    assert [failed(heartbeats, LOST) for _ in range(2000)][-1] == 10


def test_the_service_may_ask_to_wait_longer() -> None:
    """By Retry-After."""
    assert failed(Clock().heartbeats(), ServiceError(503, {}, retry_after=20)) == 20
