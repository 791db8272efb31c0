"""Any event that API Gateway can pass on gets an answer that conforms to the API's description.

The handlers run over the real adapter and the simulated store, whose writes are counted.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from adapters.clock import SystemClock
from adapters.dynamodb.repository import DynamoDbStreamRepository
from adapters.store_calls import StoreCalls
from dev.local.gateway import OPERATOR
from entrypoints import bootstrap
from entrypoints.route import Route
from entrypoints.routes import ROUTES
from entrypoints.settings import Settings
from proof.harness.report import Progress, Row
from testing.api_description import is_described
from testing.simulated_dynamodb import SimulatedDynamoDb

Event = Mapping[str, Any]

ENVIRONMENT: Final = {
    "TABLE_NAME": "fuzz",
    "AUTH": "none",
    "LOG_LEVEL": "error",
    "GROUP_LIMITS": "away=0,uhd=1",
    "GROUP_LABELS": "hdr",
}
"""The settings of the service."""

INSIDE: Final = ("Traceback", 'File "', "botocore", "pydantic", "arn:", " object at 0x")
"""Words that no answer may contain."""

_FIELDS: Final = st.sampled_from(
    ["userId", "streamId", "device", "replaces", "maxStreams", "groups", "groupLimits", "", "USERID"]
)
_ANY_TEXT: Final = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)
_VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_FIELDS | _ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
_NAMES: Final = st.sampled_from(["a", "b", "c:1", "x" * 64, "#s0", ":bound", "streamCount"])
_GROUPS: Final = st.lists(st.sampled_from(["uhd", "away", "hdr"]), unique=True)
_BODIES: Final = st.fixed_dictionaries(
    {"userId": st.sampled_from(["1", "2", "ü" * 64]) | _VALUES},
    optional={
        "streamId": _NAMES | _VALUES,
        "device": _ANY_TEXT | _VALUES,
        "replaces": _NAMES | _VALUES,
        "groups": _GROUPS | st.lists(_NAMES | _VALUES, max_size=5),
    },
)
_VALID: Final = st.fixed_dictionaries(
    {"userId": st.sampled_from(["1", "2"]), "streamId": _NAMES},
    optional={"device": st.just("tv"), "groups": _GROUPS},
)
_TEXTS: Final = st.builds(json.dumps, _VALID | _BODIES | _VALUES, ensure_ascii=st.booleans()) | _ANY_TEXT
_BASE64: Final = (_TEXTS.map(lambda text: text.encode(errors="surrogatepass")) | st.binary(max_size=60)).map(
    lambda content: base64.b64encode(content).decode()
)
_QUERIES: Final = (
    st.sampled_from(["userId=1", "userId=2", "userId=1&streamId=a", "", "userId=%zz", "userId=1&userId=2"])
    | st.text(alphabet="userId=%&+;0aF", max_size=20)
    | _ANY_TEXT
)
_HEADERS: Final = st.dictionaries(
    st.sampled_from(["content-type", "idempotency-key", "Idempotency-Key", "x-forwarded-for", "cookie"]),
    _ANY_TEXT,
    max_size=3,
)
EVENTS: Final = st.fixed_dictionaries(
    {
        "version": st.just("2.0"),
        "rawQueryString": _QUERIES,
        "headers": _HEADERS,
        "requestContext": st.fixed_dictionaries(
            {"requestId": st.uuids().map(str)}, optional={"authorizer": st.just(OPERATOR)}
        ),
    },
    optional={"cookies": st.lists(_ANY_TEXT, max_size=2)},
).flatmap(
    lambda event: st.one_of(
        st.just(event),
        _TEXTS.map(lambda text: {**event, "body": text, "isBase64Encoded": False}),
        (_BASE64 | _TEXTS).map(lambda text: {**event, "body": text, "isBase64Encoded": True}),
    )
)


@dataclass
class Findings:
    """The faults found in the answers to one handler's events.

    Attributes:
        answers: the number of answers by status.
    """

    events: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    server_errors: int = 0
    leaks: int = 0
    writes_on_bad_input: int = 0
    off_schema: int = 0

    def look_at(self, route: Route[Any, Any], answer: Mapping[str, Any], *, wrote: bool) -> None:
        """Judge one answer."""
        status: int = answer["statusCode"]
        self.events += 1
        self.answers[status] = self.answers.get(status, 0) + 1
        self.server_errors += status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self.leaks += any(sign in answer["body"] for sign in INSIDE)
        bad_input = status in {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
        self.writes_on_bad_input += bad_input and wrote
        self.off_schema += not is_described(route.key, answer)


def prove(seed: int, goal: int, progress: Progress) -> list[Row]:
    """Send this many generated events to each handler."""
    found: list[Findings] = []
    for route in ROUTES:
        found.append(fuzz(route, seed, goal))
        if not progress(len(found) * goal, len(ROUTES) * goal):
            break
    least = min(findings.events for findings in found) if len(found) == len(ROUTES) else 0
    statuses = sorted({status for findings in found for status in findings.answers})
    rows = {
        "server_errors": sum(findings.server_errors for findings in found),
        "leaks": sum(findings.leaks for findings in found),
        "writes_on_bad_input": sum(findings.writes_on_bad_input for findings in found),
        "off_schema": sum(findings.off_schema for findings in found),
    }
    return [
        Row("fuzz.events", f"{least:,} per handler", f"{goal:,} per handler", least >= goal),
        Row(
            "fuzz.statuses", " ".join(map(str, statuses)), "200 and 400 among them", {200, 400} <= {*statuses}
        ),
        *(Row(f"fuzz.{name}", f"{count}", "0", count == 0) for name, count in rows.items()),
    ]


def fuzz(route: Route[Any, Any], seed: int, events: int) -> Findings:
    """Send this many events to one handler, over one store."""
    store = SimulatedDynamoDb()
    repository = DynamoDbStreamRepository(store, "fuzz", attempt_seconds=0.1)
    service = bootstrap.build(
        Settings.from_environment(ENVIRONMENT),
        repository,
        SystemClock(),
        StoreCalls(),
    )
    findings = Findings()

    @seeded(seed)
    @settings(
        max_examples=events,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(event=EVENTS)
    def send(event: Event) -> None:
        before = dict(store.items)
        answer = route.serve(event, None, service)
        findings.look_at(route, answer, wrote=store.items != before)

    send()
    return findings
