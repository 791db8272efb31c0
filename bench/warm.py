"""Warm calls: processor time and latency, every kind of call in turn with a bare call of the SDK."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from adapters.dynamodb.client import StoreClient
from bench.calls import (
    Call,
    Handlers,
    StubApi,
    bare_client,
    bare_update,
    store_handlers,
    stub_bare_client,
    stub_lean_client,
)
from bench.results import Row, median_row

CPU_GOAL = 0.28
BLOCK = 20
"""Calls of one kind in a row: the unit of a measurement. Then comes the next kind, and all over again."""

ORDINARY = ("start", "heartbeat", "end")

Samples = dict[str, list[float]]
Progress = Callable[[str], None]


class _Taken:
    """Times of each kind of call, in microseconds."""

    def __init__(self) -> None:
        self.cpu: Samples = defaultdict(list)
        self.wall: Samples = defaultdict(list)

    def block(self, name: str, calls: Sequence[Call]) -> None:
        """Make these calls, and keep each one's latency and the mean of their processor times."""
        wall = self.wall[name]
        cpu_before = time.process_time_ns()
        for call in calls:
            before = time.perf_counter_ns()
            call()
            wall.append((time.perf_counter_ns() - before) / 1000)
        self.cpu[name].append((time.process_time_ns() - cpu_before) / 1000 / len(calls))

    def rows(self, prefix: str, *, goal: float | None = CPU_GOAL) -> Iterator[Row]:
        """The figures, those of the bare call first."""
        for name, cpu in self.cpu.items():
            bare = name == "bare"
            baseline = None if bare else self.cpu["bare"]
            ordinary = name in ORDINARY
            yield median_row(
                f"{prefix}.{name}.cpu", "µs", cpu, baseline=baseline, goal=goal if ordinary else None
            )
            if goal is not None:
                wall, bare_wall = self.wall[name], self.wall["bare"]
                yield _quantile_row(f"{prefix}.{name}.p50", wall, bare_wall, 50, bare=bare)
                yield _quantile_row(f"{prefix}.{name}.p99", wall, bare_wall, 99, bare=bare)


def _quantile_row(
    name: str, wall: Sequence[float], bare_wall: Sequence[float], at: int, *, bare: bool
) -> Row:
    value, baseline = (statistics.quantiles(values, n=100)[at - 1] for values in (wall, bare_wall))
    return Row(name, round(value, 1), "µs", ratio=None if bare else round(value / baseline, 3))


def on_store(rounds: int, progress: Progress) -> tuple[list[Row], Samples]:
    """Over DynamoDB Local; the latencies are given too."""
    taken = _Taken()
    bare = bare_update(bare_client())
    kinds = {"": store_handlers(StoreClient.LEAN, "lean"), ".boto3": store_handlers(StoreClient.BOTO3, "sdk")}
    for number in range(-2, rounds):
        if number == 0:  # the first rounds warm up: connections, caches, the store itself
            taken = _Taken()
        progress(f"warm calls, round {max(number, 0) + 1} of {rounds}")
        taken.block("bare", [bare] * BLOCK)
        for suffix, handlers in kinds.items():
            streams = [handlers.one_stream() for _ in range(BLOCK)]
            for name in ORDINARY:
                taken.block(name + suffix, [stream[name] for stream in streams])
        lean = kinds[""]
        taken.block("refusal", [lean.refusal() for _ in range(BLOCK)])
        taken.block("reclaim", [lean.reclaim() for _ in range(BLOCK)])
    return list(taken.rows("warm")), dict(taken.wall)


def on_stub(rounds: int, progress: Progress) -> list[Row]:
    """Over transports that do nothing: processor time alone; `parts` is the handler over no client at all."""
    taken = _Taken()
    bare = bare_update(stub_bare_client())
    lean = Handlers(stub_lean_client(), "stub").stream("stub", "play-1")
    parts = Handlers(StubApi(), "stub").stream("stub", "play-1")
    kinds: Mapping[str, Call] = {
        "bare": bare,
        **lean,
        **{f"{name}.parts": call for name, call in parts.items()},
    }
    for number in range(-2, rounds):
        if number == 0:
            taken = _Taken()
        progress(f"calls without a store, round {max(number, 0) + 1} of {rounds}")
        for name, call in kinds.items():
            taken.block(name, [call] * BLOCK)
    return list(taken.rows("stub", goal=None))
