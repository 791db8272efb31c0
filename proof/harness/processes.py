"""Work in several processes: each task in one of them, or all of them at the same time."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import Any, Final, Protocol, Self, TypeVar

from proof.harness.mutation import turn_on

Task = TypeVar("Task")
Result = TypeVar("Result")

WORKERS: Final = min(4, os.cpu_count() or 1)
BARRIER_TIMEOUT_SECONDS: Final = 60
"""The time to wait for the other processes: a failed one must not block the rest indefinitely."""


def spread(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Do the work in several processes; the results come in the order of the tasks."""
    waiting = iter(tasks)
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), turn_on) as pool:
        pending = [pool.submit(work, task) for task in islice(waiting, 2 * WORKERS)]
        try:
            while pending:
                yield pending.pop(0).result()
                pending += [pool.submit(work, task) for task in islice(waiting, 1)]
        finally:
            for future in pending:
                future.cancel()


class Barrier(Protocol):
    """A barrier, which blocks until all have arrived."""

    def wait(self) -> int:
        """Wait for the others."""
        ...


class Together:
    """Several processes that start together.

    Args:
        processes: their number.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes

    def __enter__(self) -> Self:
        context = get_context("spawn")
        self._manager = context.Manager()
        self._pool = ProcessPoolExecutor(self._processes, context, turn_on)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._manager.shutdown()

    def run(self, work: Callable[..., Result], *arguments: Any) -> list[Result]:
        """Call `work(*arguments, process, barrier)` in each process; they share the barrier."""
        barrier = self._manager.Barrier(self._processes, timeout=BARRIER_TIMEOUT_SECONDS)
        pending = [self._pool.submit(work, *arguments, number, barrier) for number in range(self._processes)]
        return [future.result() for future in pending]
