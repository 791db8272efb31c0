"""Renewals: a playback token stands for a login, for its stream, within its session."""

import pytest

from domain.errors import StoreUnavailable, StreamGone, TokenRefused, TokensUnavailable
from domain.limiter import DEADLINE_SECONDS, StreamLimiter
from domain.policy import OnStoreFailure, Outcome, Policy
from domain.ports import Proof
from domain.requests import EndNamed, Heartbeat, Renewal, StartNamed
from testing.fakes import FailingRepository, FakeClock, FakeTokens, RecordingRepository
from tests.unit.domain.states import NOW, USER

TOKENS = Policy(token_overlap=2)
LEASE = TOKENS.lease_seconds
SESSION = NOW + 3600


class SlowTokens(FakeTokens):
    """Tokens whose keys take a second to be read."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def prepare(self) -> None:
        """Let the time pass."""
        self._clock.advance(1)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock(NOW)


@pytest.fixture
def store() -> RecordingRepository:
    """Return streams in memory."""
    return RecordingRepository()


@pytest.fixture
def tokens() -> FakeTokens:
    """Return tokens that can be read."""
    return FakeTokens()


@pytest.fixture
def limiter(store: RecordingRepository, clock: FakeClock, tokens: FakeTokens) -> StreamLimiter:
    """Return a service with one stream."""
    limiter = StreamLimiter(store, clock, TOKENS, tokens)
    limiter.start(StartNamed(USER, "tv", 3, play="a", session_until=SESSION))
    return limiter


def token(expires_at: int = NOW + LEASE, session_until: int | None = SESSION) -> str:
    """Return the token of that stream."""
    session = "" if session_until is None else f" in a session until {session_until}"
    return f"{USER} tv until {expires_at} at {NOW}{session}"


def test_a_token_extends_its_stream(
    limiter: StreamLimiter, store: RecordingRepository, clock: FakeClock
) -> None:
    """A token extends its stream by one write, and the next token is of the same session."""
    clock.advance(30)
    written = len(store.writes)
    answer = limiter.renew(Renewal(USER, "tv", token(), "a"))
    assert answer.outcome is Outcome.EXTENDED
    assert answer.lease is not None
    assert answer.lease.expires_at == NOW + 30 + LEASE
    assert answer.token == f"{USER} tv until {NOW + 30 + LEASE} at {NOW + 30} in a session until {SESSION}"
    assert len(store.writes) == written + 1


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("another text", 0),
        (f"another tv until {NOW + LEASE} at {NOW} in a session until {SESSION}", 0),
        (f"{USER} pc until {NOW + LEASE} at {NOW} in a session until {SESSION}", 0),
        (token(session_until=None), 0),
        (token(session_until=NOW + 60), 60),
        (token(), 2 * LEASE + 0.1),
    ],
)
def test_other_texts_are_refused_and_write_nothing(
    text: str, later: float, limiter: StreamLimiter, store: RecordingRepository, clock: FakeClock
) -> None:
    """A token of another user or stream, without a session, of an ended session, or too old, is refused."""
    clock.advance(later)
    written = len(store.writes)
    with pytest.raises(TokenRefused):
        limiter.renew(Renewal(USER, "tv", text))
    assert len(store.writes) == written


@pytest.mark.parametrize(("text", "later"), [(token(session_until=NOW + 60), 59.9), (token(), 2 * LEASE)])
def test_a_token_is_good_to_the_last_moment(
    text: str, later: float, limiter: StreamLimiter, clock: FakeClock
) -> None:
    """A token is good to the last moment of its session, and of the lease after its own."""
    clock.advance(later)
    assert limiter.renew(Renewal(USER, "tv", text)).outcome is Outcome.EXTENDED


def test_an_ended_or_other_stream_is_gone(limiter: StreamLimiter) -> None:
    """A stream of another play, or one that has ended, is gone."""
    with pytest.raises(StreamGone):
        limiter.renew(Renewal(USER, "tv", token(), "b"))
    limiter.end(EndNamed(USER, "tv"))
    with pytest.raises(StreamGone):
        limiter.renew(Renewal(USER, "tv", token(), "a"))


def test_uncheckable_tokens_are_an_outage(
    limiter: StreamLimiter, store: RecordingRepository, tokens: FakeTokens
) -> None:
    """Tokens that cannot be checked are an outage, and nothing is written."""
    tokens.available = False
    written = len(store.writes)
    with pytest.raises(TokensUnavailable):
        limiter.renew(Renewal(USER, "tv", token()))
    assert len(store.writes) == written


def test_without_tokens_every_text_is_refused(store: RecordingRepository, clock: FakeClock) -> None:
    """Every text is refused if tokens are off."""
    with pytest.raises(TokenRefused):
        StreamLimiter(store, clock, Policy()).renew(Renewal(USER, "tv", token()))


def test_a_renewal_has_one_deadline(store: RecordingRepository, clock: FakeClock) -> None:
    """The time in which keys are read counts towards the one deadline."""
    limiter = StreamLimiter(store, clock, TOKENS, SlowTokens(clock))
    limiter.start(StartNamed(USER, "tv", 3, session_until=SESSION))
    limiter.renew(Renewal(USER, "tv", token()))
    assert store.seconds_left[-1] < DEADLINE_SECONDS - 1, "a second deadline began after the first reading"


def test_an_unverified_answer_keeps_the_session(clock: FakeClock) -> None:
    """With the store unavailable, the answers to a start and to a renewal keep the session."""
    policy = Policy(token_overlap=2, on_store_failure=OnStoreFailure.OPEN, open_tokens=True)
    limiter = StreamLimiter(FailingRepository(StoreUnavailable()), clock, policy, FakeTokens())
    started = limiter.start(StartNamed(USER, "tv", 3, session_until=SESSION))
    assert started.token == token()
    assert limiter.renew(Renewal(USER, "tv", token())).token == token()


def test_a_blocked_user_gets_no_token(limiter: StreamLimiter) -> None:
    """A blocked user's lease is extended, but without a token."""
    answer = limiter.heartbeat(Heartbeat(USER, "tv", session_until=SESSION, may_watch=False))
    assert (answer.outcome, answer.token) == (Outcome.EXTENDED, None)
    assert limiter.heartbeat(Heartbeat(USER, "tv", session_until=SESSION)).token == token()


@pytest.mark.parametrize(
    ("proof", "renews"),
    [
        (Proof(NOW, NOW + 1), True),
        (Proof(NOW, NOW), False),
        (Proof(NOW, None), False),
        (Proof(NOW - LEASE, NOW + 1), True),
        (Proof(NOW - LEASE - 1, NOW + 1), False),
    ],
)
def test_the_bounds_of_a_token_are_exact(proof: Proof, *, renews: bool) -> None:
    """A session ends at its second, and a token counts for one lease after its own."""
    assert TOKENS.allows_renewal(proof, NOW) is renews
