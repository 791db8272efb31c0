"""Histories of racing clients over real stores, with lost replies, are linearizable.

The history is recorded at the adapter's calls to the store: the intended write, and the returned state. The
sequential object is the domain's meaning of a write. Users are independent, so each has a history of its own.
"""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import count
from math import inf
from random import Random
from typing import Any, Final

from adapters.aws.api import Operations
from adapters.aws.errors import ApiError, ErrorAnswer
from adapters.dynamodb.failures import CONDITION_FAILED
from adapters.dynamodb.items import snapshot
from domain.bounds import Bound
from domain.errors import StreamLimiterError
from domain.limiter import StreamLimiter
from domain.policy import OnLimit, Policy
from domain.ports import Deadline, Landed, Rejected
from domain.requests import EndAnonymous, EndNamed, Heartbeat, ListStreams, StartAnonymous, StartNamed
from domain.streams import Snapshot
from domain.transitions import after, permits
from domain.writes import Write
from proof.harness.checker import Model, Operation, Undecided, is_linearizable
from proof.harness.frozen import FrozenState
from proof.harness.processes import Barrier, Together
from proof.harness.report import Progress, Row
from proof.harness.requests import Request, serve
from testing.fakes import FakeClock
from testing.stores import EPOCH, Stores, Way, client_of, repository_over, stores
from testing.wire import Wire, late, lost_after, lost_before, server_error

MAX_OPERATIONS: Final = 200
THREADS: Final = 4
MAX_CALLS: Final = 24
PROCESSES: Final = 2
BATCH: Final = 5
POLICY: Final = Policy(lease_seconds=10, heartbeat_seconds=3, grace_seconds=2, anonymous_seconds=60)
GROUPS: Final = ((), (), ("uhd",), ("hdr", "uhd"))
"""The groups, of which `hdr` has no limit."""

FAULTS: Final = (lost_before, lost_after, late, server_error)


def apply(state: FrozenState, write: Write | None) -> tuple[FrozenState, tuple[bool, FrozenState]]:
    """Apply a write, or a read (`None`): return the new state, and the result: landed or not, and a state."""
    snapshot = state.snapshot
    if write is None:
        return state, (True, state)
    if not permits(snapshot, write):
        return state, (False, state)
    landed = FrozenState.of(after(snapshot, write))
    return landed, (True, landed)


def is_silent(write: Write | None, result: tuple[bool, FrozenState]) -> bool:
    """Return whether the action certainly changes nothing: a read, or a rejected write."""
    landed, _ = result
    return write is None or not landed


MODEL: Final = Model(FrozenState.of(Snapshot()), apply, is_silent)


