import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

from dev import ROOT
from tests.support.commands import succeed

DOMAIN = ROOT / "src" / "domain"
ROOMS = ("src", "dev", "bench", "proof", "testing", "tests")
PURE = {
    "collections",
    "contextlib",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "math",
    "re",
    "types",
    "typing",
}
"""The modules of the standard library that the domain uses."""


def imports_of(path: Path) -> Iterator[str]:
    """Return the first part of the name of every import of a module, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), path.name)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            yield (node.module or "").partition(".")[0]


def test_imports_point_inwards() -> None:
    """Entrypoints import adapters, adapters import the domain, and never the other way round."""
    succeed(Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo")


@pytest.mark.parametrize("path", sorted(DOMAIN.rglob("*.py")), ids=lambda path: path.stem)
def test_the_domain_is_pure(path: Path) -> None:
    """The domain has no clock, chance, threads, I/O or environment, and runs without an installation."""
    assert set(imports_of(path)) <= {"domain", *PURE}


@pytest.mark.parametrize("route", ["stream_start", "stream_heartbeat", "stream_end", "stream_list"])
def test_player_functions_import_nothing_for_operators(route: str) -> None:
    """A function of players imports nothing that only operators need, which keeps its cold start short."""
    of_operators = {
        "domain.operators",
        "domain.audit",
        "entrypoints.operators",
        "entrypoints.operator_models",
    }
    graph = grimp.build_graph("domain", "adapters", "entrypoints", cache_dir=None)

    assert of_operators <= graph.find_upstream_modules("entrypoints.operator_routes")
    assert not of_operators & graph.find_upstream_modules(f"entrypoints.{route}")


def named(dependencies: Iterable[str]) -> set[str]:
    """Return the libraries that these lines of pyproject.toml name."""
    return {re.split(r"[^\w-]", line)[0] for line in dependencies}


def test_each_imported_library_is_in_pyproject() -> None:
    """Each imported library is named in pyproject.toml, not only installed by another one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = named(project["project"]["dependencies"])
    groups = project["dependency-groups"].values()
    known = {"src": runtime, **dict.fromkeys(ROOMS[1:], runtime.union(*map(named, groups)))}
    brought_by = packages_distributions()
    ours = {*ROOMS, "domain", "adapters", "entrypoints", "stream_limiter_client"}
    for room in ROOMS:
        imported = {name for path in (ROOT / room).rglob("*.py") for name in imports_of(path)}
        libraries = imported - ours - sys.stdlib_module_names
        # Of a library that is installed in another environment only the name is known.
        found = {brought_by.get(name, [name])[0].lower().replace("_", "-") for name in libraries}
        assert found
        assert found <= known[room], room
