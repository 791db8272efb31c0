"""How long one attempt at a call may take, by either client."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The patience of one attempt.

    Attributes:
        connect_seconds: to reach the service. The lean client shares it among all addresses of the host and
            the TLS handshake; boto3 allows as much for each address, and once more for the handshake.
        read_seconds: to hear from it.
    """

    connect_seconds: float
    read_seconds: float

    @property
    def attempt_seconds(self) -> float:
        """Return how long one attempt of the lean client takes at most, a slow name lookup aside."""
        return self.connect_seconds + self.read_seconds


PROMPT: Final = Timeouts(connect_seconds=0.5, read_seconds=0.7)
"""For somebody who waits. Connecting: short, as a host may be away, and enough for a TLS handshake on a small
function. Reading: DynamoDB answers such calls within tens of milliseconds, or is in trouble."""
