"""The errors that the client raises.

ServiceError            the service answered with an error, or did not answer
├── LimitReached        every slot of the user, or of one of the stream's groups, is taken
├── TooManyStarts       the start is deferred
└── StreamGone          the stream's slot was taken away
"""

from collections.abc import Mapping
from typing import Any, Final

from stream_limiter_client.answers import GroupLimit, StreamView

TOO_MANY_REQUESTS: Final = 429
FIRST_SERVER_ERROR: Final = 500


class ServiceError(Exception):
    """The service answered with an error, or did not answer.

    Attributes:
        status: the HTTP status; 0 if there was no answer.
        problem: the problem details of the answer; empty if it has none.
        retry_after: the wait before the next try that the service requests, in seconds.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float = 0) -> None:
        text = problem.get("detail") or problem.get("message")
        super().__init__(text or (f"HTTP {status}" if status else "The service did not answer."))
        self.status = status
        self.problem = problem
        self.retry_after = retry_after

    @classmethod
    def of(cls, error: Exception) -> "ServiceError":
        """Return an error raised instead of an answer as a temporary `ServiceError`."""
        if isinstance(error, ServiceError):
            return error
        failure = cls(0, {})
        failure.__cause__ = error
        return failure

    @property
    def code(self) -> str | None:
        """The stable name of the kind of problem; `None` if the answer has none, or if it is not text."""
        return self._text("code")

    @property
    def is_passing(self) -> bool:
        """`True` if the same call may succeed later."""
        return self.status in {0, TOO_MANY_REQUESTS} or self.status >= FIRST_SERVER_ERROR

    def _text(self, name: str) -> str | None:
        value = self.problem.get(name)
        return value if isinstance(value, str) else None


class LimitReached(ServiceError):
    """Every slot of the user, or of one of the stream's groups, is taken."""

    @property
    def limit(self) -> GroupLimit | None:
        """The limit of the group that is full; `None` if the limit of all streams was reached."""
        limit = self.problem.get("limit")
        return None if limit is None else GroupLimit(limit["group"], limit["max"])

    @property
    def streams(self) -> tuple[StreamView, ...]:
        """The named streams that hold the slots, oldest first; see `anonymous_count` for the others."""
        return tuple(StreamView.of(stream) for stream in self.problem.get("streams", ()))

    @property
    def anonymous_count(self) -> int:
        """The number of slots held by streams without a name."""
        return int(self.problem.get("anonymousCount", 0))

    def names(self, stream_id: str) -> bool:
        """Return whether a stream of this name holds one of the slots."""
        return any(stream.stream_id == stream_id for stream in self.streams)


class TooManyStarts(ServiceError):
    """A slot is free, but too many ended streams have an unexpired playback token.

    `retry_after` says when to start again. A slot held before is still held.
    """


class StreamGone(ServiceError):
    """The stream lost its slot: it was ended, replaced or evicted, or its lease expired."""

    @property
    def reason(self) -> str | None:
        """`replaced`, `evicted`, `ended` or `expired`, for display; `None` if unknown to the service."""
        return self._text("reason")

    @property
    def by(self) -> str | None:
        """The name of the device that took the slot; `None` if it has none or is unknown to the service."""
        return self._text("by")
