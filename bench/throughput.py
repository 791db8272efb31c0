"""Calls per second: heartbeats through the handler, alternating with bare calls of the SDK."""

import subprocess
import sys
from collections import defaultdict

from bench.results import Progress, Row, Samples, median_row

GOAL = 1.5
SHAPES = {"1": (1, 1), "8": (1, 8), "32": (1, 32), "2x8": (2, 8)}
"""The number of processes, and of threads in each."""


def _calls_per_second(kind: str, processes: int, threads: int, seconds: float) -> float:
    command = [sys.executable, "-m", "bench.load", kind, str(threads), str(seconds)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    outputs = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError(f"the load of {kind} failed")
    return sum(map(float, outputs))


def measure(rounds: int, seconds: float, progress: Progress) -> list[Row]:
    """Measure one process with 1, 8 and 32 threads, and two processes with 8 each."""
    taken: Samples = defaultdict(list)
    for number in range(rounds):
        for name, (processes, threads) in SHAPES.items():
            progress(f"throughput at {name}, round {number + 1} of {rounds}")
            for kind in ("bare", "lean"):
                taken[f"{kind}.{name}"].append(_calls_per_second(kind, processes, threads, seconds))
    rows = []
    for name in SHAPES:
        bare = taken[f"bare.{name}"]
        goal = GOAL if SHAPES[name][0] == 1 else None
        rows.append(median_row(f"throughput.bare.{name}", "calls/s", bare))
        rows.append(
            median_row(
                f"throughput.{name}",
                "calls/s",
                taken[f"lean.{name}"],
                baseline=bare,
                goal=goal,
                better="more",
            )
        )
    return rows
