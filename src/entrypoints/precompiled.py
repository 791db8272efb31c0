"""Dataclasses without the compiler.

`@dataclass` writes the source of each method and compiles it whenever its module is imported. A function
loads about a hundred such classes, half of them from libraries: a quarter of a cold start (ADR 0027). So the
zip contains the bytecode of these sources too, as it does for modules; `dev.packaging.precompile` writes it.
"""

import dataclasses
import marshal
import sys
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parent / "__pycache__" / f"dataclasses.{sys.implementation.cache_tag}"
"""The file with the code of each source, for one version of Python, like the names of bytecode files."""


def use_precompiled(file: Path = FILE) -> None:
    """Let `@dataclass` execute the code in the file instead of compiling the same source.

    Nothing changes without the file, as outside a zip, and for a source that it lacks.
    """
    try:
        code = marshal.loads(file.read_bytes())  # noqa: S302 - trusted like the bytecode beside it
    except FileNotFoundError:
        return

    def execute(source: str, *namespaces: Any) -> None:
        exec(code.get(source, source), *namespaces)  # noqa: S102 - as dataclasses does

    vars(dataclasses)["exec"] = execute
