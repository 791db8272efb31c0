"""The one place where the AWS SDK's exceptions become the domain's errors."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as SdkConnectionError
from botocore.parsers import ResponseParserError

from domain.errors import StoreError, StoreFault, StoreThrottled, StoreUnavailable

SdkError: TypeAlias = BotoCoreError | ClientError | ResponseParserError
SDK_ERRORS: Final = (BotoCoreError, ClientError, ResponseParserError)

# Refused, reset, timed out, cut off, or an answer that is no answer of DynamoDB's.
_OUT_OF_REACH: Final = (SdkConnectionError, HTTPClientError, ResponseParserError)

CONDITION_FAILED: Final = "ConditionalCheckFailedException"

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "LimitExceededException",
    }
)
_CONTENDED: Final = frozenset({"TransactionConflictException", "ReplicatedWriteConflictException"})
_SERVER_ERROR: Final = 500


def refused_item(error: SdkError) -> Mapping[str, Any] | None:
    """The item as a refused write's condition met it, `{}` where there is none; `None` for other errors."""
    if isinstance(error, ClientError) and _code(error) == CONDITION_FAILED:
        item: Mapping[str, Any] = error.response.get("Item", {})
        return item
    return None


def domain_error(error: SdkError) -> StoreError:
    """What the SDK's failure means to the domain. Its text stays in `__cause__`, for the log alone."""
    if isinstance(error, ClientError):
        code = _code(error)
        if code in _THROTTLED:
            return StoreThrottled(code)
        if code in _CONTENDED or error.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER_ERROR:
            return StoreUnavailable(code)
        return StoreFault(code)
    if isinstance(error, _OUT_OF_REACH):
        return StoreUnavailable(type(error).__name__)
    return StoreFault(type(error).__name__)


def _code(error: ClientError) -> str:
    code: str = error.response["Error"]["Code"]
    return code
