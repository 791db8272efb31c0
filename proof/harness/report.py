"""Helpers of all proofs: rows of figures and a progress line."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

Progress = Callable[[int, int], bool]
"""A function of the work done and its total that returns whether time is left."""


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        id: its name, the same in every run.
        figure: the value reached.
        goal: the value to reach.
        met: whether it was reached.
    """

    id: str
    figure: str
    goal: str
    met: bool


def progress_line(name: str, seconds: float) -> Progress:
    """Return a function that prints a proof's progress: in place on a terminal, every ten seconds elsewhere.

    Args:
        name: the proof's name.
        seconds: the time limit.
    """
    began = shown_at = time.monotonic()

    def show(done: int, of: int) -> bool:
        nonlocal shown_at
        now = time.monotonic()
        if now - shown_at >= (0.2 if sys.stderr.isatty() else 10):
            shown_at = now
            end = "\r" if sys.stderr.isatty() else "\n"
            line = f"{name:<18}{done:>12,} of {of:,}  {now - began:6.0f} s"
            print(line, end=end, file=sys.stderr, flush=True)
        return now - began < seconds

    return show


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table for people."""
    lines = ["| proof | figure | goal | met |", "|---|---|---|---|"]
    lines += [f"| {row.id} | {row.figure} | {row.goal} | {'yes' if row.met else 'NO'} |" for row in rows]
    return "\n".join(lines)


def replaced(rows: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """Return the rows, with the new ones in place of those with the same names."""
    return list(({row.id: row for row in rows} | {row.id: row for row in new}).values())


def read_json(path: Path) -> list[Row]:
    """Return the rows of an earlier run, if any."""
    if not path.exists():
        return []
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def write_json(rows: Iterable[Row], path: Path) -> None:
    """Write the rows for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
