import time

from adapters.clock import SystemClock


def test_the_systems_clock_tells_both_times() -> None:
    """Epoch seconds for people, and seconds that never go back for deadlines."""
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 60
    assert clock.monotonic() <= clock.monotonic()
