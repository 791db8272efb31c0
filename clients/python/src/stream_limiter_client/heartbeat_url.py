"""The URL that takes a stream's heartbeats for its playback token, without a login."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import httpx

from stream_limiter_client.errors import ServiceError, StreamGone

MOST_FAILURES: Final = 2
LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


class Target(NamedTuple):
    """Where a heartbeat may go, and in whose name."""

    url: str
    user_id: str


@dataclass(slots=True)
class HeartbeatUrl:
    """The state of one stream's use of the URL, which saves the service the gateway.

    The API takes every heartbeat too, so a URL that fails twice in a row is left alone until the lease of
    that moment is over.

    Attributes:
        target: where the next heartbeat may go; `None` = only to the API.
    """

    target: Target | None = None
    _failures: int = field(default=0, init=False)
    _left_alone_until: float = field(default=0, init=False)

    def learn(self, answer: Mapping[str, Any], asked_at: float, own_user_id: str | None) -> None:
        """Take the URL that an answer of the API names, or none.

        Args:
            answer: to a start or a heartbeat.
            asked_at: when that was sent.
            own_user_id: the stream's user; where it is `None`, the answer has to say whose stream it is.
        """
        if asked_at < self._left_alone_until:
            return
        url, user_id = answer.get("heartbeatUrl"), own_user_id or answer.get("userId")
        if isinstance(url, str) and isinstance(user_id, str) and _is_safe(url):
            self.target = Target(url, user_id)
        else:
            self.target = None

    def succeed(self) -> None:
        """Note that the service has answered there."""
        self._failures = 0

    def fail(self, lease_until: float) -> None:
        """Note that it has not; the lease that is held now is over at this moment."""
        self._failures += 1
        if self._failures == MOST_FAILURES:
            self.target, self._failures, self._left_alone_until = None, 0, lease_until


def is_answer(error: ServiceError) -> bool:
    """Return whether an error is the service's own answer to a heartbeat: the API would give the same."""
    return isinstance(error, StreamGone) or (error.is_passing and error.code is not None)


def _is_safe(url: str) -> bool:
    """Return whether a playback token may be sent there: nobody reads it on its way."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme == "https" or (parsed.scheme == "http" and parsed.host in LOOPBACK)
