"""The stage that an operator's command works on: its name, its resources' names, its live settings."""

import os
from collections.abc import Mapping

import boto3

from adapters.aws.api import NotConfigured
from adapters.aws.sdk import account_region
from dev.emulators.local_stage import LOCAL_STAGE, LocalStage
from dev.emulators.ministack import emulated_environment

FUNCTIONS = ("start", "end", "heartbeat", "list", "operator")
"""The functions of every stage, by their keys in terraform/main.tf."""
URL_FUNCTION = "heartbeat-url"
"""The one that a stage has where `heartbeat_url` is on."""


class StackError(Exception):
    """The command cannot continue; the message is one sentence for the operator."""


def enter_stage() -> str:
    """Return the command's stage: STAGE, otherwise the one that `make up` deployed, otherwise dev.

    For the emulator's stage, also direct this process's AWS clients to the emulator.

    Raises:
        StackError: the stage is the emulator's, and nothing is up.
    """
    local = LocalStage.recorded()
    stage = os.environ.get("STAGE") or (LOCAL_STAGE if local else "dev")
    if stage == LOCAL_STAGE:
        if local is None:
            raise StackError("Nothing is up: run `make up`.")
        emulated = emulated_environment(local.endpoint_url)
        os.environ.clear()  # the caller's profile, for example, must not apply
        os.environ.update(emulated)
    return stage


def region() -> str:
    """Return the caller's region.

    Raises:
        StackError: the region or the credentials are missing.
    """
    try:
        return account_region()
    except NotConfigured as error:
        raise StackError(str(error)) from None


def function_name(stage: str, key: str) -> str:
    """Return a function's name as in terraform/main.tf, where `TF_VAR_name` is its prefix too."""
    prefix = os.environ.get("TF_VAR_name", "stream-limiter")  # noqa: SIM112 - Terraform's own spelling
    return f"{prefix}-{stage}-{key}"


def hash_key_parameter(stage: str) -> str:
    """Return the default name of the SSM parameter with the key of the logs' hash."""
    return f"/{function_name(stage, 'log-hash-key')}"


def deployed_settings(stage: str, region: str) -> Mapping[str, str]:
    """Return the settings of a stage's live functions, which are identical; empty if it is not deployed."""
    client = boto3.client("lambda", region_name=region)
    try:
        found = client.get_function_configuration(
            FunctionName=function_name(stage, "start"), Qualifier="live"
        )
    except client.exceptions.ResourceNotFoundException:
        return {}
    variables: Mapping[str, str] = found["Environment"]["Variables"]
    return variables
