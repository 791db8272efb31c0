from collections.abc import Mapping
from typing import Any

import pytest

from adapters.aws.errors import ErrorAnswer, NoAnswer
from adapters.dynamodb.metered import MeteredApi
from adapters.store_calls import StoreCalls
from testing.fakes import FakeClock

REFUSED = ErrorAnswer("ConditionalCheckFailedException", 400, request_id="R2")


class Store:
    """Answers each call with the next of these, after a tenth of a second."""

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
    """What is written down about calls that are answered so."""
    calls, clock = StoreCalls(), FakeClock()
    api = MeteredApi(Store(clock, *replies), calls, clock.monotonic)
    for reply in replies:
        if isinstance(reply, Exception):
            with pytest.raises(type(reply)):
                api.call("UpdateItem", {})
        else:
            assert api.call("GetItem", {}) == reply
    return calls


def test_every_call_is_counted_and_timed_whatever_it_comes_to() -> None:
    """Answers, errors and silence all take their time, and DynamoDB's names for them are kept."""
    error = ErrorAnswer("InternalServerError", 500, request_id="R3")
    calls = metered({"ResponseMetadata": {"RequestId": "R1"}}, {}, REFUSED, error, NoAnswer("silence"))

    assert (calls.count, calls.refused) == (5, 1)
    assert calls.seconds == pytest.approx(0.5)
    assert calls.request_ids == ["R1", "R2", "R3"]


@pytest.mark.parametrize(("refusals", "rounds"), [(0, 0), (1, 0), (2, 1), (5, 4)])
def test_every_refusal_but_the_first_is_a_lost_race(refusals: int, rounds: int) -> None:
    """The blind write may be refused in peace; one that was decided upon is refused by a race."""
    assert metered(*[REFUSED] * refusals, {}).contention_rounds == rounds


def test_a_request_begins_with_nothing() -> None:
    """What an earlier request asked is not this one's."""
    calls = metered(REFUSED, REFUSED, {"ResponseMetadata": {"RequestId": "R1"}})
    calls.reset()

    assert (calls.count, calls.refused, calls.seconds, calls.request_ids) == (0, 0, 0.0, [])
