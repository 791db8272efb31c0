"""Stand-ins for the world, set by hand."""


class FakeClock:
    """A `Clock` that stands still until a test moves it.

    Args:
        now: epoch seconds to begin with.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        """Epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let so much time pass, on both scales."""
        self._now += seconds
        self._monotonic += seconds
