"""A linearizability checker after Wing & Gong, with Lowe's memory of what was tried.

A history is linearizable when its operations can be put in one order that a sequential object could
have shown, and that no operation's place in it contradicts when it was called and when it returned.
An operation of unknown outcome may have taken effect at any time after its call, or never.
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
        called: when it was called.
        returned: when it returned; infinite when its outcome is unknown.
        action: what was asked for.
        result: what it returned; means nothing when its outcome is unknown.
    """

    called: float
    returned: float
    action: Any
    result: Any

    @property
    def is_known(self) -> bool:
        """Whether the caller learned what came of it."""
        return self.returned < inf


@dataclass(frozen=True)
class Model(Generic[State]):
    """The sequential object.

    Attributes:
        start: its first state.
        apply: gives the state after an action and its result.
        is_silent: whether an action that had this result changed nothing, whatever state it met.
    """

    start: State
    apply: Callable[[State, Any], tuple[State, Any]]
    is_silent: Callable[[Any, Any], bool]


STATES_AT_MOST: Final = 1_000_000
"""How many are visited before the search is given up."""


class Undecided(Exception):
    """The search took too long: nobody knows whether an order explains the history."""


def is_linearizable(history: Sequence[Operation], model: Model[State]) -> bool:
    """Whether some order explains the history.

    Searched first are orders with at most one of the unknown operations between two known ones, then
    with two, and only then with any number: most are explained so, and a wrong turn is soon a dead end.

    Raises:
        Undecided: too many orders were tried.
    """
    history = sorted(history, key=lambda operation: operation.called)
    return any(_is_explained(history, model, in_a_row) for in_a_row in (1, 2, len(history)))


def _is_explained(history: Sequence[Operation], model: Model[State], in_a_row: int) -> bool:
    """The same, by orders with so many unknown operations in a row at most."""
    known = sum(1 << place for place, operation in enumerate(history) if operation.is_known)
    ties = count()
    # The most known operations first, then the fewest unknown ones in a row.
    pending: list[tuple[int, int, int, int, State]] = [(0, 0, next(ties), 0, model.start)]
    seen: set[tuple[int, int, State]] = set()
    while pending:
        _, row, _, done, state = heappop(pending)
        if done & known == known:
            return True
        if (row, done, state) in seen:
            continue
        seen.add((row, done, state))
        if len(seen) > STATES_AT_MOST:
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
    """What can take effect next, and the state after it."""
    steps = []
    for place in _next(history, done):
        operation = history[place]
        following, result = model.apply(state, operation.action)
        if operation.is_known and result == operation.result:
            if model.is_silent(operation.action, result):
                return [(place, state)]  # whatever comes, now is as good as later
            steps.append((place, following))
        elif not operation.is_known and following != state:
            steps.append((place, following))  # without an effect it may as well never have happened
    return steps


def _next(history: Sequence[Operation], done: int) -> list[int]:
    """What can come next: only what was called before anything that is not done returned."""
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
