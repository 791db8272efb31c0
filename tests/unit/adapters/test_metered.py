from collections.abc import Mapping
from typing import Any

import pytest

from adapters.aws.errors import ErrorAnswer, NoAnswer
from adapters.dynamodb.metered import MeteredApi
from adapters.store_calls import StoreCalls
from testing.fakes import FakeClock

REJECTED = ErrorAnswer("ConditionalCheckFailedException", 400, request_id="R2")


class Store:
    """A store that answers each call with the next of these, after a tenth of a second."""

    def __init__(self, clock: FakeClock, *replies: Mapping[str, Any] | Exception) -> None:
        self._clock = clock
        self._replies = list(replies)

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002 - scripted
        """Answer."""
        self._clock.advance(0.1)
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def metered(*replies: Mapping[str, Any] | Exception) -> StoreCalls:
    """Return the record of calls with these answers."""
    calls, clock = StoreCalls(), FakeClock()
    api = MeteredApi(Store(clock, *replies), calls, clock.monotonic)
    for reply in replies:
        if isinstance(reply, Exception):
            with pytest.raises(type(reply)):
                api.call("UpdateItem", {})
        else:
            assert api.call("GetItem", {}) == reply
    return calls


def test_every_call_is_counted_and_timed_whatever_its_result() -> None:
    """Answers, errors and time-outs are counted and timed, under DynamoDB's own names."""
    error = ErrorAnswer("InternalServerError", 500, request_id="R3")
    calls = metered({"ResponseMetadata": {"RequestId": "R1"}}, {}, REJECTED, error, NoAnswer("silence"))

    assert (calls.count, calls.rejected) == (5, 1)
    assert calls.seconds == pytest.approx(0.5)
    assert calls.request_ids == ["R1", "R2", "R3"]


@pytest.mark.parametrize(("rejections", "rounds"), [(0, 0), (1, 0), (2, 1), (5, 4)])
def test_every_rejection_but_the_first_is_a_lost_race(rejections: int, rounds: int) -> None:
    """Every rejection after the first is a lost race."""
    assert metered(*[REJECTED] * rejections, {}).contention_rounds == rounds


def test_a_request_begins_with_an_empty_record() -> None:
    """A request's record has no calls of an earlier request."""
    calls = metered(REJECTED, REJECTED, {"ResponseMetadata": {"RequestId": "R1"}})
    calls.reset()

    assert (calls.count, calls.rejected, calls.seconds, calls.request_ids) == (0, 0, 0.0, [])
