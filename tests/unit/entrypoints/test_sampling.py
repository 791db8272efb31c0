import json
import math
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.store_calls import StoreCalls
from domain.errors import StoreUnavailable
from entrypoints import bootstrap, sampling
from entrypoints.event_log import EventLog
from entrypoints.metrics import embedded, embedded_together
from entrypoints.sampling import SampledEventLog
from entrypoints.settings import LogLevel, Settings
from testing.fakes import FailingRepository, FakeClock
from tests.support import documented
from tests.unit.entrypoints.calls import Api

Event = dict[str, Any]
Values = dict[tuple[str, str, int], list[float]]

MINUTE = 60.0
NOON = 1_700_000_040.0
"""The beginning of a minute."""


class Log:
    """A log that samples one in N on a clock of its own, and the events that it has written."""

    def __init__(self, output: pytest.CaptureFixture[str], one_in: int) -> None:
        self._output = output
        self.clock = FakeClock(NOON)
        self.log: EventLog = SampledEventLog(LogLevel.INFO, SecretStr(""), one_in, self.clock.now)

    def request(self, outcome: str = "extended", duration_ms: float = 10.0) -> None:
        """Log a request that was answered."""
        self.log.request(**self._fields(outcome, duration_ms))

    def failure(self) -> None:
        """Log a request that failed."""
        self.log.failure(OSError("x"), **self._fields("failed", 10.0))

    def _fields(self, outcome: str, duration_ms: float) -> Event:
        costs = {"duration_ms": duration_ms, "store_ms": duration_ms / 2, "contention_rounds": 0}
        return {"function": "heartbeat", "outcome": outcome, **costs, **embedded(outcome, self.clock.now())}

    def written(self) -> list[Event]:
        """Return the events since the last time."""
        return [json.loads(line) for line in self._output.readouterr().out.splitlines()]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Callable[[int], Log]:
    """Return a log for a given N."""
    return lambda one_in: Log(capsys, one_in)


def metrics(events: list[Event]) -> Values:
    """Return every value of every metric, by its dimensions and minute, as CloudWatch reads them."""
    found: Values = defaultdict(list)
    for event in events:
        documented.made_of(event)
        minute = event["_aws"]["Timestamp"] // 60_000
        for directive in event["_aws"]["CloudWatchMetrics"]:
            (names,) = directive["Dimensions"]
            dimensions = ",".join(event[name] for name in names)
            for metric in directive["Metrics"]:
                values = documented.values_of(event, metric["Name"])
                found[metric["Name"], dimensions, minute].extend(values)
    return found


@pytest.mark.parametrize("one_in", [2, 3, 10, 100])
def test_no_metric_depends_on_the_sample(one_in: int, log: Callable[[int], Log]) -> None:
    """Each metric has the same values in each minute as without sampling, whatever comes in between."""
    chance = random.Random(one_in)  # noqa: S311 - a made-up audience
    sampled, whole = log(one_in), log(1)
    steps = [
        (
            chance.choice([0.0, 0.3, 0.3, 2.0, 45.0]),
            chance.choices(["extended", "gone", "failed"], [97, 2, 1])[0],
        )
        for _ in range(3000)
    ]

    def written(to: Log) -> list[Event]:
        for number, (pause, outcome) in enumerate(steps):
            to.clock.advance(pause)
            if outcome == "failed":
                to.failure()
            else:
                to.request(outcome, duration_ms=number / 7)
        to.clock.advance(MINUTE)
        to.request("gone")  # anything, after the minute of the last heartbeats
        return to.written()

    expected = metrics(written(whole))
    events = written(sampled)

    assert {key: sorted(values) for key, values in metrics(events).items()} == {
        key: sorted(values) for key, values in expected.items()
    }
    own = Counter((event["event"], event["outcome"]) for event in events)
    beats = sum(outcome == "extended" for _, outcome in steps)
    assert own["request", "extended"] == math.ceil(beats / one_in)


def test_one_in_ten_heartbeats_has_its_own_event(log: Callable[[int], Log]) -> None:
    """The first of each ten has its own event, and the next nine share one, which has their values alone."""
    ten = log(10)
    for number in range(30):
        ten.request(duration_ms=float(number))
    events = ten.written()

    assert [event["duration_ms"] for event in events] == [
        *(0.0, list(range(1, 10))),
        *(10.0, list(range(11, 20))),
        *(20.0, list(range(21, 30))),
    ]
    assert [event["event"] for event in events] == ["request", "heartbeats"] * 3
    assert events[1].keys() == {
        *("timestamp", "level", "event", "function", "outcome", "_aws"),
        *("requests", "refused", "failed", "duration_ms", "store_ms", "contention_rounds"),
    }


