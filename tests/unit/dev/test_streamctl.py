"""`make streamctl`: the table and settings that it selects, and its errors where there are none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from dev import ROOT
from dev.operate import streamctl
from dev.operate.stage import StackError


def python(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it for an operator who has only these variables set."""
    return subprocess.run(
        [sys.executable, "-m", "dev.operate.streamctl", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the settings of a deployed stage; empty ones where it is not deployed."""
    settings = {
        "TABLE_NAME": "streams-of-it",
        "GRACE_SECONDS": "9",
        "STORE_CLIENT": "lean",
        "MAX_STREAMS": "5",
    }
    monkeypatch.setenv("STAGE", "prod")
    monkeypatch.setattr(streamctl, "deployed_settings", lambda *_: settings)
    monkeypatch.setattr("entrypoints.streamctl.main", lambda: None)
    monkeypatch.setattr(sys, "argv", ["streamctl", "show", "1"])
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return settings


@pytest.mark.parametrize("arguments", [["--help"], ["hash", "--help"]])
def test_help_works_without_configuration(tmp_path: Path, arguments: list[str]) -> None:
    """Help works without a stage, a table, a region and credentials."""
    run = python(tmp_path, *arguments)

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("usage: streamctl ")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "AWS credentials are missing: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or log in."),
        (
            {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"},
            "The AWS region is missing: set AWS_REGION.",
        ),
    ],
    ids=["no credentials", "no region"],
)
def test_a_missing_setting_is_named(tmp_path: Path, environment: dict[str, str], message: str) -> None:
    """One sentence names what to set, without a traceback."""
    run = python(tmp_path, "show", "1", STAGE="prod", **environment)

    assert (run.returncode, run.stdout, run.stderr) == (1, "", f"streamctl: {message}\n")


def test_the_stage_gives_table_and_settings(
    deployed: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator uses the functions' table and expiry settings, but a client of its own."""
    assert deployed
    assert streamctl.main() == 0

    assert (os.environ["TABLE_NAME"], os.environ["GRACE_SECONDS"]) == ("streams-of-it", "9")
    assert "STORE_CLIENT" not in os.environ
    assert capsys.readouterr().err == "Stage prod, table streams-of-it\n"


def test_the_environment_wins(deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting in the operator's environment wins; an empty one does not count."""
    assert deployed
    monkeypatch.setenv("GRACE_SECONDS", "0")
    monkeypatch.setenv("MAX_STREAMS", "")
    streamctl.main()

    assert (os.environ["GRACE_SECONDS"], os.environ["MAX_STREAMS"]) == ("0", "5")


def test_a_named_table_overrides_the_stage(deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a named table no stage is looked up, and none of its settings apply."""
    deployed.clear()
    monkeypatch.setenv("TABLE_NAME", "restored")

    assert streamctl.main() == 0
    assert "GRACE_SECONDS" not in os.environ


def test_an_undeployed_stage_is_reported(deployed: dict[str, str]) -> None:
    """The error for a stage that is not deployed has both ways out."""
    deployed.clear()

    with pytest.raises(
        StackError, match=r"prod is not deployed in .*: name another with STAGE=…, or the table"
    ):
        streamctl.settings_of("prod")


def test_a_missing_permission_is_named(deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A denied action is named, with the way around it."""
    assert deployed

    def denied(*_: str) -> dict[str, str]:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetFunctionConfiguration")

    monkeypatch.setattr(streamctl, "deployed_settings", denied)

    with pytest.raises(
        StackError, match=r"\(AccessDeniedException\): allow lambda:GetFunctionConf.*TABLE_NAME"
    ):
        streamctl.settings_of("prod")
