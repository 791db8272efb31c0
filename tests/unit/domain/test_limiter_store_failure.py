from dataclasses import replace

import pytest

from domain.errors import (
    LimitReached,
    StoreContended,
    StoreError,
    StoreFault,
    StoreThrottled,
    StoreUnavailable,
)
from domain.limiter import StreamLimiter, Unverified
from domain.policy import Enforcement, OnStoreFailure, Outcome, Policy
from domain.requests import (
    EndAnonymous,
    EndNamed,
    EndRequest,
    Heartbeat,
    ListStreams,
    StartAnonymous,
    StartNamed,
)
from domain.streams import Lease, LiveStreams
from testing.fakes import FailingRepository, FakeClock
from tests.unit.domain.states import NOW, USER

OPEN = Policy(on_store_failure=OnStoreFailure.OPEN)


class Outage:
    """Return the service over a store that fails every call."""

    def __init__(self, error: Exception, policy: Policy = OPEN) -> None:
        self.limiter = StreamLimiter(FailingRepository(error), FakeClock(NOW + 0.5), policy)


class TestStoreFailure:
    """Answers to players while the store is unavailable."""

    def test_open_admits_a_named_start_unverified(self) -> None:
        """An unverified named start gets the lease that it would have had, and no count."""
        answer = Outage(StoreUnavailable()).limiter.start(StartNamed(USER, "a", 3, device="tv"))
        lease = Lease("a", NOW, NOW + 91, "tv")
        assert answer == Unverified(lease, NOW + 0.5)

    def test_open_admits_an_anonymous_start_unverified(self) -> None:
        """An unverified anonymous start has no lease."""
        answer = Outage(StoreUnavailable()).limiter.start(StartAnonymous(USER, "1", 3))
        assert answer == Unverified(None, NOW + 0.5)

    def test_open_answers_a_heartbeat_unverified(self) -> None:
        """An unverified heartbeat lets the player continue with a lease of the usual length."""
        answer = Outage(StoreUnavailable()).limiter.heartbeat(Heartbeat(USER, "a"))
        assert answer == Unverified(Lease("a", NOW, NOW + 91), NOW + 0.5)

    @pytest.mark.parametrize("start", [StartNamed(USER, "a", 0), StartAnonymous(USER, "1", 0)])
    def test_open_still_refuses_a_blocked_user(self, start: StartNamed | StartAnonymous) -> None:
        """A limit of zero refuses without the store, except in shadow mode."""
        with pytest.raises(LimitReached) as reached:
            Outage(StoreUnavailable()).limiter.start(start)
        assert (reached.value.limit, reached.value.live) == (0, LiveStreams())
        shadow = replace(OPEN, enforcement=Enforcement.SHADOW)
        assert Outage(StoreUnavailable(), shadow).limiter.start(start).outcome is Outcome.UNVERIFIED

    @pytest.mark.parametrize("request_", [EndNamed(USER, "a"), EndAnonymous(USER, "1")])
    def test_open_ends_nothing_unverified(self, request_: EndRequest) -> None:
        """An end is not answered with success if its slot was not given back."""
        with pytest.raises(StoreUnavailable):
            Outage(StoreUnavailable()).limiter.end(request_)

    def test_open_lists_nothing_unverified(self) -> None:
        """A list fails instead of showing streams that are not known."""
        with pytest.raises(StoreUnavailable):
            Outage(StoreUnavailable()).limiter.list_streams(ListStreams(USER, 3))

    @pytest.mark.parametrize("error", [StoreThrottled(), StoreContended(), StoreFault()])
    def test_open_applies_only_to_an_unavailable_store(self, error: StoreError) -> None:
        """An error that a caller can cause, or that is a defect of ours, admits no stream."""
        limiter = Outage(error).limiter
        with pytest.raises(type(error)):
            limiter.start(StartNamed(USER, "a", 3))
        with pytest.raises(type(error)):
            limiter.heartbeat(Heartbeat(USER, "a"))

    @pytest.mark.parametrize("policy", [Policy(), OPEN])
    def test_an_unknown_error_passes_through(self, policy: Policy) -> None:
        """An unexpected error is not swallowed."""
        limiter = Outage(ZeroDivisionError(), policy).limiter
        with pytest.raises(ZeroDivisionError):
            limiter.start(StartAnonymous(USER, "1", 3))
        with pytest.raises(ZeroDivisionError):
            limiter.heartbeat(Heartbeat(USER, "a"))

    def test_closed_admits_no_stream(self) -> None:
        """Closed mode admits no start and no heartbeat."""
        limiter = Outage(StoreUnavailable(), Policy()).limiter
        with pytest.raises(StoreUnavailable):
            limiter.start(StartNamed(USER, "a", 3))
        with pytest.raises(StoreUnavailable):
            limiter.heartbeat(Heartbeat(USER, "a"))
