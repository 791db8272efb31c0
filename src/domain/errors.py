"""The errors of the domain.

StreamLimiterError
├── InvalidInput            a value breaks a rule of the contract
├── Refusal                 the request was understood, and the answer is no
│   ├── StateRefusal        the user's live streams are the reason
│   │   ├── LimitReached    every slot of the user, or of a group, is taken
│   │   ├── TooManyStarts   too many ended streams have an unexpired playback token
│   │   └── NoActiveStream  no anonymous stream can be ended
│   ├── StreamGone          the named stream has ended, was evicted or lost its slot
│   └── TokenRefused        a playback token does not replace a login
├── TokensUnavailable       no playback token can be issued
└── StoreError              the state could not be written or read
    ├── StoreUnavailable    unreachable, too slow, or failing
    ├── StoreThrottled      throttling requests
    ├── StoreContended      every attempt lost its race until the deadline
    └── StoreFault          rejecting a request as wrong: a defect or a wrong configuration
"""

from domain.bounds import Bound
from domain.streams import GoneReason, LiveStreams


class StreamLimiterError(Exception):
    """The root of every error that the domain raises."""


class InvalidInput(StreamLimiterError, ValueError):
    """A value breaks a rule of the contract.

    Attributes:
        field: the name of the offending field, as the caller wrote it.
        reason: the rule, as the end of a sentence that starts with the field's name.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


class Refusal(StreamLimiterError):
    """The request was understood, and the answer is no."""


class StateRefusal(Refusal):
    """A refusal for which the user's live streams are the reason.

    Attributes:
        live: the user's live streams, as the rejected write itself saw them.
    """

    def __init__(self, text: str, live: LiveStreams) -> None:
        super().__init__(text)
        self.live = live


class LimitReached(StateRefusal):
    """Every slot of the user is taken, or every slot of one of the stream's groups.

    Attributes:
        full: the limit that is reached.
        limit: the number of streams that the user may have in all.
    """

    def __init__(self, full: Bound, limit: int, live: LiveStreams) -> None:
        super().__init__(f"limit of {full.limit} reached", live)
        self.full = full
        self.limit = limit


class TooManyStarts(StateRefusal):
    """There is a free slot, but too many ended streams have an unexpired playback token.

    Attributes:
        limit: the number of streams that the user may have.
        seconds: the time until enough of those tokens have expired.
    """

    def __init__(self, limit: int, live: LiveStreams, seconds: float) -> None:
        super().__init__("too many starts", live)
        self.limit = limit
        self.seconds = seconds


class NoActiveStream(StateRefusal):
    """No anonymous stream can be ended: all live streams are named."""

    def __init__(self, live: LiveStreams) -> None:
        super().__init__("no active stream", live)


class StreamGone(Refusal):
    """The named stream is gone: it has ended, was evicted, or lost its slot to another stream.

    Attributes:
        stream_id: the name of the stream.
        reason: the reason, or `None` where the state does not show it.
        by: the device of the stream that took its slot, if known.
    """

    def __init__(self, stream_id: str, reason: GoneReason | None = None, by: str | None = None) -> None:
        super().__init__(f"stream {stream_id} is gone")
        self.stream_id = stream_id
        self.reason = reason
        self.by = by


class TokenRefused(Refusal):
    """The playback token does not permit its holder to extend the stream: a login is required."""


class TokensUnavailable(StreamLimiterError):
    """No playback token can be issued: its keys cannot be read."""


class StoreError(StreamLimiterError):
    """The state could not be written or read. Nothing is half-written."""


class StoreUnavailable(StoreError):
    """The store is unreachable, too slow, or failing."""


class StoreThrottled(StoreError):
    """The store throttles requests. A caller can cause this for its own user."""


class StoreContended(StoreError):
    """Other requests changed the same user's state before each attempt, until the deadline."""


class StoreFault(StoreError):
    """The store rejected a request as wrong: the permissions, the table or the request are not right."""
