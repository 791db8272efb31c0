"""boto3's DynamoDB client, set up for a caller that cannot wait."""

from typing import Any, Final

import boto3
from botocore.config import Config

CONNECT_SECONDS: Final = 0.5
"""To reach DynamoDB. Short, for a host that is away; long enough for a TLS handshake on a small function."""

READ_SECONDS: Final = 0.7
"""To hear from DynamoDB. It answers such calls within tens of milliseconds, or is in trouble."""

ATTEMPT_SECONDS: Final = CONNECT_SECONDS + READ_SECONDS
"""How long one attempt takes at most."""

CONNECTIONS: Final = 64
"""Connections kept open at most: one per thread that serves requests. A Lambda needs one."""


def dynamodb_client(session: boto3.Session | None = None) -> Any:
    """A client that makes one attempt per call, and keeps its connections alive.

    Endpoint, region and credentials come from the SDK's usual places. Repeating a failed attempt is
    the repository's business, as only it knows the request's deadline.
    """
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 1, "mode": "standard"},
        tcp_keepalive=True,
        max_pool_connections=CONNECTIONS,
    )
    return (session or boto3.Session()).client("dynamodb", config=config)
