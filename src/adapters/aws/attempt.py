"""How long one attempt at a call may take, by either client: short, as somebody waits for the answer."""

from typing import Final

CONNECT_SECONDS: Final = 0.5
"""To reach the service. Short, as a host may be away; enough for a TLS handshake on a small function."""

READ_SECONDS: Final = 0.7
"""To hear from it. DynamoDB answers such calls within tens of milliseconds, or is in trouble."""

ATTEMPT_SECONDS: Final = CONNECT_SECONDS + READ_SECONDS
"""How long one attempt takes at most."""
