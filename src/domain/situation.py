"""A request and the state that it is decided on: everything that a decision depends on."""

from typing import Generic, TypeVar

from domain.policy import Policy
from domain.streams import Lease, LiveStreams, Snapshot
from domain.token_names import Recounted, recount
from domain.values import value_object

RequestT = TypeVar("RequestT")


@value_object
class Situation(Generic[RequestT]):
    """A request and the state that it is decided on.

    Attributes:
        state: the user's state, as a rejected write returned it; empty before the first write.
        request: the request.
        policy: how the service behaves.
        now: the time, in epoch seconds.
    """

    state: Snapshot
    request: RequestT
    policy: Policy
    now: float

    @property
    def live(self) -> LiveStreams:
        """The live part of the state."""
        return self.policy.live(self.state, self.now)

    def is_live(self, lease: Lease) -> bool:
        """Return whether a lease still holds its slot."""
        return self.policy.is_live(lease, self.now)

    def is_counted(self, stream_id: str) -> bool:
        """Return whether a stream's name is counted, if names are counted at all."""
        return self.policy.token_overlap is None or stream_id in (self.state.tokens or ())

    def recount(self) -> Recounted | None:
        """Count the names of the state again, if names are counted at all."""
        if self.policy.token_overlap is None:
            return None
        return recount(self.state, None, (), self.policy.latest_expired(self.now))
