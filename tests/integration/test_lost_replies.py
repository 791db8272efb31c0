"""Lost requests and replies: no call is counted twice, and no effect is lost."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import StoreError, StoreUnavailable
from domain.limiter import Answer, StreamLimiter
from domain.policy import Outcome, Policy
from domain.requests import EndAnonymous, EndNamed, Heartbeat, ListStreams, StartAnonymous, StartNamed
from testing.fakes import FakeClock
from testing.wire import (
    Fault,
    Wire,
    access_denied,
    after_other,
    late,
    lost_after,
    lost_before,
    server_error,
    throttled,
)
from tests.conftest import repository_over

FAULTS: dict[str, Fault] = {
    "lost before it was applied": lost_before,
    "lost after it was applied": lost_after,
    "applied, and too late": late,
    "throttled": throttled,
    "answered with a 500": server_error,
}


class Unreliable:
    """A limiter of one user, over a wire that can be broken."""

    def __init__(self, client: Any, user_id: str) -> None:
        self.user_id = user_id
        self.limiter = StreamLimiter(repository_over(client), FakeClock(time.time()), Policy())
        self.wire = Wire(client)

    def count(self) -> int:
        """Return how many streams are live."""
        live = self.limiter.list_streams(ListStreams(self.user_id, 3)).live
        assert live is not None
        return live.count

    def start(self, key: str) -> StartAnonymous:
        """Make an anonymous start."""
        return StartAnonymous(self.user_id, key, 3)


@pytest.fixture
def unreliable(atomic_client: Any, user_id: str) -> Unreliable:
    """Return one user behind an unreliable wire."""
    return Unreliable(atomic_client, user_id)


@pytest.fixture(params=list(FAULTS.values()), ids=list(FAULTS))
def fault(request: pytest.FixtureRequest) -> Fault:
    """Return each way in which a request can go wrong."""
    chosen: Fault = request.param
    return chosen


def test_a_start_counts_once(unreliable: Unreliable, fault: Fault) -> None:
    """An anonymous start takes one slot and is answered 200, whatever happens to its first attempt."""
    unreliable.wire.break_next(fault)
    assert isinstance(unreliable.limiter.start(unreliable.start("one")), Answer)
    assert unreliable.count() == 1


def test_an_end_counts_once(unreliable: Unreliable, fault: Fault) -> None:
    """An anonymous end gives one slot back, the last one too, whatever happens to its first attempt."""
    for key in ("one", "two"):
        unreliable.limiter.start(unreliable.start(key))
    for left, key in ((1, "three"), (0, "four")):
        unreliable.wire.break_next(fault)
        unreliable.limiter.end(EndAnonymous(unreliable.user_id, key))
        assert unreliable.count() == left


def test_named_calls_count_once(unreliable: Unreliable, fault: Fault) -> None:
    """Each named call takes effect once, whatever happens to its first attempt."""
    limiter, user_id, wire = unreliable.limiter, unreliable.user_id, unreliable.wire
    wire.break_next(fault)
    assert limiter.start(StartNamed(user_id, "a", 3)).lease is not None
    assert unreliable.count() == 1
    wire.break_next(fault)
    assert limiter.heartbeat(Heartbeat(user_id, "a")).outcome is Outcome.EXTENDED
    wire.break_next(fault)
    assert limiter.start(StartNamed(user_id, "b", 3, None, "a")).lease is not None
    assert unreliable.count() == 1
    wire.break_next(fault)
    limiter.end(EndNamed(user_id, "b"))
    assert unreliable.count() == 0


def test_a_repeat_is_recognised_after_other_calls(unreliable: Unreliable) -> None:
    """A start whose reply was lost is recognised after the same user's other starts and ends."""
    limiter = unreliable.limiter

    def others() -> None:
        limiter.start(unreliable.start("two"))
        limiter.end(EndAnonymous(unreliable.user_id, "three"))
        limiter.start(unreliable.start("four"))

    unreliable.wire.break_next(after_other(others, lost_after))
    assert limiter.start(unreliable.start("one")).outcome is Outcome.REPLAYED
    assert unreliable.count() == 2


def test_a_repeated_end_is_recognised_after_a_start(unreliable: Unreliable) -> None:
    """The repeat of an end does not take the newcomer's slot."""
    limiter = unreliable.limiter
    limiter.start(unreliable.start("one"))
    unreliable.wire.break_next(after_other(lambda: limiter.start(unreliable.start("two")), lost_after))
    assert limiter.end(EndAnonymous(unreliable.user_id, "three")).outcome is Outcome.REPLAYED
    assert unreliable.count() == 1


@pytest.mark.parametrize("last_slot", [False, True])
def test_the_last_slot_is_granted_when_its_reply_is_lost(unreliable: Unreliable, *, last_slot: bool) -> None:
    """The repeat of the start that took the last slot is a 200, not a refusal."""
    for n in range(2 if last_slot else 1):
        unreliable.limiter.start(unreliable.start(f"before-{n}"))
    unreliable.wire.break_next(lost_after, lost_before)
    assert unreliable.limiter.start(unreliable.start("one")).outcome is Outcome.REPLAYED


@pytest.mark.parametrize("call", ["start", "end"])
def test_a_long_outage_raises_and_the_next_try_succeeds(unreliable: Unreliable, call: str) -> None:
    """If all attempts' replies are lost, an error is raised, and the same request later finds its effect."""
    unreliable.limiter.start(unreliable.start("one"))
    requests: dict[str, Callable[[], object]] = {
        "start": lambda: unreliable.limiter.start(unreliable.start("two")),
        "end": lambda: unreliable.limiter.end(EndAnonymous(unreliable.user_id, "two")),
    }
    unreliable.wire.break_next(*[lost_after] * 4)
    with pytest.raises(StoreUnavailable):
        requests[call]()
    requests[call]()
    assert unreliable.count() == {"start": 2, "end": 0}[call]


def test_a_denied_permission_is_not_retried(unreliable: Unreliable) -> None:
    """A denied permission is reported at once, because no repeat can help."""
    unreliable.wire.break_next(access_denied)
    with pytest.raises(StoreError):
        unreliable.limiter.start(unreliable.start("one"))
    assert unreliable.wire.calls == {"UpdateItem": 1}
