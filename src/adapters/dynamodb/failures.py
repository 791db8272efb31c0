"""The one place where what a call to DynamoDB came to becomes one of the domain's errors."""

from typing import Final

from adapters.aws.errors import ApiError, ErrorAnswer, NoAnswer
from domain.errors import StoreContended, StoreError, StoreFault, StoreThrottled, StoreUnavailable

CONDITION_FAILED: Final = "ConditionalCheckFailedException"
"""No failure: a write's condition did not hold, and the error brings the item that it met."""

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
