"""Every event is answered as the API's description says, and a wrong answer would be seen."""

import json
from typing import Any

import pytest

from entrypoints import stream_start
from proof import fuzz
from testing.api_description import is_described
from testing.fakes import unhurried


def test_any_event_is_answered_as_described() -> None:
    """The short form of the proof meets every goal."""
    rows = fuzz.prove(seed=1, goal=60, progress=unhurried)

    assert [row for row in rows if not row.met] == []


@pytest.mark.parametrize(
    ("status", "media_type", "body", "described"),
    [
        (200, "application/json", {"streamCount": 1, "maxStreams": 3}, True),
        (200, "application/json", {"streamCount": "1", "maxStreams": 3}, False),
        (200, "application/problem+json", {"streamCount": 1, "maxStreams": 3}, False),
        (418, "application/json", {"streamCount": 1}, False),
        (400, "application/problem+json", {"detail": "no code, no status"}, False),
    ],
)
def test_an_undescribed_answer_is_detected(
    status: int, media_type: str, body: dict[str, Any], *, described: bool
) -> None:
    """An answer's status, media type and body must all be described."""
    answer = {"statusCode": status, "headers": {"content-type": media_type}, "body": json.dumps(body)}

    assert is_described("POST /stream/start", answer) is described


def test_a_leak_a_failure_and_a_forbidden_write_are_detected() -> None:
    """A leak, a failure and a forbidden write each raise a figure of their own."""
    findings = fuzz.Findings()
    headers = {"content-type": "application/problem+json"}
    route = stream_start.handler

    findings.look_at(route, {"statusCode": 500, "headers": headers, "body": '"Traceback"'}, wrote=False)
    findings.look_at(route, {"statusCode": 400, "headers": headers, "body": "{}"}, wrote=True)

    assert (findings.server_errors, findings.leaks, findings.writes_on_bad_input) == (1, 1, 1)
    assert findings.off_schema == 2
