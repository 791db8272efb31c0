"""The measured calls: the handlers as Lambda calls them, and one bare call of the SDK for comparison."""

import itertools
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from adapters.aws.api import Operations, StoreClient, aws_api, json_api
from adapters.aws.errors import NoAnswer
from adapters.aws.http_transport import Response
from adapters.aws.json_api import JsonApi, Transport
from adapters.aws.timeouts import PROMPT
from adapters.clock import SystemClock
from adapters.dynamodb.metered import MeteredApi
from adapters.dynamodb.repository import DynamoDbStreamRepository
from adapters.store_calls import StoreCalls
from dev import ROOT
from entrypoints import bootstrap, stream_end, stream_heartbeat, stream_renewal, stream_start
from entrypoints.bootstrap import Service
from entrypoints.route import Route
from entrypoints.settings import Settings

TABLE = "streams"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SESSION_TOKEN": "test",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "TABLE_NAME": TABLE,
    "AUTH": "none",
    "LOG_HASH_KEY": "bench",
}
"""The variables that Lambda and Terraform give a function. Local stores accept any credentials."""

WITH_TOKENS = {"PLAYBACK_KEY": f"bench:{'k' * 43}"}
"""The settings that make the same service issue playback tokens."""

WITH_URL = WITH_TOKENS | {"HEARTBEAT_URL": "https://heartbeat.example.com/"}
"""The settings that make it accept these tokens instead of a login."""

EVENT: Mapping[str, Any] = json.loads((ROOT / "tests" / "events" / "start_named.json").read_text())
"""The event of a start, as API Gateway sends it."""

Call = Callable[[], object]


class Context:
    """The part of Lambda's context object that the handlers read."""

    aws_request_id = "b1c6ad5e-5f0f-4d1c-9a43-0d4b5a3c8e11"


def bare_update(client: Any) -> Call:
    """Return a call that makes one conditional counter update, as a developer would write it by hand."""
    users = itertools.count()
    return lambda: client.update_item(**_counter_update(f"bare-{next(users) % 100}"))


def _counter_update(user: str) -> dict[str, Any]:
    return {
        "TableName": TABLE,
        "Key": {"userId": {"S": user}},
        "UpdateExpression": "ADD streamCount :one",
        "ConditionExpression": "attribute_not_exists(streamCount) OR streamCount < :limit",
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":limit": {"N": "1000000000"}},
        "ReturnValues": "ALL_NEW",
    }


def repeated_request(user: str) -> Call:
    """Send the bare update again and again, signed once: almost all of a call is the store's own work."""
    api = json_api("dynamodb", os.environ)
    network, sent = api.transport, _Sent()
    api.transport = sent
    with suppress(NoAnswer):
        api.call("UpdateItem", _counter_update(user))
    return lambda: network.post(sent.headers, sent.body)


class _Sent:
    """Keeps a request instead of sending it."""

    headers: Mapping[str, str]
    body: bytes

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Keep it."""
        self.headers, self.body = headers, body
        raise NoAnswer("nothing was sent")

    def close(self) -> None:
        """Do nothing: no connection is open."""


def bare_client() -> Any:
    """Return boto3's client with its default configuration."""
    return boto3.client("dynamodb", endpoint_url=os.environ.get("AWS_ENDPOINT_URL_DYNAMODB"))


class SteppingClock(SystemClock):
    """The system's clock, which can be set back."""

    def __init__(self) -> None:
        self.behind = 0.0

    def now(self) -> float:
        """Return epoch seconds."""
        return super().now() - self.behind


