"""Write the bytecode of the methods that `@dataclass` makes in a function: see `entrypoints.precompiled`.

The file is for the version of Python that runs this.
"""

import argparse
import dataclasses
import marshal
import pkgutil
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any


def main() -> None:
    """Import what functions import, and write the code of each source that was executed on the way."""
    parser = argparse.ArgumentParser(prog="python -m dev.packaging.precompile", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    file: Path = parser.parse_args().file
    code: dict[str, CodeType] = {}

    def execute(source: str, *namespaces: Any) -> None:
        code[source] = compile(source, "<string>", "exec", dont_inherit=True)
        exec(code[source], *namespaces)  # noqa: S102 - as the module itself does

    vars(dataclasses)["exec"] = execute
    entrypoints = import_module("entrypoints")
    for module in pkgutil.iter_modules(entrypoints.__path__, "entrypoints."):
        import_module(module.name)
    import_module("adapters.playback_token")  # loaded where there is a key
    file.write_bytes(marshal.dumps(code))


if __name__ == "__main__":
    main()
