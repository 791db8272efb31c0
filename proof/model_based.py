"""Model-based: any sequence of requests, repeats and late packets works on a repository as on the model."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from typing import Final, cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from adapters.in_memory import InMemoryStreamRepository
from domain.attempt import Attempt
from domain.bounds import AsSeen, Bound
from domain.decisions import (
    Gone,
    Try,
    decide_end,
    decide_heartbeat,
    decide_start,
    first_end,
    first_heartbeat,
    first_start,
)
from domain.group_counts import RECOUNTS
from domain.group_counts import recount as recount_groups
from domain.policy import OnLimit, Policy
from domain.ports import Deadline, Landed, Rejected, StreamRepository
from domain.requests import EndAnonymous, EndNamed, Heartbeat, StartAnonymous, StartNamed, StartRequest
from domain.situation import Situation
from domain.streams import Snapshot
from domain.token_names import recount
from domain.transitions import after, permits
from domain.writes import Freed, ReleaseAnonymous, Repair, Write, group_names
from proof.harness.departures import Departures
from proof.harness.processes import spread
from proof.harness.report import Progress, Row
from testing.fakes import FakeClock
from testing.stores import EPOCH, Stores, Way, client_of, repository_over, stores

BATCH: Final = 10
STEPS: Final = 50

NAMES: Final = st.sampled_from("abcd")
KEYS: Final = st.sampled_from("123456")
GROUPS: Final = st.sampled_from([(), (), ("uhd",), ("away", "uhd"), ("hdr",)])
"""The groups, of which `hdr` has no limit."""

MAX_BACK: Final = 8
"""The total seconds that the clock goes back between a decision and its late packet; rarely more."""

AGES: Final = 1_000_000
"""The maximum age of a late packet's decision, in seconds."""

PLAYS: Final = st.none() | st.sampled_from(["load-1", "load-2"])


