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
from dev.operate.stage import StackError, hash_key_parameter, region
from dev.packaging.package import ZIPS
from dev.tools.command import target
from dev.tools.terraform import CONFIGURATION, PROVIDER_VARIABLE, STATES, Stack, TerraformError, binary

NAMES_A_HASH_KEY: Final = re.compile(r"^\s*log_hash_key(_parameter)?\s*=", re.MULTILINE)
"""A line of a stage's settings."""


def deploy() -> None:
    """Deploy the service as STAGE (dev), and delete versions older than the newest KEEP_VERSIONS (3)."""
    stack = chosen_stack()
    keep = kept_releases()
    if not Path(stack.environment["TF_VAR_package_path"]).exists():
        raise StackError("The package is missing: run `make package`.")
    if stack.backend_config is None:
        print("The state is kept on this machine, in .state/: `make remote-state` moves it to S3.")
    stack.init()
    if key := common_hash_key(chosen_stage()):
        key.make()  # before a function reads it
    stack.apply(confirm=needs_confirmation())
    outputs = stack.output()
    tidy_up(outputs["function_names"], keep)
    print(f"`make smoke URL=…` checks it, `make rollback STAGE={stack.stage}` undoes it.")
    print(f"API_URL={outputs['api_url']}")


def undeploy() -> None:
    """Delete STAGE (dev)."""
    stack = chosen_stack()
    stack.init()
    stack.destroy(confirm=needs_confirmation())
    if key := common_hash_key(chosen_stage()):
        key.delete()  # its logs are deleted too


def tidy_up(function_names: Mapping[str, str], keep: int) -> None:
    """Delete old versions. The release is live even if this fails."""
    try:
        client = boto3.client("lambda", region_name=region())
        delete_old_versions(client, function_names.values(), keep)
    except (StackError, RollbackError, BotoCoreError, ClientError) as error:
        print(f"Old versions of the functions were not deleted: {error}", file=sys.stderr)


def chosen_stack() -> Stack:
    """Return STAGE (dev) with its settings and its state.

    Raises:
        StackError: something that the stage needs is missing.
    """
    stage = chosen_stage()
    region()
    settings = settings_of(stage)
    # `make package` reads these two variables; the functions must match.
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
        raise StackError(f"{backend} is missing: run `make remote-state`, which writes it.")
    if stack.backend_config and stack.state.exists():  # otherwise everything would be created a second time
        raise StackError(
            f"The state of {stage} is still on this machine: run `make remote-state`, which moves it."
        )
    return stack


def settings_of(stage: str) -> Path:
    """Return the path of a stage's settings, which may not exist."""
    return CONFIGURATION / "stages" / f"{stage}.tfvars"


def common_hash_key(stage: str) -> HashKey | None:
    """Return the default key of a stage's log hash; None if the stage's settings choose.

    They choose by setting either variable; an empty one gives each process a random key.
    """
    settings = settings_of(stage)
    chosen = settings.exists() and NAMES_A_HASH_KEY.search(settings.read_text(encoding="utf-8"))
    if chosen or {"TF_VAR_log_hash_key", "TF_VAR_log_hash_key_parameter"} & os.environ.keys():
        return None
    return HashKey(boto3.client("ssm", region_name=region()), hash_key_parameter(stage))


def chosen_stage() -> str:
    """Return STAGE, by default dev.

    Raises:
        StackError: the stage is the emulator's.
    """
    stage = os.environ.get("STAGE") or "dev"
    if stage == LOCAL_STAGE:
        raise StackError(f"The stage `{LOCAL_STAGE}` is the emulator's: use `make up`.")
    return stage


def backend_config(stage: str) -> Path:
    """Return the path of a stage's backend settings, which exists if its state is remote."""
    given = os.environ.get("BACKEND_CONFIG")
    return Path(given) if given else CONFIGURATION / "stages" / f"{stage}.s3.tfbackend"


def needs_confirmation() -> bool:
    """Return whether Terraform shows the plan and asks for approval."""
    return os.environ.get("AUTO_APPROVE") != "1"


COMMANDS = {"deploy": deploy, "undeploy": undeploy}


VARIABLES = {
    "STAGE": "the stage, dev by default",
    "KEEP_VERSIONS": "the number of releases that a rollback can return to, 3 by default",
    "AUTO_APPROVE": "1 to deploy without asking",
    "BACKEND_CONFIG": "the file with the settings of the state's S3 backend",
    "PYTHON_VERSION": "the Lambda's Python, 3.13 by default",
    "ARCHITECTURE": "arm64 by default, or x86_64",
    "AWS_REGION": "the region, by default the AWS profile's",
    **PROVIDER_VARIABLE,
}


def main(command: str) -> int:
    """Run one command."""
    try:
        binary()  # fail now if Terraform is missing
        COMMANDS[command]()
    except (StackError, TerraformError, HashKeyError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(target(COMMANDS, __doc__, VARIABLES)))
