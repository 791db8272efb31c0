"""Warm calls: processor time and latency; each kind of call alternates with a bare call of the SDK."""

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from types import MappingProxyType

from adapters.aws.api import StoreClient
from bench.calls import (
    WITH_TOKENS,
    WITH_URL,
    Call,
    Handlers,
    StubApi,
    StubTransport,
    bare_client,
    bare_update,
    lean_client_over,
    store_handlers,
    stub_bare_client,
)
from bench.results import Progress, Row, Samples, median_row

ORDINARY = ("start", "heartbeat", "end")
_GOALS = {"start": 0.28, "heartbeat": 0.25, "end": 0.25}
GOALS = _GOALS | {f"{name}.token": goal for name, goal in _GOALS.items()}
"""The goals for the processor time of each kind of call, as a ratio to the bare SDK's; tokens change none."""

BLOCK = 20
"""The number of consecutive calls of one kind, which are measured together before the next kind's turn."""


class _Taken:
    """The times of each of these kinds of call, in microseconds."""

    def __init__(self, kinds: Iterable[str] = ()) -> None:
        self.cpu: Samples = {name: [] for name in kinds}
        self.wall: Samples = {name: [] for name in kinds}

    def block(self, name: str, calls: Sequence[Call]) -> None:
        """Make these calls; keep each one's latency and the mean of their processor times."""
        wall = self.wall[name]
        cpu_before = time.process_time_ns()
        for call in calls:
            before = time.perf_counter_ns()
            call()
            wall.append((time.perf_counter_ns() - before) / 1000)
        self.cpu[name].append((time.process_time_ns() - cpu_before) / 1000 / len(calls))

    def rows(self, prefix: str, goals: Mapping[str, float] = MappingProxyType({})) -> Iterator[Row]:
        """Yield the rows; the goals are for the processor time of some kinds."""
        for name, cpu in self.cpu.items():
            bare = name == "bare"
            yield median_row(
                f"{prefix}.{name}.cpu",
                "µs",
                cpu,
                baseline=None if bare else self.cpu["bare"],
                goal=goals.get(name),
            )
            wall, bare_wall = self.wall[name], self.wall["bare"]
            yield _quantile_row(f"{prefix}.{name}.p50", wall, bare_wall, 50, bare=bare)
            yield _quantile_row(f"{prefix}.{name}.p99", wall, bare_wall, 99, bare=bare)


def _quantile_row(
    name: str, wall: Sequence[float], bare_wall: Sequence[float], at: int, *, bare: bool
) -> Row:
    value, baseline = (statistics.quantiles(values, n=100)[at - 1] for values in (wall, bare_wall))
    return Row(name, round(value, 1), "µs", ratio=None if bare else round(value / baseline, 3))


class _Plays:
    """Streams of three ages, which make it possible to measure starts, heartbeats and ends in any order."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._ages = deque([self._fresh(), self._fresh()], maxlen=3)
        for stream in (*self._ages[0], *self._ages[1]):
            stream["start"]()

    def block(self) -> dict[str, list[Call]]:
        """Return starts of new streams, heartbeats of the previous ones, and ends of those before."""
        self._ages.appendleft(self._fresh())
        return {
            name: [stream[name] for stream in streams]
            for name, streams in zip(ORDINARY, self._ages, strict=True)
        }

    def _fresh(self) -> list[dict[str, Call]]:
        return [self._handlers.one_stream() for _ in range(BLOCK)]


def _measure(
    rounds: int, draw: Callable[[], Mapping[str, Sequence[Call]]], progress: Callable[[int], None]
) -> _Taken:
    """Measure each kind of call once per round, in a random order, so that none always follows another."""
    chance = Random(1)  # noqa: S311 - an order, not a secret
    taken = _Taken()
    for number in range(-2, rounds):
        progress(max(number, 0) + 1)
        blocks = draw()
        if number <= 0:  # the first rounds warm up: connections, caches, the store itself
            taken = _Taken(blocks)
        for name in chance.sample(list(blocks), len(blocks)):
            taken.block(name, blocks[name])
    return taken


def on_store(rounds: int, progress: Progress) -> tuple[list[Row], Samples]:
    """Measure over DynamoDB Local; also return the latencies."""
    bare = bare_update(bare_client())
    lean = store_handlers(StoreClient.LEAN, "lean")
    plays, boto3_plays = _Plays(lean), _Plays(store_handlers(StoreClient.BOTO3, "sdk"))
    token_plays = _Plays(store_handlers(StoreClient.LEAN, "token", **WITH_TOKENS))

    def draw() -> dict[str, list[Call]]:
        return {
            "bare": [bare] * BLOCK,
            **plays.block(),
            **{f"{name}.boto3": calls for name, calls in boto3_plays.block().items()},
            **{f"{name}.token": calls for name, calls in token_plays.block().items()},
            "refusal": [lean.refusal() for _ in range(BLOCK)],
            "reclaim": [lean.reclaim() for _ in range(BLOCK)],
        }

    taken = _measure(rounds, draw, lambda number: progress(f"warm calls, round {number} of {rounds}"))
    return list(taken.rows("warm", GOALS)), dict(taken.wall)


def on_stub(rounds: int, progress: Progress) -> list[Row]:
    """Measure processor time over transports that do nothing; `parts` is the handler without any client."""
    lean = Handlers(lean_client_over(StubTransport()), "stub").stream("stub", "play-1")
    parts = Handlers(StubApi(), "stub").stream("stub", "play-1")
    by_url = Handlers(lean_client_over(StubTransport()), "url", **WITH_URL).renewals("stub", "play-1")
    kinds: Mapping[str, Call] = {
        "bare": bare_update(stub_bare_client()),
        **lean,
        **{f"{name}.parts": call for name, call in parts.items()},
        **{f"heartbeat.{name}": call for name, call in by_url.items()},
    }
    blocks = {name: [call] * BLOCK for name, call in kinds.items()}
    taken = _measure(
        rounds, lambda: blocks, lambda number: progress(f"calls without a store, round {number} of {rounds}")
    )
    return list(taken.rows("stub"))
