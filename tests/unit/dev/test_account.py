"""The operator's commands without a usable AWS account: each says what to set."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from dev.operate import deploy, logs, playback_key, remote_state, restore, rollback, smoke, streamctl
from entrypoints import streamctl as streamctl_of_a_table

KEYS: Final = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
REGION: Final = {"AWS_REGION": "eu-west-1"}
VARIABLES: Final = {
    "STAGE": "prod",
    "TERRAFORM": "true",
    "BUCKET": "states",
    "TABLE_NAME": "streams",
    "AT": "2026-01-31T18:00:00Z",
    "KVS_ARN": "none",
    "URL": "http://127.0.0.1:1",
    "AUTH": "iam",
}
"""Everything else that the commands need."""
UNUSABLE: Final = (
    "The AWS credentials cannot be used ({}): correct AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
    " AWS_SECRET_ACCESS_KEY."
)


def streamctl_of_a_stage() -> int:
    """Run the command on the stage, not on a table."""
    del os.environ["TABLE_NAME"]
    return streamctl.main()


COMMANDS: Final[dict[str, Callable[[], int | None]]] = {
    "deploy": lambda: deploy.main("deploy"),
    "undeploy": lambda: deploy.main("undeploy"),
    "remote-state": remote_state.main,
    "logs": lambda: logs.main(["start"]),
    "rollback": rollback.main,
    "restore": restore.main,
    "smoke": smoke.main,
    "playback-key": lambda: playback_key.main([]),
    "streamctl of a stage": streamctl_of_a_stage,
    "streamctl of a table": streamctl_of_a_table.main,
}


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the commands an environment without an AWS account."""
    nothing = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    monkeypatch.setattr(os, "environ", nothing | VARIABLES)
    monkeypatch.setattr(sys, "argv", ["streamctl", "show", "1"])


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("account", "message"),
    [
        (REGION, "AWS credentials are missing: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or log in."),
        (KEYS, "The AWS region is missing: set AWS_REGION."),
        (
            {**REGION, "AWS_ACCESS_KEY_ID": "k"},
            UNUSABLE.format("Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY"),
        ),
        ({**REGION, "AWS_PROFILE": "work"}, UNUSABLE.format("The config profile (work) could not be found")),
    ],
    ids=["no credentials", "no region", "half of the credentials", "an unknown profile"],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_an_account_says_what_to_set(
    command: str, account: dict[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command without a region or credentials fails with one sentence that says what to set."""
    os.environ.update(account)

    try:
        code = COMMANDS[command]()
    except SystemExit as end:  # with the message, which Python prints
        printed = str(end.code)
    else:
        assert code == 1
        printed = capsys.readouterr().err.rstrip("\n")

    assert printed.removeprefix("streamctl: ") == message
