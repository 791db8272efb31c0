"""A repository in the memory of this process, for tests: the simplest statement of the contract."""

import threading

from domain.ports import Deadline, Landed, Rejected
from domain.streams import Snapshot
from domain.transitions import after, permits
from domain.writes import Write


class InMemoryStreamRepository:
    """A `StreamRepository` that forgets everything when its process ends. Safe for threads."""

    def __init__(self) -> None:
        self._states: dict[str, Snapshot] = {}
        self._lock = threading.Lock()

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:  # noqa: ARG002 - never waits
        """Make the change if its condition holds."""
        with self._lock:
            state = self._states.get(write.user_id, Snapshot())
            if not permits(state, write):
                return Rejected(state)
            self._states[write.user_id] = after(state, write)
            return Landed(self._states[write.user_id])

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:  # noqa: ARG002 - never waits
        """Return the user's state."""
        with self._lock:
            return self._states.get(user_id, Snapshot())
