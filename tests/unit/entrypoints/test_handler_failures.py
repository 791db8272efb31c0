"""Answers while the store is unavailable, and after a failure."""

import json

import pytest

from domain.errors import StoreContended, StoreError, StoreFault, StoreThrottled, StoreUnavailable
from testing.fakes import FailingRepository, FakeClock
from tests.unit.entrypoints.calls import CALLS, OPERATOR_CALLS, Api, assert_problem, event, in_seconds, moment


@pytest.mark.parametrize("name", [*CALLS, *OPERATOR_CALLS])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreUnavailable("ReadTimeoutError"), "store_unavailable"),
        (StoreThrottled("ThrottlingException"), "too_many_requests"),
        (StoreContended(), "contended"),
    ],
)
def test_an_unavailable_store_is_a_503(name: str, error: StoreError, code: str) -> None:
    """While the store is unavailable, every call is answered with a time to retry."""
    answer = Api(FailingRepository(error)).call(name)

    assert_problem(answer, 503, code)
    assert answer.headers["retry-after"] == "1"
    assert "Exception" not in answer.body["detail"]
    assert "streamCount" not in answer.body


def test_only_a_503_has_retry_after(api: Api) -> None:
    """Only a 503 has a time to retry; no other answer suggests that the same call will work later."""
    statuses = {answer.status: answer for answer in (api.call(n) for n in ("heartbeat", "end", "start"))}

    assert set(statuses) == {410, 403, 200}
    assert all("retry-after" not in answer.headers for answer in statuses.values())


def test_open_mode_admits_unverified(clock: FakeClock) -> None:
    """In open mode an unavailable store admits players unverified, says so, and returns no count."""
    api = Api(FailingRepository(StoreUnavailable()), clock, ON_STORE_FAILURE="open")

    assert api.call("start").body == {"maxStreams": 3, "verified": False}
    for name in ("start_named", "heartbeat"):
        answer = api.call(name)
        assert answer.status == 200
        assert answer.body["verified"] is False
        assert "streamCount" not in answer.body
        assert moment(answer.body["expiresAt"]) == in_seconds(clock, 90)
        assert answer.body["heartbeatSeconds"] == 30


@pytest.mark.parametrize("name", ["end", "end_named", "list", *OPERATOR_CALLS])
def test_open_mode_fails_other_calls(name: str) -> None:
    """Other calls than starts and heartbeats fail in open mode as well."""
    api = Api(FailingRepository(StoreUnavailable()), ON_STORE_FAILURE="open")

    assert_problem(api.call(name), 503, "store_unavailable")


@pytest.mark.parametrize("name", [*CALLS, *OPERATOR_CALLS])
def test_throttling_does_not_admit(name: str) -> None:
    """A caller that throttles its own user is not admitted for it, in open mode either."""
    api = Api(FailingRepository(StoreThrottled()), ON_STORE_FAILURE="open")

    assert_problem(api.call(name), 503, "too_many_requests")


def test_verified_appears_only_in_unverified_answers(api: Api) -> None:
    """The member `verified` appears only in an unverified answer."""
    assert "verified" not in api.call("start_named").body


@pytest.mark.parametrize("name", [*CALLS, *OPERATOR_CALLS])
@pytest.mark.parametrize("error", [ZeroDivisionError("s3cret detail"), StoreFault("s3cret detail")])
def test_an_unexpected_failure_is_opaque(name: str, error: Exception) -> None:
    """An unexpected failure is answered with a request id and no details."""
    answer = Api(FailingRepository(error, ValueError("s3cret cause"))).call(name)

    assert_problem(answer, 500, "internal_error")
    assert answer.body["requestId"] == event(name)["requestContext"]["requestId"]
    assert "s3cret" not in json.dumps(answer.body)
    assert type(error).__name__ not in json.dumps(answer.body)
