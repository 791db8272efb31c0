import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = sorted(
    path for folder in ("src", "dev", "bench", "proof", "tests") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_shadows_the_standard_library(path: Path) -> None:
    """No module or package is named like one of Python's own, which it could stand in the way of."""
    names = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}

    assert names.isdisjoint(sys.stdlib_module_names)


def test_test_folders_are_no_packages() -> None:
    """A test folder that is named like a layer does not stand in its way."""
    assert not list((ROOT / "tests").rglob("__init__.py"))
