"""boto3's calls, their failures in the words of `errors`. Imported only where it is used: it loads slowly."""

import zlib
from collections.abc import Mapping
from typing import Any, Final

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as SdkConnectionError
from botocore.parsers import ResponseParserError

from adapters.aws.errors import ApiError, ErrorAnswer, NoAnswer
from adapters.aws.timeouts import PROMPT, Timeouts

OK: Final = 200
CONNECTIONS: Final = 64
"""Connections kept open at most: one per thread that serves requests. A Lambda needs one."""

# Refused, reset, timed out, cut off, or an answer that is no answer of the service's.
_OUT_OF_REACH: Final = (SdkConnectionError, HTTPClientError, ResponseParserError)


def sdk_client(service: str, session: boto3.Session | None = None, timeouts: Timeouts = PROMPT) -> Any:
    """boto3's client of a service that speaks JSON: it makes one attempt per call, and keeps its connections.

    Endpoint, region and credentials come from the SDK's usual places. Repeating a failed attempt is its
    caller's business, who alone knows the request's deadline.

    Raises:
        ApiError: it cannot be made: no region, half of the credentials.
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


class SdkApi:
    """An `AwsApi` by boto3.

    Args:
        client: boto3's client of the service.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one attempt at this operation."""
        try:
            answer: Mapping[str, Any] = getattr(self.client, xform_name(operation))(**request)
        except ClientError as error:
            raise _error_answer(error) from error
        except _OUT_OF_REACH as error:
            raise NoAnswer(type(error).__name__) from error
        except BotoCoreError as error:
            raise ApiError(type(error).__name__) from error
        return answer

    def close(self) -> None:
        """Close the connections that are kept open."""
        self.client.close()


def _error_answer(error: ClientError) -> ErrorAnswer:
    response = error.response
    told = response["ResponseMetadata"]
    return ErrorAnswer(
        response["Error"]["Code"], told["HTTPStatusCode"], response.get("Item"), told.get("RequestId", "")
    )


def _check_answer(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Check an answer before botocore parses it, which takes an empty or a damaged one for an empty object.

    Raises:
        NoAnswer: it is damaged, or a success without a JSON object.
    """
    body: bytes = response_dict["body"]
    checksum = response_dict["headers"].get("x-amz-crc32")
    if checksum is not None and checksum != str(zlib.crc32(body)):
        raise NoAnswer("the answer was damaged on its way")
    if response_dict["status_code"] == OK and not body.lstrip().startswith(b"{"):
        raise NoAnswer("not a JSON object")
