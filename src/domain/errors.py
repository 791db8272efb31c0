"""What can go wrong, in the domain's own words.

StreamLimiterError
├── InvalidInput            a value breaks a rule of the contract
├── Refusal                 the request was understood, and the answer is no
│   ├── StateRefusal        the user's live streams are the reason
│   │   ├── LimitReached    every slot of the user, or of a group, is taken
│   │   ├── TooManyStarts   too many ended streams have an unexpired playback token
│   │   └── NoActiveStream  there is no anonymous stream to end
│   ├── StreamGone          the named stream ended, was evicted or lost its slot
│   └── TokenRefused        a playback token does not stand for a login
├── TokensUnavailable       no playback token can be issued
└── StoreError              the state could not be changed or read
    ├── StoreUnavailable    out of reach, too slow, or failing by itself
    ├── StoreThrottled      reachable, and asking for fewer requests
    ├── StoreContended      every try lost its race until the deadline
    └── StoreFault          it refused a request that should be right: our mistake
"""

from domain.bounds import Bound
from domain.streams import GoneReason, LiveStreams


class StreamLimiterError(Exception):
    """The root of every error that the domain raises."""


class InvalidInput(StreamLimiterError, ValueError):
    """A value breaks a rule of the contract.

    Attributes:
        field: the name of the offending field, as the caller wrote it.
        reason: what must hold, as the end of a sentence that starts with the field's name.
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
        live: the user's live streams, as the refused write itself saw them.
    """

    def __init__(self, text: str, live: LiveStreams) -> None:
        super().__init__(text)
        self.live = live


class LimitReached(StateRefusal):
    """Every slot of the user is taken, or every slot of a group that the stream would be in.

    Attributes:
        full: the limit that is reached.
        limit: how many streams the user may have in all.
    """

    def __init__(self, full: Bound, limit: int, live: LiveStreams) -> None:
        super().__init__(f"limit of {full.limit} reached", live)
        self.full = full
        self.limit = limit


class TooManyStarts(StateRefusal):
    """There is a free slot, but too many ended streams have an unexpired playback token.

    Attributes:
        limit: the limit that this request was held against.
        seconds: the time until enough of those tokens have expired.
    """

    def __init__(self, limit: int, live: LiveStreams, seconds: float) -> None:
        super().__init__("too many starts", live)
        self.limit = limit
        self.seconds = seconds


class NoActiveStream(StateRefusal):
    """There is no anonymous stream to end: all of the live ones are named."""

    def __init__(self, live: LiveStreams) -> None:
        super().__init__("no active stream", live)


class StreamGone(Refusal):
    """The named stream is no longer there: it ended, was evicted, or its slot was taken over.

    Attributes:
        stream_id: the name of the stream.
        reason: why it is gone; `None` = the state does not show it.
        by: the device of the stream that took its slot, where that is known.
    """

    def __init__(self, stream_id: str, reason: GoneReason | None = None, by: str | None = None) -> None:
        super().__init__(f"stream {stream_id} is gone")
        self.stream_id = stream_id
        self.reason = reason
        self.by = by


class TokenRefused(Refusal):
    """The playback token does not let its holder extend the stream: a login is needed."""


class TokensUnavailable(StreamLimiterError):
    """No playback token can be issued: its keys cannot be read."""


class StoreError(StreamLimiterError):
    """The state could not be changed or read. Nothing is half-written."""


class StoreUnavailable(StoreError):
    """The store is out of reach, too slow, or failing by itself."""


class StoreThrottled(StoreError):
    """The store asks for fewer requests. A caller can cause this on its own user."""


class StoreContended(StoreError):
    """Others changed the same user's state before each of our tries, until time ran out."""


class StoreFault(StoreError):
    """The store refused a request that should be right: permissions, table or request are wrong."""
