import re
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import grimp
import pytest

PAGE: Final = Path(__file__).parents[2] / "docs" / "architecture.md"
ROOMS: Final = ("domain", "adapters", "entrypoints", "dev", "testing", "proof", "bench", "tests")
PICTURES: Final = re.findall(
    r"^```mermaid\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


def arrows_between_packages() -> set[tuple[str, str]]:
    """Return every import from one top-level package into another."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    return {
        (module.partition(".")[0], other.partition(".")[0])
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
    }


def arrows_within_dev() -> set[tuple[str, str]]:
    """Return every import from one room of dev/ into another."""
    graph = grimp.build_graph("dev", cache_dir=None)
    return {
        (module.split(".")[1], other.split(".")[1])
        for module in graph.modules - {"dev"}
        for other in graph.find_modules_directly_imported_by(module) - {"dev"}
    }


@pytest.mark.parametrize(
    ("picture", "arrows"),
    list(zip(PICTURES, [arrows_between_packages, arrows_within_dev], strict=True)),
    ids=["packages", "dev"],
)
def test_each_package_diagram_matches_the_imports(
    picture: str, arrows: Callable[[], set[tuple[str, str]]]
) -> None:
    """Each arrow is an import, each import between rooms has its arrow, and no arrow runs back."""
    drawn = re.findall(r"^  (\w+) --> (\w+)$", picture, re.MULTILINE)

    assert sorted(drawn) == sorted((one, other) for one, other in arrows() if one != other)
    graph: dict[str, list[str]] = {}
    for one, other in drawn:
        graph.setdefault(one, []).append(other)
    TopologicalSorter(graph).prepare()  # raises CycleError
