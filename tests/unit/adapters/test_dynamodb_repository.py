from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws.errors import ErrorAnswer, NoAnswer
from adapters.dynamodb.repository import ATTEMPTS, BACKOFF_SECONDS, DynamoDbStreamRepository
from domain.errors import StoreContended, StoreError, StoreFault, StoreThrottled, StoreUnavailable
from domain.ports import Deadline, Landed, Rejected
from domain.streams import Snapshot
from domain.writes import Release
from testing.fakes import FakeClock

ATTEMPT_SECONDS = 1.0
WRITE = Release("1", "a", None)
ITEM = {"userId": {"S": "1"}, "streamCount": {"N": "2"}}


PASSING = [
    ErrorAnswer("ProvisionedThroughputExceededException", 400),
    ErrorAnswer("InternalServerError", 500),
    NoAnswer("the connection was closed"),
]
"""The failures that another attempt may not meet."""

Reply = Mapping[str, Any] | Exception


class PausingClock(FakeClock):
    """A clock that a pause moves.

    Attributes:
        pauses: the length of each pause.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let this time pass."""
        self.pauses.append(seconds)
        self.advance(seconds)


class Store:
    """DynamoDB with scripted replies, on a clock that only its replies and our pauses move.

    Args:
        replies: the outcome of each call; the last one stands for all that follow.
        seconds: the duration of each call.

    Attributes:
        begun: the start of each attempt.
        requests: the requests so far.
    """

    def __init__(self, *replies: Reply, seconds: float = 0.0) -> None:
        self.clock = PausingClock()
        self.begun: list[float] = []
        self.requests: list[Mapping[str, Any]] = []
        self._replies = list(replies)
        self._seconds = seconds
        self.repository = DynamoDbStreamRepository(self, "streams", attempt_seconds=ATTEMPT_SECONDS)

    def deadline(self, seconds: float) -> Deadline:
        """Return a deadline on this clock."""
        return Deadline.after(seconds, self.clock)

    def write(self, seconds: float = 60) -> Landed | Rejected:
        """Make a write within this time."""
        return self.repository.apply(WRITE, self.deadline(seconds))

    def read(self, seconds: float = 60) -> Snapshot:
        """Read within this time."""
        return self.repository.read("1", self.deadline(seconds))

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer a call."""
        assert operation in {"UpdateItem", "GetItem"}
        self.begun.append(self.clock.monotonic())
        self.requests.append(request)
        self.clock.advance(self._seconds)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


def test_a_write_that_lands_returns_the_state_it_left() -> None:
    """A write that lands returns the state that it left, after one call and no pause."""
    store = Store({"Attributes": ITEM})
    assert store.write() == Landed(Snapshot(2))
    assert (len(store.begun), store.clock.pauses) == (1, [])


@pytest.mark.parametrize(("item", "state"), [(ITEM, Snapshot(2)), (None, Snapshot())])
def test_a_rejected_write_returns_the_state_it_met(item: dict[str, Any] | None, state: Snapshot) -> None:
    """A rejected write returns the state that it met, and is not repeated."""
    store = Store(ErrorAnswer("ConditionalCheckFailedException", 400, item))
    assert store.write() == Rejected(state)
    assert (len(store.begun), store.clock.pauses) == (1, [])


def test_a_read_is_consistent() -> None:
    """A read sees every write that was answered before it, and a missing item is the empty state."""
    store = Store({"Item": ITEM}, {})
    assert [store.read(), store.read()] == [Snapshot(2), Snapshot()]
    assert store.requests[0] == {
        "TableName": "streams",
        "Key": {"userId": {"S": "1"}},
        "ConsistentRead": True,
    }


@pytest.mark.parametrize("failure", PASSING, ids=str)
@pytest.mark.parametrize("call", [Store.write, Store.read])
def test_a_transient_failure_is_retried(failure: Exception, call: Callable[[Store], object]) -> None:
    """A transient failure is retried with the same request, so that a landed attempt is recognised."""
    store = Store(failure, failure, {"Attributes": ITEM, "Item": ITEM})
    call(store)
    assert len(store.requests) == 3
    assert all(earlier == later for earlier, later in pairwise(store.requests))


def test_a_rejection_after_a_lost_reply_returns_the_state() -> None:
    """If a reply is lost, the repeat returns the state that the first attempt left."""
    store = Store(NoAnswer("too late"), ErrorAnswer("ConditionalCheckFailedException", 400, ITEM))
    assert store.write() == Rejected(Snapshot(2))


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(failure, StoreThrottled if place == 0 else StoreUnavailable) for place, failure in enumerate(PASSING)],
    ids=str,
)
@pytest.mark.parametrize("call", [Store.write, Store.read])
def test_attempts_are_limited(
    failure: Exception, kind: type[StoreError], call: Callable[[Store], object]
) -> None:
    """After the last attempt the domain's error is raised, with the SDK's error as its cause."""
    store = Store(failure)
    with pytest.raises(kind) as caught:
        call(store)
    assert caught.value.__cause__ is failure
    assert len(store.begun) == ATTEMPTS == 4
    assert len(store.clock.pauses) == ATTEMPTS - 1


@pytest.mark.parametrize("call", [Store.write, Store.read])
def test_an_error_of_our_own_is_not_retried(call: Callable[[Store], object]) -> None:
    """An error of our own is not repeated, because it would occur again."""
    denied = ErrorAnswer("AccessDeniedException", 400)
    store = Store(denied)
    with pytest.raises(StoreFault) as caught:
        call(store)
    assert caught.value.__cause__ is denied
    assert (len(store.begun), store.clock.pauses) == (1, [])


def test_a_write_answered_without_a_state_is_unanswered() -> None:
    """An answer to a write without a state counts as missing: the requested write returns one."""
    store = Store({})
    with pytest.raises(StoreUnavailable):
        store.write()
    assert len(store.begun) == ATTEMPTS


def test_a_conflict_is_retried_and_never_counts_as_an_unavailable_store() -> None:
    """A conflict with another change is retried, and never counts as an unavailable store."""
    store = Store(ErrorAnswer("TransactionConflictException", 400))
    with pytest.raises(StoreContended):
        store.write()
    assert len(store.begun) == ATTEMPTS


def test_an_unknown_error_is_neither_retried_nor_converted() -> None:
    """An unknown error is neither repeated nor converted."""
    store = Store(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        store.write()
    assert len(store.begun) == 1


def test_pauses_are_random_and_grow() -> None:
    """Pauses are random up to a bound that doubles, so that callers that failed together spread out."""
    pauses: list[list[float]] = []
    for _ in range(200):
        store = Store(NoAnswer("lost"))
        with pytest.raises(StoreUnavailable):
            store.write()
        pauses.append(store.clock.pauses)
    for place in range(ATTEMPTS - 1):
        bound = BACKOFF_SECONDS * 2**place
        of_place = [pause[place] for pause in pauses]
        assert 0 <= min(of_place) < bound / 2 < max(of_place) <= bound


def test_without_time_for_one_attempt_none_is_made() -> None:
    """No attempt is made whose answer would come too late."""
    store = Store({"Attributes": ITEM})
    with pytest.raises(StoreContended):
        store.write(ATTEMPT_SECONDS - 0.001)
    assert store.begun == []
    assert store.write(ATTEMPT_SECONDS) == Landed(Snapshot(2))


def test_a_slow_store_gets_the_attempts_that_fit() -> None:
    """Two and a half seconds have room for two attempts of a second and their pause, but not for three."""
    failure = NoAnswer("too late")
    store = Store(failure, seconds=ATTEMPT_SECONDS)
    with pytest.raises(StoreUnavailable) as caught:
        store.write(2.5)
    assert caught.value.__cause__ is failure
    assert len(store.begun) == 2


@given(
    seconds=st.floats(0, 3),
    each=st.floats(0, ATTEMPT_SECONDS),
    failure=st.sampled_from(PASSING),
)
def test_no_attempt_outlasts_the_deadline(seconds: float, each: float, failure: Exception) -> None:
    """No attempt begins with less time left than it may take, and no pause leads up to such an attempt."""
    store = Store(failure, seconds=each)
    with pytest.raises((StoreContended, StoreUnavailable, StoreThrottled)):
        store.write(seconds)
    assert all(begun + ATTEMPT_SECONDS <= seconds + 1e-9 for begun in store.begun)
    assert len(store.clock.pauses) == max(len(store.begun) - 1, 0)
