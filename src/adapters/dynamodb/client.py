"""DynamoDB's client: boto3's, or the lean one where that is safe; either for a caller that cannot wait."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from adapters.dynamodb.http_transport import Endpoint, HttpTransport
from adapters.dynamodb.lean_client import LeanClient
from adapters.dynamodb.repository import DynamoDbApi
from adapters.dynamodb.sigv4 import Credentials, Signer

if TYPE_CHECKING:
    import boto3

CONNECT_SECONDS: Final = 0.5
"""To reach DynamoDB. Short, for a host that is away; long enough for a TLS handshake on a small function."""

READ_SECONDS: Final = 0.7
"""To hear from DynamoDB. It answers such calls within tens of milliseconds, or is in trouble."""

ATTEMPT_SECONDS: Final = CONNECT_SECONDS + READ_SECONDS
"""How long one attempt takes at most."""

CONNECTIONS: Final = 64
"""Connections kept open at most: one per thread that serves requests. A Lambda needs one."""

REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")

# What the SDK heeds and the lean client does not: other endpoints, other sources, a way around.
_SDK_ONLY: Final = frozenset(
    {
        *("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
        *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
        *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    }
)
# Regions whose hosts have another domain than amazonaws.com.
_OTHER_DOMAINS: Final = ("cn-", "us-iso", "eu-iso", "eusc-")


class StoreClient(StrEnum):
    """Which client speaks to DynamoDB."""

    AUTO = "auto"
    BOTO3 = "boto3"
    LEAN = "lean"


class NotConfigured(Exception):
    """The environment does not say how to reach DynamoDB; the text says what is missing."""


def store_client(choice: StoreClient, environment: Mapping[str, str] = os.environ) -> DynamoDbApi:
    """The client that was chosen. Either makes one attempt per call, and keeps its connections.

    Raises:
        NotConfigured: the lean one was chosen, and the environment lacks what it needs.
    """
    if is_lean(choice, environment):
        return lean_client(environment)
    client: DynamoDbApi = dynamodb_client()
    return client


def is_lean(choice: StoreClient, environment: Mapping[str, str]) -> bool:
    """Whether the lean client is what that choice means here."""
    return choice is StoreClient.LEAN or (choice is StoreClient.AUTO and lean_is_safe(environment))


def lean_is_safe(environment: Mapping[str, str]) -> bool:
    """Whether the lean client may be taken unasked: in a Lambda with its role's credentials in its variables.

    Lambda replaces an environment before those credentials end. One that SnapStart restores lives on
    with a snapshot's memory: its credentials come from elsewhere, and change.
    """
    given = {name for name, value in environment.items() if value}
    region = next((environment[name] for name in REGION_VARIABLES if name in given), "")
    return (
        {"AWS_LAMBDA_FUNCTION_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= given
        and environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start"
        and not {name.upper() for name in given} & _SDK_ONLY
        and region != ""
        and not region.startswith(_OTHER_DOMAINS)
    )


def lean_client(environment: Mapping[str, str] = os.environ) -> LeanClient:
    """The client without the SDK.

    Raises:
        NotConfigured: the environment lacks something that it needs.
    """
    return LeanClient(*signed_http("dynamodb", environment))


def signed_http(service: str, environment: Mapping[str, str]) -> tuple[HttpTransport, Signer]:
    """What carries and signs calls: static credentials, region and endpoint from the SDK's own variables.

    Raises:
        NotConfigured: one of them is missing.
    """

    def first(*names: str) -> str:
        value = next((environment[name] for name in names if environment.get(name)), None)
        if value is None:
            raise NotConfigured(f"{' or '.join(names)} is needed by the lean client")
        return value

    credentials = Credentials(
        first("AWS_ACCESS_KEY_ID"),
        first("AWS_SECRET_ACCESS_KEY"),
        environment.get("AWS_SESSION_TOKEN") or None,
    )
    region = first(*REGION_VARIABLES)
    urls = (environment.get(name) for name in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"))
    endpoint = Endpoint.of(next(filter(None, urls), f"https://{service}.{region}.amazonaws.com"))
    transport = HttpTransport(endpoint, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS)
    return transport, Signer(credentials, region, endpoint.authority, service)


def dynamodb_client(session: "boto3.Session | None" = None) -> Any:
    """boto3's client, which makes one attempt per call, and keeps its connections alive.

    Endpoint, region and credentials come from the SDK's usual places. Repeating a failed attempt is
    the repository's business, as only it knows the request's deadline.
    """
    from adapters.dynamodb.botocore_errors import check_answer  # noqa: PLC0415 - loads what takes longest

    client = sdk_client("dynamodb", session)
    client.meta.events.register("before-parse.dynamodb", check_answer)
    return client


def sdk_client(service: str, session: "boto3.Session | None" = None) -> Any:
    """boto3's client of a service, for a caller that cannot wait: one attempt per call."""
    import boto3  # noqa: PLC0415 - takes longer than all else at a cold start, and may not be needed
    from botocore.config import Config  # noqa: PLC0415 - the same

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 1, "mode": "standard"},
        tcp_keepalive=True,
        max_pool_connections=CONNECTIONS,
    )
    return (session or boto3.Session()).client(service, config=config)
