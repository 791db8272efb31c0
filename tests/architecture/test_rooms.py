import re
from pathlib import Path

import grimp

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
ROOMS = ("domain", "adapters", "entrypoints", "dev", "proof", "bench")


def test_the_picture_of_the_rooms_is_what_the_imports_are() -> None:
    """Every arrow is an import that is there, and every import between rooms has its arrow."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    imported = {
        (module.partition(".")[0], other.partition(".")[0])
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
    }
    drawn = re.findall(r"^  (\w+) --> (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(drawn) == sorted((one, other) for one, other in imported if one != other)
