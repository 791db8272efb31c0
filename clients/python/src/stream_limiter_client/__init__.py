"""Client of stream-limiter: starts a stream, keeps its slot by heartbeats, and ends it."""

from stream_limiter_client.answers import GroupLimit, StreamView, UserStreams
from stream_limiter_client.asynchronous import AsyncStream, AsyncStreamLimiter
from stream_limiter_client.errors import LimitReached, ServiceError, StreamGone, TooManyStarts
from stream_limiter_client.synchronous import Stream, StreamLimiter

__all__ = [
    "AsyncStream",
    "AsyncStreamLimiter",
    "GroupLimit",
    "LimitReached",
    "ServiceError",
    "Stream",
    "StreamGone",
    "StreamLimiter",
    "StreamView",
    "TooManyStarts",
    "UserStreams",
]
