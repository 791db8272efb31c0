"""The model, over all of its scenarios: every reachable state is visited."""

from dataclasses import dataclass
from functools import cache
from itertools import chain

from domain.requests import StartNamed
from proof.harness.processes import spread
from proof.harness.report import Progress, Row
from proof.model.explore import explore
from proof.model.group_scenarios import group_scenarios
from proof.model.scenarios import scenarios
from proof.model.states import Scenario
from proof.model.token_scenarios import token_scenarios

SECONDS = 3
"""The seconds that pass in a scenario: a lease, the grace, and so a takeover by any clock."""

TOKEN_STATES = 1_000_000
"""The minimum number of states in scenarios with playback tokens."""

GROUP_STATES = 200_000
"""The minimum number of states in scenarios with groups."""


@dataclass(frozen=True)
class Story:
    """The result of one scenario."""

    name: str
    has_tokens: bool
    has_groups: bool
    states: int
    violation: str
    steps: tuple[str, ...]


@cache
def all_scenarios() -> tuple[Scenario, ...]:
    """Return every scenario: first those with groups, which are short, then the longest, with tokens."""
    return (*group_scenarios(SECONDS), *token_scenarios(SECONDS), *scenarios(SECONDS))


def explore_at(place: int) -> Story:
    """Explore the scenario at this place."""
    scenario = all_scenarios()[place]
    explored = explore(scenario)
    has_tokens = scenario.policy.token_overlap is not None
    has_groups = any(
        isinstance(request, StartNamed) and request.groups for request in chain(*scenario.scripts)
    )
    return Story(scenario.name, has_tokens, has_groups, explored.states, explored.violation, explored.story)


def prove(_: int, goal: int, progress: Progress) -> list[Row]:
    """Explore every scenario until a promise is broken; no seed is needed, as the search is exhaustive."""
    explored: list[Story] = []
    places = range(len(all_scenarios()))
    for story in spread(explore_at, places):
        explored.append(story)
        if story.violation:
            print(f"\n{story.name}: {story.violation}", *story.steps, sep="\n  ")
        if story.violation or not progress(sum(each.states for each in explored), goal):
            break
    states = sum(story.states for story in explored)
    with_tokens = [story.states for story in explored if story.has_tokens]
    in_groups = [story.states for story in explored if story.has_groups]
    broken = [story for story in explored if story.violation]
    return [
        Row("model_checking.states", f"{states:,}", f"{goal:,}", states >= goal),
        Row(
            "model_checking.scenarios",
            f"{len(explored)}",
            f"{len(places)}, each to its end",
            len(explored) == len(places),
        ),
        Row(
            "model_checking.tokens",
            f"{sum(with_tokens):,} states in {len(with_tokens)} of these scenarios",
            f"{TOKEN_STATES:,}",
            sum(with_tokens) >= TOKEN_STATES,
        ),
        Row(
            "model_checking.groups",
            f"{sum(in_groups):,} states in {len(in_groups)} of these scenarios",
            f"{GROUP_STATES:,}",
            sum(in_groups) >= GROUP_STATES,
        ),
        Row(
            "model_checking.violations", f"broken: {broken[0].violation}" if broken else "0", "0", not broken
        ),
    ]
