import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOMAIN = ROOT / "src" / "domain"
IMPURE = {
    "asyncio",
    "datetime",
    "io",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "threading",
    "time",
}


def imports_of(path: Path) -> Iterator[str]:
    """The first part of the name of everything that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), path.name)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            yield (node.module or "").partition(".")[0]


def test_imports_point_inwards() -> None:
    """Entrypoints know adapters, adapters know the domain, and never the other way round."""
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [linter, "--no-cache", "--no-logo"], cwd=ROOT, check=False, capture_output=True, text=True
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", sorted(DOMAIN.rglob("*.py")), ids=lambda path: path.stem)
def test_the_domain_is_the_standard_library_only(path: Path) -> None:
    """Whoever knows Python can read the domain, and nothing has to be installed to run it."""
    assert set(imports_of(path)) <= {"domain", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", sorted(DOMAIN.rglob("*.py")), ids=lambda path: path.stem)
def test_the_domain_is_pure(path: Path) -> None:
    """Nothing in the domain reaches for the clock, chance, threads, files, the network or the environment."""
    assert set(imports_of(path)).isdisjoint(IMPURE)