class Repositories(RuleBasedStateMachine):
    """One user's requests, each write made on every repository and on the model: all results must be equal.

    Args:
        repositories: the repositories under test.
    """

    def __init__(self, repositories: Sequence[StreamRepository]) -> None:
        super().__init__()
        self.repositories = repositories
        self.user = uuid.uuid4().hex
        self.clock = FakeClock(EPOCH)
        self.policy = Policy(lease_seconds=10, heartbeat_seconds=3, grace_seconds=2, anonymous_seconds=30)
        self.limit = 3
        self.group_limit = 1
        self.state = Snapshot()
        self.sent: list[Write] = []
        self.departures = Departures(self.policy, skew=MAX_BACK, processing=AGES)

    @rule(name=NAMES, replaces=st.none() | NAMES, play=PLAYS, groups=GROUPS)
    def start(self, name: str, replaces: str | None, play: str | None, groups: tuple[str, ...]) -> None:
        """Start a named stream, or let it join other groups."""
        replaces = None if replaces == name else replaces
        bounds = tuple(Bound(self.group_limit, group) for group in groups if group != "hdr")
        start = StartNamed(self.user, name, self.limit, f"device of {name}", replaces, play)
        if replaces is not None:
            self.departures.replaces[name].add(replaces)
        self._start(replace(start, groups=groups, group_bounds=bounds))

    @rule(key=KEYS)
    def start_anonymous(self, key: str) -> None:
        """Start a stream without a name, or repeat the start."""
        self._start(StartAnonymous(self.user, key, self.limit))

    @rule(name=NAMES, play=PLAYS)
    def beat(self, name: str, play: str | None) -> None:
        """Send a heartbeat of a stream that may not exist."""
        request, now = Heartbeat(self.user, name, play), self.clock.now()
        if self._write(first_heartbeat(request, self.policy, now).write):
            return
        decision = decide_heartbeat(Situation(self.state, request, self.policy, now))
        if isinstance(decision, Try):
            assert self._write(decision.write)  # noqa: S101 - no other request races with it
        if isinstance(decision, Gone):
            wrong = self.departures.wrong(request, decision, since=now)
            assert not wrong, wrong  # noqa: S101 - Hypothesis detects a failure by it

    @rule(name=NAMES, play=PLAYS, groups=GROUPS)
    def end(self, name: str, play: str | None, groups: tuple[str, ...]) -> None:
        """End a named stream, perhaps again, and perhaps with other groups."""
        request, now = EndNamed(self.user, name, play, groups), self.clock.now()
        if self._write(first_end(request, self.policy, now).write):
            return
        decision = decide_end(Situation(self.state, request, self.policy, now))
        if isinstance(decision, Try):
            assert self._write(decision.write)  # noqa: S101 - no other request races with it

    @rule()
    def repair(self) -> None:
        """Repair the state as an operator would."""
        now = self.clock.now()
        names = None
        if self.policy.token_overlap is not None:
            names = recount(self.state, None, (), self.policy.latest_expired(now))
        groups = recount_groups(self.state, self._groups(), Freed())
        retain_until = self.policy.retain_until(now)
        assert self._write(Repair(self.user, self.state, Freed(), retain_until, names, groups))  # noqa: S101 - no other request races with it

    @rule(group=st.sampled_from(["uhd", "away"]))
    def miscount(self, group: str) -> None:
        """Leave a group's count too high, as code from before groups does."""
        count = self.state.count(group)
        too_many = (AsSeen(count, count + 1, group),)
        self._write(Repair(self.user, self.state, Freed(), None, groups=too_many))

    @rule(key=KEYS)
    def end_anonymous(self, key: str) -> None:
        """End a stream without a name, perhaps again."""
        mark = EndAnonymous(self.user, key).mark
        self._write(ReleaseAnonymous(self.user, mark, self.policy.retain_until(self.clock.now())))

    @rule(data=st.data())
    @precondition(lambda self: self.sent)
    def late(self, data: st.DataObject) -> None:
        """Deliver a late packet, for the first time or again."""
        self._write(data.draw(st.sampled_from(self.sent[-8:])))

    @rule(seconds=st.sampled_from([-1, 1, 3, 9.5, 12, 13, 33]))
    def jump(self, seconds: float) -> None:
        """Move the clock on, or back by less than the grace."""
        self.clock.advance(seconds)

    @rule(
        limit=st.integers(0, 4),
        group_limit=st.integers(0, 3),
        on_limit=st.sampled_from(OnLimit),
        seconds=st.sampled_from([0, 30]),
        overlap=st.none() | st.sampled_from([1, 1, 2]),
    )
    def configure(
        self, limit: int, group_limit: int, on_limit: OnLimit, seconds: int, overlap: int | None
    ) -> None:
        """Change the limits and the policy; without an overlap the writes equal those of old code."""
        self.limit, self.group_limit = limit, group_limit
        self.policy = Policy(
            lease_seconds=10,
            heartbeat_seconds=3,
            grace_seconds=2,
            anonymous_seconds=seconds,
            on_limit=on_limit,
            token_overlap=overlap,
        )
        self.departures.may_evict |= on_limit is OnLimit.EVICT_OLDEST

    @invariant()
    def the_count_equals_its_parts(self) -> None:
        """Check the count after any sequence of calls."""
        assert self.state.stream_count == self.state.anonymous.count + len(self.state.leases)  # noqa: S101 - Hypothesis detects a failure by it

    @invariant()
    def no_group_has_more_streams_than_are_counted(self) -> None:
        """Allow for a miscount, which only adds: a late write that has seen another count changes nothing."""
        assert all(self.state.count(group) >= self.state.leases_in(group) for group in self._groups())  # noqa: S101 - Hypothesis detects a failure by it

    def teardown(self) -> None:
        """Check that a read returns the state of the last write."""
        deadline = Deadline.after(10, FakeClock())
        for repository in self.repositories:
            assert repository.read(self.user, deadline) == self.state  # noqa: S101 - Hypothesis detects a failure by it

    def _groups(self) -> set[str]:
        return {*self.state.groups, *group_names(self.state.leases.values())} - {RECOUNTS}

    def _start(self, request: StartRequest) -> None:
        if self._write(first_start(request, self.policy, self.clock.now()).write):
            return
        decision = decide_start(Attempt(self.state, request, self.policy, self.clock.now()))
        if isinstance(decision, Try):
            assert self._write(decision.write)  # noqa: S101 - no other request races with it

    def _write(self, write: Write) -> bool:
        self.sent.append(write)
        expected: Landed | Rejected = Rejected(self.state)
        if permits(self.state, write):
            before, self.state = self.state, after(self.state, write)
            self.departures.saw_write(before, self.state, self.clock.now())
            expected = Landed(self.state)
        for repository in self.repositories:
            assert repository.apply(write, Deadline.after(10, FakeClock())) == expected  # noqa: S101 - Hypothesis detects a failure by it
        return isinstance(expected, Landed)


def explore_batch(task: tuple[tuple[Way, ...], int]) -> str:
    """Play some examples over these stores; return what is wrong, or ""."""
    ways, number = task
    with ExitStack() as clients:
        over_stores = [repository_over(clients.enter_context(client_of(way))) for way in ways]
        # A factory works; the annotation is stricter than necessary.
        machine = cast(
            "type[Repositories]",
            seeded(number)(lambda: Repositories([InMemoryStreamRepository(), *over_stores])),
        )
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=BATCH,
                    stateful_step_count=STEPS,
                    database=None,
                    deadline=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
        except Exception as failure:  # noqa: BLE001 - any failure means that a repository differs from the model
            return repr(failure)
    return ""


def prove(
    seed: int,
    examples: int,
    progress: Progress,
    run: Callable[..., Iterable[str]] = spread,
    over: Stores = stores,
) -> list[Row]:
    """Play this many examples, each over all repositories at once."""
    goal = f"{examples:,} examples of {STEPS} steps, 0 differences"
    played = 0
    with over() as ways:
        tasks = ((ways[:2] if n % 2 else ways[2:], seed * 1_000_000 + n) for n in count())
        for wrong in run(explore_batch, tasks):
            played += BATCH
            if wrong:
                print("\n" + wrong)
                return [Row("model_based", f"broken after {played:,} examples", goal, met=False)]
            if not progress(played, examples) or played >= examples:
                break
    figure = f"{played:,} examples of {STEPS} steps, each over 3 repositories, 0 differences"
    return [Row("model_based", figure, goal, met=played >= examples)]
