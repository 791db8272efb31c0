from dataclasses import replace

import pytest

from domain.errors import StoreContended
from domain.limiter import DEADLINE_SECONDS, StreamLimiter
from domain.operators import EndStreams, OperatorAnswer, ShowStreams, end_streams, show_streams
from domain.policy import Outcome, Policy
from domain.ports import Deadline
from domain.streams import AnonymousSlots, LiveStreams, Snapshot, SpentToken
from testing.fakes import FakeClock, RecordingRepository
from tests.unit.domain.household import Household
from tests.unit.domain.races import RacingRepository
from tests.unit.domain.states import NOW, USER, dead, lease

POLICY = Policy(grace_seconds=0)


class Stored(RecordingRepository):
    """A store with one user in this state."""

    def __init__(self, state: Snapshot) -> None:
        super().__init__()
        self._state = state

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:
        """Return the state of that user."""
        super().read(user_id, deadline)
        return self._state if user_id == USER else Snapshot()


def shown(state: Snapshot) -> OperatorAnswer:
    """Return an operator's view of a user in this state."""
    store = Stored(state)
    answer = show_streams(StreamLimiter(store, FakeClock(NOW), POLICY), ShowStreams(USER))
    assert store.seconds_left == [DEADLINE_SECONDS]
    return answer


def test_an_operator_sees_live_streams_and_spent_tokens() -> None:
    """Expired streams and tokens are left out; the first token to end comes first."""
    live = lease("a")
    state = Snapshot(
        leases={"a": live, "b": dead("b")},
        spent={"z": NOW + 5, "y": NOW + 9, "over": NOW},
    )

    assert shown(state) == OperatorAnswer(
        Outcome.LISTED,
        LiveStreams((live,)),
        None,
        NOW,
        spent=(SpentToken("z", NOW + 5), SpentToken("y", NOW + 9)),
    )


def test_an_operator_sees_the_expiry_of_anonymous_streams() -> None:
    """The expiry of anonymous streams is shown while one of them is live, and only then."""
    until = NOW + 900
    slots = AnonymousSlots(1, until)

    assert shown(Snapshot(anonymous=slots)).anonymous_until == until
    assert shown(Snapshot(anonymous=replace(slots, expires_at=NOW - 1))).anonymous_until is None
    assert shown(Snapshot()).anonymous_until is None


def test_ending_one_stream_names_it_and_leaves_the_others() -> None:
    """Ending one stream leaves the others, and a repeat ends none."""
    house = Household()
    house.start("a")
    house.start("b")

    ended, again = (end_streams(house.limiter, EndStreams(USER, "a")) for _ in range(2))

    left = LiveStreams((house.live().leases[0],))
    assert left.leases[0].stream_id == "b"
    assert ended == OperatorAnswer(Outcome.ENDED, left, None, NOW, ended=("a",))
    assert again == OperatorAnswer(Outcome.ALREADY_ENDED, left, None, NOW)


def test_ending_all_streams_names_them_and_counts_the_anonymous_ones() -> None:
    """Ending all streams returns the names and the anonymous count, and a repeat ends none."""
    house = Household()
    house.start("b")
    house.start("a")
    house.start_anonymous("k")

    ended, again = (end_streams(house.limiter, EndStreams(USER)) for _ in range(2))

    assert ended == OperatorAnswer(
        Outcome.ENDED, LiveStreams(), None, NOW, ended=("a", "b"), ended_anonymous=1
    )
    assert again == OperatorAnswer(Outcome.ALREADY_ENDED, LiveStreams(), None, NOW)


def test_a_user_whose_state_keeps_changing_is_contended() -> None:
    """An end of all streams that loses every race reports that nothing was ended."""
    house = Household()
    house.start("a")
    racing = RacingRepository(house.store, lambda number: house.start_anonymous(str(number), limit=20))

    with pytest.raises(StoreContended):
        end_streams(StreamLimiter(racing, house.clock, Policy()), EndStreams(USER))