class Handlers:
    """The routes over one client, with each call prepared in advance, so that only the handler is measured.

    Args:
        api: DynamoDB.
        prefix: begins the names of the users, so that two of these never share one.
        variables: settings besides those of the process.
    """

    def __init__(self, api: Operations, prefix: str, **variables: str) -> None:
        self._clock = SteppingClock()
        calls = StoreCalls()
        repository = DynamoDbStreamRepository(
            MeteredApi(api, calls), TABLE, attempt_seconds=PROMPT.attempt_seconds
        )
        self._service: Service = bootstrap.build(
            Settings.from_environment({**os.environ, **variables}), repository, self._clock, store_calls=calls
        )
        self._prefix = prefix
        self._names = itertools.count()

    def one_stream(self) -> dict[str, Call]:
        """Return start, heartbeat and end of a user's one screen, to be called in this order."""
        return self.stream(f"{self._prefix}-{next(self._names) % 1000}", "screen")

    def stream(self, user: str, stream: str) -> dict[str, Call]:
        """Return the calls of this stream."""
        return {
            "start": self._call(stream_start.handler, user, stream, device="living room"),
            "heartbeat": self._call(stream_heartbeat.handler, user, stream),
            "end": self._call(stream_end.handler, user, stream),
        }

    def renewals(self, user: str, stream: str) -> dict[str, Call]:
        """Return a heartbeat by the heartbeat URL, and one refused because of another user's token."""
        started: Any = self._call(stream_start.handler, user, stream)()
        token = json.loads(started["body"])["playbackToken"]
        renewal = stream_renewal.handler
        return {
            "url": self._call(renewal, user, stream, playbackToken=token),
            "url.refused": self._call(renewal, f"not-{user}", stream, expected=401, playbackToken=token),
        }

    def refusal(self) -> Call:
        """Return a start for a user whose three slots are taken; it costs one write too."""
        user = f"{self._prefix}-full-{next(self._names) % 20}"
        for stream in "abc":
            self._call(stream_start.handler, user, stream)()
        return self._call(stream_start.handler, user, "d", expected=403)

    def reclaim(self) -> Call:
        """Return a start for a user whose three players crashed some time ago; it costs two writes."""
        user = f"{self._prefix}-crashed-{next(self._names)}"
        self._clock.behind = 600
        for stream in "abc":
            self._call(stream_start.handler, user, stream)()
        self._clock.behind = 0
        return self._call(stream_start.handler, user, "d")

    def _call(
        self, route: Route[Any, Any], user: str, stream: str, *, expected: int = 200, **fields: str
    ) -> Call:
        body = json.dumps({"userId": user, "streamId": stream, **fields})
        event = {**EVENT, "routeKey": route.key, "body": body}

        def call() -> object:
            answer = route.serve(event, Context(), self._service)
            if answer["statusCode"] != expected:
                raise RuntimeError(answer["body"])
            return answer

        return call


def store_handlers(choice: StoreClient, prefix: str, **variables: str) -> Handlers:
    """Return the routes over the store that the environment names."""
    return Handlers(aws_api("dynamodb", choice), prefix, **variables)


class StubTransport:
    """A transport that answers immediately as DynamoDB would, to measure processor time alone."""

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:  # noqa: ARG002 - a fixed answer
        """Answer."""
        return Response(200, _STUB_HEADERS, _STUB_BODY)

    def close(self) -> None:
        """Do nothing: no connection is open."""


class StubApi:
    """A client that answers immediately, at no cost."""

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002 - as above
        """Answer."""
        return _STUB_ANSWER


def lean_client_over(transport: Transport) -> JsonApi:
    """Return the lean client over this transport."""
    api = json_api("dynamodb", {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    api.transport = transport
    return api


def stub_bare_client() -> Any:
    """Return boto3's client with its default configuration, over an HTTP session that does nothing."""
    client = boto3.Session().client("dynamodb")  # the default session may have a test's credentials

    def send(request: Any) -> AWSResponse:
        response = AWSResponse(request.url, 200, dict(_STUB_HEADERS), None)
        response._content = _STUB_BODY  # noqa: SLF001 - as a response that was read
        return response

    client._endpoint.http_session.send = send  # noqa: SLF001 - botocore has no public API at this level
    return client


_STUB_ANSWER = {
    "Attributes": {
        "userId": {"S": "stub"},
        "streamCount": {"N": "1"},
        "expiresAt": {"N": "4000000000"},
        "stream#play-1": {
            "M": {
                "startedAt": {"N": "1790000000"},
                "expiresAt": {"N": "4000000000"},
                "device": {"S": "living room"},
            }
        },
    }
}
_STUB_BODY = json.dumps(_STUB_ANSWER).encode()
_STUB_HEADERS = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(_STUB_BODY))}
