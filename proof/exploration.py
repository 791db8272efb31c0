"""The model, over all of its scenarios: every state that they can reach is visited."""

from dataclasses import dataclass

from proof.model.explore import explore
from proof.model.scenarios import scenarios
from proof.processes import spread
from proof.report import Progress, Row

SECONDS = 3
"""How much time passes in a scenario: a lease, the grace, and so a takeover by any clock."""


@dataclass(frozen=True)
class Story:
    """What came of one scenario."""

    name: str
    states: int
    violation: str
    steps: tuple[str, ...]


def tell(place: int) -> Story:
    """Explore the scenario at this place."""
    scenario = list(scenarios(SECONDS))[place]
    explored = explore(scenario)
    return Story(scenario.name, explored.states, explored.violation, explored.story)


def prove(_: int, goal: int, progress: Progress) -> list[Row]:
    """Explore every scenario; no seed decides anything, as nothing is left out."""
    states, done = 0, 0
    broken: list[Story] = []
    places = range(len(list(scenarios(SECONDS))))
    for story in spread(tell, places):
        states, done = states + story.states, done + 1
        if story.violation:
            broken.append(story)
            print(f"\n{story.name}: {story.violation}", *story.steps, sep="\n  ")
        if not progress(states, goal):
            break
    return [
        Row("model.states", f"{states:,}", f"{goal:,}", states >= goal),
        Row("model.scenarios", f"{done}", f"{len(places)}, each to its end", done == len(places)),
        Row("model.violations", f"{len(broken)}", "0", not broken),
    ]
