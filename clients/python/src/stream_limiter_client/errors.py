"""What can go wrong.

ServiceError            the service answered with an error, or did not answer
├── LimitReached        every slot is taken, in all or in one of the stream's groups
├── TooManyStarts       the start is put off
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
        status: the HTTP status; 0 when nothing answered.
        problem: the problem details of the answer, as far as there are any.
        retry_after: how many seconds the service asks to wait before the next try.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float = 0) -> None:
        text = problem.get("detail") or problem.get("message")
        super().__init__(text or (f"HTTP {status}" if status else "The service did not answer."))
        self.status = status
        self.problem = problem
        self.retry_after = retry_after

    @classmethod
    def of(cls, error: Exception) -> "ServiceError":
        """Return an error that was raised instead of an answer as one that may pass."""
        if isinstance(error, ServiceError):
            return error
        failure = cls(0, {})
        failure.__cause__ = error
        return failure

    @property
    def code(self) -> str | None:
        """The stable name of the kind of problem; `None` where the answer has none, or no text for it."""
        return self._text("code")

    @property
    def is_passing(self) -> bool:
        """Whether the same call may do better a little later."""
        return self.status in {0, TOO_MANY_REQUESTS} or self.status >= FIRST_SERVER_ERROR

    def _text(self, name: str) -> str | None:
        value = self.problem.get(name)
        return value if isinstance(value, str) else None


class LimitReached(ServiceError):
    """Every slot of the user is taken, or every slot of a group that the stream would be in."""

    @property
    def limit(self) -> GroupLimit | None:
        """The limit of the group that is full; `None` where it is the limit of all streams."""
        limit = self.problem.get("limit")
        return None if limit is None else GroupLimit(limit["group"], limit["max"])

    @property
    def streams(self) -> tuple[StreamView, ...]:
        """Who holds the slots, oldest first; anonymous streams are only counted."""
        return tuple(StreamView.of(stream) for stream in self.problem.get("streams", ()))

    @property
    def anonymous_count(self) -> int:
        """How many slots are held by streams without a name."""
        return int(self.problem.get("anonymousCount", 0))

    def names(self, stream_id: str) -> bool:
        """Return whether a stream of this name holds one of the slots."""
        return any(stream.stream_id == stream_id for stream in self.streams)


class TooManyStarts(ServiceError):
    """There is a slot, but too many streams that are over have an unexpired playback token.

    `retry_after` says when to start again. What was held is held still.
    """


class StreamGone(ServiceError):
    """The stream's slot was taken away: it was ended, replaced, evicted, or lost after its lease ran out."""

    @property
    def reason(self) -> str | None:
        """`replaced`, `evicted`, `ended` or `expired`, for people; `None` where the service cannot say."""
        return self._text("reason")

    @property
    def by(self) -> str | None:
        """The device that took the slot; `None` where the service cannot say, or the device gave no name."""
        return self._text("by")
