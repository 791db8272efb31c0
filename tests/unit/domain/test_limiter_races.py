from collections.abc import Callable

import pytest

from adapters.in_memory import InMemoryStreamRepository
from domain.errors import LimitReached, StoreContended
from domain.limiter import DEADLINE_SECONDS, MAX_ROUNDS, Reply, StreamLimiter
from domain.policy import OnLimit, OnStoreFailure, Outcome, Policy
from domain.ports import Deadline, Landed, Rejected
from domain.requests import StartNamed
from domain.writes import Extend, Release, Write
from testing.fakes import FakeClock
from tests.unit.domain.household import Household, live, names
from tests.unit.domain.races import RacingRepository
from tests.unit.domain.states import NOW, USER

OPEN = Policy(on_store_failure=OnStoreFailure.OPEN)


class Race:
    """A start of `new` under a limit of one, beside an expired stream `old`, while others interfere."""

    def __init__(self) -> None:
        self.store = InMemoryStreamRepository()
        self.clock = FakeClock(NOW)
        self.limiter = StreamLimiter(self.store, self.clock, Policy())
        self.limiter.start(StartNamed(USER, "old", 1))
        self.clock.advance(1000)

    def write(self, write: Write) -> bool:
        """Make another request's write."""
        return isinstance(self.store.apply(write, Deadline.after(1, self.clock)), Landed)

    def move_old(self, round_: int) -> bool:
        """Apply a heartbeat sent long ago: the lease stays expired, but differs from the one seen before."""
        return self.write(Extend(USER, "old", NOW + 91 + round_, None))

    def start(self, other: Callable[[int], object], policy: Policy = OPEN) -> tuple[Reply, int]:
        """Start `new` in this race, and return the answer and the number of writes."""
        racing = RacingRepository(self.store, other)
        answer = StreamLimiter(racing, self.clock, policy).start(StartNamed(USER, "new", 1))
        return answer, racing.rounds


@pytest.fixture
def race() -> Race:
    """Return a race for one slot."""
    return Race()


class TestRaces:
    """Writes that other requests overtake."""

    def test_without_a_race_two_writes_are_enough(self, race: Race) -> None:
        """Without a race two writes are enough: the rejection of the first has all that the second needs."""
        answer, rounds = race.start(lambda _: None)
        assert (answer.outcome, rounds) == (Outcome.RECLAIMED, 2)

    def test_a_lost_race_is_decided_again(self, race: Race) -> None:
        """After a lost race the start is decided again from the state that the rejected write met."""
        answer, rounds = race.start(lambda n: race.move_old(n) if n <= 2 else None)
        assert (answer.outcome, rounds) == (Outcome.RECLAIMED, 4)
        assert names(live(answer)) == ["new"]

    def test_a_slot_freed_meanwhile_is_taken(self, race: Race) -> None:
        """If the expired slot was freed meanwhile, the plain write takes it."""
        answer, rounds = race.start(lambda n: race.write(Release(USER, "old", None)) if n == 1 else None)
        assert (answer.outcome, rounds) == (Outcome.ADMITTED, 3)

    def test_no_stream_is_evicted_once_a_slot_is_free(self) -> None:
        """If another stream ends meanwhile, the plain write takes its slot and the oldest stream stays."""
        home = Household(Policy(on_limit=OnLimit.EVICT_OLDEST))
        for name in "abc":
            home.start(name)
            home.clock.advance(1)
        racing = RacingRepository(home.store, lambda n: home.end("c") if n == 1 else None)
        answer = StreamLimiter(racing, home.clock, home.limiter.policy).start(StartNamed(USER, "new", 3))
        assert (answer.outcome, names(live(answer))) == (Outcome.ADMITTED, ["a", "b", "new"])

    def test_a_slot_renewed_meanwhile_is_not_taken(self, race: Race) -> None:
        """A slot is not taken over if its player's heartbeat came first."""
        beat = Extend(USER, "old", NOW + 1090, None)
        with pytest.raises(LimitReached) as reached:
            race.start(lambda n: race.write(beat) if n == 1 else None)
        assert names(reached.value.live) == ["old"]

    def test_an_overtaking_repeat_is_recognised(self, race: Race) -> None:
        """A repeat that overtook this call has taken the slot for both."""

        def repeat(round_: int) -> None:
            if round_ == 1:
                race.limiter.start(StartNamed(USER, "new", 1))

        answer, rounds = race.start(repeat)
        assert (answer.outcome, rounds) == (Outcome.REPLAYED, 2)

    @pytest.mark.parametrize("policy", [Policy(), OPEN])
    def test_a_start_that_loses_every_race_is_contended(self, race: Race, policy: Policy) -> None:
        """A start that loses every round is contended, in open mode too, because the store was available."""
        rounds = 0

        def meddle(round_: int) -> None:
            nonlocal rounds
            rounds += 1
            assert race.move_old(round_)

        with pytest.raises(StoreContended):
            race.start(meddle, policy)
        assert rounds == MAX_ROUNDS

    def test_no_round_begins_after_the_deadline(self, race: Race) -> None:
        """A request begins no round after its deadline, however few rounds it had."""
        rounds = 0

        def meddle(round_: int) -> None:
            nonlocal rounds
            rounds += 1
            race.move_old(round_)
            race.clock.advance(DEADLINE_SECONDS / 2)

        with pytest.raises(StoreContended):
            race.start(meddle)
        assert rounds == 2

    def test_a_refusal_that_comes_late_is_still_a_refusal(self, race: Race) -> None:
        """A refusal is returned even after the deadline, because no further round is needed."""

        def revive_slowly(_: int) -> None:
            race.clock.advance(DEADLINE_SECONDS)
            race.write(Extend(USER, "old", NOW + 2000, None))

        with pytest.raises(LimitReached):
            race.start(revive_slowly)

    def test_all_rounds_share_one_deadline(self, race: Race) -> None:
        """Each round gets the time that the earlier ones left."""
        left: list[float] = []
        store = race.store

        class Watched(RacingRepository):
            def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
                left.append(deadline.remaining())
                race.clock.advance(0.5)
                return super().apply(write, deadline)

        watched = Watched(store, lambda n: race.move_old(n) if n <= 2 else None)
        StreamLimiter(watched, race.clock, Policy()).start(StartNamed(USER, "new", 1))
        assert left == [2.5, 2.0, 1.5, 1.0]
