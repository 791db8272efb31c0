"""Fails where the tests miss too many branches of the domain or of the adapters.

coverage's own `fail_under` counts lines and branches together, so covered lines would hide missed branches.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = ("domain", "adapters")
FLOOR_PERCENT: Final = 98


def shortfalls(report: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each package below the floor.

    Args:
        report: coverage's JSON report.
    """
    sentences = []
    for package in PACKAGES:
        summaries = [
            file["summary"] for name, file in report["files"].items() if name.startswith(f"src/{package}/")
        ]
        branches = sum(summary["num_branches"] for summary in summaries)
        covered = sum(summary["covered_branches"] for summary in summaries)
        if not branches or 100 * covered < FLOOR_PERCENT * branches:
            sentences.append(
                f"The tests take {covered} of the {branches} branches of src/{package}; at least"
                f" {FLOOR_PERCENT} % are needed. The table above lists the missed ones: test or remove them."
            )
    return sentences


def main() -> None:
    """Check one report."""
    parser = argparse.ArgumentParser(prog="python -m dev.scan.branches", description=__doc__)
    parser.add_argument("report", type=Path, help="what `coverage json` wrote")
    report = json.loads(parser.parse_args().report.read_text(encoding="utf-8"))
    if problems := shortfalls(report):
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
