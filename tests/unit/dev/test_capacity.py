import heapq
import random
from itertools import count

import pytest

from dev.capacity import Audience, capacity, load_prices
from domain.limiter import StreamLimiter
from domain.policy import Policy
from domain.requests import EndNamed, Heartbeat, StartNamed
from tests.fakes import FakeClock, RecordingRepository

PRICES = load_prices()


def test_a_million_viewers_cost_what_a_hand_computes() -> None:
    """A heartbeat a minute, plays of an hour: 61.5 requests per play, so 61.5 million an hour."""
    needed = capacity(Audience(1_000_000, heartbeat_seconds=60), PRICES)

    assert needed.requests_second == pytest.approx(61_500_000 / 3600)
    assert needed.dollars_hour == pytest.approx(
        {
            "API Gateway": 61.50,
            "DynamoDB": 38.4375,
            "Lambda": 12.30 + 307_500 * 0.0000133334,  # 61.5 million times 10 ms times half a GB
            "logs": 21.525,  # 43.05 GB
        }
    )
    assert needed.dollars_million_requests == pytest.approx(2.2417, abs=0.0001)
    assert needed.provisioned_dollars_hour == pytest.approx(17_083.333 * 0.00065)
    assert (needed.concurrency, needed.partitions) == (171, 18)
    assert [quota[0] for quota in needed.quotas] == ["API Gateway requests per second"]
    assert needed.ramp_minutes == 90  # 4,000, 8,000, 16,000, 32,000


def test_a_thousand_viewers_need_nothing_special() -> None:
    """Two heartbeats a minute: 121.5 requests per play, 33.75 a second."""
    needed = capacity(Audience(1000), PRICES)

    assert needed.requests_second == pytest.approx(33.75)
    assert (needed.concurrency, needed.partitions, needed.quotas, needed.ramp_minutes) == (1, 1, (), 0)
    assert needed.user_share == pytest.approx(3 * 0.03375 / 1000)


def test_a_hundred_million_viewers_exceed_every_quota() -> None:
    """All three must be raised, long before."""
    assert len(capacity(Audience(100_000_000), PRICES).quotas) == 3


def test_the_model_counts_as_many_writes_as_a_simulated_audience_makes() -> None:
    """10,000 players through the real use cases: each plays, sends heartbeats, ends, and plays again."""
    audience = Audience(10_000, heartbeat_seconds=600, play_seconds=1800)
    clock, repository = FakeClock(), RecordingRepository()
    limiter = StreamLimiter(repository, clock, Policy(lease_seconds=1800, heartbeat_seconds=600))
    chance = random.Random(1)  # noqa: S311 - a made-up audience
    plays = count()

    def length() -> float:
        return chance.uniform(0.5, 1.5) * audience.play_seconds

    def start(player: int) -> str:
        stream_id = f"play-{next(plays)}"
        limiter.start(StartNamed(f"user-{player // 3}", stream_id, 3))
        return stream_id

    # Everybody is somewhere in a play, more often in a long one: when its end comes, and a heartbeat.
    began = clock.now()
    agenda = []
    for player in range(audience.viewers):
        (this_length,) = chance.choices(lengths := [length() for _ in range(10)], lengths)
        ends = began + chance.random() * this_length
        beats = began + chance.random() * audience.heartbeat_seconds
        agenda.append((min(beats, ends), player, start(player), ends))
    heapq.heapify(agenda)
    repository.writes.clear()

    while agenda[0][0] < began + audience.play_seconds:
        at, player, stream_id, ends = heapq.heappop(agenda)
        clock.advance(at - clock.now())
        user = f"user-{player // 3}"
        if at < ends:
            limiter.heartbeat(Heartbeat(user, stream_id))
        else:
            limiter.end(EndNamed(user, stream_id))
            stream_id, ends = start(player), at + length()
        heapq.heappush(agenda, (min(at + audience.heartbeat_seconds, ends), player, stream_id, ends))

    written = len(repository.writes) / audience.play_seconds
    assert written == pytest.approx(capacity(audience, PRICES).requests_second, rel=0.02)
