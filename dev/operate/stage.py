"""The stage that an operator's command is for: its name, the names of what it has, its live settings."""

import os
from collections.abc import Mapping

import boto3

from dev.emulators.local_stage import LOCAL_STAGE, LocalStage
from dev.emulators.ministack import emulated_environment

FUNCTIONS = ("start", "end", "heartbeat", "list", "operator")
"""The functions of every stage, by their keys in terraform/main.tf."""
URL_FUNCTION = "heartbeat-url"
"""The one that a stage has where `heartbeat_url` is on."""


class StackError(Exception):
    """The command cannot do its work; the message is one sentence for whoever gave it."""


def enter_stage() -> str:
    """Give the stage that a command is for: STAGE, else what `make up` brought up, else dev.

    Where that is the emulator's, it also points this process's AWS clients there.

    Raises:
        StackError: it is the emulator's, and nothing is up.
    """
    local = LocalStage.recorded()
    stage = os.environ.get("STAGE") or (LOCAL_STAGE if local else "dev")
    if stage == LOCAL_STAGE:
        if local is None:
            raise StackError("Nothing is up: run `make up`.")
        emulated = emulated_environment(local.endpoint_url)
        os.environ.clear()  # a profile of the caller's, for one, must not count
        os.environ.update(emulated)
    return stage


def function_name(stage: str, key: str) -> str:
    """Give the name that terraform/main.tf gives a function; `TF_VAR_name` begins it here as there."""
    prefix = os.environ.get("TF_VAR_name", "stream-limiter")  # noqa: SIM112 - Terraform's own spelling
    return f"{prefix}-{stage}-{key}"


def hash_key_parameter(stage: str) -> str:
    """Give the name of the SSM parameter that holds the key of the logs' hash by default."""
    return f"/{function_name(stage, 'log-hash-key')}"


def deployed_settings(stage: str, region: str) -> Mapping[str, str]:
    """Return the settings of a stage's live functions, which are all the same; none if it is not deployed."""
    client = boto3.client("lambda", region_name=region)
    try:
        found = client.get_function_configuration(
            FunctionName=function_name(stage, "start"), Qualifier="live"
        )
    except client.exceptions.ResourceNotFoundException:
        return {}
    variables: Mapping[str, str] = found["Environment"]["Variables"]
    return variables
