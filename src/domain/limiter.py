"""The use cases of players, over a repository, a clock and a policy. Those of operators are in `operators`.

Each makes its first write without reading the state. If that write is rejected, the rejection returns the
state, and the next step is decided from it. So an ordinary call is one write and no read.
"""

from collections.abc import Callable
from contextlib import suppress
from math import floor
from typing import ClassVar, Final

from domain.attempt import Attempt
from domain.bounds import Bound
from domain.decisions import (
    Gone,
    Postpone,
    Refuse,
    Settled,
    Try,
    decide_end,
    decide_heartbeat,
    decide_start,
    first_end,
    first_heartbeat,
    first_start,
)
from domain.errors import (
    LimitReached,
    NoActiveStream,
    StoreContended,
    StoreUnavailable,
    StreamGone,
    TokenRefused,
    TokensUnavailable,
    TooManyStarts,
)
from domain.policy import Enforcement, OnStoreFailure, Outcome, Policy
from domain.ports import Clock, Deadline, Landed, StreamRepository, TokenIssuer
from domain.requests import (
    EndAnonymous,
    EndNamed,
    EndRequest,
    Heartbeat,
    ListStreams,
    Renewal,
    StartAnonymous,
    StartNamed,
    StartRequest,
)
from domain.situation import Situation
from domain.streams import Lease, LiveStreams, Snapshot
from domain.values import value_object
from domain.writes import NOTHING, Admit, Freed, ReleaseAnonymous

DEADLINE_SECONDS: Final = 2.5
"""The time for one request, including retries and rounds: players are promised an answer within 3 s."""

MAX_ROUNDS: Final = 8
"""The most writes per request. Each lost race costs one more; no real request loses that many."""


@value_object
class Answer:
    """The result of a request that was not refused.

    Attributes:
        outcome: the result in one word.
        live: the user's live streams after it.
        lease: the lease of the named stream; `None` where the request leaves none.
        at: the time of the answer, in epoch seconds.
        reclaimed: the number of expired slots that the request freed.
        evicted: the number of live streams that were ended to make room.
        full: the limit that would have refused the request, if limits are not enforced.
        token: the playback token of the named stream, valid until its lease ends; `None` if none is issued.
    """

    outcome: Outcome
    live: LiveStreams
    lease: Lease | None
    at: float
    reclaimed: int = 0
    evicted: int = 0
    full: Bound | None = None
    token: str | None = None


@value_object
class Unverified:
    """The permission to play while the store is unavailable: nothing was counted.

    Attributes:
        lease: the lease that a named stream would have.
        at: when permission was given, in epoch seconds.
        token: the playback token of the named stream; `None` where none is issued.
    """

    lease: Lease | None
    at: float
    token: str | None = None
    outcome: ClassVar = Outcome.UNVERIFIED


Reply = Answer | Unverified
"""The reply to a start or a heartbeat that was not refused."""


