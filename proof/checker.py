"""A linearizability checker after Wing & Gong, with Lowe's memory of what was tried.

A history is linearizable when its operations can be put in one order that a sequential object could
have shown, and that no operation's place in it contradicts when it was called and when it returned.
An operation of unknown outcome may have taken effect at any time after its call, or never.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, TypeVar

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
    """

    start: State
    apply: Callable[[State, Any], tuple[State, Any]]


def is_linearizable(history: Sequence[Operation], model: Model[State]) -> bool:
    """Whether some order explains the history."""
    history = sorted(history, key=lambda operation: operation.called)
    known = sum(1 << place for place, operation in enumerate(history) if operation.is_known)
    seen: set[tuple[int, State]] = set()
    pending: list[tuple[int, State]] = [(0, model.start)]
    while pending:
        done, state = pending.pop()
        if done & known == known:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        for place in _next(history, done):
            operation = history[place]
            following, result = model.apply(state, operation.action)
            # One of unknown outcome that has no effect may as well never have happened.
            if result == operation.result if operation.is_known else following != state:
                pending.append((done | 1 << place, following))
    return False


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
