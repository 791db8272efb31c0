"""The lean client: signed HTTP requests to AWS's JSON services, without the SDK."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from pydantic_core import from_json, to_json

from adapters.aws.checksum import check_crc32
from adapters.aws.errors import ErrorAnswer, NoAnswer
from adapters.aws.http_transport import Response
from adapters.aws.sigv4 import Signer

OK: Final = 200
REQUEST_ID: Final = "x-amzn-requestid"


class Transport(Protocol):
    """A connection to one service."""

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send one request at most once, and return its answer; raise `NoAnswer` if there is none."""
        ...

    def close(self) -> None:
        """Close the connections that are kept open."""
        ...


class JsonApi:
    """An `AwsApi` by signed HTTP requests. Threads may share it.

    Args:
        transport: sends the requests.
        signer: signs them, for one service.
        now: returns epoch seconds.
    """

    def __init__(self, transport: Transport, signer: Signer, *, now: Callable[[], float] = time.time) -> None:
        self.transport = transport
        self._signer = signer
        self._now = now

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one attempt at this operation."""
        body = to_json(request)  # four times as fast as the standard library: docs/adr/0013-hot-path.md
        headers = self._signer.headers(operation, body, self._now())
        response = self.transport.post(headers, body)
        check_crc32(response.headers, response.body)
        if response.status != OK:
            raise _error(response)
        answer = _object(response.body)
        request_id = response.headers.get(REQUEST_ID)
        return {**answer, "ResponseMetadata": {"RequestId": request_id}} if request_id else answer

    def close(self) -> None:
        """Close the connections that are kept open."""
        self.transport.close()


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = from_json(body)
    except ValueError:
        raise NoAnswer("not JSON") from None
    if not isinstance(answer, dict):
        raise NoAnswer("not a JSON object")
    return answer


def _error(response: Response) -> ErrorAnswer:
    """Return the error in an answer, which a proxy may have sent in another form."""
    try:
        answer = _object(response.body)
    except NoAnswer:
        answer = {}
    code = str(answer.get("__type", response.status)).rpartition("#")[2]
    return ErrorAnswer(code, response.status, answer.get("Item"), response.headers.get(REQUEST_ID, ""))
