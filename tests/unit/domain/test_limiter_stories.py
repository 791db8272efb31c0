from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from adapters.in_memory import InMemoryStreamRepository
from domain.errors import LimitReached, NoActiveStream, StreamGone
from domain.limiter import Reply, StreamLimiter
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.ports import Deadline
from domain.requests import EndAnonymous, EndNamed, Heartbeat, StartAnonymous, StartNamed, StartRequest
from domain.streams import CEILING, Lease, Snapshot
from testing.fakes import FakeClock
from tests.support.properties import examples
from tests.unit.domain.states import USER, parts

POLICY = Policy(lease_seconds=10, heartbeat_seconds=3, grace_seconds=2, anonymous_seconds=30)


@dataclass(frozen=True, slots=True)
class SkewedClock:
    """A host's `Clock` that is off by a number of seconds."""

    true: FakeClock
    skew: float

    def now(self) -> float:
        """Return epoch seconds as this host has them."""
        return self.true.now() + self.skew

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self.true.monotonic()

    def sleep(self, seconds: float) -> None:
        """Continue at once."""


streams = st.sampled_from("abcdef")
skews = st.sampled_from([-0.875, 0.0, 0.875])


class Players(RuleBasedStateMachine):
    """One user's players over hosts whose clocks disagree by less than the grace, each call sent twice.

    Attributes:
        promised: until when, by the true clock, each player was promised its slot.
    """

    def __init__(self) -> None:
        super().__init__()
        self.store = InMemoryStreamRepository()
        self.clock = FakeClock()
        self.policy = POLICY
        self.limit = 3
        self.always_three = True
        self.promised: dict[str, int] = {}
        self.calls = 0

    @rule(name=streams, replaced=st.none() | streams, skew=skews)
    def start(self, name: str, replaced: str | None, skew: float) -> None:
        """Start or restart a named stream."""
        self._start(StartNamed(USER, name, self.limit, replaces=None if replaced == name else replaced), skew)

    @rule(skew=skews)
    def start_anonymous(self, skew: float) -> None:
        """Start a stream without a name."""
        self._start(StartAnonymous(USER, self._key(), self.limit), skew)

    @rule(name=streams, skew=skews)
    def beat(self, name: str, skew: float) -> None:
        """Send a heartbeat of a stream that may or may not exist."""
        there = name in self.state().leases
        try:
            answer = self.host(skew).heartbeat(Heartbeat(USER, name))
        except StreamGone:
            assert not there
        else:
            assert there
            self.promise(answer.lease)

    @rule(name=streams, skew=skews)
    def end(self, name: str, skew: float) -> None:
        """End a named stream."""
        self.promised.pop(name, None)
        self.twice(lambda: self.host(skew).end(EndNamed(USER, name)))
        assert name not in self.state().leases

    @rule(skew=skews)
    def end_anonymous(self, skew: float) -> None:
        """End a stream without a name."""
        request = EndAnonymous(USER, self._key())
        before = self.state().anonymous.count
        try:
            self.twice(lambda: self.host(skew).end(request))
        except NoActiveStream:
            assert before == 0
        else:
            assert self.state().anonymous.count == before - 1

    @rule(seconds=st.sampled_from([0.125, 1, 3, 9.875, 10, 12, 13, 33]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @rule(
        limit=st.integers(0, 5),
        on_limit=st.sampled_from(OnLimit),
        enforcement=st.sampled_from(Enforcement),
        anonymous_seconds=st.sampled_from([0, 30]),
    )
    def configure(
        self, limit: int, on_limit: OnLimit, enforcement: Enforcement, anonymous_seconds: int
    ) -> None:
        """Change the limit and the mode."""
        self.limit = limit
        self.policy = replace(
            POLICY, on_limit=on_limit, enforcement=enforcement, anonymous_seconds=anonymous_seconds
        )
        self.always_three = False

    @rule()
    @precondition(lambda self: self.limit > 0)
    def crash(self) -> None:
        """Let every player crash: after a lease and the grace only anonymous streams hold slots.

        Two seconds more cover the rounding and a host whose clock was ahead.
        """
        self.clock.advance(POLICY.lease_seconds + POLICY.grace_seconds + 2)
        room = self.policy.live(self.state(), self.clock.now()).anonymous_count < self.limit
        try:
            answer = self.host(0).start(StartNamed(USER, "fresh", self.limit))
        except LimitReached:
            assert not room
        else:
            assert room or self.policy.enforcement is Enforcement.SHADOW
            self.promise(answer.lease)

    @invariant()
    def the_count_equals_its_parts(self) -> None:
        """The count equals its parts after any sequence of calls."""
        state = self.state()
        assert state.stream_count == parts(state) <= CEILING
        assert state.anonymous.count >= 0

    @invariant()
    def never_one_too_many(self) -> None:
        """With the limit of three enforced throughout, at most three slots are taken."""
        if self.always_three:
            assert self.state().stream_count <= 3

    @invariant()
    def promises_are_kept(self) -> None:
        """A player keeps its slot until the expiry that it was given."""
        for name, until in self.promised.items():
            if until > self.clock.now():
                assert self.state().leases[name].expires_at >= until

    def host(self, skew: float) -> StreamLimiter:
        """Return the service on a host whose clock is off by this much."""
        return StreamLimiter(self.store, SkewedClock(self.clock, skew), self.policy)

    def state(self) -> Snapshot:
        """Return the stored state."""
        return self.store.read(USER, Deadline.after(1, self.clock))

    def promise(self, lease: Lease | None) -> None:
        """Record the expiry that a player was given."""
        assert lease is not None
        self.promised[lease.stream_id] = lease.expires_at

    def twice(self, call: Callable[[], Reply]) -> Reply:
        """Make a call and repeat it, check that the repeat changes no slot, and return the first answer."""
        answer = call()
        state = self.state()
        repeated = call()
        assert repeated.outcome in {Outcome.REPLAYED, Outcome.ALREADY_ENDED}
        after = self.state()
        assert (after.stream_count, after.anonymous, set(after.leases)) == (
            state.stream_count,
            state.anonymous,
            set(state.leases),
        )
        return answer

    def _start(self, request: StartRequest, skew: float) -> None:
        before = self.state()
        try:
            answer = self.twice(lambda: self.host(skew).start(request))
        except LimitReached:
            assert self.policy.live(before, self.clock.now() + skew).count >= self.limit
            assert self.state() == before
            return
        state = self.state()
        if self.policy.enforcement is Enforcement.ENFORCE:
            assert state.stream_count <= max(self.limit, before.stream_count)
        if isinstance(request, StartNamed):
            self.promise(answer.lease)
            self.promised.pop(request.replaces or "", None)
        if answer.outcome is Outcome.EVICTED:
            for name in set(before.leases) - set(state.leases):
                self.promised.pop(name, None)

    def _key(self) -> str:
        self.calls += 1
        return f"{self.calls}"


def test_the_promises_hold_along_any_story() -> None:
    """Along any story no slot is granted above the limit, leaked or counted twice, and promises are kept."""
    run_state_machine_as_test(Players, settings=settings(max_examples=examples(1.2), stateful_step_count=40))


def test_a_host_with_a_fast_clock_keeps_promised_leases() -> None:
    """With the grace, a host with a fast clock does not take a slot early that a slow host promised."""
    players = Players()
    players.limit = 1
    players.start(name="a", replaced=None, skew=-0.875)
    until = players.promised["a"]
    players.wait(until - players.clock.now() - 0.125)
    with pytest.raises(LimitReached):
        players.host(0.875).start(StartNamed(USER, "b", 1))
