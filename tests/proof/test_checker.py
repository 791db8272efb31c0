from itertools import pairwise
from math import inf
from random import Random
from typing import Any

import pytest

from proof.checker import Model, Operation, is_linearizable


def apply(state: int, action: Any) -> tuple[int, Any]:
    """A register: writes a number, or reads it (`None`)."""
    return (state, state) if action is None else (action, None)


REGISTER = Model(0, apply)


def write(called: float, returned: float, value: int) -> Operation:
    """A write of this number."""
    return Operation(called, returned, value, None)


def read(called: float, returned: float, value: int) -> Operation:
    """A read that saw this number."""
    return Operation(called, returned, None, value)


GOOD = {
    "nothing happened": [],
    "one after the other": [write(0, 1, 5), read(2, 3, 5)],
    "a read that overlaps a write sees either": [write(0, 3, 5), read(1, 2, 0), read(4, 5, 5)],
    "two writes at once land in either order": [write(0, 3, 5), write(0, 3, 6), read(4, 5, 5)],
    "a lost write lands late": [write(0, inf, 5), read(1, 2, 0), read(3, 4, 5)],
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
    """Each of these could have been seen."""
    assert is_linearizable(history, REGISTER)


@pytest.mark.parametrize("history", BAD.values(), ids=BAD)
def test_a_history_that_no_order_explains_is_rejected(history: list[Operation]) -> None:
    """Each of these shows a broken register."""
    assert not is_linearizable(history, REGISTER)


def test_one_wrong_answer_in_a_long_history_is_found() -> None:
    """Among two hundred overlapping operations, a single read of a number never written."""
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
