"""The service as API Gateway calls it: events in, answers out."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from adapters.aws.api import AwsApi
from adapters.in_memory import InMemoryStreamRepository
from adapters.store_calls import StoreCalls
from dev.generate.openapi import RENEWAL
from domain.ports import Clock, StreamRepository
from entrypoints import bootstrap, routes, stream_renewal
from entrypoints.route import Route
from entrypoints.settings import Settings
from testing.api_description import is_described
from testing.fakes import FakeClock

EVENTS: Final = Path(__file__).parents[2] / "events"
ROUTES: Final[dict[str, Route[Any, Any]]] = {
    **{route.key: route for route in routes.ROUTES},
    "$default": stream_renewal.handler,  # what each event of a function URL has
}
CALLS: Final = ("start", "start_named", "heartbeat", "end", "end_named", "list")
"""The ordinary calls of players and backends, by the name of their event."""

OPERATOR_CALLS: Final = ("operator_list", "operator_end", "operator_end_named")
"""The ordinary calls of operators."""


@dataclass(frozen=True)
class LambdaContext:
    """The part of Lambda's context object that the handlers read."""

    aws_request_id: str = "b1c6ad5e-5f0f-4d1c-9a43-0d4b5a3c8e11"


@dataclass(frozen=True)
class HttpAnswer:
    """An answer as API Gateway builds it from a handler's result, its body parsed."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]
    cookies: tuple[str, ...] = ()


def event(name: str, **changes: Any) -> dict[str, Any]:
    """Return the event of this name in `tests/events/`, with these members changed."""
    read: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return read | changes


class Api:
    """The routes over one service.

    Args:
        repository: keeps the streams; by default one in memory.
        clock: returns the time; by default it stands still.
        ssm: reads parameters, where the environment names one.
        variables: the service's environment, except for the table's name.
    """

    def __init__(
        self,
        repository: StreamRepository | None = None,
        clock: Clock | None = None,
        ssm: AwsApi | None = None,
        **variables: str,
    ) -> None:
        settings = Settings.from_environment({"TABLE_NAME": "streams", "AUTH": "none", **variables})
        self._service = bootstrap.build(
            settings, repository or InMemoryStreamRepository(), clock or FakeClock(), StoreCalls(), ssm
        )

    def call(self, name: str, **changes: Any) -> HttpAnswer:
        """Send the event of this name, with these members changed, along its own route.

        Check that the API's description has the answer's status and code for that route.
        """
        sent = event(name, **changes)
        answer = ROUTES[sent["routeKey"]].serve(sent, LambdaContext(), self._service)
        described = RENEWAL if sent["routeKey"] == "$default" else sent["routeKey"]
        assert is_described(described, answer), answer
        cookies = tuple(answer.get("cookies", ()))
        return HttpAnswer(answer["statusCode"], answer["headers"], json.loads(answer["body"]), cookies)

    def start(self, user_id: str, **fields: Any) -> HttpAnswer:
        """Start a stream."""
        return self._post("start", user_id, fields)

    def heartbeat(self, user_id: str, **fields: Any) -> HttpAnswer:
        """Extend a stream's lease."""
        return self._post("heartbeat", user_id, fields)

    def renew(self, user_id: str, **fields: Any) -> HttpAnswer:
        """Extend a stream's lease by the heartbeat URL."""
        return self._post("renewal", user_id, fields)

    def end(self, user_id: str, **fields: Any) -> HttpAnswer:
        """End a stream."""
        return self._post("end", user_id, fields)

    def _post(self, name: str, user_id: str, fields: dict[str, Any]) -> HttpAnswer:
        return self.call(name, body=json.dumps({"userId": user_id, **fields}))


def moment(text: str) -> datetime:
    """Return the time in an answer: RFC 3339, in UTC, with a Z, in whole seconds."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def in_seconds(clock: FakeClock, seconds: float) -> datetime:
    """Return the time this number of seconds from now."""
    return datetime.fromtimestamp(clock.now(), UTC) + timedelta(seconds=seconds)


def assert_problem(answer: HttpAnswer, status: int, code: str) -> None:
    """Check that a problem has the members of RFC 9457, a code, and its text again under `message`."""
    assert answer.status == answer.body["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["code"] == code
    assert answer.body["type"] == f"urn:stream-limiter:problem:{code.replace('_', '-')}"
    assert answer.body["title"]
    assert answer.body["detail"]
    assert answer.body["message"] == answer.body["detail"]
