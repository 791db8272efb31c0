"""Visits every state that a scenario can reach."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from proof.harness.frozen import FrozenState
from proof.model.promises import Violation, check
from proof.model.states import Player, Scenario, World
from proof.model.steps import steps


@dataclass(frozen=True, slots=True)
class Explored:
    """What came of one scenario.

    Attributes:
        states: how many different ones were visited.
        story: the shortest sequence of steps to a violation; empty when there is none.
        violation: what was broken; empty when nothing was.
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
    """Each repeated packet is a player of its own, who sends that one request."""
    echoes = tuple((scenario.scripts[player][place],) for player, place in scenario.repeated)
    return replace(scenario, scripts=(*scenario.scripts, *echoes))


def _story(came_from: Mapping[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    labels = []
    while (step := came_from[world]) is not None:
        world, label = step
        labels.append(label)
    return tuple(reversed(labels))
