"""Timeouts of one attempt at a call, for either client."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The timeouts of one attempt.

    Attributes:
        connect_seconds: to connect. The lean client shares it among all addresses of the host and the TLS
            handshake; boto3 allows as much for each address, and again for the handshake.
        read_seconds: to read the answer.
    """

    connect_seconds: float
    read_seconds: float

    @property
    def attempt_seconds(self) -> float:
        """The longest time of one attempt by the lean client, apart from a slow name lookup."""
        return self.connect_seconds + self.read_seconds


PROMPT: Final = Timeouts(connect_seconds=0.5, read_seconds=0.7)
"""For a caller who waits. To connect: short, as a host may be down, but enough for a TLS handshake on a small
function. To read: DynamoDB answers such calls within tens of milliseconds, unless it has a problem."""
