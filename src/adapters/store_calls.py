"""What the request at hand has asked of the store: written by the store's adapter, read by whoever logs."""

import threading


class StoreCalls(threading.local):
    """The calls of one request. A thread serves one request at a time, so each thread sees its own.

    Attributes:
        count: calls that were sent, repeats included.
        refused: writes whose condition did not hold.
        seconds: time spent in calls.
        request_ids: the store's own names for the calls that it answered.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a request."""
        self.count = 0
        self.refused = 0
        self.seconds = 0.0
        self.request_ids: list[str] = []

    @property
    def contention_rounds(self) -> int:
        """How many races were lost. The first refusal is ordinary: it brings the state to decide from."""
        return max(0, self.refused - 1)