class Recorder:
    """A `StreamRepository` over DynamoDB that records each attempt, and how it ended.

    Args:
        client: the service's client.
    """

    def __init__(self, client: Operations) -> None:
        self._client = client
        self._repository = repository_over(self)
        self._under_way: Write | None = None
        self.history: list[Operation] = []

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
        """Make the change."""
        self._under_way = write
        return self._repository.apply(write, deadline)

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:
        """Return the user's state."""
        return self._repository.read(user_id, deadline)

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one attempt at an operation."""
        return self._write(request) if operation == "UpdateItem" else self._get(request)

    def _write(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one attempt at the write that is under way."""
        called = time.monotonic()
        try:
            answer = self._client.call("UpdateItem", request)
        except ApiError as error:
            if isinstance(error, ErrorAnswer) and error.code == CONDITION_FAILED:
                self._record(called, self._under_way, (False, error.item))
            else:
                self.history.append(Operation(called, inf, self._under_way, None))
            raise
        self._record(called, self._under_way, (True, answer["Attributes"]))
        return answer

    def _get(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one attempt at a read; one that fails has no visible effect."""
        called = time.monotonic()
        answer = self._client.call("GetItem", request)
        self._record(called, None, (True, answer.get("Item", {})))
        return answer

    def _record(self, called: float, action: Write | None, result: tuple[bool, Any]) -> None:
        returned = time.monotonic()
        landed, item = result
        self.history.append(Operation(called, returned, action, (landed, FrozenState.of(snapshot(item)))))


def _requests(user: str, chance: Random, thread: int) -> Iterable[Request | ListStreams]:
    """Yield one client's requests: named and anonymous starts, ends, heartbeats, replacements, reads."""
    limit = chance.choice([1, 2, 3])
    for number in range(chance.randint(2, MAX_CALLS)):
        name, other = chance.sample("abcde", 2)
        key = f"{thread}-{number}"
        groups = chance.choice(GROUPS)
        bounds = tuple(Bound(chance.choice([1, 2]), group) for group in groups if group != "hdr")
        start = StartNamed(user, name, limit, groups=groups, group_bounds=bounds)
        requests: list[Request | ListStreams] = [
            start,
            replace(start, replaces=other),
            StartAnonymous(user, key, limit),
            EndAnonymous(user, key),
            EndNamed(user, name, groups=chance.choice(GROUPS)),
            Heartbeat(user, name),
            ListStreams(user, limit),
        ]
        yield chance.choice(requests)


def record(way: Way, users: tuple[str, ...], process: int, start: Barrier) -> list[list[Operation]]:
    """Record the histories of this process's threads, simultaneously with those of the other processes."""
    histories = []
    with client_of(way) as client:
        wire = Wire(client)
        for user in users:
            start.wait()
            histories.append(_record_user(client, wire, user, process))
    return histories


def _record_user(client: Any, wire: Wire, user: str, process: int) -> list[Operation]:
    chance = Random(f"{user} {process}")
    # The two processes may differ in mode, and one may be code from before tokens.
    policy = replace(
        POLICY, on_limit=chance.choice(list(OnLimit)), token_overlap=chance.choice([None, 1, 1, 2])
    )
    clock = FakeClock(EPOCH)

    def work(thread: int) -> list[Operation]:
        own = Random(f"{user} {thread}")
        recorder = Recorder(client)
        limiter = StreamLimiter(recorder, clock, policy)
        for request in _requests(user, own, thread):
            if own.random() < 0.2:
                wire.break_next(own.choice(FAULTS))
            if own.random() < 0.1:
                clock.advance(own.choice([1, 7, 12]))
            with suppress(StreamLimiterError):  # a refusal is an answer too
                if isinstance(request, ListStreams):
                    limiter.list_streams(request)
                else:
                    serve(limiter, request)

        return recorder.history

    with ThreadPoolExecutor(THREADS) as clients:
        histories = clients.map(work, range(process * THREADS, (process + 1) * THREADS))
        return [operation for history in histories for operation in history]


def prove(seed: int, histories: int, progress: Progress, over: Stores = stores) -> list[Row]:
    """Record and check this many histories, alternating between the two stores."""
    checked = longest = unknown = 0
    seconds = 0.0
    goal = f"{histories:,} histories of up to {MAX_OPERATIONS} operations, all linearizable"
    with over() as ways, Together(PROCESSES) as together:
        for batch in count():
            users = tuple(f"history-{seed}-{batch}-{number}" for number in range(BATCH))
            shares = together.run(record, ways[batch % len(ways)], users)
            for user, parts in zip(users, zip(*shares, strict=True), strict=True):
                history = [operation for part in parts for operation in part]
                began = time.monotonic()
                wrong = _wrong(history)
                if wrong:
                    print(f"\n{wrong}, of {user}:", *sorted(history, key=_call), sep="\n")
                    figure = f"broken after {checked:,} histories: {wrong}"
                    return [Row("linearizability", figure, goal, met=False)]
                seconds += time.monotonic() - began
                checked += 1
                longest = max(longest, len(history))
                unknown += sum(not operation.is_known for operation in history)
            if not progress(checked, histories) or checked >= histories:
                break
    figure = (
        f"{checked:,} histories of up to {longest} operations, {unknown:,} of unknown outcome,"
        f" all linearizable; checked in {seconds:.0f} s"
    )
    return [Row("linearizability", figure, goal, met=checked >= histories)]


def _wrong(history: list[Operation]) -> str:
    """Return what is wrong with a history, or "" if an order explains it."""
    try:
        return "" if is_linearizable(history, MODEL) else "not linearizable"
    except Undecided:
        return "undecided"


def _call(operation: Operation) -> float:
    return operation.called
