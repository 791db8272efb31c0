"""botocore's exceptions in the words of `api_errors`. Imported only where botocore is."""

import zlib
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as SdkConnectionError
from botocore.parsers import ResponseParserError

from adapters.dynamodb.api_errors import ApiError, ErrorAnswer, NoAnswer

OK = 200

# Refused, reset, timed out, cut off, or an answer that is no answer of DynamoDB's.
_OUT_OF_REACH = (SdkConnectionError, HTTPClientError, ResponseParserError)


def api_error(error: Exception) -> ApiError | None:
    """What it means; `None` for an error that is not botocore's."""
    if isinstance(error, ClientError):
        response = error.response
        told = response["ResponseMetadata"]
        return ErrorAnswer(
            response["Error"]["Code"], told["HTTPStatusCode"], response.get("Item"), told.get("RequestId", "")
        )
    if isinstance(error, _OUT_OF_REACH):
        return NoAnswer(type(error).__name__)
    if isinstance(error, BotoCoreError):  # it made no request: no credentials, no region, a wrong argument
        return ApiError(type(error).__name__)
    return None


def check_answer(response_dict: Mapping[str, Any], **_: Any) -> None:
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