@pytest.mark.parametrize("outcome", sorted(set(documented.OUTCOMES) - {"extended", "failed"}))
def test_every_other_outcome_has_its_event(outcome: str, log: Callable[[int], Log]) -> None:
    """Only events of successful heartbeats are left out."""
    hundred = log(100)
    for _ in range(3):
        hundred.request(outcome)

    assert [event["outcome"] for event in hundred.written()] == [outcome] * 3


def test_every_failure_has_its_event(log: Callable[[int], Log]) -> None:
    """A failure is never left out, and does not count as a heartbeat."""
    ten = log(10)
    for _ in range(9):
        ten.request()
        ten.failure()
    ten.request()

    assert Counter(event["event"] for event in ten.written()) == {"request": 10, "heartbeats": 1}


@pytest.mark.parametrize("what", ["extended", "gone", "failed"])
def test_kept_values_are_written_after_their_minute(what: str, log: Callable[[int], Log]) -> None:
    """The next request of any kind writes the kept values, under the minute in which they occurred."""
    hundred = log(100)
    hundred.clock.advance(58)
    for _ in range(3):
        hundred.request()
        hundred.clock.advance(0.5)
    hundred.written()
    hundred.clock.advance(600)
    hundred.failure() if what == "failed" else hundred.request(what)
    (kept, *_) = hundred.written()

    assert kept["event"] == "heartbeats"
    assert kept["requests"] == [1, 1]
    assert kept["_aws"]["Timestamp"] // 60_000 == NOON // 60


def test_the_largest_sample_fits_the_format(log: Callable[[int], Log]) -> None:
    """The largest sample fits CloudWatch's arrays, and makes valid metrics."""
    hundred = log(100)
    for _ in range(100):
        hundred.request(duration_ms=12345.678)
    kept = hundred.written()[-1]

    assert len(kept["requests"]) == 99
    assert documented.made_of(kept).keys() == documented.METRICS.keys() - documented.RARE
    assert len(json.dumps(kept)) < documented.MAX_BYTES


def test_a_concurrent_heartbeat_is_counted_once(
    log: Callable[[int], Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A heartbeat of another thread, while values are written, is counted once, and so are those written."""
    ten = log(10)
    other = threading.Thread(target=ten.request, kwargs={"duration_ms": 4.0})

    def with_another_thread(events: Sequence[Event], now: float) -> Event:
        monkeypatch.undo()
        other.start()
        other.join(0.2)  # it has to wait for this one
        return embedded_together(events, now)

    for duration_ms in (1.0, 2.0):
        ten.request(duration_ms=duration_ms)
    ten.clock.advance(MINUTE)
    monkeypatch.setattr(sampling, "embedded_together", with_another_thread)
    ten.request(duration_ms=3.0)
    other.join()
    ten.clock.advance(MINUTE)
    ten.request("gone", duration_ms=5.0)

    values = metrics(ten.written())
    durations = [values["duration_ms", "heartbeat", int(NOON // 60) + minute] for minute in range(3)]
    assert [sorted(one) for one in durations] == [[1.0, 2.0], [3.0, 4.0], [5.0]]


def test_the_setting_samples_the_events_of_the_route(capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve heartbeats at one in four leave three events, and three with the values of the rest."""
    api = Api(clock=FakeClock(NOON), HEARTBEAT_LOG_SAMPLE="4")
    api.start("viewer", streamId="play-1")
    capsys.readouterr()
    for _ in range(12):
        assert api.heartbeat("viewer", streamId="play-1").status == 200
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [event["event"] for event in events] == ["request", "heartbeats"] * 3
    for event in events[::2]:
        documented.check(event)
    assert sum(sum(documented.values_of(event, "requests")) for event in events) == 12


def test_an_unverified_heartbeat_always_has_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    """A heartbeat that is extended unverified always has an event, though it succeeds for the player."""
    unavailable = Api(
        FailingRepository(StoreUnavailable()), ON_STORE_FAILURE="open", HEARTBEAT_LOG_SAMPLE="100"
    )
    for _ in range(3):
        assert unavailable.heartbeat("viewer", streamId="play-1").status == 200

    assert [json.loads(line)["outcome"] for line in capsys.readouterr().out.splitlines()] == [
        "unverified"
    ] * 3


def test_without_sampling_the_log_is_the_plain_one() -> None:
    """By default no code of the sampling runs."""
    settings = Settings.from_environment({"TABLE_NAME": "streams", "AUTH": "none"})
    service = bootstrap.build(settings, FailingRepository(OSError()), FakeClock(), StoreCalls())

    assert type(service.log) is EventLog
