"""The exhaustive search through every state that a scenario can reach."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from proof.harness.frozen import FrozenState
from proof.model.promises import Violation, check
from proof.model.states import Player, Scenario, World
from proof.model.steps import steps


@dataclass(frozen=True, slots=True)
class Explored:
    """The result of one scenario.

    Attributes:
        states: the number of distinct states visited.
        story: the shortest sequence of steps to a violation; empty without a violation.
        violation: the broken promise; empty without a violation.
    """

    states: int
    story: tuple[str, ...] = ()
    violation: str = ""


def explore(scenario: Scenario) -> Explored:
    """Visit every state that the scenario can reach."""
    scenario = _with_repeats(scenario)
    start = World(0, FrozenState(), tuple(Player() for _ in scenario.scripts))
    came_from: dict[World, tuple[World, str] | None] = {start: None}
    frontier = deque([start])
    free: set[FrozenState] = set()
    while frontier:
        world = frontier.popleft()
        try:
            check(scenario, world, free)
            for label, following in steps(scenario, world):
                if following not in came_from:
                    came_from[following] = (world, label)
                    frontier.append(following)
        except Violation as violation:
            return Explored(len(came_from), _story(came_from, world), str(violation))
    return Explored(len(came_from))


def _with_repeats(scenario: Scenario) -> Scenario:
    """Turn each repeated packet into a player of its own that sends that one request."""
    echoes = tuple((scenario.scripts[player][place],) for player, place in scenario.repeated)
    return replace(scenario, scripts=(*scenario.scripts, *echoes))


def _story(came_from: Mapping[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    labels = []
    while (step := came_from[world]) is not None:
        world, label = step
        labels.append(label)
    return tuple(reversed(labels))
