"""What `make logs` shows."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from dev.operate import logs
from dev.operate.logs import GREEN, GREY, RED, YELLOW, as_json, messages, readable
from dev.operate.stage import FUNCTIONS

EVENT = {
    "timestamp": "2026-11-24T06:58:50.014018Z",
    "level": "info",
    "route": "POST /stream/start",
    "outcome": "admitted",
    "status": 200,
    "user": "hash-of-a-viewer",
}


class Logs:
    """CloudWatch's logs: the events of each group."""

    meta = SimpleNamespace(endpoint_url="https://logs")

    def __init__(self, **groups: list[dict[str, Any]]) -> None:
        self._groups = groups

    def get_paginator(self, _: str) -> "Logs":
        """The pages of a group."""
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        """All of it on one page."""
        return [{"events": self._groups[request["logGroupName"]]}]


@pytest.mark.parametrize(
    ("change", "colour"),
    [({}, GREEN), ({"outcome": "refused"}, YELLOW), ({"level": "error", "outcome": "failed"}, RED)],
)
def test_an_event_is_coloured_by_what_became_of_it(change: dict[str, str], colour: str) -> None:
    """Whoever looks at a terminal sees trouble without reading."""
    event = EVENT | change
    line = readable(json.dumps(event))

    assert f"{colour}{event['outcome']}" in line
    assert "06:58:50.014" in line
    assert "hash-of-a-viewer" in line


def test_heartbeats_without_events_are_one_grey_line() -> None:
    """A line that stands for many heartbeats says how many, and lists none of their values."""
    line = json.dumps(EVENT | {"event": "heartbeats", "outcome": "extended", "requests": [1] * 99})

    assert readable(line) == f"{GREY}06:58:50.014 99 more heartbeats extended{logs.PLAIN}"


def test_a_failure_shows_its_cause() -> None:
    """The stack stands below the event."""
    event = EVENT | {"level": "error", "outcome": "failed", "exception": "StoreFault\n  a.py:1 f"}

    assert readable(json.dumps(event)).splitlines()[1:] == ["    StoreFault", "      a.py:1 f"]


@pytest.mark.parametrize("line", ["START RequestId: 1", "{", "[]", "3", "{}"])
def test_every_other_line_is_shown_as_it_is(line: str) -> None:
    """Lambda writes lines of its own."""
    assert line in readable(line)
    assert readable(line).startswith(GREY)


@pytest.mark.parametrize("line", ["START RequestId: 1", "{", "[]", "3"])
def test_in_a_pipe_every_other_line_is_json_too(line: str) -> None:
    """So that whatever reads it stumbles over none."""
    assert json.loads(as_json(line)) == {"message": line}


def test_in_a_pipe_an_event_is_as_it_was_written() -> None:
    """Not one byte of it differs."""
    line = json.dumps(EVENT)

    assert as_json(line) == line


def test_several_logs_are_one_in_the_order_of_time() -> None:
    """What happened first is shown first, whichever function it happened in."""
    logs = Logs(
        a=[{"timestamp": 1, "message": "one"}, {"timestamp": 3, "message": "three"}],
        b=[{"timestamp": 2, "message": "two"}],
    )

    assert list(messages(logs, ["a", "b"], follow=False)) == ["one", "two", "three"]


START = "START RequestId: 8f5 Version: 7"
BROKEN = "2026-11-24T06:58:55.020Z 8f5 Task timed out after 5.01 seconds"
LINES = [
    "INIT_START Runtime Version: python:3.13.v60",
    START,
    json.dumps(EVENT),
    BROKEN,
    "END RequestId: 8f5",
    "REPORT RequestId: 8f5\tDuration: 10 ms",
    "RESTORE_START Runtime Version: python:3.13.v60",
    "RESTORE_REPORT Restore Duration: 400 ms",
    "INIT_REPORT Init Duration: 300 ms",
]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage whose start has broken once, and whose other functions nobody has called."""
    lines = [{"timestamp": at, "message": f"{line}\n"} for at, line in enumerate(LINES)]
    groups = {f"/aws/lambda/s-{name}": lines if name == "start" else [] for name in FUNCTIONS}
    client = Logs(**groups)
    monkeypatch.setattr(logs, "enter_stage", lambda: "s")
    monkeypatch.setattr(logs, "function_name", lambda stage, key: f"{stage}-{key}")
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    monkeypatch.setenv("FOLLOW", "0")


@pytest.mark.usefixtures("stage")
def test_what_lambda_says_of_each_call_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Our events are shown, and the line that says why a function broke."""
    assert logs.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [json.dumps(EVENT), as_json(BROKEN)]


@pytest.mark.usefixtures("stage")
def test_all_lines_are_shown_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With ALL=1, in their order."""
    monkeypatch.setenv("ALL", "1")
    assert logs.main(["start"]) == 0
    assert capsys.readouterr().out.splitlines() == [as_json(line) for line in LINES]


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_function_is_chosen_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its log group alone is read."""
    assert logs.main([name]) == 0
    read = capsys.readouterr()
    assert f"Log group /aws/lambda/s-{name} at" in read.err
    assert bool(read.out) is (name == "start")


@pytest.mark.usefixtures("stage")
def test_a_function_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names that there are."""
    assert logs.main(["stop"]) == 2
    assert capsys.readouterr().err == f"Unknown function stop: FN must be {', '.join(FUNCTIONS)}.\n"
