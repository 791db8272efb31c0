"""Apply-then-lose: each write of each operation in turn meets a failing network under botocore.

A run is one operation of one user, whose requests to the store fail one to three times, with up to three
other requests of the same user in between. Its end must equal that of the same requests made one after the
other over a reliable network, in one of their orders.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any, Final

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ReadTimeoutError

from adapters.aws.sdk import SdkApi
from adapters.in_memory import InMemoryStreamRepository
from domain.bounds import Bound
from domain.errors import Refusal, StreamLimiterError
from domain.limiter import StreamLimiter
from domain.policy import OnLimit, Policy
from domain.ports import Deadline, StreamRepository
from domain.requests import EndAnonymous, EndNamed, Heartbeat, StartAnonymous, StartNamed
from domain.streams import Snapshot
from proof.harness.processes import spread
from proof.harness.report import Progress, Row
from proof.harness.requests import Request, serve
from testing.fakes import FakeClock
from testing.stores import (
    EPOCH,
    TABLE,
    Stores,
    Way,
    client_of,
    item_of,
    repository_over,
    sdk_client_of,
    stores,
)
from testing.wire import (
    Fault,
    Send,
    Wire,
    after_other,
    late,
    lost_after,
    lost_before,
    server_error,
    throttled,
)

LIMIT: Final = 3
BATCH: Final = 50
POLICY: Final = Policy(lease_seconds=10, heartbeat_seconds=3, grace_seconds=2, anonymous_seconds=60)
EVICTING: Final = replace(POLICY, on_limit=OnLimit.EVICT_OLDEST)
TOKENS: Final = replace(POLICY, token_overlap=1)


@dataclass(frozen=True)
class Case:
    """One operation, the state before it, and the number of its writes without failures.

    Attributes:
        before: requests that come first, each with the seconds after it.
        request: the operation, for a user.
        writes: the number of its writes.
    """

    before: Sequence[tuple[Callable[[str], Request], float]]
    request: Callable[[str], Request]
    writes: int = 1
    policy: Policy = POLICY


def _named(name: str, replaces: str | None = None) -> Callable[[str], Request]:
    return lambda user: StartNamed(user, name, LIMIT, None, replaces)


def _anonymous(key: str) -> Callable[[str], Request]:
    return lambda user: StartAnonymous(user, key, LIMIT)


def _ended(name: str) -> Callable[[str], Request]:
    return lambda user: EndNamed(user, name)


def _in_group(name: str, replaces: str | None = None) -> Callable[[str], Request]:
    return lambda user: _of_group(StartNamed(user, name, LIMIT, None, replaces), 1)


def _of_group(start: StartNamed, limit: int) -> StartNamed:
    return replace(start, groups=("uhd",), group_bounds=(Bound(limit, "uhd"),))


TV, PHONE = (_named("tv"), 0.0), (_named("phone"), 0.0)
ONE, TWO = (_anonymous("one"), 0.0), (_anonymous("two"), 0.0)
SPENT: Final = [step for name in "abc" for step in ((_named(name), 0.0), (_ended(name), 0.0))]
"""Three names of the four that may have a token."""

CASES: Final = {
    "first anonymous start": Case([], _anonymous("it")),
    "anonymous start of the last slot": Case([ONE, TV], _anonymous("it")),
    "anonymous start at the limit": Case([ONE, TWO, TV], _anonymous("it")),
    "anonymous end": Case([ONE, TWO], lambda user: EndAnonymous(user, "it")),
    "last anonymous end": Case([ONE], lambda user: EndAnonymous(user, "it")),
    "anonymous end of nothing": Case([TV], lambda user: EndAnonymous(user, "it")),
    "first named start": Case([], _named("it")),
    "named start of the last slot": Case([ONE, TV], _named("it")),
    "named start at the limit": Case([ONE, TV, PHONE], _named("it")),
    "start that replaces": Case([ONE, TV, PHONE], _named("it", "phone")),
    "start that replaces what is gone": Case([TV], _named("it", "phone"), writes=2),
    "start that comes back": Case([(_named("it"), 9.0)], _named("it"), writes=2),
    "start that renews and replaces": Case([TV, (_named("it"), 0.0)], _named("it", "tv"), writes=2),
    "heartbeat": Case([(_named("it"), 4.0)], lambda user: Heartbeat(user, "it")),
    "heartbeat of a stream that is gone": Case([TV], lambda user: Heartbeat(user, "it")),
    "named end": Case([(_named("it"), 0.0), TV], lambda user: EndNamed(user, "it")),
    "named start that reclaims": Case([TV, PHONE, (_named("old"), 13.0)], _named("it"), writes=2),
    "anonymous start that reclaims": Case(
        [ONE, TWO, (_anonymous("three"), 63.0)], _anonymous("it"), writes=2
    ),
    "start that evicts": Case([TV, PHONE, (_named("old"), 1.0)], _named("it"), 2, EVICTING),
    "anonymous start that evicts": Case([TV, PHONE, (_anonymous("one"), 1.0)], _anonymous("it"), 2, EVICTING),
    "start of the last name": Case(SPENT, _named("it"), policy=TOKENS),
    "start of one name too many": Case([*SPENT, TV], _named("it"), policy=TOKENS),
    "start that forgets names": Case([*SPENT, (_named("tv"), 13.0)], _named("it"), 2, TOKENS),
    "start under a spent name": Case([*SPENT, TV], _named("a"), policy=TOKENS),
    "start that replaces, with tokens": Case([TV], _named("it", "tv"), policy=TOKENS),
    "heartbeat with tokens": Case([TV, (_named("it"), 4.0)], lambda user: Heartbeat(user, "it"), 1, TOKENS),
    "end with tokens": Case([TV, (_named("it"), 4.0)], _ended("it"), 1, TOKENS),
    "start in a group": Case([TV], _in_group("it")),
    "start in a group at its limit": Case([(_in_group("tv"), 0.0)], _in_group("it")),
    "start that replaces within a group": Case([PHONE, (_in_group("tv"), 0.0)], _in_group("it", "tv")),
    "start that replaces across groups": Case([PHONE, TV], _in_group("it", "tv"), writes=2),
    "start that joins a group": Case([TV, (_named("it"), 0.0)], _in_group("it"), writes=2),
    "start that reclaims in a group": Case([(_in_group("old"), 13.0), TV], _in_group("it"), writes=2),
    "start that evicts in a group": Case([TV, (_in_group("old"), 1.0)], _in_group("it"), 2, EVICTING),
    "end that names the groups": Case(
        [(_in_group("it"), 0.0), TV], lambda user: EndNamed(user, "it", groups=("uhd",))
    ),
    "end that names no groups": Case([(_in_group("it"), 0.0), TV], _ended("it"), writes=2),
}
OTHERS: Final[tuple[Callable[[str, int], Request], ...]] = (
    lambda user, n: StartAnonymous(user, f"other-{n}", LIMIT),
    lambda user, n: StartNamed(user, f"other-{n}", LIMIT),
    lambda user, n: EndAnonymous(user, f"other-{n}"),
    lambda user, _: EndNamed(user, "tv"),
    lambda user, n: _of_group(StartNamed(user, f"other-{n}", LIMIT), 2),
)
MARKED: Final = 3
"""The maximum of other requests in between: a repeat is recognised after fewer than four."""


def delayed(then: "list[Callable[[], object]]") -> Fault:
    """Return a fault: the client gives up, and only then does the request reach the store."""

    def fault(request: AWSPreparedRequest, send: Send) -> Any:
        then.append(lambda: send(request))
        raise ReadTimeoutError(endpoint_url=request.url)

    return fault


FAULTS: Final[tuple[Fault, ...]] = (lost_before, lost_after, late, throttled, server_error)


@dataclass(frozen=True)
class End:
    """The visible end of a run: whether the operation was granted, and the slots, names and groups."""

    granted: bool
    slots: int
    anonymous: int
    names: tuple[str, ...]
    counted: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, state: Snapshot, *, granted: bool) -> "End":
        """Return the end with this state."""
        names, counted = tuple(sorted(state.leases)), tuple(sorted(state.tokens or ()))
        groups = tuple(sorted(state.groups.items()))
        return cls(granted, state.stream_count, state.anonymous.count, names, counted, groups)


@dataclass(frozen=True)
class Verdict:
    """One run: its outcome, and what is wrong with it, or ""."""

    story: str
    wrong: str = ""


def call(limiter: StreamLimiter, request: Request) -> bool:
    """Make one request; return whether it was granted."""
    try:
        serve(limiter, request)
    except Refusal:
        return False
    return True


class Run:
    """One run, determined by its number.

    Args:
        number: its place among all runs: operations, faults and lengths take turns.
        user: the user whose streams it starts and ends, and the seed of its random choices.
    """

    def __init__(self, number: int, user: str) -> None:
        chance = Random(f"{user}")
        names = list(CASES)
        self.name = names[number % len(names)]
        self.case = CASES[self.name]
        number //= len(names)
        self.fault_number = number % (len(FAULTS) + 1)
        number //= len(FAULTS) + 1
        self.failures = 1 + number % 3
        number //= 3
        self.skipped = number % self.case.writes
        self.user = user
        self.others = [chance.choice(OTHERS)(user, n) for n in range(chance.choice([0, 0, 1, 2, MARKED]))]

    def play(self, wire: Wire, unreliable: StreamRepository, api: Any) -> Verdict:
        """Play it, and judge; `wire` fails only `unreliable`, and the network of `api` never fails."""
        reliable = repository_over(SdkApi(api))
        clock = FakeClock(EPOCH)
        limiter = StreamLimiter(unreliable, clock, self.case.policy)
        calm = StreamLimiter(reliable, clock, self.case.policy)
        self._put(api, clock)
        stray: list[Callable[[], object]] = []
        fault = (*FAULTS, delayed(stray))[self.fault_number]
        first = after_other(lambda: [call(calm, other) for other in self.others], fault)
        if fault in {lost_before, throttled, server_error} or self.fault_number == len(FAULTS):
            first = self._others_first(calm, fault)
        wire.break_next(*[None] * self.skipped, first, *[fault] * (self.failures - 1))
        story = (
            f"{self.name}, fault {self.fault_number} x {self.failures} after {self.skipped}, {self.others}"
        )
        try:
            granted = call(limiter, self.case.request(self.user))
        except StreamLimiterError as error:
            return Verdict(story, f"no answer: {error!r}")
        finally:
            wire.forget()
        deadline = Deadline.after(10, clock)
        for send in stray:  # requests in flight finally reach the store
            send()
        end = End.of(reliable.read(self.user, deadline), granted=granted)
        return Verdict(story, self._judge(end))

    def _others_first(self, calm: StreamLimiter, fault: Fault) -> Fault:
        def first(request: AWSPreparedRequest, send: Send) -> Any:
            for other in self.others:
                call(calm, other)
            return fault(request, send)

        return first

    def _put(self, api: Any, clock: FakeClock) -> None:
        """Create the state before the operation in memory, and put it into the store as one item."""
        before = InMemoryStreamRepository()
        self._prepare(StreamLimiter(before, clock, self.case.policy), clock)
        state = before.read(self.user, Deadline.after(1, clock))
        if state != Snapshot():
            api.put_item(TableName=TABLE, Item=item_of(self.user, state))

    def _prepare(self, limiter: StreamLimiter, clock: FakeClock) -> None:
        for request, seconds in self.case.before:
            call(limiter, request(self.user))
            clock.advance(seconds)

    def _judge(self, end: End) -> str:
        """Return what is wrong with this end, or "" if one of the orders of the same requests ends so."""
        if end.slots != end.anonymous + len(end.names):
            return f"leaked slot: {end}"
        expected = set(self._ends())
        if end in expected:
            return ""
        if end.granted is False and all(other.granted for other in expected):
            return f"phantom refusal: {end}"
        if end.slots > max(other.slots for other in expected):
            return f"double grant: {end}"
        return f"another end: {end}, none of {expected}"

    def _ends(self) -> Iterator[End]:
        """Yield the permitted ends: the operation before, between or after the others, in their order."""
        it = self.case.request(self.user)
        for place in range(len(self.others) + 1):
            store = InMemoryStreamRepository()
            clock = FakeClock(EPOCH)
            limiter = StreamLimiter(store, clock, self.case.policy)
            self._prepare(limiter, clock)
            for other in self.others[:place]:
                call(limiter, other)
            granted = call(limiter, it)
            for other in self.others[place:]:
                call(limiter, other)
            yield End.of(store.read(self.user, Deadline.after(1, clock)), granted=granted)


def play_batch(task: tuple[Way, int, int]) -> list[Verdict]:
    """Play the runs from this number on, in this way, with this seed."""
    way, seed, first = task
    with client_of(way) as client:
        wire = Wire(client)
        unreliable, api = repository_over(client), sdk_client_of(way)
        return [
            Run(number, f"faults-{seed}-{number}").play(wire, unreliable, api)
            for number in range(first, first + BATCH)
        ]


def prove(
    seed: int,
    runs: int,
    progress: Progress,
    run: Callable[..., Iterable[list[Verdict]]] = spread,
    over: Stores = stores,
) -> list[Row]:
    """Play this many runs, alternating between the two stores."""
    played: list[Verdict] = []
    goal = f"{runs:,} runs, 0 double grants, 0 phantom refusals, 0 leaked slots"
    with over() as ways:
        tasks = ((ways[n % len(ways)], seed, n * BATCH) for n in count())
        for verdicts in run(play_batch, tasks):
            played += verdicts
            wrong = next((verdict for verdict in verdicts if verdict.wrong), None)
            if wrong:
                print(f"\n{wrong.story}: {wrong.wrong}")
                return [Row("faults", f"broken after {len(played):,} runs: {wrong.wrong}", goal, met=False)]
            if not progress(len(played), runs) or len(played) >= runs:
                break
    figure = f"{len(played):,} runs, 0 double grants, 0 phantom refusals, 0 leaked slots"
    return [Row("faults", figure, goal, met=len(played) >= runs)]
