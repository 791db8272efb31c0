"""The cost of each request, counted on the wire beneath botocore, over real stores."""

from dataclasses import replace
from typing import Any

import pytest

from domain.bounds import Bound
from domain.errors import LimitReached, NoActiveStream, StreamGone, TooManyStarts
from domain.limiter import StreamLimiter
from domain.policy import OnLimit, Outcome, Policy
from domain.requests import EndAnonymous, EndNamed, Heartbeat, ListStreams, StartAnonymous, StartNamed
from testing.fakes import FakeClock
from testing.wire import Wire
from tests.conftest import repository_over

ONE_WRITE = {"UpdateItem": 1}
TWO_WRITES = {"UpdateItem": 2}


class Costs:
    """A limiter of three streams whose calls on the wire are counted."""

    def __init__(self, client: Any, user_id: str, policy: Policy) -> None:
        self.clock = FakeClock(2_000_000_000)
        self.limiter = StreamLimiter(repository_over(client), self.clock, policy)
        self.user_id = user_id
        self.wire = Wire(client)

    def start(self, stream_id: str, replaces: str | None = None) -> StartNamed:
        """Make a named start."""
        return StartNamed(self.user_id, stream_id, 3, None, replaces)

    def fill(self) -> None:
        """Make three named starts, uncounted."""
        for stream_id in "abc":
            self.limiter.start(self.start(stream_id))
        self.wire.calls.clear()

    def of(self, call: Any) -> dict[str, int]:
        """Return the cost of one call."""
        self.wire.calls.clear()
        call()
        return dict(self.wire.calls)


POLICIES = {"without tokens": Policy(), "with tokens": Policy(token_overlap=2)}


@pytest.fixture(params=POLICIES)
def policy(request: pytest.FixtureRequest) -> Policy:
    """Return a service without playback tokens, and one with them."""
    return POLICIES[request.param]


@pytest.fixture
def costs(atomic_client: Any, user_id: str, policy: Policy) -> Costs:
    """Return the costs of one user's calls."""
    return Costs(atomic_client, user_id, policy)


@pytest.fixture
def token_costs(atomic_client: Any, user_id: str) -> Costs:
    """Return the costs of one user's calls, where names are counted."""
    return Costs(atomic_client, user_id, POLICIES["with tokens"])


def test_an_anonymous_stream_costs_one_write_to_start_and_one_to_end(costs: Costs) -> None:
    """Each anonymous call is one write, including a new user's first start and last end."""
    for n in range(3):
        request = StartAnonymous(costs.user_id, f"s{n}", 3)
        assert costs.of(lambda request=request: costs.limiter.start(request)) == ONE_WRITE
    for n in range(3):
        end = EndAnonymous(costs.user_id, f"e{n}")
        assert costs.of(lambda end=end: costs.limiter.end(end)) == ONE_WRITE


def test_a_refused_start_costs_one_write_and_no_read(costs: Costs) -> None:
    """A refusal of one write lists the streams that hold the slots, without a read."""
    costs.fill()

    def refused() -> None:
        with pytest.raises(LimitReached) as refusal:
            costs.limiter.start(costs.start("d"))
        assert [lease.stream_id for lease in refusal.value.live.leases] == ["a", "b", "c"]

    assert costs.of(refused) == ONE_WRITE


def test_a_refused_end_and_a_refused_heartbeat_cost_one_write(costs: Costs) -> None:
    """An end and a heartbeat that find no stream are one write each."""

    def end() -> None:
        with pytest.raises(NoActiveStream):
            costs.limiter.end(EndAnonymous(costs.user_id, "e"))

    def heartbeat() -> None:
        with pytest.raises(StreamGone):
            costs.limiter.heartbeat(Heartbeat(costs.user_id, "a"))

    assert costs.of(end) == ONE_WRITE
    assert costs.of(heartbeat) == ONE_WRITE


def test_named_calls_cost_one_write_each(costs: Costs) -> None:
    """A start, a repeat, a heartbeat, a replacement, an end and its repeat are one write each."""
    limiter, user_id = costs.limiter, costs.user_id
    assert costs.of(lambda: limiter.start(costs.start("a"))) == ONE_WRITE
    assert costs.of(lambda: limiter.start(costs.start("a"))) == ONE_WRITE
    assert costs.of(lambda: limiter.heartbeat(Heartbeat(user_id, "a"))) == ONE_WRITE
    assert costs.of(lambda: limiter.start(costs.start("b", replaces="a"))) == ONE_WRITE
    assert costs.of(lambda: limiter.end(EndNamed(user_id, "b"))) == ONE_WRITE
    assert costs.of(lambda: limiter.end(EndNamed(user_id, "b"))) == ONE_WRITE


def test_taking_over_an_expired_slot_costs_two_writes(costs: Costs) -> None:
    """A takeover is rejected once, then reclaims expired slots and admits in one write, without a read."""
    costs.fill()
    costs.clock.advance(93)
    outcomes = []
    assert costs.of(lambda: outcomes.append(costs.limiter.start(costs.start("d")).outcome)) == TWO_WRITES
    assert outcomes == [Outcome.RECLAIMED]


def test_evicting_costs_two_writes(atomic_client: Any, user_id: str, policy: Policy) -> None:
    """An eviction is rejected once, then evicts and admits in one write, without a read."""
    costs = Costs(atomic_client, user_id, replace(policy, on_limit=OnLimit.EVICT_OLDEST))
    costs.fill()
    outcomes = []
    assert costs.of(lambda: outcomes.append(costs.limiter.start(costs.start("d")).outcome)) == TWO_WRITES
    assert outcomes == [Outcome.EVICTED]


