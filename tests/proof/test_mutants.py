import inspect
from importlib import import_module

import pytest

from proof.harness.mutation import MUTANTS
from proof.mutants import GOAL_MUTANTS, prove
from testing.fakes import unhurried


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_matches_the_code_exactly_once(name: str) -> None:
    """The code that a mutant changes exists exactly once, and the result is Python."""
    mutant = MUTANTS[name]
    source = inspect.getsource(import_module(mutant.module))
    compile(mutant.mutate(source), mutant.module, "exec")


def test_mutants_are_killed() -> None:
    """A few mutants are killed here, each in its own way; `make prove` has them all."""
    assert len(MUTANTS) >= GOAL_MUTANTS
    (row,) = prove(1, 1, unhurried, ["grace-ignored", "ttl-trusted", "replaces-keeps-the-count"])
    assert row.met, row.figure
