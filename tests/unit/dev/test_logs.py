"""What `make logs` shows."""

import json
from typing import Any

import pytest

from dev.logs import GREEN, GREY, RED, YELLOW, as_json, messages, readable

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
