"""A store whose state changes just before each write."""

from collections.abc import Callable

from domain.ports import Deadline, Landed, Rejected, StreamRepository
from domain.streams import Snapshot
from domain.writes import Write


class RacingRepository:
    """A `StreamRepository` in which something else happens just before each write.

    Args:
        store: keeps the streams.
        other: is called before the write of each round, counted from 0.
    """

    def __init__(self, store: StreamRepository, other: Callable[[int], object]) -> None:
        self._store = store
        self._other = other
        self.rounds = 0

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
        """Run the other change, then make this one if its condition still holds."""
        self._other(self.rounds)
        self.rounds += 1
        return self._store.apply(write, deadline)

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:
        """Return the user's state."""
        return self._store.read(user_id, deadline)
