"""`make deploy` and `undeploy`: the service on AWS, with the caller's own credentials."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from dev import ROOT
from dev.emulators.local_stage import LOCAL_STAGE
from dev.operate.hash_key import HashKey, HashKeyError
from dev.operate.retention import delete_old_versions, kept_releases
from dev.operate.rollback import RollbackError
from dev.operate.stage import StackError, hash_key_parameter
from dev.packaging.package import ZIPS
from dev.tools.terraform import CONFIGURATION, STATES, Stack, TerraformError, binary

NAMES_A_HASH_KEY: Final = re.compile(r"^\s*log_hash_key(_parameter)?\s*=", re.MULTILINE)
"""A line of a stage's settings."""


def deploy() -> None:
    """Bring the service up as STAGE (dev), and delete the versions before the newest KEEP_VERSIONS (3)."""
    stack = chosen_stack()
    keep = kept_releases()
    if not Path(stack.environment["TF_VAR_package_path"]).exists():
        raise StackError("There is no package yet: run `make package`.")
    if stack.backend_config is None:
        print("The state is kept on this machine, in .state/: `make remote-state` moves it to S3.")
    stack.init()
    if key := common_hash_key(chosen_stage()):
        key.make()  # before a function looks for it
    stack.apply(ask=asks())
    outputs = stack.output()
    tidy_up(outputs["function_names"], keep)
    print(f"`make smoke URL=…` tries it, `make rollback STAGE={stack.stage}` takes it back.")
    print(f"API_URL={outputs['api_url']}")


def undeploy() -> None:
    """Delete STAGE (dev)."""
    stack = chosen_stack()
    stack.init()
    stack.destroy(ask=asks())
    if key := common_hash_key(chosen_stage()):
        key.delete()  # the logs that it was for are deleted too


def tidy_up(function_names: Mapping[str, str], keep: int) -> None:
    """Delete old versions. The release is live whether this succeeds or not."""
    try:
        client = boto3.client("lambda", region_name=os.environ.get("AWS_REGION"))
        delete_old_versions(client, function_names.values(), keep)
    except (RollbackError, BotoCoreError, ClientError) as error:
        print(f"Old versions of the functions were not deleted: {error}", file=sys.stderr)


def chosen_stack() -> Stack:
    """Give STAGE (dev), with its settings, and its state where it is.

    Raises:
        StackError: something of it is missing.
    """
    stage = chosen_stage()
    region()
    settings = settings_of(stage)
    # `make package` reads these two for what it builds; the functions must be of the same kind.
    built_for = {}
    if architecture := os.environ.get("ARCHITECTURE"):
        built_for["architecture"] = architecture
    if version := os.environ.get("PYTHON_VERSION"):
        built_for["runtime"] = f"python{version}"
    backend = backend_config(stage)
    key = common_hash_key(stage)
    stack = Stack(
        directory=ROOT / "build" / "stacks" / stage,
        state=STATES / f"{stage}.tfstate",
        stage=stage,
        variables=built_for,
        variable_files=[settings] if settings.exists() else [],
        environment={
            "TF_VAR_package_path": str(ZIPS["lambda"]),
            **({"TF_VAR_log_hash_key_parameter": key.name} if key else {}),
            **os.environ,
        },
        backend_config=backend if backend.exists() else None,
    )
    if stack.backend_config is None and os.environ.get("BACKEND_CONFIG"):
        raise StackError(f"There is no {backend}: `make remote-state` writes it.")
    if stack.backend_config and stack.state.exists():  # else all that is there would be made a second time
        raise StackError(f"The state of {stage} is still on this machine: `make remote-state` moves it.")
    return stack


def settings_of(stage: str) -> Path:
    """Say where a stage's settings stand, if it has any."""
    return CONFIGURATION / "stages" / f"{stage}.tfvars"


def common_hash_key(stage: str) -> HashKey | None:
    """Give the key of the logs' hash that a stage has by default; None where its settings choose.

    They choose by naming either variable, even as empty: then each process takes a random key.
    """
    settings = settings_of(stage)
    chosen = settings.exists() and NAMES_A_HASH_KEY.search(settings.read_text(encoding="utf-8"))
    if chosen or {"TF_VAR_log_hash_key", "TF_VAR_log_hash_key_parameter"} & os.environ.keys():
        return None
    return HashKey(boto3.client("ssm", region_name=region()), hash_key_parameter(stage))


def chosen_stage() -> str:
    """Give the stage that is meant: STAGE, else dev.

    Raises:
        StackError: it is the emulator's.
    """
    stage = os.environ.get("STAGE") or "dev"
    if stage == LOCAL_STAGE:
        raise StackError(f"The stage `{LOCAL_STAGE}` is the emulator's: use `make up`.")
    return stage


def region() -> str:
    """Give the region that the caller means.

    Raises:
        StackError: there is none, or there are no credentials.
    """
    session = boto3.Session()
    if session.get_credentials() is None:
        raise StackError("There are no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or log in.")
    name = os.environ.get("AWS_REGION") or session.region_name
    if not name:
        raise StackError("There is no AWS region: set AWS_REGION.")
    return str(name)


def backend_config(stage: str) -> Path:
    """Say where a stage's backend settings stand, if its state is a remote one."""
    given = os.environ.get("BACKEND_CONFIG")
    return Path(given) if given else CONFIGURATION / "stages" / f"{stage}.s3.tfbackend"


def asks() -> bool:
    """Tell whether Terraform shows the plan and waits for a yes."""
    return os.environ.get("AUTO_APPROVE") != "1"


COMMANDS = {"deploy": deploy, "undeploy": undeploy}


def main(arguments: list[str]) -> int:
    """Run one command."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m dev.operate.deploy {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        binary()  # Terraform, or a word about it before anything else
        COMMANDS[arguments[0]]()
    except (StackError, TerraformError, HashKeyError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
