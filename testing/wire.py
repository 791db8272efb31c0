"""The wire beneath either client: it counts the calls, and breaks chosen ones.

Faults are botocore's errors; beneath the lean client they are converted into those of its transport.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError

from adapters.aws.api import AwsApi
from adapters.aws.errors import NoAnswer
from adapters.aws.http_transport import Response
from adapters.aws.json_api import JsonApi, Transport
from adapters.aws.sdk import SdkApi

Send = Callable[[AWSPreparedRequest], Any]


class Fault(Protocol):
    """The fate of one request: called with the request and the real way to send it."""

    def __call__(self, request: AWSPreparedRequest, send: Send) -> Any:
        """Answer the request, or raise what botocore's HTTP session would."""
        ...


def lost_before(request: AWSPreparedRequest, send: Send) -> Any:  # noqa: ARG001 - never sent
    """Lose the request before it reaches the store."""
    raise ConnectionClosedError(endpoint_url=request.url)


def lost_after(request: AWSPreparedRequest, send: Send) -> Any:
    """Let the store make the change, and lose its reply."""
    send(request)
    raise ConnectionClosedError(endpoint_url=request.url)


def late(request: AWSPreparedRequest, send: Send) -> Any:
    """Let the store make the change, and its reply come after the client gave up."""
    send(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def throttled(request: AWSPreparedRequest, send: Send) -> Any:  # noqa: ARG001 - never sent
    """Answer that the store asks for fewer requests."""
    return _error(request, 400, "ProvisionedThroughputExceededException")


def server_error(request: AWSPreparedRequest, send: Send) -> Any:  # noqa: ARG001 - never sent
    """Answer with an internal error of the store."""
    return _error(request, 500, "InternalServerError")


def access_denied(request: AWSPreparedRequest, send: Send) -> Any:  # noqa: ARG001 - never sent
    """Answer that the function's role lacks a permission."""
    return _error(request, 400, "AccessDeniedException")


def after_other(other: Callable[[], object], then: Fault) -> Fault:
    """Return a fault that makes the change, then calls something else, then breaks the reply."""

    def fault(request: AWSPreparedRequest, send: Send) -> Any:
        def send_and_let_other_come(request: AWSPreparedRequest) -> Any:
            response = send(request)
            other()
            return response

        return then(request, send_and_let_other_come)

    return fault


def _error(request: AWSPreparedRequest, status: int, code: str) -> AWSResponse:
    body = f'{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"made up"}}'.encode()
    response = AWSResponse(request.url, status, {"x-amzn-requestid": "made-up"}, None)
    response._content = body  # noqa: SLF001 - as a response that was read
    return response


class _Transport:
    """The lean client's transport, with the interface of botocore's HTTP session.

    Args:
        transport: the real one.
        pass_on: decides the fate of each request.
    """

    def __init__(self, transport: Transport, pass_on: Send) -> None:
        self._transport = transport
        self._pass_on = pass_on

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send one request, or treat it as the wire says."""
        request = AWSRequest("POST", f"http://{headers['Host']}/", dict(headers), body).prepare()
        try:
            answer = self._pass_on(request)
        except HTTPClientError as error:
            raise NoAnswer(type(error).__name__) from error
        return Response(answer.status_code, dict(answer.headers), answer.content)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send it by the real transport."""
        headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
        answer = self._transport.post(headers, request.body)
        response = AWSResponse(request.url, answer.status, answer.headers, None)
        response._content = answer.body  # noqa: SLF001 - as a response that was read
        return response

    def close(self) -> None:
        """Close the real one."""
        self._transport.close()


class Wire:
    """A wire between a client and its HTTP session or transport.

    Attributes:
        calls: the number of requests by operation.
    """

    def __init__(self, client: AwsApi) -> None:
        self.calls: Counter[str] = Counter()
        self._faults: deque[Fault | None] = deque()
        self._lock = threading.Lock()
        if isinstance(client, JsonApi):
            transport = _Transport(client.transport, self._pass)
            client.transport, self._send = transport, transport.send
            return
        assert isinstance(client, SdkApi)
        endpoint = client.client._endpoint  # noqa: SLF001 - botocore has no public place this far down
        self._send = endpoint.http_session.send
        endpoint.http_session.send = self._pass

    def break_next(self, *faults: Fault | None) -> None:
        """Break the next requests in this way, in this order; `None` lets one pass."""
        self._faults.extend(faults)

    def forget(self) -> None:
        """Cancel all faults."""
        self._faults.clear()

    def _pass(self, request: AWSPreparedRequest) -> Any:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        with self._lock:
            self.calls[operation] += 1
            fault = self._faults.popleft() if self._faults else None
        return self._send(request) if fault is None else fault(request, self._send)
