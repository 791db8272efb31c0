"""What a newcomer lacks is told in one sentence that says what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def stack(tmp_path: Path, command: str, **environment: str) -> str:
    """Run a command about a stack for a newcomer; gives all that it says."""
    run = subprocess.run(
        [sys.executable, "-m", "dev.stack" if command == "up" else "dev.deploy", command],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "HOME": str(tmp_path),
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    return (run.stdout + run.stderr).strip()


def test_an_old_python_is_told_which_one_is_needed(tmp_path: Path) -> None:
    """Before an environment is made with it."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    old = tmp_path / "python"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 9)\n$2"\n')
    old.chmod(0o755)
    run = subprocess.run(
        ["make", "install", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert f"Python 3.11 or newer is needed, and {old} is 3.10: name another with make PYTHON=" in run.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("command", ["up", "deploy", "undeploy"])
def test_a_missing_terraform_is_told_before_anything_is_started(tmp_path: Path, command: str) -> None:
    """And by which variable another one can be named."""
    said = stack(
        tmp_path,
        command,
        TERRAFORM="terraform-that-is-not-there",
        AWS_ACCESS_KEY_ID="k",
        AWS_SECRET_ACCESS_KEY="s",
        AWS_REGION="eu-west-1",
    )
    assert said == (
        "`terraform-that-is-not-there` is not installed: "
        "install Terraform 1.9 or later, or name it in TERRAFORM."
    )


def test_missing_credentials_are_told(tmp_path: Path) -> None:
    """With what to set."""
    assert stack(tmp_path, "deploy", TERRAFORM="true") == (
        "There are no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or log in."
    )


def test_a_missing_region_is_told(tmp_path: Path) -> None:
    """With what to set."""
    said = stack(tmp_path, "deploy", TERRAFORM="true", AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s")
    assert said == "There is no AWS region: set AWS_REGION."
