import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from domain.errors import StoreFault, StoreThrottled, StoreUnavailable
from domain.ports import Deadline, Landed, Rejected
from domain.writes import Write
from entrypoints.event_log import EventLog
from entrypoints.metrics import METADATA, embedded
from entrypoints.settings import LogLevel
from testing.fakes import FailingRepository, FakeClock, RecordingRepository
from tests.unit.entrypoints.calls import Api, LambdaContext, event

USER = "viewer-4711"
Output = pytest.CaptureFixture[str]


class SlowRepository(RecordingRepository):
    """Streams in memory, where every write takes a quarter of a second."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
        """Make the change, if its condition holds."""
        self._clock.advance(0.25)
        return super().apply(write, deadline)


def only_event(output: Output) -> dict[str, Any]:
    """Return the only event that was written."""
    (line,) = output.readouterr().out.splitlines()
    read: dict[str, Any] = json.loads(line)
    return read


def log(key: str = "", level: LogLevel = LogLevel.INFO) -> EventLog:
    """Return a log with this key."""
    return EventLog(level, SecretStr(key))


def test_a_request_is_one_event(capsys: Output) -> None:
    """An answered request writes one line of JSON with the request and its outcome."""
    clock = FakeClock()
    Api(SlowRepository(clock), clock, LOG_HASH_KEY="pepper").start(USER)
    written = only_event(capsys)

    assert datetime.fromisoformat(written.pop("timestamp")).utcoffset() == timedelta(0)
    members = embedded("admitted", clock.now())
    assert written.pop(METADATA) == json.loads(members.pop(METADATA))
    assert written == {
        "event": "request",
        "level": "info",
        "route": "POST /stream/start",
        "request_id": event("start")["requestContext"]["requestId"],
        "lambda_request_id": LambdaContext().aws_request_id,
        "user": log("pepper").user_hash(USER),
        "outcome": "admitted",
        "stream_count": 1,
        "status": 200,
        "duration_ms": 250.0,
        "function": "local",
        "cold_start": True,
        "limit": 3,
        "store_calls": 0,
        "store_ms": 0.0,
        "store_request_ids": [],
        "contention_rounds": 0,
        **members,
    }


def test_a_refusal_is_not_logged_as_a_failure(capsys: Output, api: Api) -> None:
    """A refusal is ordinary: an info event with its code, and no stack."""
    for _ in range(3):
        api.call("start")
    capsys.readouterr()
    api.call("start")
    written = only_event(capsys)

    assert (written["level"], written["outcome"]) == ("info", "refused")
    assert (written["code"], written["status"]) == ("limit_reached", 403)
    assert written["user"]
    assert "exception" not in written


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("end", '{"userId": "1"}', ("refused", "no_active_stream")),
        ("heartbeat", '{"userId": "1", "streamId": "play-1"}', ("gone", "stream_gone")),
        ("start", '{"userId": 1}', ("invalid", "invalid_request")),
        ("start", "x" * 10_000, ("invalid", "body_too_large")),
    ],
)
def test_other_refusals_are_not_logged_as_failures(
    name: str, body: str, expected: tuple[str, str], capsys: Output, api: Api
) -> None:
    """A refusal that a caller can cause is never logged as an error."""
    api.call(name, body=body)
    written = only_event(capsys)

    assert (written["outcome"], written["code"]) == expected
    assert written["level"] == "info"
    assert "exception" not in written


def test_bad_input_has_no_user(capsys: Output, api: Api) -> None:
    """An unreadable request is logged without a user, because its user is unknown."""
    api.call("start", body="{}")

    assert "user" not in only_event(capsys)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (StoreUnavailable("ReadTimeoutError"), "store_unavailable", 503),
        (StoreThrottled("ThrottlingException"), "too_many_requests", 503),
        (StoreFault("AccessDeniedException"), "internal_error", 500),
        (ZeroDivisionError("division by zero"), "internal_error", 500),
    ],
)
def test_a_failure_is_an_error_with_its_cause(
    error: Exception, code: str, status: int, capsys: Output
) -> None:
    """A failure's event has the error, its cause, its place and the user."""
    api = Api(FailingRepository(error, ConnectionResetError("reset by the host")), LOG_HASH_KEY="pepper")
    api.start(USER)
    written = only_event(capsys)

    assert (written["level"], written["outcome"]) == ("error", "failed")
    assert (written["code"], written["status"]) == (code, status)
    assert written["exception"].startswith(type(error).__name__)
    assert "caused by ConnectionResetError: reset by the host" in written["exception"]
    assert "route.py:" in written["exception"]
    assert written["user"] == log("pepper").user_hash(USER)


