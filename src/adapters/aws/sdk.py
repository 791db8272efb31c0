"""Calls by boto3, with failures as `errors`. Imported only where it is used, as it loads slowly."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as SdkConnectionError
from botocore.parsers import ResponseParserError

from adapters.aws.api import NotConfigured
from adapters.aws.checksum import check_crc32
from adapters.aws.errors import ApiError, ErrorAnswer, NoAnswer
from adapters.aws.timeouts import PROMPT, Timeouts

OK: Final = 200
CONNECTIONS: Final = 64
"""The most connections that are kept open, one per serving thread. A Lambda needs one."""

# Refused, reset, timed out, cut off, or an answer that the service did not send.
_UNREACHABLE: Final = (SdkConnectionError, HTTPClientError, ResponseParserError)


def sdk_client(service: str, session: boto3.Session | None = None, timeouts: Timeouts = PROMPT) -> Any:
    """Return boto3's client of a JSON service. It makes one attempt per call, and keeps its connections.

    Endpoint, region and credentials come from the SDK's usual places. The caller repeats failed attempts, as
    it has the deadline of the request.

    Raises:
        ApiError: the client cannot be made: no region, or incomplete credentials.
    """
    config = Config(
        connect_timeout=timeouts.connect_seconds,
        read_timeout=timeouts.read_seconds,
        retries={"total_max_attempts": 1, "mode": "standard"},
        tcp_keepalive=True,
        max_pool_connections=CONNECTIONS,
    )
    try:
        client = (session or boto3.Session()).client(service, config=config)
    except BotoCoreError as error:
        raise ApiError(type(error).__name__) from error
    client.meta.events.register(f"before-parse.{service}", _check_answer)
    return client


@cache
def snapshot_session() -> boto3.Session:
    """Return a session whose clients may be in a snapshot: they look up credentials at the first request.

    A client of any other session looks them up when it is made. In a snapshot, that would be a network call
    while a version is published, and every restored copy would start with the credentials of that moment.
    """
    core = botocore.session.get_session()
    core.register_component(
        "credential_provider", _DeferredProvider(core.get_component("credential_provider"))
    )
    return boto3.Session(botocore_session=core)


class _DeferredProvider:
    """A stand-in for botocore's chain of credential providers, which it calls as late as possible."""

    def __init__(self, chain: Any) -> None:
        self._chain = chain

    def load_credentials(self) -> "_DeferredCredentials":
        return _DeferredCredentials(self._chain.load_credentials)


class _DeferredCredentials:
    """The part of botocore's `Credentials` that a client uses; the real ones renew themselves.

    Args:
        look_up: returns the real ones, or None if there are none.
    """

    def __init__(self, look_up: Callable[[], Any]) -> None:
        self._real = cache(look_up)

    def get_frozen_credentials(self) -> Any:
        real = self._real()
        return real and real.get_frozen_credentials()

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        return lambda: getattr(self._real(), name, None)


class SdkApi:
    """An `AwsApi` by boto3.

    Args:
        client: boto3's client of the service.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one attempt at this operation."""
        with api_errors():
            answer: Mapping[str, Any] = getattr(self.client, xform_name(operation))(**request)
        return answer

    def close(self) -> None:
        """Close the connections that are kept open."""
        self.client.close()


@contextmanager
def api_errors() -> Iterator[None]:
    """Raise boto3's failures as `errors`."""
    try:
        yield
    except ClientError as error:
        raise _error_answer(error) from error
    except _UNREACHABLE as error:
        raise NoAnswer(type(error).__name__) from error
    except BotoCoreError as error:
        raise ApiError(type(error).__name__) from error


def account_region() -> str:
    """Return the region of an operator's command, after a check that there are credentials too.

    Raises:
        NotConfigured: one of them is missing or incomplete. The text says which variable to set.
    """
    try:
        session = boto3.Session()
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise NotConfigured(
            f"The AWS credentials cannot be used ({error}): correct AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY."
        ) from None
    if credentials is None:
        raise NotConfigured("AWS credentials are missing: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or log in.")
    region = os.environ.get("AWS_REGION") or session.region_name  # boto3 alone reads only AWS_DEFAULT_REGION
    if not region:
        raise NotConfigured("The AWS region is missing: set AWS_REGION.")
    return str(region)


def _error_answer(error: ClientError) -> ErrorAnswer:
    response = error.response
    metadata = response["ResponseMetadata"]
    return ErrorAnswer(
        response["Error"]["Code"],
        metadata["HTTPStatusCode"],
        response.get("Item"),
        metadata.get("RequestId", ""),
    )


def _check_answer(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Check an answer before botocore parses it, which reads an empty or damaged one as an empty object.

    Raises:
        NoAnswer: the answer is damaged, or is a success without a JSON object.
    """
    body: bytes = response_dict["body"]
    check_crc32(response_dict["headers"], body)
    if response_dict["status_code"] == OK and not body.lstrip().startswith(b"{"):
        raise NoAnswer("not a JSON object")
