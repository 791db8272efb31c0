"""Results: rows for people and for machines."""

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from dev import ROOT

RESULTS = ROOT / "build" / "bench.json"
DETAILS = ROOT / "build" / "bench-details.json"

Samples = dict[str, list[float]]
"""Repeated measurements, by their name."""
Progress = Callable[[str], None]
"""A function that reports what is being measured."""

COLUMNS = ("id", "value", "unit", "ratio", "goal", "met")
"""The columns of a row in `RESULTS`."""


@dataclass(frozen=True)
class Row:
    """One result.

    Attributes:
        id: its name, from general to specific.
        value: the median.
        unit: of the value.
        spread: the quartiles around the median, in the same unit; none for counts.
        ratio: the median of the ratios to the baseline, each of two adjacent measurements.
        goal: the bound of the ratio, or of the value in a row without a ratio.
        better: the better side of the goal.
    """

    id: str
    value: float
    unit: str
    spread: tuple[float, float] | None = None
    ratio: float | None = None
    goal: float | None = None
    better: Literal["less", "more"] = "less"

    @property
    def met(self) -> bool | None:
        """True if the goal is met; `None` without a goal."""
        if self.goal is None:
            return None
        reached = self.value if self.ratio is None else self.ratio
        return reached <= self.goal if self.better == "less" else reached >= self.goal


@dataclass(frozen=True)
class Details:
    """Results other than the rows.

    Attributes:
        machine: where and when, in words.
        latencies: the latencies of each kind of call over the store, in microseconds.
        layers: the layers of a cold start in milliseconds, by process.
    """

    machine: str
    latencies: Mapping[str, Sequence[float]]
    layers: Mapping[str, Sequence[float]]


def median_row(  # noqa: PLR0913 - all but the first three are optional, and named
    name: str,
    unit: str,
    values: Sequence[float],
    *,
    baseline: Sequence[float] | None = None,
    goal: float | None = None,
    better: Literal["less", "more"] = "less",
) -> Row:
    """Return a row for repeated measurements; those of the baseline alternate with them."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    ratio = None
    if baseline is not None:
        ratio = round(statistics.median(ours / bare for ours, bare in zip(values, baseline, strict=True)), 3)
    spread = (round(low, 2), round(high, 2))
    return Row(name, round(middle, 2), unit, spread, ratio, goal, better)


def table(rows: Iterable[Row]) -> str:
    """Return the rows as text."""
    lines = [("", "value", "quartiles", "ratio", "goal", "")]
    for row in rows:
        sign = "≤" if row.better == "less" else "≥"
        lines.append(
            (
                row.id,
                f"{row.value:,} {row.unit}",
                "" if row.spread is None else f"{row.spread[0]:,} … {row.spread[1]:,}",
                "" if row.ratio is None else f"{row.ratio}",
                "" if row.goal is None else f"{sign} {row.goal:,}",
                {None: "", True: "met", False: "NOT MET"}[row.met],
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def save(rows: Iterable[Row], details: Details) -> None:
    """Write the rows for machines, and the details for the plots and the document's table."""
    RESULTS.parent.mkdir(exist_ok=True)
    records = [{name: getattr(row, name) for name in COLUMNS} for row in rows]
    RESULTS.write_text(json.dumps(records, indent=1) + "\n")
    DETAILS.write_text(json.dumps(asdict(details)) + "\n")
