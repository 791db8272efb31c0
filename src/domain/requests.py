"""Requests of callers. `domain.names` has checked their texts."""

from typing import ClassVar

from domain.bounds import Bound
from domain.values import value_object


class Unlimited:
    """A request that no limit of streams applies to."""

    __slots__ = ()
    limit: ClassVar[None] = None


@value_object
class StartNamed:
    """The start of a named stream.

    Attributes:
        limit: the number of streams that this user may have, 0 to 20.
        replaces: a stream of the same user that ends in the same write; never `stream_id` itself.
        play: the nonce of the page load.
        path_prefix: the path that the stream's playback tokens are valid for; `None` = every path.
        groups: the groups that the stream is also counted in, in alphabetical order.
        group_bounds: the limits of those groups, where they have one.
        session_until: the time until which a holder of its playback tokens may renew them without a login;
            `None` = never.
    """

    user_id: str
    stream_id: str
    limit: int
    device: str | None = None
    replaces: str | None = None
    play: str | None = None
    path_prefix: str | None = None
    groups: tuple[str, ...] = ()
    group_bounds: tuple[Bound, ...] = ()
    session_until: int | None = None

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The limits that apply to it, that of all streams first."""
        return (Bound(self.limit), *self.group_bounds)


@value_object
class StartAnonymous:
    """The start of an anonymous stream.

    Attributes:
        idempotency_key: the same for every repeat of one request, and for no other.
    """

    user_id: str
    idempotency_key: str
    limit: int

    @property
    def mark(self) -> str:
        """The text by which its repeat is recognised. A start and an end under one key are two requests."""
        return f"start:{self.idempotency_key}"

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The limit that applies to it."""
        return (Bound(self.limit),)


@value_object
class Heartbeat(Unlimited):
    """A sign of life from a named stream, which keeps its slot.

    Attributes:
        play: the nonce of the page load; a stream that another page load started again is gone.
        session_until: the time until which a holder of its playback tokens may renew them without a login;
            `None` = never.
        may_watch: whether the player may have a playback token; false if the user's own limit is 0.
    """

    user_id: str
    stream_id: str
    play: str | None = None
    session_until: int | None = None
    may_watch: bool = True


@value_object
class Renewal(Unlimited):
    """A heartbeat without a login, from the holder of the stream's playback token.

    Attributes:
        token: the playback token.
        play: the nonce of the page load; a stream that another page load started again is gone.
    """

    user_id: str
    stream_id: str
    token: str
    play: str | None = None


@value_object
class EndNamed(Unlimited):
    """The end of a named stream.

    Attributes:
        play: the nonce of the page load; a stream that another page load started again goes on.
        groups: the groups that the stream is in. If these are wrong, the end costs a second write.
    """

    user_id: str
    stream_id: str
    play: str | None = None
    groups: tuple[str, ...] = ()


@value_object
class EndAnonymous(Unlimited):
    """The end of an anonymous stream.

    Attributes:
        idempotency_key: the same for every repeat of one request, and for no other.
    """

    user_id: str
    idempotency_key: str

    @property
    def mark(self) -> str:
        """The text by which its repeat is recognised. A start and an end under one key are two requests."""
        return f"end:{self.idempotency_key}"


@value_object
class ListStreams:
    """A request for the list of a user's live streams.

    Attributes:
        limit: the number of streams that this user may have, 0 to 20.
    """

    user_id: str
    limit: int


StartRequest = StartNamed | StartAnonymous
EndRequest = EndNamed | EndAnonymous
