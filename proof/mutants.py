"""Every mutant must be killed: the proofs, run with it turned on, must see a broken promise."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from proof.mutation import MUTANTS
from proof.report import MUTANT, PROCESSES, Progress, Row

MINUTES_PER_MUTANT: Final = "5"
GOAL_MUTANTS: Final = 12

KILLERS: Final = ("simulation",)
"""The proofs that are tried, one after the other, until one kills."""


def killer_of(name: str, seed: int) -> str | None:
    """The proof that kills this mutant; `None` when it survives all of them."""
    return next((proof for proof in KILLERS if _kills(proof, name, seed)), None)


def prove(seed: int, goal: int, progress: Progress, names: Iterable[str] = tuple(MUTANTS)) -> list[Row]:
    """Turn each mutant on, one by one."""
    del goal  # a single survivor is a failure
    names = tuple(names)
    killed: dict[str, str | None] = {}
    with ThreadPoolExecutor(PROCESSES) as pool:
        for name, killer in zip(names, pool.map(partial(killer_of, seed=seed), names), strict=True):
            killed[name] = killer
            progress(len(killed), len(names))
    survivors = [name for name, killer in killed.items() if killer is None]
    figure = f"{len(names) - len(survivors)} of {len(names)} killed"
    if survivors:
        figure += f"; survived: {', '.join(survivors)}"
    return [Row("mutants", figure, f"all of at least {GOAL_MUTANTS} killed", met=not survivors)]


def _kills(proof: str, mutant: str, seed: int) -> bool:
    """Whether that proof falls short with the mutant turned on."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "proof.json"
        run = subprocess.run(
            [sys.executable, "-m", "proof", proof, "--report", report],
            env={**os.environ, MUTANT: mutant, "SEED": str(seed), "MINUTES": MINUTES_PER_MUTANT},
            check=False,
            capture_output=True,
            text=True,
        )
        if not report.exists():
            raise RuntimeError(f"{proof} did not run to its end with {mutant}:\n{run.stderr}")
        rows = json.loads(report.read_text(encoding="utf-8"))
    return any("broken" in row["figure"] and not row["met"] for row in rows)
