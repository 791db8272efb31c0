import json
from pathlib import Path
from typing import Any

import pytest

from bench import results
from bench.document import DOCUMENT, ROWS, baseline, written
from bench.results import Details, Row, median_row, save, table

ROW = {"value": 1.0, "unit": "ms", "ratio": None, "goal": None, "met": None}


def measured() -> list[dict[str, Any]]:
    """Return a row for each measurement that the document names, with its baseline."""
    ids = {*ROWS, *map(baseline, ROWS)}
    return [{**ROW, "id": name} for name in ids]


def test_a_ratio_is_the_median_of_neighbours() -> None:
    """A ratio compares neighbouring measurements, because a machine that slows down slows both."""
    row = median_row("warm.start.cpu", "µs", [1, 10, 100], baseline=[4, 40, 400], goal=0.28)
    assert (row.value, row.ratio, row.met) == (10, 0.25, True)


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("a", 1, "MB"), None),
        (Row("a", 10, "MB", goal=10), True),
        (Row("a", 11, "MB", goal=10), False),
        (Row("a", 99, "ms", ratio=0.281, goal=0.28), False),
        (Row("a", 99, "calls/s", ratio=1.5, goal=1.5, better="more"), True),
        (Row("a", 99, "calls/s", ratio=1.49, goal=1.5, better="more"), False),
    ],
)
def test_a_goal_is_met_or_not(row: Row, *, met: bool | None) -> None:
    """A goal is met by the ratio where there is one, and the table for people shows it."""
    assert row.met is met
    assert ("NOT MET" in table([row])) is (met is False)


def test_the_rows_for_machines_have_six_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row of build/bench.json has the same six members."""
    monkeypatch.setattr(results, "RESULTS", tmp_path / "bench.json")
    monkeypatch.setattr(results, "DETAILS", tmp_path / "details.json")

    save([median_row("cold.total", "ms", [2, 2], baseline=[5, 5], goal=0.5)], Details("here", {}, {}))

    assert json.loads((tmp_path / "bench.json").read_text()) == [
        {"id": "cold.total", "value": 2, "unit": "ms", "ratio": 0.4, "goal": 0.5, "met": True}
    ]


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("warm.start.cpu", "warm.bare.cpu"),
        ("warm.heartbeat.boto3.cpu", "warm.bare.cpu"),
        ("stub.heartbeat.cpu", "stub.bare.cpu"),
        ("stub.heartbeat.url.refused.cpu", "stub.bare.cpu"),
        ("throughput.8", "throughput.bare.8"),
        ("cold.total", "cold.bare.total"),
        ("cold.cpu", "cold.bare.cpu"),
        ("restored.first.cpu", "restored.bare.first.cpu"),
        ("memory.rss", "memory.bare.rss"),
    ],
)
def test_a_row_is_compared_with_the_bare_sdk(name: str, bare: str) -> None:
    """A row is compared with the same measurement of the bare SDK."""
    assert baseline(name) == bare


def test_a_cold_start_is_compared_with_what_others_would_deploy() -> None:
    """The service's rows beside Powertools have the rows of that handler as their baseline."""
    assert baseline("cold.powertools") == "cold.powertools.handler.total"
    assert baseline("cold.powertools.cpu") == "cold.powertools.handler.cpu"


def test_the_table_is_replaced_in_the_document() -> None:
    """The text around the table is kept, and a second run replaces the table of the first."""
    document = DOCUMENT.read_text()
    once = written(document, measured(), "a machine")

    assert written(once, measured(), "a machine") == once
    assert "a machine (medians)" in once
    assert once.count("\n| takeover of expired slots, two writes | 1 ms |") == 1
    assert "## What to set" in once


def test_the_document_shows_an_unmet_goal() -> None:
    """The document shows a goal that is not met."""
    rows = [row for row in measured() if row["id"] != "cold.total"]
    missed = {"id": "cold.total", "value": 150, "unit": "ms", "ratio": 0.9, "goal": 0.5, "met": False}

    assert "| 150 ms | 1 ms | 0.90 | 0.5, **not met** |" in written("", [*rows, missed], "a machine")
