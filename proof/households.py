"""The frequency with which starts of honest households are postponed (`too_many_starts`).

Each story is played through the real use cases, with the usual timing of the page and the policy's default
lease. A screen keeps its name across plays and reloads, as the clients do, or takes a new one each time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, product
from typing import Final

from adapters.in_memory import InMemoryStreamRepository
from domain.errors import TooManyStarts
from domain.limiter import StreamLimiter
from domain.policy import Policy
from domain.requests import EndNamed, Heartbeat, StartNamed
from proof.harness.report import Progress, Row
from testing.fakes import FakeClock
from testing.stores import EPOCH

LIMITS: Final = (1, 2, 3)
OVERLAPS: Final = (1, 2, 3, 4, 5)
DEFAULT_OVERLAP: Final = 2
USER: Final = "household"


class Home:
    """One user's screens. Other screens keep all but one of its slots.

    Args:
        limit: the limit of streams.
        overlap: how many more streams may have a token.
        keeps_names: whether a screen keeps one name.

    Attributes:
        starts: the number of starts.
        postponed: the number of postponed starts.
    """

    def __init__(self, limit: int, overlap: int, *, keeps_names: bool) -> None:
        self._clock = FakeClock(EPOCH)
        policy = Policy(token_overlap=overlap)
        self._limiter = StreamLimiter(InMemoryStreamRepository(), self._clock, policy)
        self._limit = limit
        self._keeps_names = keeps_names
        self._serial = count()
        self._playing: dict[str, str] = {}
        self.starts = self.postponed = 0
        for other in range(limit - 1):
            self.start(f"other-{other}")

    def start(self, screen: str, *, replaces: bool = False) -> None:
        """Play something on a screen; `replaces` passes its slot to the next play."""
        before = self._playing.get(screen)
        name = screen if self._keeps_names else f"{screen}-{next(self._serial)}"
        replaced = before if replaces and before != name else None
        self.starts += 1
        try:
            self._limiter.start(StartNamed(USER, name, self._limit, replaces=replaced))
        except TooManyStarts:
            self.postponed += 1
        else:
            self._playing[screen] = name

    def end(self, screen: str) -> None:
        """Stop."""
        name = self._playing.pop(screen, None)
        if name is not None:
            self._limiter.end(EndNamed(USER, name))

    def watch(self, seconds: int) -> None:
        """Let time pass; every screen that plays sends its heartbeats."""
        for second in range(1, seconds + 1):
            self._clock.advance(1)
            if second % 30 == 0:
                for name in self._playing.values():
                    self._limiter.heartbeat(Heartbeat(USER, name))


def reloads(home: Home) -> None:
    """Reload the page three times in a minute."""
    home.start("tv")
    for _ in range(3):
        home.watch(15)
        home.end("tv")
        home.watch(1)
        home.start("tv")


def hop(home: Home) -> None:
    """Go from the tv to the phone, back, to the tablet and back, half a minute each."""
    for screen in ("tv", "phone", "tv", "tablet", "tv"):
        home.start(screen)
        home.watch(30)
        home.end(screen)


def zapping(home: Home) -> None:
    """Look at ten channels, four seconds each."""
    home.start("tv")
    for _ in range(9):
        home.watch(4)
        home.start("tv", replaces=True)


def next_episodes(home: Home) -> None:
    """Watch four episodes of twenty minutes in a row."""
    home.start("tv")
    for _ in range(3):
        home.watch(1200)
        home.start("tv", replaces=True)


def trailers(home: Home) -> None:
    """Watch ten trailers of fifteen seconds, with a look at the list in between."""
    for _ in range(10):
        home.start("tv")
        home.watch(15)
        home.end("tv")
        home.watch(3)


STORIES: Final[dict[str, Callable[[Home], None]]] = {
    "three reloads in a minute": reloads,
    "tv, phone, tv, tablet, tv": hop,
    "zapping": zapping,
    "next episodes": next_episodes,
    "quick trailers": trailers,
}


@dataclass(frozen=True)
class Outcome:
    """The number of starts that were postponed in one story."""

    story: str
    keeps_names: bool
    limit: int
    overlap: int
    starts: int
    postponed: int


def outcomes() -> Iterator[Outcome]:
    """Play every story, under every limit and overlap, with kept and with new names."""
    for (name, story), keeps, limit, overlap in product(STORIES.items(), (True, False), LIMITS, OVERLAPS):
        home = Home(limit, overlap, keeps_names=keeps)
        others = home.starts
        story(home)
        yield Outcome(name, keeps, limit, overlap, home.starts - others, home.postponed)


def table(played: list[Outcome]) -> str:
    """Return the documentation's table: the postponed starts, by overlap; one figure if the limits agree."""
    lines = [
        "| household | names | " + " | ".join(f"overlap {overlap}" for overlap in OVERLAPS) + " |",
        "|---|---|" + "---|" * len(OVERLAPS),
    ]
    for story, keeps in product(STORIES, (True, False)):
        cells = []
        for overlap in OVERLAPS:
            case = (story, keeps, overlap)
            of = [each for each in played if (each.story, each.keeps_names, each.overlap) == case]
            counts = [f"{each.postponed} of {each.starts}" for each in of]
            cells.append(counts[0] if len(set(counts)) == 1 else " / ".join(counts))
        lines.append(f"| {story} | {'kept' if keeps else 'fresh'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def prove(_: int, goal: int, progress: Progress) -> list[Row]:
    """Play every story once: no seed is needed."""
    played = list(outcomes())
    progress(len(played), goal)
    print(f"\n{table(played)}")
    kept = [each for each in played if each.keeps_names and each.overlap >= DEFAULT_OVERLAP]
    postponed = sum(each.postponed for each in kept)
    starts = sum(each.starts for each in kept)
    return [
        Row("households", f"{len(played)}", f"{goal}", len(played) >= goal),
        Row(
            "households.kept_names",
            f"{postponed} of {starts} starts postponed in {len(kept)} households",
            "0 with kept names and an overlap of 2 or more",
            postponed == 0 < starts,
        ),
    ]
