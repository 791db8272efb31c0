import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("src", "dev", "bench", "proof", "testing", "tests", "clients/python")


def test_no_module_shadows_the_standard_library() -> None:
    """No module or package has the name of one of Python's own, which it could shadow."""
    ours = [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    shadowing = [path for path in ours if {path.stem, *path.parts} & sys.stdlib_module_names]

    assert {path.parts[0] for path in ours} == {room.partition("/")[0] for room in ROOMS}
    assert shadowing == []


def test_test_folders_are_not_packages() -> None:
    """No test folder is a package, because it could shadow a layer of the same name."""
    assert not list((ROOT / "tests").rglob("__init__.py"))
