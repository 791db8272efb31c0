"""Commands that tests run, and the tools that a machine may lack."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from dev import ROOT


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test for lack of a tool, naming it; under CI=true a skip is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def succeed(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, seconds: float | None = None
) -> str:
    """Run a command, which must succeed within this time; return its output."""
    done = subprocess.run(
        command, cwd=cwd, env=env, timeout=seconds, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def outside_make() -> dict[str, str]:
    """Return the environment without the variables of a `make` that runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