def test_a_failure_never_quotes_the_caller(capsys: Output) -> None:
    """A failure's event has a library error's kind and place, but not its text: it may quote the caller."""
    cause = ValueError(f"Invalid value {USER}")
    Api(FailingRepository(RuntimeError(f"cannot store {USER}"), cause), LOG_HASH_KEY="pepper").start(USER)
    line = capsys.readouterr().out

    assert "RuntimeError" in line
    assert "caused by ValueError" in line
    assert USER not in line


def test_an_unverified_answer_has_no_count(capsys: Output) -> None:
    """The event of a start that was admitted while the store was unavailable has no count."""
    Api(FailingRepository(StoreUnavailable()), ON_STORE_FAILURE="open").call("start")
    written = only_event(capsys)

    assert (written["level"], written["outcome"], written["status"]) == ("info", "unverified", 200)
    assert "stream_count" not in written


def test_an_event_without_a_request_id_is_logged(capsys: Output, api: Api) -> None:
    """An event without a request id, from no Lambda, is logged with empty names."""
    api.call("start", requestContext=None)

    assert only_event(capsys)["request_id"] == ""


def test_no_answer_logs_the_user(capsys: Output) -> None:
    """No line contains the user's id, however the request ends."""
    named = {"streamId": "play-1"}
    working = Api(MAX_STREAMS="1")
    statuses = [
        working.heartbeat(USER, **named).status,
        working.end(USER).status,
        working.start(USER, **named).status,
        working.start(USER).status,
        working.start(USER, colour="red").status,
        working.start(USER, device="x" * 10_000).status,
        working.call("list", rawQueryString=f"userId={USER}").status,
        working.call("list", rawQueryString=f"userId={USER}&userId={USER}").status,
        working.end(USER, **named).status,
        Api(FailingRepository(StoreUnavailable()), ON_STORE_FAILURE="open").start(USER).status,
    ]
    for error in (StoreUnavailable("x"), StoreThrottled("x"), StoreFault("x"), RuntimeError("x")):
        failing = Api(FailingRepository(error, OSError("x")))
        statuses += [failing.start(USER).status, failing.call("list", rawQueryString=f"userId={USER}").status]
    output = capsys.readouterr()

    assert set(statuses) == {200, 400, 403, 410, 413, 500, 503}
    assert len(output.out.splitlines()) == len(statuses)
    assert USER not in output.out + output.err


def test_the_reason_of_a_410_is_logged_without_the_device(capsys: Output) -> None:
    """The event has one of four reasons, and never the device's label, which is its owner's text."""
    api = Api(MAX_STREAMS="1", ON_LIMIT="evict_oldest")
    api.start(USER, streamId="tv-1")
    api.start(USER, streamId="phone-1", device="Ada's phone")
    capsys.readouterr()
    answer = api.heartbeat(USER, streamId="tv-1")
    output = capsys.readouterr()

    assert answer.body["by"] == "Ada's phone"
    written = json.loads(output.out)
    assert (written["outcome"], written["gone_reason"]) == ("gone", "evicted")
    assert "phone" not in output.out + output.err

    api.heartbeat(USER, streamId="tv-2")
    assert "gone_reason" not in only_event(capsys)


def test_with_a_key_all_processes_share_a_users_hash() -> None:
    """With a configured key, one user's events have one hash in all processes."""
    assert log("pepper").user_hash(USER) == log("pepper").user_hash(USER)
    assert log("pepper").user_hash(USER) != log("salt").user_hash(USER)


def test_without_a_key_each_process_has_its_own_hash() -> None:
    """Without a key, one user's events have one hash within a process and different ones across processes."""
    one, other = log(), log()

    assert one.user_hash(USER) == one.user_hash(USER)
    assert one.user_hash(USER) != other.user_hash(USER)


def test_two_users_have_two_hashes() -> None:
    """Two users have two hashes, neither of which shows its user."""
    hashes = {log("pepper").user_hash(user) for user in ("1", "2", "zo\u00eb", "zoe\u0308")}

    assert len(hashes) == 4
    assert {len(value) for value in hashes} == {16}


def test_the_level_silences_lower_levels(capsys: Output) -> None:
    """A service that logs errors alone is silent while all goes well, and logs a failure."""
    Api(LOG_LEVEL="error").call("start")
    assert capsys.readouterr().out == ""

    Api(FailingRepository(StoreUnavailable()), LOG_LEVEL="error").call("start")
    assert only_event(capsys)["outcome"] == "failed"


def test_half_a_surrogate_pair_is_still_logged(capsys: Output) -> None:
    """An event with half of a surrogate pair, which neither UTF-8 nor JSON holds, is still written."""
    log().request(request_id="\ud800", code=b"\xff")

    written = only_event(capsys)
    assert (written["request_id"], written["code"]) == ("\ud800", "b'\\xff'")
    assert datetime.fromisoformat(written["timestamp"]).utcoffset() == timedelta(0)
