"""The import of pydantic and structlog without the parts of the standard library that no function uses.

Those parts took a seventh of a cold start (ADR 0027).
"""

import sys
from types import ModuleType
from typing import Any


def _no_entry_points(**_: Any) -> tuple[()]:
    """Return no plugins: the zip holds none."""
    return ()


def _module(name: str, **members: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(members)
    return module


def import_libraries() -> None:
    """Import both libraries with stand-ins for modules that they load but do not use here.

    structlog loads asyncio for loggers of coroutines. pydantic loads importlib.metadata to find plugins, and
    with it email and zipfile. A module that is already loaded stays; a later import loads the real one.
    """
    stand_ins = {
        module.__name__: module
        for module in (_module("asyncio"), _module("importlib.metadata", entry_points=_no_entry_points))
        if module.__name__ not in sys.modules
    }
    sys.modules.update(stand_ins)
    try:
        import pydantic.plugin._loader  # noqa: F401, PLC0415 - the importer of importlib.metadata
        import structlog  # noqa: F401, PLC0415 - the importer of asyncio
    finally:
        for name in stand_ins:
            del sys.modules[name]
