"""Threads of several processes race for the last slots: every free slot is granted, and no more."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any, Final

from adapters.aws.sdk import SdkApi
from domain.bounds import Bound
from domain.errors import StreamLimiterError
from domain.limiter import StreamLimiter
from domain.policy import OnLimit, Policy
from domain.ports import Deadline
from domain.requests import StartAnonymous, StartNamed, StartRequest
from domain.streams import AnonymousSlots, Lease, Snapshot
from proof.harness.processes import Barrier, Together
from proof.harness.report import Progress, Row
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

LIMIT: Final = 3
PROCESSES: Final = 2
BATCH: Final = 10
POLICY: Final = Policy(lease_seconds=10, heartbeat_seconds=3, grace_seconds=2, anonymous_seconds=60)
LIVE: Final = int(EPOCH) + 5
EXPIRED: Final = int(EPOCH) - 2
KINDS: Final = (
    *("start", "anonymous", "reclaim", "anonymous reclaim", "replaces", "evict", "names"),
    *("group", "group reclaim", "miscounted group", "group evict"),
)
OVERLAP: Final = 2
UHD: Final = ("uhd",)
"""A group with a limit of one stream."""


@dataclass(frozen=True)
class Trial:
    """One race.

    Attributes:
        user: the user whose slots they race for.
        kind: the kind of race.
        threads: threads per process.
        before: the state before the race.
        free: how many racers must be granted.
    """

    user: str
    kind: str
    threads: int
    before: Snapshot
    free: int

    @classmethod
    def draw(cls, seed: int, number: int) -> "Trial":
        """Return the trial of this number: the kinds take turns."""
        chance = Random(f"{seed} {number}")
        kind = KINDS[number % len(KINDS)]
        threads = chance.randint(12, 32) // PROCESSES
        user = f"race-{seed}-{number}"
        if kind in {"start", "anonymous"}:
            taken = chance.randint(0, LIMIT)
            return cls(user, kind, threads, _state(live=taken), LIMIT - taken)
        if kind == "reclaim":
            over = chance.randint(1, LIMIT)
            return cls(user, kind, threads, _state(live=LIMIT - over, over=over), over)
        if kind == "anonymous reclaim":
            return cls(user, kind, threads, _state(live=1, anonymous=2), 2)
        if kind == "names":  # expired tokens leave fewer names than slots
            spent = chance.randint(OVERLAP, LIMIT + OVERLAP)
            over = chance.randint(0, LIMIT + OVERLAP - spent)
            return cls(user, kind, threads, _spent(spent, over), LIMIT + OVERLAP - spent)
        if "group" in kind:
            before = _draw_grouped(kind, chance)
            return cls(user, kind, threads, before, 0 if "uhd-0" in before.leases and kind == "group" else 1)
        return cls(user, kind, threads, _state(live=LIMIT), 1 if kind == "replaces" else LIMIT)

    def request(self, stream_id: str) -> StartRequest:
        """Return one racer's request."""
        if self.kind.startswith("anonymous"):
            return StartAnonymous(self.user, stream_id, LIMIT)
        start = StartNamed(self.user, stream_id, LIMIT, None, "live-0" if self.kind == "replaces" else None)
        return replace(start, groups=UHD, group_bounds=(Bound(1, *UHD),)) if "group" in self.kind else start

    @property
    def evicts(self) -> bool:
        """True if a racer ends another's stream."""
        return self.kind.endswith("evict")

    def judge(self, answers: Counter[str], after: Snapshot) -> str:
        """Return what is wrong with the outcome, or ""."""
        if "group" in self.kind:
            return self._judge_group(answers, after)
        return self._judge_all(answers, after)

    def _judge_all(self, answers: Counter[str], after: Snapshot) -> str:
        slots = self.free if self.kind == "names" else LIMIT
        if after.stream_count != slots - (self.free - min(self.free, answers["granted"])):
            return f"{after.stream_count} slots are taken after {dict(answers)}"
        if after.stream_count != after.anonymous.count + len(after.leases):
            return "the count differs from its parts"
        if self.kind == "names" and len(after.tokens or ()) > LIMIT + OVERLAP:
            return f"{sorted(after.tokens or ())} may have tokens"
        if self.evicts:  # every racer gets in, or must try again
            return "" if set(answers) <= {"granted", "StoreContended"} else f"{dict(answers)}"
        if answers["granted"] != self.free:
            return f"{answers['granted']} were granted, and {self.free} slots were free"
        refused = "TooManyStarts" if self.kind == "names" and self.free < LIMIT else "LimitReached"
        return "" if set(answers) <= {"granted", refused} else f"{dict(answers)}"

    def _judge_group(self, answers: Counter[str], after: Snapshot) -> str:
        """Return what is wrong in a group of at most one stream; streams in no group must be left alone."""
        if (after.count(*UHD), after.leases_in(*UHD)) != (1, 1):
            return f"{after.count(*UHD)} are counted, {after.leases_in(*UHD)} are there after {dict(answers)}"
        if {name for name in self.before.leases if name.startswith("live")} - after.leases.keys():
            return f"{sorted(after.leases)} are there of {sorted(self.before.leases)}"
        if self.evicts:  # every racer gets in, or must try again
            return "" if set(answers) <= {"granted", "StoreContended"} else f"{dict(answers)}"
        if answers["granted"] != self.free or set(answers) - {"granted", "LimitReached"}:
            return f"{dict(answers)}, and {self.free} slots of the group were free"
        return ""