class StreamLimiter:
    """The core of the service.

    Every use case may raise `StoreUnavailable`, `StoreThrottled`, `StoreContended` or `StoreFault`.

    Args:
        repository: keeps the users' streams.
        clock: the current time.
        policy: the behaviour of the service.
        tokens: issues playback tokens; `None` = there are none.
    """

    def __init__(
        self, repository: StreamRepository, clock: Clock, policy: Policy, tokens: TokenIssuer | None = None
    ) -> None:
        self.repository = repository
        self.clock = clock
        self._tokens = tokens
        self.policy = policy

    def start(self, request: StartRequest) -> Reply:
        """Take a slot. The request is idempotent: its repeat takes no second slot.

        Raises:
            LimitReached: live streams take every slot, in all or in one of the stream's groups.
            TooManyStarts: too many ended streams have an unexpired playback token.
            TokensUnavailable: no playback token can be issued; nothing was written.
        """
        deadline = Deadline.after(DEADLINE_SECONDS, self.clock)
        if self._tokens and isinstance(request, StartNamed):
            self._tokens.prepare()
        try:
            return self._start(request, deadline)
        except StoreUnavailable:
            if self.policy.on_store_failure is OnStoreFailure.CLOSED:
                raise
            blocked = next((bound for bound in request.bounds if bound.limit == 0), None)
            if blocked and self.policy.enforcement is Enforcement.ENFORCE:  # in any state
                raise LimitReached(blocked, request.limit, LiveStreams()) from None
            return self._unverified(request)

    def heartbeat(self, request: Heartbeat) -> Reply:
        """Extend a named stream's lease, even if no playback token can be issued.

        Raises:
            StreamGone: the stream is gone, or another page load started it again.
        """
        deadline = Deadline.after(DEADLINE_SECONDS, self.clock)
        if self._tokens:
            with suppress(TokensUnavailable):
                self._tokens.prepare()
        return self._extend(request, deadline)

    def renew(self, request: Renewal) -> Reply:
        """Extend a named stream's lease for the holder of its playback token, and renew the token.

        Renewal does not extend the session: no token outlives it.

        Raises:
            TokenRefused: the token is not of this stream, is too old, or its session has ended. The store
                was not called.
            TokensUnavailable: no token can be checked now.
            StreamGone: the stream is gone, or another page load started it again.
        """
        if self._tokens is None:
            raise TokenRefused
        deadline = Deadline.after(DEADLINE_SECONDS, self.clock)
        self._tokens.prepare()
        proof = self._tokens.proof(request.token, request.user_id, request.stream_id)
        if proof is None or not self.policy.allows_renewal(proof, self.clock.now()):
            raise TokenRefused
        heartbeat = Heartbeat(request.user_id, request.stream_id, request.play, proof.session_until)
        return self._extend(heartbeat, deadline)

    def end(self, request: EndRequest) -> Answer:
        """Give a slot back. This is idempotent for a named stream: `Outcome.ALREADY_ENDED`.

        Raises:
            NoActiveStream: the request names no stream, and no stream is anonymous.
        """
        if isinstance(request, EndNamed):
            return self._end_named(request)
        return self._end_anonymous(request)

    def list_streams(self, request: ListStreams) -> Answer:
        """Return the user's live streams, with every write that was answered before this call."""
        state = self.repository.read(request.user_id, Deadline.after(DEADLINE_SECONDS, self.clock))
        return self._answer(Settled(Outcome.LISTED), state)

    def _start(self, request: StartRequest, deadline: Deadline) -> Answer:
        def decide(state: Snapshot) -> Try | Settled:
            attempt = Attempt(state, request, self.policy, self.clock.now())
            decision = decide_start(attempt)
            if isinstance(decision, Refuse):
                raise LimitReached(decision.full, request.limit, attempt.live)
            if isinstance(decision, Postpone):
                raise TooManyStarts(request.limit, attempt.live, decision.until - attempt.now)
            return decision

        first = first_start(request, self.policy, self.clock.now())
        decision, state = self._settle(first, decide, deadline)
        return self._answer(decision, state, None if isinstance(request, StartAnonymous) else request)

    def _extend(self, request: Heartbeat, deadline: Deadline) -> Reply:
        def decide(state: Snapshot) -> Try | Settled:
            decision = decide_heartbeat(Situation(state, request, self.policy, self.clock.now()))
            if isinstance(decision, Gone):
                raise StreamGone(request.stream_id, decision.reason, decision.by)
            return decision

        first = first_heartbeat(request, self.policy, self.clock.now())
        try:
            decision, state = self._settle(first, decide, deadline)
        except StoreUnavailable:
            if self.policy.on_store_failure is OnStoreFailure.CLOSED:
                raise
            return self._unverified(request)
        return self._answer(decision, state, request)

    def _settle(
        self, step: Try, decide: Callable[[Snapshot], Try | Settled], deadline: Deadline
    ) -> tuple[Try | Settled, Snapshot]:
        """Write until a write lands, or until nothing is left to write.

        Returns:
            The last decision, which is the `Try` that landed if one did, and the state that shows it.
        """
        for _ in range(MAX_ROUNDS):
            result = self.repository.apply(step.write, deadline)
            if isinstance(result, Landed):
                return step, result.state
            decision = decide(result.state)
            if not isinstance(decision, Try):
                return decision, result.state
            step = decision
            if deadline.remaining() <= 0:
                break
        raise StoreContended

    def _end_named(self, request: EndNamed) -> Answer:
        def decide(state: Snapshot) -> Try | Settled:
            return decide_end(Situation(state, request, self.policy, self.clock.now()))

        first = first_end(request, self.policy, self.clock.now())
        decision, state = self._settle(first, decide, Deadline.after(DEADLINE_SECONDS, self.clock))
        return self._answer(decision, state)

    def _end_anonymous(self, request: EndAnonymous) -> Answer:
        retain_until = self.policy.retain_until(self.clock.now())
        write = ReleaseAnonymous(request.user_id, request.mark, retain_until)
        result = self.repository.apply(write, Deadline.after(DEADLINE_SECONDS, self.clock))
        if isinstance(result, Landed):
            return self._answer(Settled(Outcome.ENDED), result.state)
        if request.mark in result.state.marks:
            return self._answer(Settled(Outcome.REPLAYED), result.state)
        raise NoActiveStream(self.policy.live(result.state, self.clock.now()))

    def _answer(
        self, decision: Try | Settled, state: Snapshot, holder: StartNamed | Heartbeat | None = None
    ) -> Answer:
        """Return an answer with this state; for the holder of a named slot also its lease and token."""
        now = self.clock.now()
        live = self.policy.live(state, now)
        lease = token = None
        if holder is not None:
            lease = state.leases.get(holder.stream_id)
            if self._tokens:
                token = _token(self._tokens, holder, lease, now)
        reclaimed = evicted = 0
        full = None
        if isinstance(decision, Try):
            full = decision.full
            if isinstance(decision.write, Admit) and decision.write.freed is not NOTHING:
                reclaimed, evicted = self._freed_counts(decision.write.freed, holder, now)
        return Answer(decision.outcome, live, lease, now, reclaimed, evicted, full, token)

    def _freed_counts(
        self, freed: Freed, holder: StartNamed | Heartbeat | None, now: float
    ) -> tuple[int, int]:
        """Return how many freed slots had expired, and how many streams were evicted."""
        expired = [lease for lease in freed.expired if not self.policy.is_live(lease, now)]
        replaces = holder.replaces if isinstance(holder, StartNamed) else None
        evicted = sum(stream.stream_id != replaces for stream in freed.ended)
        return len(expired) + freed.anonymous.count, evicted

    def _unverified(self, request: StartRequest | Heartbeat) -> Unverified:
        now = self.clock.now()
        if isinstance(request, StartAnonymous):
            return Unverified(None, now)
        if isinstance(request, StartNamed):
            lease = self.policy.lease_of(request, now)
        else:
            lease = Lease(request.stream_id, floor(now), self.policy.lease_until(now))
        token = None
        if self._tokens and self.policy.open_tokens:
            token = _token(self._tokens, request, lease, now)
        return Unverified(lease, now, token)


def _token(
    tokens: TokenIssuer, holder: StartNamed | Heartbeat, lease: Lease | None, now: float
) -> str | None:
    """Return the token of a lease, if one can be issued and the holder may have it."""
    if lease is None or (isinstance(holder, Heartbeat) and not holder.may_watch):
        return None
    try:
        return tokens.issue(holder.user_id, lease, now, holder.session_until)
    except TokensUnavailable:
        return None
