"""The one conversion of failed calls to DynamoDB into errors of the domain."""

from typing import Final

from adapters.aws.errors import ApiError, ErrorAnswer, NoAnswer
from domain.errors import StoreContended, StoreError, StoreFault, StoreThrottled, StoreUnavailable

CONDITION_FAILED: Final = "ConditionalCheckFailedException"
"""Not a failure: a write's condition did not hold, and the error holds the item."""

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


def domain_error(error: ApiError) -> StoreError:
    """Return the domain's error for a failed call. Its text is a code, never the text of a client."""
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
