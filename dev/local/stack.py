"""`make up` and `down`: the service on the emulator."""

import json
import os
import platform
import shutil
import sys
from dataclasses import replace
from typing import Any

import boto3

from dev import ROOT
from dev.emulators.issuer import AUDIENCE, BUCKET, Issuer
from dev.emulators.local_stage import LOCAL_STAGE, LocalStage
from dev.emulators.ministack import (
    REGION,
    EmulatorError,
    answers,
    emulated_api_url,
    emulated_environment,
    start_emulator,
)
from dev.operate.hash_key import HashKey, HashKeyError
from dev.operate.stage import StackError, hash_key_parameter
from dev.packaging.package import ZIPS
from dev.tools.command import target
from dev.tools.servers import is_listening
from dev.tools.terraform import PROVIDER_VARIABLE, STATES, Stack, TerraformError, binary

HOW_TO_CALL = {
    "none": "Every caller is trusted: `make up AUTH=jwt` or AUTH=iam requires authentication.",
    "jwt": "Callers need a token: `make token ARGS=<userId>` prints one, for `Authorization: Bearer …`.",
    "iam": "Callers sign: `curl --user test:test --aws-sigv4 aws:amz:us-east-1:execute-api …` does.",
}
DEFAULT_PORT = "4566"
LAST_PORT = 65_535
DESTROY_TIMEOUT_SECONDS = 180
"""For emulators that cannot start functions: they may never delete one, after ten minutes' wait each."""
ATTEMPTS = 4
"""The retries of a call that the emulator answers with a 5xx, as LocalStack does if a service is missing."""


def stack_of(local: LocalStage) -> Stack:
    """Return the stage as a Terraform stack."""
    return Stack(
        directory=ROOT / "build" / "stacks" / LOCAL_STAGE,
        state=STATES / f"{LOCAL_STAGE}.tfstate",
        stage=LOCAL_STAGE,
        variables={
            "package_path": str(ZIPS["local"]),
            **_authentication(local),
            "log_hash_key_parameter": hash_key_of(local).name,
            "monitoring": "false",  # the emulator supports alarms in part, and no saved queries
            "architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
        },
        environment=emulated_environment(local.endpoint_url),
        attempts=ATTEMPTS,
        quiet=True,
    )


def client_of(local: LocalStage, service: str) -> Any:
    """Return an AWS client of the emulator, as the account's root user."""
    session = boto3.Session("test", "test", region_name=REGION)
    return session.client(service, endpoint_url=local.endpoint_url)


def hash_key_of(local: LocalStage) -> HashKey:
    """Return the key of the logs' hash."""
    return HashKey(client_of(local, "ssm"), hash_key_parameter(LOCAL_STAGE))


def issuer_of(local: LocalStage) -> Issuer:
    """Return the issuer of the tokens under `auth = jwt`."""
    return Issuer.at(local.endpoint_url, STATES / f"{LOCAL_STAGE}.pem")


def _authentication(local: LocalStage) -> dict[str, str]:
    if local.auth == "jwt":
        url = f"{local.endpoint_url}/{BUCKET}"
        claim = {"user_claim": local.user_claim} if local.user_claim else {}
        return {"auth": "jwt", "jwt_issuer": url, "jwt_audience": json.dumps([AUDIENCE]), **claim}
    return {"auth": local.auth}


def up() -> None:
    """Deploy the service to the emulator. A second run applies only the changes."""
    port = _port()
    local = LocalStage.recorded()
    if local and not answers(local.endpoint_url):
        print("The emulator of the last `make up` has died: cleaning up after it.")
        _forget(local)
        local = None
    if local is None:
        local = _at(port)
    local = replace(
        local, auth=os.environ.get("AUTH") or "none", user_claim=os.environ.get("USER_CLAIM") or ""
    )
    local.write()
    if local.auth == "jwt":
        issuer_of(local).publish(client_of(local, "s3"))
    stack = stack_of(local)
    print("Applying terraform/ to it.")
    stack.init()
    hash_key_of(local).make()  # before a function reads it
    stack.apply()
    print(f"Up. `make down` ends it. {HOW_TO_CALL.get(local.auth, '')}")
    print(f"API_URL={emulated_api_url(local.endpoint_url, str(stack.output()['api_url']))}")


def down() -> None:
    """Remove everything that `up` deployed, with its process and its state."""
    local = LocalStage.recorded()
    if local is None:
        print("Nothing is up.")
        return
    if answers(local.endpoint_url):
        print("Destroying the stack.")
        stack = stack_of(local)
        stack.init()
        try:
            stack.destroy(timeout_seconds=DESTROY_TIMEOUT_SECONDS)
            hash_key_of(local).delete()
        except (TerraformError, HashKeyError) as error:
            if not local.emulator:
                way_out = (
                    f"The emulator on port {local.port} keeps the rest: stop it, then run `make down` again."
                )
                raise StackError(f"{error}\n{way_out}") from error
            print(f"{error}\nThe rest is deleted with the emulator.")
    _forget(local)
    kept = "" if local.emulator else f" The emulator on port {local.port} was running before, and stays."
    print(f"Down.{kept}")


def _port() -> int:
    """Return EMULATOR_PORT (4566)."""
    given = os.environ.get("EMULATOR_PORT") or DEFAULT_PORT
    if not given.isdecimal() or not 0 < int(given) <= LAST_PORT:
        raise StackError(f"EMULATOR_PORT must be a whole number from 1 to {LAST_PORT}, not {given!r}.")
    return int(given)


def _at(port: int) -> LocalStage:
    """Use the emulator on that port, or start one."""
    if not is_listening(port):
        emulator = start_emulator(port, enforce_iam=True)
        print(f"Started an emulator on port {port}, which enforces IAM.")
        return LocalStage(port, emulator)
    local = LocalStage(port, emulator=None)
    if not answers(local.endpoint_url):
        raise StackError(f"Port {port} is in use by another program: choose another with EMULATOR_PORT=….")
    print(f"Using the emulator that already runs on port {port}.")
    return local


def _forget(local: LocalStage) -> None:
    """Stop the emulator that `up` started, with everything in it, and remove the files."""
    if local.emulator:
        local.emulator.stop()
    shutil.rmtree(stack_of(local).directory, ignore_errors=True)
    for file in STATES.glob(f"{LOCAL_STAGE}.*"):
        file.unlink()


COMMANDS = {"up": up, "down": down}


VARIABLES = {
    "EMULATOR_PORT": f"the emulator's port, {DEFAULT_PORT} by default",
    "AUTH": "none by default, jwt or iam",
    "USER_CLAIM": "the claim of a token that is the user, sub by default",
    **PROVIDER_VARIABLE,
}


def main(command: str) -> int:
    """Run one command."""
    try:
        if command != "down":  # which may have nothing to do
            binary()  # fail now if Terraform is missing, before anything is started
        COMMANDS[command]()
    except (StackError, EmulatorError, TerraformError, HashKeyError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(target(COMMANDS, __doc__, VARIABLES)))
