"""What happens beneath botocore: counts the calls on the wire, and breaks chosen ones."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

Send = Callable[[AWSPreparedRequest], Any]


class Fault(Protocol):
    """What becomes of one request: gets the request and the real way to send it."""

    def __call__(self, request: AWSPreparedRequest, send: Send) -> Any:
        """Answer the request, or raise what botocore's HTTP session would."""
        ...


def lost_before(request: AWSPreparedRequest, send: Send) -> Any:  # noqa: ARG001 - never sent
    """The request never reaches the store."""
    raise ConnectionClosedError(endpoint_url=request.url)


def lost_after(request: AWSPreparedRequest, send: Send) -> Any:
    """The store makes the change, and its reply is lost."""
    send(request)
    raise ConnectionClosedError(endpoint_url=request.url)


def late(request: AWSPreparedRequest, send: Send) -> Any:
    """The store makes the change, and its reply comes after the client gave up."""
    send(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def throttled(request: AWSPreparedRequest, send: Send) -> Any:  # noqa: ARG001 - never sent
    """The store asks for fewer requests."""
    return _error(request, 400, "ProvisionedThroughputExceededException")


def server_error(request: AWSPreparedRequest, send: Send) -> Any:  # noqa: ARG001 - never sent
    """The store fails by itself."""
    return _error(request, 500, "InternalServerError")


def access_denied(request: AWSPreparedRequest, send: Send) -> Any:  # noqa: ARG001 - never sent
    """The function's role may not do this."""
    return _error(request, 400, "AccessDeniedException")


def after_other(other: Callable[[], object], then: Fault) -> Fault:
    """The change is made, something else happens, and then the reply fares so."""

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


class Wire:
    """Stands between a boto3 client and its HTTP session.

    Attributes:
        calls: how often each operation was sent.
    """

    def __init__(self, client: Any) -> None:
        self.calls: Counter[str] = Counter()
        self._faults: deque[Fault | None] = deque()
        self._lock = threading.Lock()
        endpoint = client._endpoint  # noqa: SLF001 - botocore has no public place this far down
        self._send = endpoint.http_session.send
        endpoint.http_session.send = self._pass

    def break_next(self, *faults: Fault | None) -> None:
        """The next requests fare so, in this order; `None` lets one pass."""
        self._faults.extend(faults)

    def _pass(self, request: AWSPreparedRequest) -> Any:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        with self._lock:
            self.calls[operation] += 1
            fault = self._faults.popleft() if self._faults else None
        return self._send(request) if fault is None else fault(request, self._send)
