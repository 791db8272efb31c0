"""Many calls at once, over stores that are really atomic: never one stream too many, never one too few."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import LimitReached, NoActiveStream
from domain.limiter import StreamLimiter
from domain.policy import Policy
from domain.requests import EndAnonymous, ListStreams, StartAnonymous, StartNamed
from testing.fakes import FakeClock
from tests.conftest import repository_over

THREADS = 32


def race(calls: list[Callable[[], object]]) -> Counter[str]:
    """Make all calls at the same moment; return how many succeeded, and how many failed with which error."""
    results: Counter[str] = Counter()
    lock = threading.Lock()
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        barrier.wait()
        try:
            call()
            result = "done"
        except Exception as error:  # noqa: BLE001 - counted by its kind
            result = type(error).__name__
        with lock:
            results[result] += 1

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def limiter(atomic_client: Any) -> StreamLimiter:
    """Return a limiter of three streams."""
    return StreamLimiter(repository_over(atomic_client), FakeClock(time.time()), Policy())


@pytest.mark.parametrize("named", [False, True], ids=["anonymous", "named"])
@pytest.mark.parametrize("trial", range(5))
def test_of_32_starts_at_once_exactly_three_are_admitted(
    limiter: StreamLimiter, user_id: str, trial: int, *, named: bool
) -> None:
    """Every time three of the starts are admitted, for streams with and without names."""

    def start(n: int) -> Callable[[], object]:
        if named:
            return lambda: limiter.start(StartNamed(user_id, f"{trial}-{n}", 3))
        return lambda: limiter.start(StartAnonymous(user_id, f"{trial}-{n}", 3))

    assert race([start(n) for n in range(THREADS)]) == {"done": 3, LimitReached.__name__: THREADS - 3}
    live = limiter.list_streams(ListStreams(user_id, 3)).live
    assert live is not None
    assert live.count == 3


def test_of_32_ends_at_once_exactly_three_find_a_stream(limiter: StreamLimiter, user_id: str) -> None:
    """Three of the ends find a stream, and the count stops at zero."""
    for n in range(3):
        limiter.start(StartAnonymous(user_id, f"start-{n}", 3))

    def end(n: int) -> Callable[[], object]:
        return lambda: limiter.end(EndAnonymous(user_id, f"end-{n}"))

    assert race([end(n) for n in range(THREADS)]) == {"done": 3, NoActiveStream.__name__: THREADS - 3}


def test_the_same_start_from_32_threads_takes_one_slot(limiter: StreamLimiter, user_id: str) -> None:
    """All repeats of one player's start are answered 200, and one slot is taken."""
    start = StartNamed(user_id, "tv", 3)
    assert race([lambda: limiter.start(start)] * THREADS) == {"done": THREADS}
    live = limiter.list_streams(ListStreams(user_id, 3)).live
    assert live is not None
    assert live.count == 1
