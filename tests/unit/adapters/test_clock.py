import time

from adapters.clock import SystemClock


def test_the_system_clock_returns_wall_and_monotonic_time() -> None:
    """The clock returns epoch seconds, and seconds that never go back for deadlines."""
    clock = SystemClock()
    before = time.time(), time.monotonic()
    times = clock.now(), clock.monotonic()
    after = time.time(), time.monotonic()

    assert before[0] <= times[0] <= after[0]
    assert before[1] <= times[1] <= after[1]
