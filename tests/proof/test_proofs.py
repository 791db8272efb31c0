import re
from pathlib import Path
from typing import Final

import pytest

import proof
from proof.__main__ import PROOFS

FILES: Final = {path.stem: path for path in Path(proof.__path__[0]).glob("[!_]*.py")}


def test_each_module_of_the_package_is_a_proof() -> None:
    """Every module of the package is a proof that `make prove` runs: helpers are in other packages."""
    assert PROOFS.keys() == FILES.keys()


@pytest.mark.parametrize("name", FILES)
def test_a_proof_has_one_name(name: str) -> None:
    """A proof's rows begin with the name of its module, which `make prove ARGS=…` takes."""
    rows = re.findall(r'\bRow\(\s*f?"(\w+)', FILES[name].read_text(encoding="utf-8"))
    assert set(rows) == {name}
