"""The choice of a client for AWS, and its configuration by the SDK's environment variables."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Protocol

from adapters.aws.errors import ApiError
from adapters.aws.http_transport import Endpoint, HttpTransport
from adapters.aws.json_api import JsonApi
from adapters.aws.sigv4 import Credentials, Signer
from adapters.aws.timeouts import PROMPT, Timeouts

REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")

INITIALIZATION: Final = "AWS_LAMBDA_INITIALIZATION_TYPE"
"""Set by Lambda: the initialization type of this process."""

# Variables that only the SDK supports: other endpoints, other credentials, proxies.
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


class Operations(Protocol):
    """The operations of one AWS service."""

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one attempt at an operation such as `GetItem`, request and answer in the SDK's shape.

        Raises:
            ApiError: the call failed, or was answered by an error.
        """
        ...


class AwsApi(Operations, Protocol):
    """A client of one AWS service."""

    def close(self) -> None:
        """Close the connections that are kept open."""
        ...


class StoreClient(StrEnum):
    """The client for DynamoDB and for other AWS services."""

    AUTO = "auto"
    BOTO3 = "boto3"
    LEAN = "lean"


class NotConfigured(ApiError):
    """The environment lacks a variable that is needed to reach a service. The text names it."""


def aws_api(service: str, choice: StoreClient, environment: Mapping[str, str] = os.environ) -> AwsApi:
    """Return the chosen client of a service. It keeps its connections open.

    Raises:
        ApiError: the environment lacks a variable that the client needs.
    """
    if choice is StoreClient.LEAN or (choice is StoreClient.AUTO and lean_is_safe(environment)):
        return json_api(service, environment)
    from adapters.aws import sdk  # noqa: PLC0415 - the slowest import of a cold start

    session = sdk.snapshot_session() if uses_snap_start(environment) else None
    return sdk.SdkApi(sdk.sdk_client(service, session))


def uses_snap_start(environment: Mapping[str, str]) -> bool:
    """Return whether this process goes into a snapshot of Lambda SnapStart, or was restored from one."""
    return environment.get(INITIALIZATION) == "snap-start"


def lean_is_safe(environment: Mapping[str, str]) -> bool:
    """Return whether the lean client is safe to use by default: in a Lambda whose variables hold credentials.

    Lambda replaces an environment before those credentials expire. An environment that SnapStart restores has
    the memory of a snapshot: its credentials come from elsewhere, and change.
    """
    given = {name for name, value in environment.items() if value}
    region = next((environment[name] for name in REGION_VARIABLES if name in given), "")
    return (
        {"AWS_LAMBDA_FUNCTION_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= given
        and not uses_snap_start(environment)
        and not {name.upper() for name in given} & _SDK_ONLY
        and region != ""
        and not region.startswith(_OTHER_DOMAINS)
    )


def json_api(
    service: str, environment: Mapping[str, str] = os.environ, timeouts: Timeouts = PROMPT
) -> JsonApi:
    """Return the lean client, with static credentials, region and endpoint from the SDK's variables.

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
    transport = HttpTransport(endpoint, timeouts)
    return JsonApi(transport, Signer(credentials, region, endpoint.authority, service))
