"""The one place where a DynamoDB client's exceptions become the domain's errors."""

import sys
from collections.abc import Mapping
from typing import Any, Final

from adapters.dynamodb.api_errors import ApiError, ErrorAnswer, NoAnswer
from domain.errors import StoreContended, StoreError, StoreFault, StoreThrottled, StoreUnavailable

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


def api_error(error: Exception) -> ApiError | None:
    """What a client raised, whichever it is; `None` for what is no client's error."""
    if isinstance(error, ApiError):
        return error
    if "botocore" not in sys.modules:  # the lean client is in use, and loading botocore takes its time
        return None
    from adapters.dynamodb import botocore_errors  # noqa: PLC0415 - only where botocore is loaded anyway

    return botocore_errors.api_error(error)


def refused_item(error: ApiError) -> Mapping[str, Any] | None:
    """The item as a refused write's condition met it, `{}` where there is none; `None` for other errors."""
    if isinstance(error, ErrorAnswer) and error.code == CONDITION_FAILED:
        return error.item
    return None


def domain_error(error: ApiError) -> StoreError:
    """What the failure means to the domain: named by its kind, and never in a client's own text."""
    if isinstance(error, ErrorAnswer):
        if error.code in _THROTTLED:
            return StoreThrottled(error.code)
        if error.code in _CONTENDED:
            return StoreContended(error.code)
        if error.status >= _SERVER_ERROR:
            return StoreUnavailable(error.code)
        return StoreFault(error.code)
    if isinstance(error, NoAnswer):
        return StoreUnavailable(str(error))
    return StoreFault(str(error))
