import zlib
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    BotoCoreError,
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

from adapters.aws.errors import ApiError, ErrorAnswer, NoAnswer
from adapters.aws.sdk import SdkApi, sdk_client
from adapters.aws.timeouts import PROMPT
from domain.limiter import DEADLINE_SECONDS

URL = "https://dynamodb.invalid"
ITEM = {"streamCount": {"N": "3"}}


class Raising:
    """A client of boto3's that fails every call with this error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def update_item(self, **_: Any) -> Any:
        """Fail."""
        raise self._error


def raised_for(error: Exception) -> Exception:
    """Return what the adapter raises for this error of boto3's."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        SdkApi(Raising(error)).call("UpdateItem", {})
    return caught.value


def service_error(code: str, **members: Any) -> ClientError:
    """Return what botocore raises when the service answers with an error."""
    metadata = {"HTTPStatusCode": 400, "RequestId": "R1"}
    response: Any = {"Error": {"Code": code, "Message": "s3cret"}, "ResponseMetadata": metadata, **members}
    return ClientError(response, "UpdateItem")


def test_a_call_is_one_short_attempt() -> None:
    """The SDK repeats nothing, and two attempts fit into a request's deadline."""
    config = sdk_client("dynamodb").meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (PROMPT.connect_seconds, PROMPT.read_seconds)
    assert PROMPT.attempt_seconds <= DEADLINE_SECONDS / 2


def test_connections_are_kept_alive() -> None:
    """A warm function makes no new TLS handshake; threads do not queue for a connection."""
    config = sdk_client("dynamodb").meta.config
    assert config.tcp_keepalive is True
    assert config.max_pool_connections == 64


def test_region_and_endpoint_come_from_the_session() -> None:
    """The session decides the region and the endpoint."""
    client = sdk_client("dynamodb", boto3.Session("test", "test", region_name="eu-central-1"))
    assert client.meta.region_name == "eu-central-1"
    assert client.meta.endpoint_url == "https://dynamodb.eu-central-1.amazonaws.com"


def damaged_answer(body: bytes, **headers: str) -> None:
    """Let boto3 read this answer."""
    client = sdk_client("dynamodb")
    response = AWSResponse("http://store", 200, headers, None)
    response._content = body  # noqa: SLF001 - as a response that was read
    client._endpoint.http_session.send = lambda _: response  # noqa: SLF001 - beneath botocore
    client.get_item(TableName="streams", Key={"userId": {"S": "1"}})


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"3", b'"text"'])
def test_boto3_raises_for_a_damaged_answer(body: bytes) -> None:
    """A damaged answer raises an error, instead of boto3's default: a user without streams."""
    with pytest.raises(NoAnswer):
        damaged_answer(body)


def test_boto3_checks_the_checksum_of_an_answer() -> None:
    """boto3 checks an answer's checksum, which its standard retry mode does not do by default."""
    damaged_answer(b"{}", **{"x-amz-crc32": str(zlib.crc32(b"{}"))})
    with pytest.raises(NoAnswer):
        damaged_answer(b"{}", **{"x-amz-crc32": "1"})


def test_an_error_of_the_service_has_its_code() -> None:
    """The error has the code, the status, the item that a condition met, and the service's request id."""
    error = service_error("ConditionalCheckFailedException", Item=ITEM)
    answer = raised_for(error)
    assert isinstance(answer, ErrorAnswer)
    assert (answer.code, answer.status, answer.item, answer.request_id) == (
        "ConditionalCheckFailedException",
        400,
        ITEM,
        "R1",
    )
    assert answer.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL, error="refused"),
        ConnectionClosedError(endpoint_url=URL),
        ProxyConnectionError(proxy_url=URL, error="refused"),
        SSLError(endpoint_url=URL, error="bad certificate"),
        HTTPClientError(error="damaged"),
        ResponseParserError("not JSON"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_call_without_an_answer_is_an_error_of_unknown_effect(error: Exception) -> None:
    """A refused, broken, late or unreadable call is an error that leaves its effect open."""
    assert isinstance(raised_for(error), NoAnswer)


@pytest.mark.parametrize(
    "error",
    [NoCredentialsError(), NoRegionError(), ParamValidationError(report="s3cret")],
    ids=lambda error: type(error).__name__,
)
def test_a_request_that_was_never_sent_is_an_error_without_effect(error: BotoCoreError) -> None:
    """A request that was never made is an error without effect, which a repeat would meet too."""
    assert type(raised_for(error)) is ApiError


@pytest.mark.parametrize("error", [service_error("AccessDenied"), ReadTimeoutError(endpoint_url="s3cret")])
def test_a_failure_has_its_kind_but_not_its_text(error: Exception) -> None:
    """A failure has the kind of the SDK's error, but not its text, which may hold names and addresses."""
    assert "s3cret" in str(error)
    assert str(raised_for(error)) in {"AccessDenied", "ReadTimeoutError"}


def test_an_error_not_raised_by_boto3_is_not_converted() -> None:
    """A defect in our own code is not converted into an error of the service."""
    mistake = KeyError("Attributes")
    assert raised_for(mistake) is mistake