def test_a_restarted_players_renewal_costs_two_writes(costs: Costs) -> None:
    """A repeat that comes much later extends the lease."""
    costs.fill()
    costs.clock.advance(45)
    outcomes = []
    assert costs.of(lambda: outcomes.append(costs.limiter.start(costs.start("a")).outcome)) == TWO_WRITES
    assert outcomes == [Outcome.REPLAYED]


def test_a_list_costs_one_read(costs: Costs) -> None:
    """A list costs one read and no write."""
    costs.fill()
    assert costs.of(lambda: costs.limiter.list_streams(ListStreams(costs.user_id, 3))) == {"GetItem": 1}


def test_repeated_starts_and_ends_cost_one_write_each(token_costs: Costs) -> None:
    """However often a screen starts and ends, its name is counted once, in the same one write."""
    limiter, user_id = token_costs.limiter, token_costs.user_id
    for _ in range(6):
        assert token_costs.of(lambda: limiter.start(token_costs.start("tv"))) == ONE_WRITE
        assert token_costs.of(lambda: limiter.heartbeat(Heartbeat(user_id, "tv", "load"))) == ONE_WRITE
        assert token_costs.of(lambda: limiter.end(EndNamed(user_id, "tv", "load"))) == ONE_WRITE


def test_a_postponed_start_costs_one_write_and_no_read(token_costs: Costs) -> None:
    """The rejection has the spent tokens and thus the time when enough of them have expired."""
    for name in "abcde":
        token_costs.limiter.start(token_costs.start(name))
        token_costs.limiter.end(EndNamed(token_costs.user_id, name))

    def postponed() -> None:
        with pytest.raises(TooManyStarts):
            token_costs.limiter.start(token_costs.start("f"))

    assert token_costs.of(postponed) == ONE_WRITE
    token_costs.clock.advance(93)
    assert token_costs.of(lambda: token_costs.limiter.start(token_costs.start("f"))) == TWO_WRITES
    assert token_costs.of(lambda: token_costs.limiter.start(token_costs.start("g"))) == ONE_WRITE


def test_counting_streams_from_before_tokens_costs_one_extra_write(atomic_client: Any, user_id: str) -> None:
    """A user's streams are counted once, after the first key is configured; then every call is one write."""
    before = Costs(atomic_client, user_id, POLICIES["without tokens"])
    before.limiter.start(before.start("a"))
    before.limiter.start(before.start("b"))
    after = Costs(atomic_client, user_id, POLICIES["with tokens"])
    assert after.of(lambda: after.limiter.heartbeat(Heartbeat(user_id, "a"))) == TWO_WRITES
    assert after.of(lambda: after.limiter.heartbeat(Heartbeat(user_id, "b"))) == ONE_WRITE
    assert after.of(lambda: after.limiter.start(after.start("c"))) == ONE_WRITE
    assert after.of(lambda: after.limiter.end(EndNamed(user_id, "c"))) == ONE_WRITE


def test_a_reloaded_page_costs_two_writes(costs: Costs) -> None:
    """A reloaded page's start finds its earlier stream, and writes its own play over it."""
    first = replace(costs.start("a"), play="load-1")
    assert costs.of(lambda: costs.limiter.start(first)) == ONE_WRITE
    assert costs.of(lambda: costs.limiter.start(first)) == ONE_WRITE
    assert costs.of(lambda: costs.limiter.start(replace(first, play="load-2"))) == TWO_WRITES


def test_calls_of_a_stream_in_groups_cost_one_write_each(costs: Costs) -> None:
    """A start, a heartbeat, a swap in its groups, a refusal and an end that names them cost one write."""
    limiter, user_id = costs.limiter, costs.user_id
    a, b, c = (in_uhd(costs, name) for name in "abc")
    assert costs.of(lambda: limiter.start(a)) == ONE_WRITE
    assert costs.of(lambda: limiter.heartbeat(Heartbeat(user_id, "a"))) == ONE_WRITE
    assert costs.of(lambda: limiter.start(replace(b, replaces="a"))) == ONE_WRITE

    def refused() -> None:
        with pytest.raises(LimitReached) as refusal:
            limiter.start(c)
        assert refusal.value.full == Bound(1, "uhd")

    assert costs.of(refused) == ONE_WRITE
    assert costs.of(lambda: limiter.end(EndNamed(user_id, "b", groups=("hdr", "uhd")))) == ONE_WRITE
    assert costs.of(lambda: limiter.start(c)) == ONE_WRITE


def test_other_calls_about_groups_cost_two_writes(costs: Costs) -> None:
    """Each other call is rejected once, with a state that has what the second write needs."""
    limiter, user_id = costs.limiter, costs.user_id
    plain, grouped = costs.start("a"), in_uhd(costs, "a")
    assert costs.of(lambda: limiter.start(plain)) == ONE_WRITE
    assert costs.of(lambda: limiter.start(grouped)) == TWO_WRITES, "a live stream joins groups"
    assert costs.of(lambda: limiter.start(plain)) == TWO_WRITES, "and leaves them"
    assert costs.of(lambda: limiter.start(replace(in_uhd(costs, "b"), replaces="a"))) == TWO_WRITES
    assert costs.of(lambda: limiter.end(EndNamed(user_id, "b"))) == TWO_WRITES, "groups that are not named"
    limiter.start(in_uhd(costs, "c"))
    costs.clock.advance(93)
    assert costs.of(lambda: limiter.start(in_uhd(costs, "d"))) == TWO_WRITES, "an expired slot of the group"


def in_uhd(costs: Costs, stream_id: str) -> StartNamed:
    """Return a start in two groups, one of which has one slot."""
    groups, bounds = ("hdr", "uhd"), (Bound(1, "uhd"),)
    return replace(costs.start(stream_id), groups=groups, group_bounds=bounds)
