"""Scripts that collect playback tokens: each starts streams only for their tokens, and hardly waits."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Final

from domain.limiter import Reply
from domain.requests import EndNamed, Heartbeat, StartNamed
from proof.harness.requests import Request
from proof.simulated.players import USER, Service

REQUESTS: Final = 40
"""The number of requests that a script sends."""


def circle(number: int, limit: int) -> Iterator[Request]:
    """Start and end one new stream after the other."""
    for serial in count():
        yield StartNamed(USER, f"circle-{number}-{serial}", limit)
        yield EndNamed(USER, f"circle-{number}-{serial}")


def circle_of_replaces(number: int, limit: int) -> Iterator[Request]:
    """Let each new stream replace the previous one."""
    yield StartNamed(USER, f"chain-{number}-0", limit)
    for serial in count(1):
        yield StartNamed(USER, f"chain-{number}-{serial}", limit, replaces=f"chain-{number}-{serial - 1}")


def same_names(number: int, limit: int) -> Iterator[Request]:
    """Repeatedly start and end streams under few names; every second script has the same ones."""
    for serial in count():
        name = f"same-{number % 2}-{serial % (1 + number % 4)}"
        yield StartNamed(USER, name, limit)
        if serial % 3 == 0:
            yield Heartbeat(USER, name)
        yield EndNamed(USER, name)


def only_starts(number: int, limit: int) -> Iterator[Request]:
    """Start new streams and end none: each evicts one if the policy evicts."""
    for serial in count():
        yield StartNamed(USER, f"start-{number}-{serial}", limit)


KINDS: Final = (circle, circle_of_replaces, same_names, same_names, same_names, only_starts)


@dataclass
class Script:
    """One script: sends its requests one after another, regardless of the answers."""

    number: int
    service: Service
    limit: int

    def play(self) -> None:
        """Send all of its requests. A refused start is sent again with a new name."""
        world = self.service.world
        requests = map(self._grouped, world.random.choice(KINDS)(self.number, self.limit))
        haste = world.random.choice([0.02, 0.3, 1])
        for request in islice(requests, REQUESTS):
            answer = self.service.call(request)
            if not isinstance(answer, Reply):
                world.sleep(world.random.expovariate(1))
            world.sleep(world.random.expovariate(1 / haste))

    def _grouped(self, request: Request) -> Request:
        """Put each start in some of the groups, if any."""
        if isinstance(request, StartNamed) and self.service.groups:
            return self.service.grouped(request, self.service.draw_groups())
        return request
