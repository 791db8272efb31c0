"""The JavaScript client's own tests, run by Node."""

import shutil
import subprocess
from pathlib import Path

from tests.support import skip_or_fail

CLIENT = Path(__file__).parents[2] / "clients" / "js"


def test_the_javascript_client_passes_its_own_tests() -> None:
    """Node's runner finds no failure."""
    node = shutil.which("node")
    if node is None:
        skip_or_fail("Node is not installed (20 or later): the JavaScript client's tests need it.")
    run = subprocess.run([node, "--test", "test/"], cwd=CLIENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
