"""The use cases: start, heartbeat, end and list, over a repository, a clock and a policy.

Each makes its first write blind; only a write that was refused is decided upon, from the state
that the refusal itself brings. So an ordinary call is one write and no read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Final

from domain.errors import (
    LimitReached,
    NoActiveStream,
    StoreContended,
    StoreUnavailable,
    StreamGone,
)
from domain.policy import (
    Decision,
    Enforcement,
    OnStoreFailure,
    Outcome,
    Policy,
    Refuse,
    Settled,
    Try,
    decide_start,
    first_start,
    heartbeat_write,
)
from domain.ports import Clock, Deadline, Landed, StreamRepository
from domain.requests import (
    EndAnonymous,
    EndNamed,
    EndRequest,
    Heartbeat,
    ListStreams,
    StartAnonymous,
    StartNamed,
    StartRequest,
)
from domain.streams import Lease, LiveStreams, Snapshot
from domain.writes import NOTHING, Admit, Freed, Release, ReleaseAnonymous

DEADLINE_SECONDS: Final = 2.5
"""The time for one request, retries and rounds included: players are promised an answer within 3 s."""

MAX_ROUNDS: Final = 8
"""Writes per request at most. Each lost race needs one more; nobody loses so many in earnest."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request that was not refused came to.

    Attributes:
        outcome: in one word.
        live: the user's live streams after it; `None` when the store could not be asked.
        lease: the named stream's hold on its slot, where the request was about one that is there.
        at: when this was so, in epoch seconds.
        reclaimed: slots of streams that were over, given back in passing.
        evicted: slots of live streams that had to make room.
    """

    outcome: Outcome
    live: LiveStreams | None
    lease: Lease | None
    at: float
    reclaimed: int = 0
    evicted: int = 0


class StreamLimiter:
    """The service's core.

    Every use case may raise `StoreUnavailable`, `StoreThrottled`, `StoreContended` or `StoreFault`.

    Args:
        repository: keeps the users' streams.
        clock: tells the time.
        policy: how to behave.
    """

    def __init__(self, repository: StreamRepository, clock: Clock, policy: Policy) -> None:
        self._repository = repository
        self._clock = clock
        self.policy = policy

    def start(self, request: StartRequest) -> Answer:
        """Take a slot; repeating the request takes no second one.

        Raises:
            LimitReached: every slot is taken by a live stream.
        """
        try:
            return self._start(request)
        except StoreUnavailable:
            if self.policy.on_store_failure is OnStoreFailure.CLOSED:
                raise
            if request.limit == 0 and self.policy.enforcement is Enforcement.ENFORCE:
                raise LimitReached(0, LiveStreams()) from None  # blocked, whatever the store would say
            return self._unverified(request)

    def heartbeat(self, request: Heartbeat) -> Answer:
        """Extend a named stream's lease.

        Raises:
            StreamGone: the stream is no longer there.
        """
        deadline = self._deadline()
        now = self._clock.now()
        try:
            result = self._repository.apply(heartbeat_write(request, self.policy, now), deadline)
        except StoreUnavailable:
            if self.policy.on_store_failure is OnStoreFailure.CLOSED:
                raise
            return self._unverified(request)
        lease = result.state.leases.get(request.stream_id)
        if lease is None:
            raise StreamGone(request.stream_id)
        # Refused although it is there: a later heartbeat overtook this one, and its expiry holds.
        return self._answer(Outcome.EXTENDED, result.state, lease)

    def end(self, request: EndRequest) -> Answer:
        """Give a slot back. Ending a named stream again is harmless: `Outcome.ALREADY_ENDED`.

        Raises:
            NoActiveStream: no name was given, and there is no anonymous stream.
        """
        if isinstance(request, EndNamed):
            return self._end_named(request)
        return self._end_anonymous(request)

    def list_streams(self, request: ListStreams) -> Answer:
        """The user's live streams, with every write that was answered before this call."""
        state = self._repository.read(request.user_id, self._deadline())
        return self._answer(Outcome.LISTED, state)

    def _start(self, request: StartRequest) -> Answer:
        def decide(state: Snapshot) -> Decision:
            return decide_start(state, request, self.policy, self._clock.now())

        first = first_start(request, self.policy, self._clock.now())
        outcome, state, freed = self._settle(first, decide)
        if outcome is None:
            raise LimitReached(request.limit, self.policy.live(state, self._clock.now()))
        if isinstance(request, StartAnonymous):
            return self._answer(outcome, state, freed=freed)
        return self._answer(outcome, state, state.leases.get(request.stream_id), freed, request.replaces)

    def _settle(
        self, step: Try, decide: Callable[[Snapshot], Decision]
    ) -> tuple[Outcome | None, Snapshot, Freed]:
        """Write until a write lands or nothing is left to write; tells what the write gave back in passing.

        An outcome of `None` is a refusal.
        """
        deadline = self._deadline()
        for _ in range(MAX_ROUNDS):
            result = self._repository.apply(step.write, deadline)
            if isinstance(result, Landed):
                freed = step.write.freed if isinstance(step.write, Admit) else NOTHING
                return step.outcome, result.state, freed
            match decide(result.state):
                case Refuse():
                    return None, result.state, NOTHING
                case Settled(outcome):
                    return outcome, result.state, NOTHING
                case next_step:
                    step = next_step
            if deadline.remaining() <= 0:
                break
        raise StoreContended

    def _end_named(self, request: EndNamed) -> Answer:
        retain_until = self.policy.retain_until(self._clock.now())
        write = Release(request.user_id, request.stream_id, retain_until)
        result = self._repository.apply(write, self._deadline())
        outcome = Outcome.ENDED if isinstance(result, Landed) else Outcome.ALREADY_ENDED
        return self._answer(outcome, result.state)

    def _end_anonymous(self, request: EndAnonymous) -> Answer:
        retain_until = self.policy.retain_until(self._clock.now())
        write = ReleaseAnonymous(request.user_id, request.mark, retain_until)
        result = self._repository.apply(write, self._deadline())
        if isinstance(result, Landed):
            return self._answer(Outcome.ENDED, result.state)
        if request.mark in result.state.marks:
            return self._answer(Outcome.REPLAYED, result.state)
        raise NoActiveStream(self.policy.live(result.state, self._clock.now()))

    def _answer(
        self,
        outcome: Outcome,
        state: Snapshot,
        lease: Lease | None = None,
        freed: Freed = NOTHING,
        replaces: str | None = None,
    ) -> Answer:
        now = self._clock.now()
        evicted = sum(name != replaces for name in freed.ended)
        reclaimed = len(freed.expired) + freed.anonymous.count
        return Answer(outcome, self.policy.live(state, now), lease, now, reclaimed, evicted)

    def _unverified(self, request: StartRequest | Heartbeat) -> Answer:
        now = self._clock.now()
        lease = None
        if isinstance(request, StartNamed):
            lease = self.policy.lease_of(request, now)
        elif isinstance(request, Heartbeat):
            lease = Lease(request.stream_id, floor(now), self.policy.lease_until(now))
        return Answer(Outcome.UNVERIFIED, None, lease, now)

    def _deadline(self) -> Deadline:
        return Deadline.after(DEADLINE_SECONDS, self._clock)
