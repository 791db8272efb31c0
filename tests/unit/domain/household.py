"""One user's players in front of the use cases, and views of the answers."""

from domain.limiter import Answer, Reply, StreamLimiter
from domain.policy import Policy
from domain.ports import TokenIssuer
from domain.requests import EndAnonymous, EndNamed, Heartbeat, ListStreams, StartAnonymous, StartNamed
from domain.streams import LiveStreams
from testing.fakes import FakeClock, RecordingRepository
from tests.unit.domain.states import NOW, USER


class Household:
    """One user's players, the service that they call, and the calls that it made to its store."""

    def __init__(self, policy: Policy = Policy(), tokens: TokenIssuer | None = None) -> None:  # noqa: B008 - frozen
        self.store = RecordingRepository()
        self.clock = FakeClock(NOW)
        self.limiter = StreamLimiter(self.store, self.clock, policy, tokens)

    def start(self, name: str, limit: int = 3, replaces: str | None = None) -> Answer:
        """Start a named stream."""
        return verified(self.limiter.start(StartNamed(USER, name, limit, replaces=replaces)))

    def start_anonymous(self, key: str, limit: int = 3) -> Answer:
        """Start a stream without a name."""
        return verified(self.limiter.start(StartAnonymous(USER, key, limit)))

    def beat(self, name: str) -> Answer:
        """Send a named stream's heartbeat."""
        return verified(self.limiter.heartbeat(Heartbeat(USER, name)))

    def end(self, name: str) -> Answer:
        """End a named stream."""
        return self.limiter.end(EndNamed(USER, name))

    def end_anonymous(self, key: str) -> Answer:
        """End a stream without a name."""
        return self.limiter.end(EndAnonymous(USER, key))

    def live(self) -> LiveStreams:
        """Return the live streams that a list shows."""
        return self.limiter.list_streams(ListStreams(USER, 3)).live


def verified(reply: Reply) -> Answer:
    """Return the reply of a service whose store can be reached."""
    assert isinstance(reply, Answer)
    return reply


def live(reply: Reply) -> LiveStreams:
    """Return the live streams that a reply shows."""
    return verified(reply).live


def names(streams: LiveStreams) -> list[str]:
    """Return the names of these streams."""
    return [lease.stream_id for lease in streams.leases]
