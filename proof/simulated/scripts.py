"""Scripts that go for playback tokens: each starts streams for their tokens alone, and hardly waits."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Final

from domain.limiter import Reply
from domain.requests import EndNamed, Heartbeat, StartNamed
from proof.harness.requests import Request
from proof.simulated.players import USER, Service

REQUESTS: Final = 40
"""How many requests a script sends."""


def circle(number: int, limit: int) -> Iterator[Request]:
    """Start and end one fresh stream after the other."""
    for serial in count():
        yield StartNamed(USER, f"circle-{number}-{serial}", limit)
        yield EndNamed(USER, f"circle-{number}-{serial}")


def circle_of_replaces(number: int, limit: int) -> Iterator[Request]:
    """Let each fresh stream replace the one before."""
    yield StartNamed(USER, f"chain-{number}-0", limit)
    for serial in count(1):
        yield StartNamed(USER, f"chain-{number}-{serial}", limit, replaces=f"chain-{number}-{serial - 1}")


def same_names(number: int, limit: int) -> Iterator[Request]:
    """Start and end streams under few names, again and again; every second script has the same ones."""
    for serial in count():
        name = f"same-{number % 2}-{serial % (1 + number % 4)}"
        yield StartNamed(USER, name, limit)
        if serial % 3 == 0:
            yield Heartbeat(USER, name)
        yield EndNamed(USER, name)


def only_starts(number: int, limit: int) -> Iterator[Request]:
    """Start fresh streams and end none: each evicts one, where anybody is evicted."""
    for serial in count():
        yield StartNamed(USER, f"start-{number}-{serial}", limit)


KINDS: Final = (circle, circle_of_replaces, same_names, same_names, same_names, only_starts)


@dataclass
class Script:
    """One script: sends its requests one after another, whatever is answered."""

    number: int
    service: Service
    limit: int

    def play(self) -> None:
        """Send all of its requests. A start that is refused is sent again, with a fresh name."""
        world = self.service.world
        requests = map(self._grouped, world.random.choice(KINDS)(self.number, self.limit))
        haste = world.random.choice([0.02, 0.3, 1])
        for request in islice(requests, REQUESTS):
            answer = self.service.call(request)
            if not isinstance(answer, Reply):
                world.sleep(world.random.expovariate(1))
            world.sleep(world.random.expovariate(1 / haste))

    def _grouped(self, request: Request) -> Request:
        """Start each stream in some of the groups, where there are any."""
        if isinstance(request, StartNamed) and self.service.groups:
            return self.service.grouped(request, self.service.draw_groups())
        return request
