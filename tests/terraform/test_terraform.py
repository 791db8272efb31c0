"""The Terraform checks itself: see terraform/tests for what is checked."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dev.terraform import CONFIGURATION, TerraformError, binary, plugin_options
from tests.support import skip_or_fail


@pytest.fixture(scope="module")
def working_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `terraform/` with its provider: nothing is written into the original."""
    try:
        binary()
    except TerraformError as missing:
        skip_or_fail(str(missing))
    copy = tmp_path_factory.mktemp("terraform") / "configuration"
    shutil.copytree(CONFIGURATION, copy)
    terraform(copy, "init", "-backend=false", *plugin_options())
    return copy


def terraform(directory: Path, *arguments: str) -> None:
    """Run it, and fail with what it said."""
    done = subprocess.run(
        [binary(), f"-chdir={directory}", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_is_formatted(working_copy: Path) -> None:
    """`terraform fmt` would change nothing."""
    terraform(working_copy, "fmt", "-check", "-recursive")


def test_is_valid(working_copy: Path) -> None:
    """Every reference and argument exists."""
    terraform(working_copy, "validate")


@pytest.mark.timeout(300)
def test_keeps_its_promises(working_copy: Path) -> None:
    """Wiring, least privilege and refused inputs hold (some forty plans and applies on a mocked provider)."""
    terraform(working_copy, "test")
