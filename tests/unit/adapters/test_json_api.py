import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.aws.errors import ErrorAnswer, NoAnswer
from adapters.aws.http_transport import Response
from adapters.aws.json_api import JsonApi
from adapters.aws.sigv4 import Credentials, Signer

ITEM = {"userId": {"S": "1"}, "streamCount": {"N": "3"}}


class Answering:
    """A transport that gives one answer, and keeps the requests."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._response = Response(status, headers or {}, body)
        self.posted: list[tuple[Mapping[str, str], bytes]] = []

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer."""
        self.posted.append((headers, body))
        return self._response

    def close(self) -> None:
        """Do nothing, because nothing is open."""


def api(transport: Answering) -> JsonApi:
    """Return DynamoDB over this transport."""
    signer = Signer(Credentials("AKIA", "secret", "token"), "eu-central-1", "dynamodb.invalid")
    return JsonApi(transport, signer, now=lambda: 1_700_000_000.0)


def call(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    """Return the outcome of a call with this answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api(Answering(status, content, headers)).call("UpdateItem", {"TableName": "streams"})


def test_a_call_is_one_signed_request_in_dynamodbs_format() -> None:
    """The request names the operation in a header, carries the session token, and has a JSON body."""
    transport = Answering(200, b'{"Item": {}}')
    request = {"TableName": "streams", "Key": {"userId": {"S": "é"}}}
    assert api(transport).call("GetItem", request) == {"Item": {}}
    ((headers, body),) = transport.posted
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
    assert headers["X-Amz-Security-Token"] == "token"
    assert headers["X-Amz-Date"] == "20231114T221320Z"
    assert json.loads(body) == request


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"3", b'"text"', b"<html>", b'{"Attributes": {', b"\xff"]
)
def test_a_success_without_a_json_object_is_an_error(body: bytes) -> None:
    """A success without a JSON object is never read as a user without any state."""
    with pytest.raises(NoAnswer):
        call(200, body)


def test_an_answer_with_a_wrong_checksum_is_an_error() -> None:
    """An answer with a wrong checksum is an error, even if it is JSON; one without a checksum is accepted."""
    good = json.dumps({"Attributes": ITEM}).encode()
    checksum = {"x-amz-crc32": str(zlib.crc32(good))}
    assert call(200, good, checksum) == call(200, good) == {"Attributes": ITEM}
    with pytest.raises(NoAnswer):
        call(200, good.replace(b"3", b"2"), checksum)


def test_an_error_has_its_code_and_the_item_that_a_condition_met() -> None:
    """The error's code is read without its namespace, and the item that a condition met is kept."""
    with pytest.raises(ErrorAnswer) as caught:
        call(
            400, {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": ITEM}
        )
    assert (caught.value.code, caught.value.status) == ("ConditionalCheckFailedException", 400)
    assert caught.value.item == ITEM


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"[]", b"{}"])
def test_an_error_without_a_code_is_named_by_its_status(body: bytes) -> None:
    """An error without a code, which may come from a proxy, is named by its status."""
    with pytest.raises(ErrorAnswer) as caught:
        call(502, body)
    assert (caught.value.code, caught.value.status, caught.value.item) == ("502", 502, {})
