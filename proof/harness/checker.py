"""A linearizability checker after Wing & Gong, with Lowe's cache of visited configurations.

A history is linearizable if its operations have an order that a sequential object could produce, and that
agrees with the times of their calls and returns. An operation of unknown outcome may have taken effect at any
time after its call, or never.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any, Final, Generic, TypeVar

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True)
class Operation:
    """One call, as its caller saw it.

    Attributes:
        called: the time of the call.
        returned: the time of the return; infinite if the outcome is unknown.
        action: the requested action.
        result: the returned value; meaningless if the outcome is unknown.
    """

    called: float
    returned: float
    action: Any
    result: Any

    @property
    def is_known(self) -> bool:
        """True if the caller received the outcome."""
        return self.returned < inf


@dataclass(frozen=True)
class Model(Generic[State]):
    """The sequential object.

    Attributes:
        start: its initial state.
        apply: returns the state after an action and its result.
        is_silent: returns whether an action with this result changes nothing in any state.
    """

    start: State
    apply: Callable[[State, Any], tuple[State, Any]]
    is_silent: Callable[[Any, Any], bool]


MAX_STATES: Final = 1_000_000
"""The number of configurations to visit before the search is given up."""


class Undecided(Exception):
    """The search took too long: it is unknown whether an order explains the history."""


def is_linearizable(history: Sequence[Operation], model: Model[State]) -> bool:
    """Return whether some order explains the history.

    The search tries orders with at most one unknown operation between two known ones, then with two, and only
    then with any number: most histories are explained early, and a wrong choice soon leads to a dead end.

    Raises:
        Undecided: too many orders were tried.
    """
    history = sorted(history, key=lambda operation: operation.called)
    return any(_is_explained(history, model, in_a_row) for in_a_row in (1, 2, len(history)))


def _is_explained(history: Sequence[Operation], model: Model[State], in_a_row: int) -> bool:
    """Return the same, for orders with at most this many consecutive unknown operations."""
    known = sum(1 << place for place, operation in enumerate(history) if operation.is_known)
    ties = count()
    # The most known operations first, then the fewest consecutive unknown ones.
    pending: list[tuple[int, int, int, int, State]] = [(0, 0, next(ties), 0, model.start)]
    seen: set[tuple[int, int, State]] = set()
    while pending:
        _, row, _, done, state = heappop(pending)
        if done & known == known:
            return True
        if (row, done, state) in seen:
            continue
        seen.add((row, done, state))
        if len(seen) > MAX_STATES:
            raise Undecided
        for place, following in _steps(history, done, state, model):
            after = done | 1 << place
            row_after = 0 if history[place].is_known else row + 1
            if row_after <= in_a_row:
                heappush(pending, (-(after & known).bit_count(), row_after, next(ties), after, following))
    return False


def _steps(
    history: Sequence[Operation], done: int, state: State, model: Model[State]
) -> list[tuple[int, State]]:
    """Return the operations that can take effect next, with the state after each."""
    steps = []
    for place in _next(history, done):
        operation = history[place]
        following, result = model.apply(state, operation.action)
        if operation.is_known and result == operation.result:
            if model.is_silent(operation.action, result):
                return [(place, state)]  # later would make no difference
            steps.append((place, following))
        elif not operation.is_known and following != state:
            steps.append((place, following))  # without an effect it is as if it never happened
    return steps


def _next(history: Sequence[Operation], done: int) -> list[int]:
    """Return the possible next operations: those called before any pending operation returned."""
    places = []
    first_return = inf
    for place, operation in enumerate(history):
        if done >> place & 1:
            continue
        if operation.called > first_return:
            break
        first_return = min(first_return, operation.returned)
        places.append(place)
    return places
