"""The output of `make logs`."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from dev.operate import logs
from dev.operate.logs import GREEN, GREY, RED, YELLOW, as_json, messages, readable
from dev.operate.stage import FUNCTIONS, URL_FUNCTION

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
        """Return the pages of a group."""
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        """Return all of the group on one page."""
        if request["logGroupName"] not in self._groups:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents")
        return [{"events": self._groups[request["logGroupName"]]}]


@pytest.mark.parametrize(
    ("change", "colour"),
    [({}, GREEN), ({"outcome": "refused"}, YELLOW), ({"level": "error", "outcome": "failed"}, RED)],
)
def test_an_event_is_coloured_by_its_outcome(change: dict[str, str], colour: str) -> None:
    """An event's colour shows its outcome, so that trouble is seen without reading."""
    event = EVENT | change
    line = readable(json.dumps(event))

    assert f"{colour}{event['outcome']}" in line
    assert "06:58:50.014" in line
    assert "hash-of-a-viewer" in line


def test_heartbeats_without_events_are_one_grey_line() -> None:
    """A line that stands for many heartbeats has their number, and none of their values."""
    line = json.dumps(EVENT | {"event": "heartbeats", "outcome": "extended", "requests": [1] * 99})

    assert readable(line) == f"{GREY}06:58:50.014 99 more heartbeats extended{logs.PLAIN}"


def test_a_failure_shows_its_cause() -> None:
    """A failure's stack is shown below its event."""
    event = EVENT | {"level": "error", "outcome": "failed", "exception": "StoreFault\n  a.py:1 f"}

    assert readable(json.dumps(event)).splitlines()[1:] == ["    StoreFault", "      a.py:1 f"]


@pytest.mark.parametrize("line", ["START RequestId: 1", "{", "[]", "3", "{}"])
def test_every_other_line_is_shown_unchanged(line: str) -> None:
    """Lines of Lambda's own are shown unchanged."""
    assert line in readable(line)
    assert readable(line).startswith(GREY)


@pytest.mark.parametrize("line", ["START RequestId: 1", "{", "[]", "3"])
def test_in_a_pipe_every_other_line_is_json_too(line: str) -> None:
    """In a pipe every other line is JSON too, so that any reader can parse it."""
    assert json.loads(as_json(line)) == {"message": line}


def test_in_a_pipe_an_event_is_unchanged() -> None:
    """In a pipe an event is shown byte for byte."""
    line = json.dumps(EVENT)

    assert as_json(line) == line


def test_several_logs_are_merged_by_time() -> None:
    """Several logs are merged by time, whichever function the lines come from."""
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
    """Return a stage whose start has failed once, and whose other functions were never called."""
    lines = [{"timestamp": at, "message": f"{line}\n"} for at, line in enumerate(LINES)]
    groups = {
        f"/aws/lambda/s-{name}": lines if name == "start" else [] for name in (*FUNCTIONS, URL_FUNCTION)
    }
    client = Logs(**groups)
    monkeypatch.setattr(logs, "enter_stage", lambda: "s")
    monkeypatch.setattr(logs, "function_name", lambda stage, key: f"{stage}-{key}")
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    monkeypatch.setenv("FOLLOW", "0")


@pytest.mark.usefixtures("stage")
def test_lambdas_lines_about_each_call_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Lambda's lines about each call are left out, except the one with the reason of a failure."""
    assert logs.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [json.dumps(EVENT), as_json(BROKEN)]


@pytest.mark.usefixtures("stage")
def test_all_lines_are_shown_with_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With ALL=1 every line is shown, in order."""
    monkeypatch.setenv("ALL", "1")
    assert logs.main(["start"]) == 0
    assert capsys.readouterr().out.splitlines() == [as_json(line) for line in LINES]


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("name", [*FUNCTIONS, URL_FUNCTION])
def test_one_function_is_chosen_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With FN only that function's log group is read."""
    assert logs.main([name]) == 0
    read = capsys.readouterr()
    assert f"Log group /aws/lambda/s-{name} at" in read.err
    assert bool(read.out) is (name == "start")


@pytest.mark.usefixtures("stage")
def test_an_unknown_function_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown function is an error that lists the functions."""
    assert logs.main(["stop"]) == 2
    assert capsys.readouterr().err == (
        f"There is no function stop: FN is {', '.join(FUNCTIONS)}, {URL_FUNCTION}.\n"
    )


def test_a_stage_without_a_heartbeat_url_is_shown() -> None:
    """The missing log of that function is ignored, and any other missing log is an error."""
    client = Logs(a=[{"timestamp": 1, "message": "line"}])
    assert list(messages(client, ["a", "s-heartbeat-url"], follow=False)) == ["line"]
    with pytest.raises(ClientError):
        list(messages(client, ["s-heartbeat"], follow=False))
