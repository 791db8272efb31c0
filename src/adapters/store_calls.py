"""The store calls of the current request, which the store's adapter records and the event log writes."""

import threading


class StoreCalls(threading.local):
    """The calls of one request. A thread serves one request at a time, so each thread sees its own.

    Attributes:
        count: the number of calls, including repeats.
        rejected: the number of writes whose condition did not hold.
        seconds: the time spent in calls.
        request_ids: the store's ids of the calls that it answered.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new request."""
        self.count = 0
        self.rejected = 0
        self.seconds = 0.0
        self.request_ids: list[str] = []

    @property
    def contention_rounds(self) -> int:
        """The number of lost races. The first rejection is ordinary: it returns the state to decide from."""
        return max(0, self.rejected - 1)
