"""A world in which a seed decides everything: time, hosts, and a network that fails.

Every request in flight is a greenlet: the real use cases run in it, and each of their calls to the store
waits for the world, which processes events in the order of their times.
"""

import hashlib
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from greenlet import GreenletExit, getcurrent, greenlet

from adapters.aws.errors import ApiError, ErrorAnswer, NoAnswer
from testing.simulated_dynamodb import SimulatedDynamoDb

EPOCH: Final = 2_000_000_000.0
ATTEMPT_SECONDS: Final = 0.7
"""The time that a host waits for the store's answer."""

LATEST_SECONDS: Final = 2.5
"""The maximum delay of a request to the store."""

FAULTS: Final = (
    "lost_before",
    "lost_after",
    "late",
    "twice",
    "throttled",
    "failed_before",
    "failed_after",
    "host_crash",
)
STORY_LINES: Final = 60


class World:
    """The events of one episode, in order.

    Args:
        seed: decides everything.
        faults: the `FAULTS` that happen to requests on their way to the store.

    Attributes:
        time: the true time.
        steps: the number of events.
        story: the last events, in words.
    """

    def __init__(self, seed: int, faults: tuple[str, ...] = FAULTS) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.store = SimulatedDynamoDb()
        self.time = EPOCH
        self.steps = 0
        self.story: deque[str] = deque(maxlen=STORY_LINES)
        self.after_write: Callable[[Mapping[str, Any], dict[str, Any], dict[str, Any]], None] = lambda *_: (
            None
        )
        self._events: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._hash = hashlib.blake2b(digest_size=16)
        self._hub = getcurrent()

    @property
    def trace(self) -> str:
        """Return a hash of all events."""
        return self._hash.hexdigest()

    def note(self, *what: object) -> None:
        """Record an event, for the trace and the story."""
        line = f"{self.time - EPOCH:9.3f} {' '.join(map(str, what))}"
        self._hash.update(line.encode())
        self.story.append(line)

    def after(self, seconds: float, action: Callable[..., object], *arguments: Any) -> None:
        """Schedule an action after this delay."""
        heapq.heappush(self._events, (self.time + seconds, next(self._order), action, arguments))

    def step(self) -> bool:
        """Process the next event; return whether there was one."""
        if not self._events:
            return False
        self.time, _, action, arguments = heapq.heappop(self._events)
        self.steps += 1
        action(*arguments)
        return True

    def spawn(self, activity: Callable[[], object]) -> None:
        """Start an activity now; it may `sleep` and `wait`."""
        greenlet(activity, parent=self._hub).switch()

    def sleep(self, seconds: float) -> None:
        """Let time pass for the activity that calls this."""
        waiting = Waiting()
        self.after(seconds, waiting.answer, None)
        self.wait(waiting)

    def wait(self, waiting: "Waiting") -> Any:
        """Process events until there is an answer."""
        self._hub.switch()
        if waiting.error is not None:
            raise waiting.error
        return waiting.value

    def close(self) -> None:
        """Drop everything in flight."""
        self._events.clear()


@dataclass
class Waiting:
    """An activity that waits for the first of its answers."""

    activity: Any = field(default_factory=getcurrent)
    value: Any = None
    error: BaseException | None = None
    over: bool = False

    def answer(self, value: Any, error: BaseException | None = None) -> None:
        """Give an answer; all but the first are ignored."""
        if self.over:
            return
        self.over, self.value, self.error = True, value, error
        self.activity.switch()


@dataclass(frozen=True)
class Host:
    """One function instance: a `Clock` that is off, and the operations of DynamoDB over the network."""

    world: World
    name: str
    skew: float
    fault_rate: float

    def now(self) -> float:
        """Return epoch seconds by this host's clock."""
        return self.world.time + self.skew

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self.world.time

    def sleep(self, seconds: float) -> None:
        """Let time pass for the request that is served."""
        self.world.sleep(seconds)

    def call(self, operation: str, request: Mapping[str, Any]) -> Any:
        """Make one attempt over the network."""
        return self._send(self._update if operation == "UpdateItem" else self.world.store.get_item, request)

    def _update(self, request: Mapping[str, Any]) -> Any:
        key = request["Key"]["userId"]["S"]
        before = self.world.store.items.get(key, {})
        answer = self.world.store.update_item(request)
        self.world.after_write(request, before, answer["Attributes"])
        return answer

    def _send(self, operation: Callable[..., Any], request: Mapping[str, Any]) -> Any:
        world, chance = self.world, self.world.random
        fault = chance.choice(world.faults) if world.faults and chance.random() < self.fault_rate else None
        if fault is not None:
            world.note(self.name, "its request to the store fares:", fault)
        waiting = Waiting()
        world.after(ATTEMPT_SECONDS, waiting.answer, None, NoAnswer("too late"))
        delay = chance.expovariate(100)
        if fault == "host_crash":
            raise GreenletExit  # its request is on its way
        if fault == "lost_before":
            world.after(delay, waiting.answer, None, NoAnswer("lost"))
        elif fault in {"throttled", "failed_before"}:
            world.after(delay, waiting.answer, None, _store_error(fault))
        else:
            late = chance.uniform(ATTEMPT_SECONDS, LATEST_SECONDS) if fault == "late" else 0
            world.after(delay + late, self._arrive, operation, request, waiting, fault)
        if fault == "twice":
            world.after(chance.uniform(0, LATEST_SECONDS), self._arrive, operation, request, waiting, fault)
        return world.wait(waiting)

    def _arrive(
        self, operation: Callable[..., Any], request: Mapping[str, Any], waiting: Waiting, fault: str | None
    ) -> None:
        world = self.world
        answer: Any = None
        error: Exception | None = None
        try:
            answer = operation(request)
        except ApiError as refused:
            error = refused
        if fault == "lost_after":
            return
        if fault == "failed_after":
            error = _store_error(fault)
        world.after(world.random.expovariate(100), waiting.answer, answer, error)


def _store_error(fault: str) -> ErrorAnswer:
    if fault == "throttled":
        return ErrorAnswer("ProvisionedThroughputExceededException", 400)
    return ErrorAnswer("InternalServerError", 500)
