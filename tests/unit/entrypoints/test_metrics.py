import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from adapters.dynamodb.api_errors import ErrorAnswer
from adapters.dynamodb.metered import MeteredApi
from adapters.dynamodb.repository import DynamoDbStreamRepository
from adapters.store_calls import StoreCalls
from domain.errors import StoreThrottled, StoreUnavailable
from domain.policy import Outcome
from entrypoints import bootstrap, stream_start
from entrypoints.metrics import NAMESPACE
from entrypoints.problems import _RULES as RULES  # the whole table, which nobody else needs
from entrypoints.settings import Settings
from tests.fakes import FailingRepository, FakeClock
from tests.unit.entrypoints.calls import Api, LambdaContext, event

PAGE = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
Output = pytest.CaptureFixture[str]

# As AWS publishes it beside the format's specification, its patterns left out.
NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
DIMENSIONS = {"type": "array", "minItems": 1, "items": {"type": "array", "maxItems": 30, "items": NAME}}
METRIC = {
    "type": "object",
    "required": ["Name"],
    "properties": {"Name": NAME, "Unit": {"enum": ["Milliseconds", "Count"]}},
}
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "properties": {
        "Namespace": NAME,
        "Dimensions": DIMENSIONS,
        "Metrics": {"type": "array", "maxItems": 100, "items": METRIC},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {"type": "array", "items": DIRECTIVE},
            },
        }
    },
}


def table(heading: str) -> dict[str, list[str]]:
    """The other cells of each row of the page's table with this heading, by every name in its first cell."""
    found = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found is not None
    rows = [re.split(r" +\| *", row.strip("| ")) for row in found[1].splitlines()]
    return {name: cells[1:] for cells in rows for name in re.findall(r"`(\w+)`", cells[0])}


@pytest.fixture
def events(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """An event of each kind of outcome that one call can have, by its outcome."""
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
    api.end("1", streamId="c")
    api.end("1", streamId="c")
    api.start("")
    for other in (Api(MAX_STREAMS="1", ON_LIMIT="evict_oldest"), Api(MAX_STREAMS="1", ENFORCEMENT="shadow")):
        other.start("1", streamId="a")
        other.start("1", streamId="b")
    Api(FailingRepository(StoreUnavailable()), ON_STORE_FAILURE="open").start("1")
    Api(FailingRepository(StoreThrottled("ThrottlingException"))).start("1")
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {one["outcome"]: one for one in written}


def test_the_page_lists_every_outcome(events: dict[str, dict[str, Any]]) -> None:
    """What the rules and the table of problems can make of a request is documented, and was seen here."""
    outcomes = set(Outcome) | {rule.outcome for rule in RULES.values()}

    assert table("outcome").keys() == outcomes
    assert events.keys() >= outcomes - {"denied"}


def test_every_event_has_the_fields_of_the_page(events: dict[str, dict[str, Any]]) -> None:
    """Each event has what it always has, and nothing that the page does not tell of."""
    documented = table("field")
    always = {name for name, cells in documented.items() if cells[0] == "always"}

    for written in events.values():
        assert always <= written.keys() <= documented.keys()
    assert set().union(*events.values()) == documented.keys()


def test_every_event_makes_the_metrics_of_the_page(events: dict[str, dict[str, Any]]) -> None:
    """Each is valid by the format's schema, and its metrics and dimensions are members with fit values."""
    validator = jsonschema_rs.validator_for(SCHEMA)
    documented = {name: (cells[0], cells[1]) for name, cells in table("metric").items()}

    for written in events.values():
        validator.validate(written)
        made = {}
        for directive in written["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == NAMESPACE
            (dimensions,) = directive["Dimensions"]
            assert all(isinstance(written[name], str) and written[name] for name in dimensions)
            for metric in directive["Metrics"]:
                assert isinstance(written[metric["Name"]], int | float)
                made[metric["Name"]] = (metric["Unit"], ", ".join(dimensions))
        assert made == documented


def test_ratios_are_averages(events: dict[str, dict[str, Any]]) -> None:
    """A refusal alone counts as refused, a failure alone as failed, and every request as one."""
    assert {outcome for outcome, written in events.items() if written["refused"]} == {"refused"}
    assert {outcome for outcome, written in events.items() if written["failed"]} == {"failed"}
    assert {written["requests"] for written in events.values()} == {1}


def test_a_refusal_tells_count_and_limit(events: dict[str, dict[str, Any]]) -> None:
    """Whoever looks into a refusal sees what the user had, and what it was held against."""
    assert (events["refused"]["stream_count"], events["refused"]["limit"]) == (1, 1)


def test_only_the_first_request_is_a_cold_start(capsys: Output) -> None:
    """Later ones find the process warm."""
    api = Api()
    api.call("start")
    api.call("start")

    assert [json.loads(line)["cold_start"] for line in capsys.readouterr().out.splitlines()] == [True, False]


def test_an_event_tells_of_the_calls_to_the_store(capsys: Output) -> None:
    """Their number, their names, and the races among them, of this request and of no other."""

    class Refusing:
        """A table where a user's one slot is taken by a stream that is always over, and always another."""

        def __init__(self) -> None:
            self.calls = 0

        def update_item(self, **_: Any) -> dict[str, Any]:
            """Refuse the write."""
            self.calls += 1
            lease = {"M": {"startedAt": {"N": "1"}, "expiresAt": {"N": str(self.calls)}}}
            item = {"streamCount": {"N": "1"}, "stream#x": lease}
            raise ErrorAnswer("ConditionalCheckFailedException", 400, item, f"R{self.calls}")

        get_item = update_item

    calls, clock = StoreCalls(), FakeClock()
    repository = DynamoDbStreamRepository(MeteredApi(Refusing(), calls), "streams", attempt_seconds=1)
    settings = Settings.from_environment({"TABLE_NAME": "streams", "MAX_STREAMS": "1", "AUTH": "none"})
    service = bootstrap.build(settings, repository, clock, store_calls=calls)
    for _ in range(2):
        stream_start.handler.serve(event("start_named"), LambdaContext(), service)
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [one["code"] for one in written] == ["contended", "contended"]
    assert [(one["store_calls"], one["contention_rounds"]) for one in written] == [(8, 7), (8, 7)]
    assert written[1]["store_request_ids"] == [f"R{number}" for number in range(9, 17)]
