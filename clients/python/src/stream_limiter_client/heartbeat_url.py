"""The URL that accepts a stream's heartbeats with its playback token instead of a login."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import httpx

from stream_limiter_client.errors import ServiceError, StreamGone

MAX_FAILURES: Final = 2
LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


class Target(NamedTuple):
    """The URL and the user of a heartbeat."""

    url: str
    user_id: str


@dataclass(slots=True)
class HeartbeatUrl:
    """The state of one stream's use of the URL, which spares the service the gateway.

    The API accepts every heartbeat too, so a URL that fails twice in a row is not used until the current
    lease has expired.

    Attributes:
        target: the URL and the user of the next heartbeat; `None` if only the API may be used.
    """

    target: Target | None = None
    _failures: int = field(default=0, init=False)
    _disabled_until: float = field(default=0, init=False)

    def learn(self, answer: Mapping[str, Any], requested_at: float, own_user_id: str | None) -> None:
        """Store the URL from an answer of the API, if it has one.

        Args:
            answer: the answer to a start or a heartbeat.
            requested_at: the time of that request.
            own_user_id: the stream's user; if it is `None`, the answer must name the user.
        """
        if requested_at < self._disabled_until:
            return
        url, user_id = answer.get("heartbeatUrl"), own_user_id or answer.get("userId")
        if isinstance(url, str) and isinstance(user_id, str) and _is_safe(url):
            self.target = Target(url, user_id)
        else:
            self.target = None

    def succeed(self) -> None:
        """Record that the service answered at this URL."""
        self._failures = 0

    def fail(self, lease_until: float) -> None:
        """Record a failure of the URL. After the second in a row, do not use it until `lease_until`."""
        self._failures += 1
        if self._failures == MAX_FAILURES:
            self.target, self._failures, self._disabled_until = None, 0, lease_until


def is_answer(error: ServiceError) -> bool:
    """Return whether an error is the service's own answer to a heartbeat, which the API would return too."""
    return isinstance(error, StreamGone) or (error.is_passing and error.code is not None)


def _is_safe(url: str) -> bool:
    """Return whether a playback token is safe from eavesdroppers on its way to this URL."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme == "https" or (parsed.scheme == "http" and parsed.host in LOOPBACK)
