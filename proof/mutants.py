"""Every mutant must be killed: its proof, run with the mutant enabled, must find a broken promise."""

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

from proof.harness.mutation import MUTANT, MUTANTS
from proof.harness.processes import WORKERS
from proof.harness.report import Progress, Row

MINUTES_PER_MUTANT: Final = "5"
GOAL_MUTANTS: Final = 30


def prove(seed: int, goal: int, progress: Progress, names: Iterable[str] = tuple(MUTANTS)) -> list[Row]:
    """Enable each mutant, one by one."""
    del goal  # a single survivor is a failure
    names = tuple(names)
    killed: dict[str, bool] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        for name, is_killed in zip(names, pool.map(partial(_is_killed, seed=seed), names), strict=True):
            killed[name] = is_killed
            progress(len(killed), len(names))
    survivors = [name for name, is_killed in killed.items() if not is_killed]
    figure = f"{len(names) - len(survivors)} of {len(names)} killed"
    if survivors:
        figure += f"; survived: {', '.join(survivors)}"
    return [Row("mutants", figure, f"all of at least {GOAL_MUTANTS} killed", met=not survivors)]


def _is_killed(mutant: str, seed: int) -> bool:
    """Return whether the mutant's killer finds a broken promise when it is enabled."""
    killer = MUTANTS[mutant].killer
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "proof.json"
        run = subprocess.run(
            [sys.executable, "-m", "proof", killer, "--report", report],
            env={**os.environ, MUTANT: mutant, "SEED": str(seed), "MINUTES": MINUTES_PER_MUTANT},
            check=False,
            capture_output=True,
            text=True,
        )
        if not report.exists():
            raise RuntimeError(f"{killer} did not run to its end with {mutant}:\n{run.stderr}")
        rows = json.loads(report.read_text(encoding="utf-8"))
    return any("broken" in row["figure"] and not row["met"] for row in rows)
