import pytest

from adapters.aws.errors import ApiError, ErrorAnswer, NoAnswer
from adapters.dynamodb.failures import domain_error
from domain.errors import StoreContended, StoreError, StoreFault, StoreThrottled, StoreUnavailable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ErrorAnswer("ProvisionedThroughputExceededException", 400), StoreThrottled),
        (ErrorAnswer("RequestLimitExceeded", 400), StoreThrottled),
        (ErrorAnswer("ThrottlingException", 400), StoreThrottled),
        (ErrorAnswer("ThrottlingException", 503), StoreThrottled),
        (ErrorAnswer("ThrottledException", 400), StoreThrottled),
        (ErrorAnswer("TooManyRequestsException", 429), StoreThrottled),
        (ErrorAnswer("LimitExceededException", 400), StoreThrottled),
        (ErrorAnswer("TransactionConflictException", 400), StoreContended),
        (ErrorAnswer("ReplicatedWriteConflictException", 400), StoreContended),
        (ErrorAnswer("InternalServerError", 500), StoreUnavailable),
        (ErrorAnswer("502", 502), StoreUnavailable),
        (ErrorAnswer("ServiceUnavailable", 503), StoreUnavailable),
        (ErrorAnswer("AccessDeniedException", 400), StoreFault),
        (ErrorAnswer("ResourceNotFoundException", 400), StoreFault),
        (ErrorAnswer("ValidationException", 400), StoreFault),
        (ErrorAnswer("UnrecognizedClientException", 400), StoreFault),
        (ErrorAnswer("ExpiredTokenException", 400), StoreFault),
        (ErrorAnswer("ItemCollectionSizeLimitExceededException", 400), StoreFault),
        (ErrorAnswer("AnythingNew", 499), StoreFault),
        (NoAnswer("not JSON"), StoreUnavailable),
        (ApiError("NoCredentialsError"), StoreFault),
    ],
    ids=lambda value: str(value) if isinstance(value, Exception) else value.__name__,
)
def test_each_failure_maps_to_its_error(error: ApiError, kind: type[StoreError]) -> None:
    """Transient failures, throttling and our own mistakes are different errors."""
    assert type(domain_error(error)) is kind
    assert str(domain_error(error)) == str(error)
