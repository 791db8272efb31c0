"""What proofs have in common: rows of figures and a progress line."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

Progress = Callable[[int, int], bool]
"""Is told how much is done, and of how much; says whether there is time to go on."""


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        id: names it, the same in every run.
        figure: what was reached.
        goal: what must be reached.
        met: whether it was.
    """

    id: str
    figure: str
    goal: str
    met: bool


def progress_line(name: str, seconds: float) -> Progress:
    """A line that tells of this proof: rewritten on a terminal, every ten seconds elsewhere.

    Args:
        name: the proof's.
        seconds: how long it may take.
    """
    began = told = time.monotonic()

    def tell(done: int, of: int) -> bool:
        nonlocal told
        now = time.monotonic()
        if now - told >= (0.2 if sys.stderr.isatty() else 10):
            told = now
            end = "\r" if sys.stderr.isatty() else "\n"
            line = f"{name:<18}{done:>12,} of {of:,}  {now - began:6.0f} s"
            print(line, end=end, file=sys.stderr, flush=True)
        return now - began < seconds

    return tell


def table(rows: Iterable[Row]) -> str:
    """The rows, for people."""
    lines = ["| proof | figure | goal | met |", "|---|---|---|---|"]
    lines += [f"| {row.id} | {row.figure} | {row.goal} | {'yes' if row.met else 'NO'} |" for row in rows]
    return "\n".join(lines)


def replaced(rows: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """The rows, those of the same names replaced by the new ones."""
    return list(({row.id: row for row in rows} | {row.id: row for row in new}).values())


def read_json(path: Path) -> list[Row]:
    """The rows of an earlier run, if there was one."""
    if not path.exists():
        return []
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def write_json(rows: Iterable[Row], path: Path) -> None:
    """The rows, for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
