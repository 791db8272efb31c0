"""Several processes that do their share of something at the same moments."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Protocol, Self, TypeVar

from proof.report import begin

Result = TypeVar("Result")


PATIENCE_SECONDS = 60
"""How long the others are waited for: one that failed must not hold up the rest for ever."""


class Barrier(Protocol):
    """Holds everybody back until all are there."""

    def wait(self) -> int:
        """Wait for the others."""
        ...


class Together:
    """So many processes.

    Args:
        processes: how many.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes

    def __enter__(self) -> Self:
        context = get_context("spawn")
        self._manager = context.Manager()
        self._pool = ProcessPoolExecutor(self._processes, context, begin)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._manager.shutdown()

    def run(self, work: Callable[..., Result], *arguments: Any) -> list[Result]:
        """Call `work(*arguments, process, barrier)` in each process; the barrier is one for all of them."""
        barrier = self._manager.Barrier(self._processes, timeout=PATIENCE_SECONDS)
        pending = [self._pool.submit(work, *arguments, number, barrier) for number in range(self._processes)]
        return [future.result() for future in pending]
