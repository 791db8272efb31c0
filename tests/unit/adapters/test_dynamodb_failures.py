from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from adapters.dynamodb.api_errors import ApiError, ErrorAnswer, NoAnswer
from adapters.dynamodb.failures import api_error, domain_error, refused_item
from domain.errors import StoreContended, StoreError, StoreFault, StoreThrottled, StoreUnavailable

URL = "https://dynamodb.invalid"


def service_error(code: str, status: int = 400, **members: Any) -> ClientError:
    """What botocore raises when the service answers with an error."""
    response: Any = {"Error": {"Code": code, "Message": "made up"}, **members}
    return ClientError({**response, "ResponseMetadata": {"HTTPStatusCode": status}}, "UpdateItem")


def told(error: Exception) -> ApiError:
    """The error in the words that both clients share."""
    known = api_error(error)
    assert known is not None
    return known


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (service_error("ProvisionedThroughputExceededException"), StoreThrottled),
        (service_error("RequestLimitExceeded"), StoreThrottled),
        (service_error("ThrottlingException"), StoreThrottled),
        (service_error("ThrottlingException", 503), StoreThrottled),
        (service_error("ThrottledException"), StoreThrottled),
        (service_error("TooManyRequestsException", 429), StoreThrottled),
        (service_error("LimitExceededException"), StoreThrottled),
        (service_error("TransactionConflictException"), StoreContended),
        (service_error("ReplicatedWriteConflictException"), StoreContended),
        (service_error("InternalServerError", 500), StoreUnavailable),
        (service_error("502", 502), StoreUnavailable),
        (service_error("ServiceUnavailable", 503), StoreUnavailable),
        (service_error("AccessDeniedException"), StoreFault),
        (service_error("ResourceNotFoundException"), StoreFault),
        (service_error("ValidationException"), StoreFault),
        (service_error("UnrecognizedClientException"), StoreFault),
        (service_error("ExpiredTokenException"), StoreFault),
        (service_error("ItemCollectionSizeLimitExceededException"), StoreFault),
        (service_error("AnythingNew", 499), StoreFault),
        (ConnectTimeoutError(endpoint_url=URL), StoreUnavailable),
        (ReadTimeoutError(endpoint_url=URL), StoreUnavailable),
        (EndpointConnectionError(endpoint_url=URL, error="refused"), StoreUnavailable),
        (ConnectionClosedError(endpoint_url=URL), StoreUnavailable),
        (ProxyConnectionError(proxy_url=URL, error="refused"), StoreUnavailable),
        (SSLError(endpoint_url=URL, error="bad certificate"), StoreUnavailable),
        (HTTPClientError(error="damaged"), StoreUnavailable),
        (ResponseParserError("not JSON"), StoreUnavailable),
        (NoCredentialsError(), StoreFault),
        (NoRegionError(), StoreFault),
        (ParamValidationError(report="missing"), StoreFault),
        (ErrorAnswer("ThrottlingException", 400), StoreThrottled),
        (ErrorAnswer("TransactionConflictException", 400), StoreContended),
        (ErrorAnswer("InternalServerError", 500), StoreUnavailable),
        (ErrorAnswer("AccessDeniedException", 400), StoreFault),
        (NoAnswer("not JSON"), StoreUnavailable),
    ],
    ids=lambda value: str(value) if isinstance(value, Exception) else value.__name__,
)
def test_each_failure_has_its_meaning(error: Exception, kind: type[StoreError]) -> None:
    """What passes by itself, what asks for patience and what is our mistake are told apart."""
    assert type(domain_error(told(error))) is kind
    assert refused_item(told(error)) is None


def test_what_no_client_raised_has_no_meaning() -> None:
    """A mistake in our own code is not taken for the store's."""
    assert api_error(KeyError("Attributes")) is None


def test_a_failure_is_named_by_its_kind_alone() -> None:
    """The SDK's text, which may hold names and addresses, is left where it is."""
    assert str(domain_error(told(service_error("AccessDeniedException")))) == "AccessDeniedException"
    assert str(domain_error(told(ReadTimeoutError(endpoint_url=URL)))) == "ReadTimeoutError"


def test_a_refused_write_brings_its_item() -> None:
    """As the condition met it; a user without any state has the empty one."""
    item = {"streamCount": {"N": "3"}}
    assert refused_item(told(service_error("ConditionalCheckFailedException", Item=item))) == item
    assert refused_item(told(service_error("ConditionalCheckFailedException"))) == {}
    assert refused_item(ErrorAnswer("ConditionalCheckFailedException", 400, item)) == item
