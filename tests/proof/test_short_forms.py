"""Short forms of the proofs over real stores: `make prove` has the long ones."""

from collections.abc import Iterator
from contextlib import nullcontext
from types import ModuleType

import pytest

from dev.emulators.dynamodb_local import unavailable
from proof import contention, faults, linearizability, model_based
from testing.fakes import unhurried
from testing.stores import Way, stores
from tests.support.commands import skip_or_fail

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def ways() -> Iterator[tuple[Way, ...]]:
    """Yield both stores, by either client."""
    reason = unavailable()
    if reason:
        skip_or_fail(reason)
    with stores() as running:
        yield running


@pytest.mark.parametrize(("proof", "size"), [(faults, 100), (model_based, 10)], ids=["faults", "model_based"])
def test_over_both_stores(proof: ModuleType, size: int, ways: tuple[Way, ...]) -> None:
    """No stream is counted twice, refused without need or leaked, and every repository equals the model."""
    (row,) = proof.prove(2, size, unhurried, map, lambda: nullcontext(ways))
    assert row.met, row.figure


@pytest.mark.parametrize(
    ("proof", "size"), [(linearizability, 10), (contention, 10)], ids=["linearizability", "contention"]
)
def test_over_both_stores_from_two_processes(proof: ModuleType, size: int, ways: tuple[Way, ...]) -> None:
    """The histories of racing processes can be explained, and grants equal the free slots."""
    (row,) = proof.prove(2, size, unhurried, lambda: nullcontext(ways))
    assert row.met, row.figure
