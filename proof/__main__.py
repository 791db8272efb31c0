"""`make prove`: run the proofs, print their figures, write build/proof.json; exit with 1 if one fails."""

import os
import sys
import time
from argparse import ArgumentParser
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Final

from proof.harness.mutation import MUTANT, turn_on
from proof.harness.report import progress_line, read_json, replaced, table, write_json

PROOFS: Final = {
    "simulation": 2_000_000,
    "linearizability": 500,
    "faults": 10_000,
    "contention": 1_000,
    "model_based": 1_000,
    "model_checking": 1_000_000,
    "households": 150,
    "fuzz": 10_000,
    "crash": 50,
    "mutants": 1,
}
"""Each module of this package with a `prove(seed, goal, progress)`, and its goal: the number to count to."""

REPORT: Final = Path("build") / "proof.json"


def main() -> int:
    """Run the requested proofs; a partial run renews only their rows of the report."""
    parser = ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("proofs", nargs="*", help=f"any of {', '.join(PROOFS)}; by default all")
    parser.add_argument("--report", type=Path, default=REPORT, help="the JSON file to write")
    arguments = parser.parse_args()
    seed = int(os.environ.get("SEED") or 1)
    until = time.monotonic() + 60 * float(os.environ.get("MINUTES") or inf)
    chosen = arguments.proofs or [
        name for name in PROOFS if not (name == "mutants" and os.environ.get(MUTANT))
    ]
    turn_on()
    rows = read_json(arguments.report) if arguments.proofs else []
    for place, name in enumerate(chosen):
        share = (until - time.monotonic()) / (len(chosen) - place)
        began = time.monotonic()
        proof = import_module(f"proof.{name}")
        rows = replaced(rows, proof.prove(seed, PROOFS[name], progress_line(name, share)))
        write_json(rows, arguments.report)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(f"\nSEED={seed}\n{table(rows)}")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
