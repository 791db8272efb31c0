import json
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.aws.errors import ErrorAnswer
from adapters.dynamodb.metered import MeteredApi
from adapters.dynamodb.repository import DynamoDbStreamRepository
from adapters.store_calls import StoreCalls
from domain.errors import StoreContended, StoreFault, StoreThrottled, StoreUnavailable
from domain.policy import Outcome
from entrypoints import bootstrap, stream_start
from entrypoints.problems import RULES
from entrypoints.settings import Settings
from testing.fakes import FailingRepository, FakeClock
from tests.support import documented
from tests.unit.entrypoints.calls import CALLS, OPERATOR_CALLS, ROUTES, Api, LambdaContext, event

Output = pytest.CaptureFixture[str]
Event = dict[str, Any]


@pytest.fixture
def events(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Return events of every outcome and of every kind of failure."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-67891233-abcdef012345678912345678")
    clock = FakeClock()
    api = Api(clock=clock, MAX_STREAMS="1")
    named = {"streamId": "a"}
    api.start("1", **named)
    api.start("1", **named)
    api.start("1", streamId="b")
    api.start("1", streamId="b", replaces="a")
    api.heartbeat("1", streamId="b")
    api.heartbeat("1", **named)
    clock.advance(200)
    api.start("1", streamId="c")
    api.call("list", rawQueryString="userId=1")
    for name in OPERATOR_CALLS:
        api.call(name)
    api.end("1", streamId="c")
    api.end("1", streamId="c")
    api.end("1")
    api.start("")
    api.start("1", device="x" * 10_000)
    for other in (Api(MAX_STREAMS="1", ON_LIMIT="evict_oldest"), Api(MAX_STREAMS="1", ENFORCEMENT="shadow")):
        other.start("1", streamId="a")
        other.start("1", streamId="b")
    for enforcement in ("enforce", "shadow"):
        groups = Api(GROUP_LIMITS="uhd=1", ENFORCEMENT=enforcement)
        groups.start("1", streamId="a", groups=["uhd"])
        groups.start("1", streamId="b", groups=["uhd"])
    renewing = Api(PLAYBACK_KEY=f"a:{'k' * 43}", HEARTBEAT_URL="https://a.example/")
    token = renewing.start("1", **named).body["playbackToken"]
    renewing.renew("1", **named, playbackToken=token)
    renewing.renew("2", **named, playbackToken=token)
    renewing.renew("1", streamId="")
    unavailable = Api(FailingRepository(StoreUnavailable()), ON_STORE_FAILURE="open")
    unavailable.start("1")
    unavailable.heartbeat("1", **named)
    for error in (
        StoreThrottled("x"),
        StoreUnavailable("x"),
        StoreContended("x"),
        StoreFault("x"),
        OSError("x"),
    ):
        failing = Api(FailingRepository(error))
        failing.start("1")
        failing.heartbeat("1", **named)
        failing.end("1")
        for name in ("list", *OPERATOR_CALLS):
            failing.call(name)
    Api(AUTH="jwt").start("1")
    subject = {"jwt": {"claims": {"sub": "2"}}}
    Api(AUTH="jwt").call("start", requestContext={"requestId": "r", "authorizer": subject})
    monkeypatch.delenv("TABLE_NAME", raising=False)
    bootstrap.service.cache_clear()
    for sent in map(event, (*CALLS, *OPERATOR_CALLS)):
        ROUTES[sent["routeKey"]](sent, LambdaContext())
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def by_outcome(events: list[Event]) -> dict[str, Event]:
    """Return the last event of each outcome."""
    return {one["outcome"]: one for one in events}


def test_the_page_lists_every_outcome(events: list[Event]) -> None:
    """Every outcome of the rules and the table of problems is documented, and occurs here."""
    outcomes = set(Outcome) | {rule.outcome for rule in RULES.values()}

    assert documented.OUTCOMES.keys() == outcomes
    assert by_outcome(events).keys() == outcomes


def test_every_event_matches_the_page(events: list[Event]) -> None:
    """An event has the fields and metrics of the page, each when the page says so."""
    for written in events:
        documented.check(written)
    assert set().union(*events) == documented.FIELDS.keys()


def test_every_event_is_short_enough(events: list[Event]) -> None:
    """No event is longer than CloudWatch's limit for reading metrics."""
    assert max(len(json.dumps(written)) for written in events) < documented.MAX_BYTES


def test_ratios_are_averages(events: list[Event]) -> None:
    """A refusal alone counts as refused, a failure alone as failed, and every request as one."""
    assert {written["outcome"] for written in events if written["refused"]} == {"refused"}
    assert {written["outcome"] for written in events if written["failed"]} == {"failed"}
    assert all(written["failed"] for written in events if written["outcome"] == "failed")
    assert {written["requests"] for written in events} == {1}


def test_reclaimed_and_evicted_slots_are_counted(events: list[Event]) -> None:
    """Reclaimed and evicted streams are counted; a replaced one is not."""
    given_back = {
        outcome: (written["reclaimed_slots"], written["evicted_slots"])
        for outcome, written in by_outcome(events).items()
        if "reclaimed_slots" in written
    }

    assert given_back == {"reclaimed": (1, 0), "evicted": (0, 1)}


def test_a_refusals_event_has_the_count_and_the_limit(events: list[Event]) -> None:
    """The event of a refusal has the user's count and the limit."""
    refused = [one for one in events if one["outcome"] == "refused" and "limit" in one]

    seen = [(one["stream_count"], one["limit"], one.get("limit_group")) for one in refused]
    assert seen == [(1, 1, None), (1, 3, "uhd")]


def test_only_the_first_request_is_a_cold_start(capsys: Output) -> None:
    """Only a process's first request is logged as a cold start."""
    api = Api()
    api.call("start")
    api.call("start")

    assert [json.loads(line)["cold_start"] for line in capsys.readouterr().out.splitlines()] == [True, False]


def test_an_event_counts_its_calls_to_the_store(capsys: Output) -> None:
    """An event has the number, the names and the lost races of its own request's calls to the store."""

    class Refusing:
        """A table where a user's one slot is held by a stream that is always expired, and always another."""

        def __init__(self) -> None:
            self.calls = 0

        def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - refuses all
            """Refuse the write."""
            self.calls += 1
            lease = {"M": {"startedAt": {"N": "1"}, "expiresAt": {"N": str(self.calls)}}}
            item = {"streamCount": {"N": "1"}, "stream#x": lease}
            raise ErrorAnswer("ConditionalCheckFailedException", 400, item, f"R{self.calls}")

    calls, clock = StoreCalls(), FakeClock()
    repository = DynamoDbStreamRepository(MeteredApi(Refusing(), calls), "streams", attempt_seconds=1)
    settings = Settings.from_environment({"TABLE_NAME": "streams", "MAX_STREAMS": "1", "AUTH": "none"})
    service = bootstrap.build(settings, repository, clock, calls)
    for _ in range(2):
        stream_start.handler.serve(event("start_named"), LambdaContext(), service)
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [one["code"] for one in written] == ["contended", "contended"]
    assert [(one["store_calls"], one["contention_rounds"]) for one in written] == [(8, 7), (8, 7)]
    assert written[1]["store_request_ids"] == [f"R{number}" for number in range(9, 17)]