def _draw_grouped(kind: str, chance: Random) -> Snapshot:
    """Return a state with a stream in the group or none, and streams in no group."""
    taken = kind.endswith("evict") or (kind == "group" and chance.random() < 0.5)
    beside = _state(live=chance.randint(0, 2 if taken else 1))
    in_group = {"uhd-0": Lease("uhd-0", EXPIRED - 10, LIVE, groups=UHD)} if taken else {}
    over = {"over-0": Lease("over-0", EXPIRED - 10, EXPIRED, groups=UHD)} if kind == "group reclaim" else {}
    leases = {**beside.leases, **in_group, **over}
    counted = len(in_group) + len(over) + (kind == "miscounted group")
    groups = dict.fromkeys(UHD, counted) if counted else {}
    return Snapshot(len(leases), leases=leases, spent={}, groups=groups)


def _spent(good: int, over: int) -> Snapshot:
    """Return a state without streams, with spent tokens that are valid, and others that have expired."""
    spent = {f"good-{n}": LIVE for n in range(good)} | {f"over-{n}": EXPIRED for n in range(over)}
    return Snapshot(0, leases={}, tokens=frozenset(spent), spent=spent, groups={})


def _state(live: int = 0, over: int = 0, anonymous: int = 0) -> Snapshot:
    """Return a state with these numbers of live and dead named streams, and of dead anonymous ones."""
    names = {f"live-{n}": LIVE for n in range(live)} | {f"over-{n}": EXPIRED for n in range(over)}
    leases = {name: Lease(name, EXPIRED - 10, expiry) for name, expiry in names.items()}
    slots = AnonymousSlots(anonymous, EXPIRED) if anonymous else AnonymousSlots()
    # The default mappings cannot be pickled.
    return Snapshot(len(leases) + anonymous, slots, leases, spent={}, groups={})


def race(way: Way, trials: tuple[Trial, ...], process: int, start: Barrier) -> list[Counter[str]]:
    """Run this process's racers in each trial, simultaneously with those of the other processes."""
    sdk_client = sdk_client_of(way)
    results = []
    with client_of(way) as client:
        for trial in trials:
            if process == 0 and (trial.before.stream_count or trial.before.spent or trial.before.groups):
                sdk_client.put_item(TableName=TABLE, Item=item_of(trial.user, trial.before))
            start.wait()
            results.append(_race(client, trial, process))
    return results


def _race(client: Any, trial: Trial, process: int) -> Counter[str]:
    policy = replace(
        POLICY,
        on_limit=OnLimit.EVICT_OLDEST if trial.evicts else OnLimit.REJECT,
        token_overlap=OVERLAP if trial.kind == "names" else None,
    )
    limiter = StreamLimiter(repository_over(client), FakeClock(EPOCH), policy)
    gun = threading.Barrier(trial.threads)

    def run(number: int) -> str:
        request = trial.request(f"{process}-{number}")
        gun.wait()
        try:
            limiter.start(request)
        except StreamLimiterError as error:
            return type(error).__name__
        return "granted"

    with ThreadPoolExecutor(trial.threads) as racers:
        return Counter(racers.map(run, range(trial.threads)))


def prove(seed: int, trials: int, progress: Progress, over: Stores = stores) -> list[Row]:
    """Run this many races, alternating between the two stores."""
    raced, grants = 0, 0
    goal = f"{trials:,} trials of 12 to 32 threads, grants = free slots"
    with over() as ways, Together(PROCESSES) as together:
        looking: list[Callable[[str], Snapshot]] = [_look(way) for way in ways]
        for batch in count():
            drawn = tuple(Trial.draw(seed, batch * BATCH + n) for n in range(BATCH))
            shares = together.run(race, ways[batch % len(ways)], drawn)
            for trial, answers in zip(drawn, zip(*shares, strict=True), strict=True):
                total = sum(answers, Counter[str]())
                wrong = trial.judge(total, looking[batch % len(ways)](trial.user))
                raced, grants = raced + 1, grants + total["granted"]
                if wrong:
                    print(f"\n{trial}: {wrong}")
                    return [Row("contention", f"broken after {raced:,} trials: {wrong}", goal, met=False)]
            if not progress(raced, trials) or raced >= trials:
                break
    figure = f"{raced:,} trials in {PROCESSES} processes, {grants:,} grants, none too many or too few"
    return [Row("contention", figure, goal, met=raced >= trials)]


def _look(way: Way) -> Callable[[str], Snapshot]:
    repository = repository_over(SdkApi(sdk_client_of(way)))
    return lambda user: repository.read(user, Deadline.after(10, FakeClock(EPOCH)))
