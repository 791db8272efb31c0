"""DynamoDB slow, throttled or down: players get the right answer within 3 seconds."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from adapters.aws.api import StoreClient, aws_api
from adapters.clock import SystemClock
from adapters.store_calls import StoreCalls
from domain.policy import OnStoreFailure
from entrypoints import bootstrap, stream_end, stream_heartbeat, stream_start
from entrypoints.bootstrap import Service
from entrypoints.route import Route
from entrypoints.settings import Auth, Settings
from testing.wire import Fault, Wire, server_error, throttled
from tests.conftest import TABLE, repository_over
from tests.support.proxy import Proxy

PROMISED_SECONDS = 3.0

Break = Callable[[Proxy], None]


class Outage:
    """A service whose store is behind a proxy, and can become unavailable."""

    def __init__(self, proxy: Proxy, client: Any, user_id: str, on_store_failure: OnStoreFailure) -> None:
        self.proxy = proxy
        self.wire = Wire(client)
        self._user_id = user_id
        settings = Settings(
            AUTH=Auth.NONE, TABLE_NAME=TABLE, ON_STORE_FAILURE=on_store_failure, LOG_HASH_KEY=SecretStr("key")
        )
        self._service: Service = bootstrap.build(
            settings, repository_over(client), SystemClock(), StoreCalls()
        )

    def call(self, route: Route[Any, Any], **fields: str) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of one answer, which must arrive within the promised time."""
        event = {"body": json.dumps({"userId": self._user_id, **fields})}
        began = time.monotonic()
        answer = route.serve(event, None, self._service)
        assert time.monotonic() - began < PROMISED_SECONDS
        if answer["statusCode"] == 503:
            assert answer["headers"]["retry-after"] == "1"
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def proxy(dynamodb_local_url: str) -> Iterator[Proxy]:
    """Yield a proxy before DynamoDB Local."""
    port = urlsplit(dynamodb_local_url).port
    assert port
    with Proxy(port) as proxy:
        yield proxy


@pytest.fixture(params=[StoreClient.BOTO3, StoreClient.LEAN])
def client(request: pytest.FixtureRequest, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return each client, of the store behind the proxy."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{proxy.port}")
    with closing(aws_api("dynamodb", request.param)) as api:
        yield api


@pytest.fixture
def outage(request: pytest.FixtureRequest, proxy: Proxy, client: Any, user_id: str) -> Outage:
    """Return a service that fails closed, unless the test asks for another."""
    on_store_failure = getattr(request, "param", OnStoreFailure.CLOSED)
    return Outage(proxy, client, user_id, on_store_failure)


fails_open = pytest.mark.parametrize("outage", [OnStoreFailure.OPEN], indirect=True)
every_outage = pytest.mark.parametrize(
    "break_store", [Proxy.hang, Proxy.refuse], ids=["hanging", "refusing connections"]
)


@every_outage
def test_an_unavailable_store_is_a_503_until_it_returns(outage: Outage, break_store: Break) -> None:
    """Nothing is half-written while the store is unavailable, and nothing has to be restarted."""
    assert outage.call(stream_start.handler) == (200, {"streamCount": 1, "maxStreams": 3})
    break_store(outage.proxy)
    assert outage.call(stream_start.handler)[0] == 503
    assert outage.call(stream_end.handler)[1]["code"] == "store_unavailable"
    outage.proxy.resume()
    assert outage.call(stream_start.handler) == (200, {"streamCount": 2, "maxStreams": 3})


@pytest.mark.parametrize(
    ("fault", "code"), [(throttled, "too_many_requests"), (server_error, "store_unavailable")]
)
def test_a_failing_store_is_a_503(outage: Outage, fault: Fault, code: str) -> None:
    """A failing store is retried within the deadline, and answered as unavailable after it."""
    outage.wire.break_next(*[fault] * 10)
    status, body = outage.call(stream_start.handler)
    assert (status, body["code"]) == (503, code)


@fails_open
@every_outage
def test_failing_open_admits_unverified(outage: Outage, break_store: Break) -> None:
    """Starts and heartbeats are admitted as unverified; ends are a 503, to be sent again later."""
    break_store(outage.proxy)
    assert outage.call(stream_start.handler) == (200, {"maxStreams": 3, "verified": False})
    status, body = outage.call(stream_start.handler, streamId="tv")
    assert (status, body["verified"], body["streamId"], body["heartbeatSeconds"]) == (200, False, "tv", 30)
    status, body = outage.call(stream_heartbeat.handler, streamId="tv")
    assert (status, body["verified"], "streamCount" in body) == (200, False, False)
    assert outage.call(stream_end.handler)[0] == 503


@fails_open
@every_outage
def test_an_unverified_stream_has_to_start_again(outage: Outage, break_store: Break) -> None:
    """The heartbeat of an unverified stream is a 410 within its lease, and a start then takes a slot."""
    break_store(outage.proxy)
    assert outage.call(stream_start.handler, streamId="tv")[1]["expiresInSeconds"] == 90
    outage.proxy.resume()
    status, body = outage.call(stream_heartbeat.handler, streamId="tv")
    assert (status, body["code"]) == (410, "stream_gone")
    status, body = outage.call(stream_start.handler, streamId="tv-again")
    assert (status, body["streamCount"], "verified" in body) == (200, 1, False)


@fails_open
def test_failing_open_does_not_apply_to_throttling(outage: Outage) -> None:
    """Throttling, which a caller can cause on its own user, never admits a stream."""
    outage.wire.break_next(*[throttled] * 10)
    status, body = outage.call(stream_start.handler)
    assert (status, body["code"]) == (503, "too_many_requests")
