"""The explicit-state model keeps the promises, and sees where broken rules would not."""

from collections.abc import Callable
from math import floor
from typing import Any

import pytest

from domain import decisions, writes
from domain.policy import Policy
from proof.model.explore import Explored, explore
from proof.model.scenarios import scenarios

SECONDS = 3


def explored(name: str) -> Explored:
    """What comes of the scenario of this name."""
    return explore(next(scenario for scenario in scenarios(SECONDS) if scenario.name == name))


@pytest.mark.parametrize("name", ["heartbeats, limit 1, reject", "without names, limit 1, evict"])
def test_the_rules_keep_the_promises(name: str) -> None:
    """No state that can be reached breaks one, and thousands can be."""
    result = explored(name)

    assert not result.violation, result.story
    assert result.states > 20_000


def test_a_clock_that_is_ahead_takes_no_living_slot_but_for_a_missing_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the grace, the model tells the story of a player that loses its slot within its lease."""
    monkeypatch.setattr(Policy, "over_since", lambda _, now: floor(now))

    result = explored("heartbeats, limit 1, reject")

    assert "lost its slot within its lease" in result.violation
    assert len(result.story) < 10


def test_a_takeover_that_forgets_the_seen_expiry_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat that comes between the decision and the takeover would be robbed of its slot."""

    def as_stated(state: Any, freed: Any) -> bool:
        return all(lease.stream_id in state.leases for lease in freed.expired)

    monkeypatch.setattr(writes, "_is_as_stated", as_stated)

    assert "lost its slot within its lease" in explored("heartbeats, limit 1, reject").violation


def test_an_unbounded_start_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One slot too many is a violation, whoever takes it."""
    admit = decisions._admit  # noqa: SLF001 - the rule that is broken on purpose

    def unbounded(request: Any, policy: Any, now: float, limit: int, *freed: Any) -> Any:
        return admit(request, policy, now, limit + 1, *freed)

    monkeypatch.setattr(decisions, "_admit", unbounded)

    assert explored("heartbeats, limit 1, reject").violation == "2 slots under a limit of 1"


def test_a_forgotten_request_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An anonymous start whose reply was lost would be counted twice."""
    remember: Callable[..., tuple[str, ...]] = lambda state, _: state.marks  # noqa: E731 - one broken rule
    monkeypatch.setattr(writes, "_remember", remember)

    assert explored("without names, limit 2, reject").violation.startswith("counted twice")
