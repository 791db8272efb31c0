"""Calls per second: heartbeats through the handler, in turn with bare calls of the SDK.

The store is on the same machine. Where several processes call it, its own rate is measured too, by requests
that cost their senders almost nothing, and how many processors it uses while it serves the handlers.
"""

import os
import subprocess
import sys
from collections import defaultdict

from bench.results import Progress, Row, Samples, median_row

GOAL = 1.5
SHAPES = {"1": (1, 1), "8": (1, 8), "32": (1, 32), "2x8": (2, 8), "4x8": (4, 8), "8x8": (8, 8)}
"""Processes and threads in each."""


def _load(kind: str, processes: int, threads: int, seconds: float, store: int) -> tuple[float, float]:
    """Return the calls per second of all these processes, and the processors that the store used."""
    command = [sys.executable, "-m", "bench.load", kind, str(threads), str(seconds), str(store)]
    waiting, starter = os.pipe()
    running = [
        subprocess.Popen(command, stdin=waiting, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    os.close(waiting)
    for process in running:
        next(iter(process.stdout or ()), None)  # until it is ready
    os.close(starter)  # all begin at once
    outputs = [process.communicate()[0].split() for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError(f"the load of {kind} failed")
    return sum(float(done) for done, _ in outputs), sum(float(busy) for _, busy in outputs) / processes


def measure(store: int, rounds: int, seconds: float, progress: Progress) -> list[Row]:
    """Measure one process with 1, 8 and 32 threads, and more with 8; `store` is the store's process id."""
    taken: Samples = defaultdict(list)
    busy: Samples = defaultdict(list)
    for number in range(rounds):
        for name, (processes, threads) in SHAPES.items():
            progress(f"throughput at {name}, round {number + 1} of {rounds}")
            for kind in ("bare", "lean", "store") if processes > 1 else ("bare", "lean"):
                calls, processors = _load(kind, processes, threads, seconds, store)
                taken[f"{kind}.{name}"].append(calls)
                busy[f"{kind}.{name}"].append(processors)
    rows = []
    for name, (processes, _) in SHAPES.items():
        bare, ours = taken[f"bare.{name}"], taken[f"lean.{name}"]
        goal = GOAL if processes == 1 else None
        rows.append(median_row(f"throughput.bare.{name}", "calls/s", bare))
        rows.append(
            median_row(f"throughput.{name}", "calls/s", ours, baseline=bare, goal=goal, better="more")
        )
        if processes > 1:
            alone = taken[f"store.{name}"]
            rows.append(median_row(f"throughput.store.{name}", "calls/s", alone))
            rows.append(
                median_row(f"throughput.of_store.{name}", "calls/s", ours, baseline=alone, better="more")
            )
            rows.append(median_row(f"throughput.store.busy.{name}", "processors", busy[f"lean.{name}"]))
    return rows
