from itertools import pairwise
from math import inf
from random import Random
from typing import Any

import pytest

from domain.bounds import Bound
from domain.streams import Lease, Snapshot
from domain.writes import Admit, Release
from proof.harness import checker
from proof.harness.checker import Model, Operation, is_linearizable
from proof.harness.frozen import FrozenState
from proof.linearizability import MODEL


def apply(state: int, action: Any) -> tuple[int, Any]:
    """Apply a register's operation: write a number, or read it (`None`)."""
    return (state, state) if action is None else (action, None)


REGISTER = Model(0, apply, lambda action, _: action is None)


def write(called: float, returned: float, value: int) -> Operation:
    """Return a write of this number."""
    return Operation(called, returned, value, None)


def holding(name: str) -> FrozenState:
    """Return the state in which this stream holds the only slot."""
    return FrozenState.of(Snapshot(1, leases={name: Lease(name, 0, 9)}))


def end(called: float, name: str, result: tuple[bool, FrozenState]) -> Operation:
    """Return a named end."""
    return Operation(called, called + 1, Release("1", name, None), result)


def look(called: float, state: FrozenState) -> Operation:
    """Return a read that saw this state."""
    return Operation(called, called + 1, None, (True, state))


def read(called: float, returned: float, value: int) -> Operation:
    """Return a read that saw this number."""
    return Operation(called, returned, None, value)


GOOD = {
    "nothing happened": [],
    "one after the other": [write(0, 1, 5), read(2, 3, 5)],
    "a read that overlaps a write sees either": [write(0, 3, 5), read(1, 2, 0), read(4, 5, 5)],
    "two writes at once land in either order": [write(0, 3, 5), write(0, 3, 6), read(4, 5, 5)],
    "a lost write lands late": [write(0, inf, 5), read(1, 2, 0), read(3, 4, 5)],
    "a write that could change nothing at once changes something later": [
        *[write(0, 1, 5), write(2, 9, 5), write(3, 4, 6), read(10, 11, 5)],
    ],
    "a lost write never lands": [write(0, inf, 5), read(1, 2, 0), read(3, 4, 0)],
}
BAD = {
    "a read of what was never written": [write(0, 1, 5), read(2, 3, 6)],
    "a stale read": [write(0, 1, 5), read(2, 3, 0)],
    "a read of the future": [read(0, 1, 5), write(2, 3, 5)],
    "reads that go back": [write(0, 9, 5), read(1, 2, 5), read(3, 4, 0)],
    "a lost write that lands, and vanishes": [write(0, inf, 5), read(1, 2, 5), read(3, 4, 0)],
    "a lost write that lands before its call": [read(0, 1, 5), write(2, inf, 5)],
    "two readers who saw two writes in two orders": [
        *[write(0, 9, 5), write(0, 9, 6)],
        *[read(1, 2, 5), read(3, 4, 6), read(1, 2, 6), read(3, 4, 5)],
    ],
}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD)
def test_a_history_that_an_order_explains_is_accepted(history: list[Operation]) -> None:
    """Each of these histories could have been seen, and is accepted."""
    assert is_linearizable(history, REGISTER)


@pytest.mark.parametrize("history", BAD.values(), ids=BAD)
def test_a_history_that_no_order_explains_is_rejected(history: list[Operation]) -> None:
    """Each of these histories shows a broken register, and is rejected."""
    assert not is_linearizable(history, REGISTER)


def start(called: float, name: str, result: tuple[bool, FrozenState] | None) -> Operation:
    """Return a named start under a limit of one, of unknown outcome if the result is missing."""
    write = Admit("1", Lease(name, 0, 9), (Bound(1),), None)
    return Operation(called, inf if result is None else called + 1, write, result)


EMPTY, A, B = MODEL.start, holding("a"), holding("b")
IMPOSSIBLE = {
    "both get the one slot": [start(0, "a", (True, A)), start(0, "b", (True, B))],
    "refused by a state that was over before": [
        *[start(0, "a", (True, A)), end(2, "a", (True, EMPTY))],
        start(4, "b", (False, A)),
    ],
    "a lost start that lands takes no slot": [start(0, "a", None), look(2, A), start(4, "b", (True, B))],
    "an end that was refused with its stream there": [start(0, "a", (True, A)), end(2, "a", (False, A))],
}
POSSIBLE = {
    "one gets the slot, the other is refused": [start(0, "a", (True, A)), start(0, "b", (False, A))],
    "a lost start lands after an end": [
        *[start(0, "b", (True, B)), start(1, "a", None), end(2, "b", (True, EMPTY)), look(4, A)],
    ],
}


@pytest.mark.parametrize("history", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_store_that_violates_the_model_is_found(history: list[Operation]) -> None:
    """A store that violates the domain's meaning of its writes is found."""
    assert not is_linearizable(history, MODEL)


@pytest.mark.parametrize("history", POSSIBLE.values(), ids=POSSIBLE)
def test_a_store_that_keeps_the_model_is_accepted(history: list[Operation]) -> None:
    """A store that keeps the domain's meaning of its writes is accepted."""
    assert is_linearizable(history, MODEL)


def test_an_unbounded_search_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search through many lost writes, none of which explains the read, is given up."""
    monkeypatch.setattr(checker, "MAX_STATES", 1000)
    lost = [write(0, inf, number) for number in range(1, 20)]
    with pytest.raises(checker.Undecided):
        is_linearizable([*lost, read(1, 2, -1)], REGISTER)


def test_many_lost_writes_do_not_hide_the_one_that_landed() -> None:
    """The one lost write that landed is found soon, because the fewest lost ones are tried first."""
    lost = [write(0, inf, number) for number in range(1, 40)]
    assert is_linearizable([*lost, *(read(n, n + 0.5, 7) for n in range(1, 160))], REGISTER)


def test_one_wrong_answer_in_a_long_history_is_found() -> None:
    """Among two hundred overlapping operations, a single read of a number never written is found."""
    chance = Random(1)  # noqa: S311 - which history
    moments = sorted(chance.uniform(0, 100) for _ in range(201))
    state, history = 0, []
    for number, (begin, end) in enumerate(pairwise(moments)):
        widened = (begin - chance.uniform(0, 1), end + chance.uniform(0, 1))
        if chance.random() < 0.5:
            state = number
            history.append(write(*widened, number))
        else:
            history.append(read(*widened, state))
    assert is_linearizable(history, REGISTER)
    place = next(place for place, operation in enumerate(history) if operation.action is None)
    wrong = Operation(history[place].called, history[place].returned, None, -1)
    assert not is_linearizable([*history[:place], wrong, *history[place + 1 :]], REGISTER)
