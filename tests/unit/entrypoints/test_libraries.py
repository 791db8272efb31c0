import sys

from tests.support.commands import succeed


def run(program: str) -> None:
    """Run a program in a process that has imported nothing."""
    succeed(sys.executable, "-c", program, env={"PYTHONPATH": "src"})


def test_a_later_import_loads_the_real_modules() -> None:
    """Only the two libraries get a stand-in."""
    run("""
import sys
import entrypoints
assert not {"asyncio", "email", "importlib.metadata", "zipfile"} & set(sys.modules), sys.modules
import asyncio, importlib.metadata
async def one():
    return 1
assert asyncio.run(one()) == 1
assert importlib.metadata.version("pydantic")
""")


def test_a_loaded_module_is_kept() -> None:
    """A loaded module stays, so that a server with coroutines shares it with the libraries."""
    run("""
import asyncio, importlib.metadata, sys
import entrypoints
import structlog.stdlib, pydantic.plugin._loader
assert structlog.stdlib.asyncio is asyncio
assert pydantic.plugin._loader.entry_points is importlib.metadata.entry_points
assert sys.modules["asyncio"] is asyncio
""")
