"""Calls of AWS as signed HTTP requests, without the SDK: the two that the repository needs in its shape."""

import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from pydantic_core import from_json, to_json

from adapters.dynamodb.api_errors import ErrorAnswer, NoAnswer
from adapters.dynamodb.http_transport import Response
from adapters.dynamodb.sigv4 import Signer

API_VERSION: Final = "DynamoDB_20120810"
OK: Final = 200
REQUEST_ID: Final = "x-amzn-requestid"


class Transport(Protocol):
    """Carries requests to DynamoDB."""

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send one request at most once, and read its answer; raises `NoAnswer` when there is none."""
        ...

    def close(self) -> None:
        """Close the connections that are kept open."""
        ...


class JsonApi:
    """Makes one attempt per call, and raises `ApiError`s. Threads may share it.

    Args:
        transport: carries the requests.
        signer: signs them.
        now: tells the epoch second.
    """

    def __init__(self, transport: Transport, signer: Signer, *, now: Callable[[], float] = time.time) -> None:
        self.transport = transport
        self._signer = signer
        self._now = now

    def call(self, target: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The call that the service knows as this target."""
        body = to_json(request)  # a quarter of what the standard library takes: docs/adr/0013-hot-path.md
        headers = self._signer.headers(target, body, self._now())
        response = self.transport.post(headers, body)
        checksum = response.headers.get("x-amz-crc32")
        if checksum is not None and checksum != str(zlib.crc32(response.body)):
            raise NoAnswer("the answer was damaged on its way")
        if response.status == OK:
            return _answer(response)
        raise _error(response)


class LeanClient(JsonApi):
    """The two calls that the repository needs."""

    def update_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `UpdateItem`."""
        return self.call(f"{API_VERSION}.UpdateItem", request)

    def get_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `GetItem`."""
        return self.call(f"{API_VERSION}.GetItem", request)


def _answer(response: Response) -> Mapping[str, Any]:
    request_id = response.headers.get(REQUEST_ID)
    answer = _object(response.body)
    return {**answer, "ResponseMetadata": {"RequestId": request_id}} if request_id else answer


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = from_json(body)
    except ValueError:
        raise NoAnswer("not JSON") from None
    if not isinstance(answer, dict):
        raise NoAnswer("not a JSON object")
    return answer


def _error(response: Response) -> ErrorAnswer:
    """The error that DynamoDB tells; something between us and it may answer in words of its own."""
    try:
        answer = _object(response.body)
    except NoAnswer:
        answer = {}
    code = str(answer.get("__type", response.status)).rpartition("#")[2]
    return ErrorAnswer(code, response.status, answer.get("Item"), response.headers.get(REQUEST_ID, ""))
