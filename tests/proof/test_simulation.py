import os
import subprocess
import sys
from pathlib import Path

from proof.harness.mutation import MUTANT
from proof.simulation import Scene, play, prove
from testing.fakes import unhurried

ROOT = Path(__file__).parents[2]


def test_no_promise_is_broken() -> None:
    """The promises hold whatever a seed does to players, hosts, network and store."""
    (row,) = prove(2, 40_000, unhurried, map)
    assert row.met, row.figure


def test_the_same_seed_gives_the_same_trace() -> None:
    """An episode can be replayed, event by event."""
    assert play(Scene.draw(7)) == play(Scene.draw(7))
    assert play(Scene.draw(7)).trace != play(Scene.draw(8)).trace


def test_a_failing_seed_prints_its_events(tmp_path: Path) -> None:
    """With a bug turned on the run fails, and prints the events that led to it."""
    run = subprocess.run(
        [sys.executable, "-m", "proof", "simulation", "--report", tmp_path / "proof.json"],
        env={**os.environ, MUTANT: "plain-add-without-bound"},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stderr
    assert "A promise is broken: " in run.stdout
    assert "hears StartNamed" in run.stdout
