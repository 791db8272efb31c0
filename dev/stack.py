"""`make up` and `down`: the service on the emulator."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from dev import ROOT
from dev.emulator import REGION, Emulator, EmulatorError, answers, environment_for, start_emulator
from dev.hash_key import HashKey, HashKeyError
from dev.issuer import AUDIENCE, BUCKET, Issuer
from dev.package import ZIPS
from dev.servers import is_listening
from dev.terraform import Stack, TerraformError, binary

LOCAL_STAGE = "local"
HOW_TO_CALL = {
    "none": "Every caller is trusted: `make up AUTH=jwt` or AUTH=iam asks who calls.",
    "jwt": "Callers need a token: `make token ARGS=<userId>` prints one, for `Authorization: Bearer …`.",
    "iam": "Callers sign: `curl --user test:test --aws-sigv4 aws:amz:us-east-1:execute-api …` does.",
}
FUNCTIONS = ("start", "end", "heartbeat", "list", "operator")
"""The functions of every stage, by their keys in terraform/main.tf."""
URL_FUNCTION = "heartbeat-url"
"""The one that a stage has where `heartbeat_url` is on."""
DESTROYED_WITHIN_SECONDS = 180
"""An emulator that cannot start functions may never delete one: the provider waits ten minutes for each."""
ATTEMPTS = 4
"""Of a call that the emulator answers with a 5xx, as LocalStack does where a service is not there."""
STATES = ROOT / ".state"
RECORD = STATES / "local.json"


class StackError(Exception):
    """The command cannot do its work; the message is one sentence for whoever gave it."""


@dataclass(frozen=True)
class LocalStage:
    """What `up` writes down of the stage that it brings up, for whatever works on it later."""

    port: int
    emulator: Emulator | None
    """The emulator that `up` started; None where one was there already."""
    auth: str = "none"
    """How callers are authenticated."""
    user_claim: str = ""
    """The claim of a token that is the user; empty: its subject."""

    @property
    def endpoint_url(self) -> str:
        """Where the emulator is."""
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def recorded(cls) -> "LocalStage | None":
        """Read what the last `up` wrote; None when nothing is up."""
        if not RECORD.exists():
            return None
        record = json.loads(RECORD.read_text())
        port = record["port"]
        started = record["started"]
        emulator = Emulator(started["pid"], port, Path(started["directory"])) if started else None
        return cls(port, emulator, record.get("auth", "none"), record.get("user_claim", ""))

    def write(self) -> None:
        """Leave the record."""
        STATES.mkdir(exist_ok=True)
        ours = self.emulator
        started = {"pid": ours.pid, "directory": str(ours.directory)} if ours else None
        record = {"port": self.port, "started": started, "auth": self.auth, "user_claim": self.user_claim}
        RECORD.write_text(json.dumps(record))

    def stack(self) -> Stack:
        """Give the Terraform side of it."""
        return Stack(
            directory=ROOT / "build" / "stacks" / LOCAL_STAGE,
            state=STATES / f"{LOCAL_STAGE}.tfstate",
            stage=LOCAL_STAGE,
            variables={
                "package_path": str(ZIPS["local"]),
                **self._who_may_call(),
                "log_hash_key_parameter": self.hash_key().name,
                "monitoring": "false",  # the emulator keeps alarms in part, and no saved queries
                "architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
            },
            environment=emulated_environment(self.endpoint_url),
            attempts=ATTEMPTS,
            quiet=True,
        )

    def client(self, service: str) -> Any:
        """Give an AWS client of the emulator, as the account's root user."""
        session = boto3.Session("test", "test", region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint_url)

    def hash_key(self) -> HashKey:
        """Give the key of the logs' hash."""
        return HashKey(self.client("ssm"), hash_key_parameter(LOCAL_STAGE))

    def issuer(self) -> Issuer:
        """Give the issuer of the tokens under `auth = jwt`."""
        return Issuer.at(self.endpoint_url, STATES / f"{LOCAL_STAGE}.pem")

    def _who_may_call(self) -> dict[str, str]:
        if self.auth == "jwt":
            url = f"{self.endpoint_url}/{BUCKET}"
            claim = {"user_claim": self.user_claim} if self.user_claim else {}
            return {"auth": "jwt", "jwt_issuer": url, "jwt_audience": json.dumps([AUDIENCE]), **claim}
        return {"auth": self.auth}


def up() -> None:
    """Bring the service up on the emulator. Twice is fine: the second time changes what has changed."""
    port = int(os.environ.get("EMULATOR_PORT", "4566"))
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
        local.issuer().publish(local.client("s3"))
    stack = local.stack()
    print("Applying terraform/ to it.")
    stack.init()
    local.hash_key().make()  # before a function looks for it
    stack.apply()
    print(f"Up. `make down` ends it. {HOW_TO_CALL.get(local.auth, '')}")
    print(f"API_URL={emulated_api_url(local.endpoint_url, str(stack.output()['api_url']))}")


def down() -> None:
    """Take down what `up` brought up: no process and no state is left."""
    local = LocalStage.recorded()
    if local is None:
        print("Nothing is up.")
        return
    if answers(local.endpoint_url):
        print("Destroying the stack.")
        stack = local.stack()
        stack.init()
        try:
            stack.destroy(within_seconds=DESTROYED_WITHIN_SECONDS)
            local.hash_key().delete()
        except (TerraformError, HashKeyError) as error:
            if not local.emulator:
                way_out = (
                    f"The emulator on port {local.port} keeps what is left: stop it, then `make down` again."
                )
                raise StackError(f"{error}\n{way_out}") from error
            print(f"{error}\nWhat is left goes with the emulator.")
    _forget(local)
    kept = "" if local.emulator else f" The emulator on port {local.port} was there before, and stays."
    print(f"Down.{kept}")


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


def emulated_environment(endpoint_url: str) -> dict[str, str]:
    """Give this process's environment with the emulator in place of every AWS setting."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    return {**others, **environment_for(endpoint_url)}


def emulated_api_url(endpoint_url: str, api_url: str) -> str:
    """Give an API's address on the emulator.

    The emulator's own answer, `<id>.execute-api.localhost`, resolves in curl but not in most clients.
    """
    api_id = (urlsplit(api_url).hostname or "").partition(".")[0]
    return f"{endpoint_url}/_aws/execute-api/{api_id}"


def emulated_function_url(endpoint_url: str, function_url: str) -> str:
    """Give a function URL's address on the emulator, which answers for it under a path of its own."""
    url_id = (urlsplit(function_url).hostname or "").partition(".")[0]
    return f"{endpoint_url}/_aws/lambda-url/{url_id}/"


def _at(port: int) -> LocalStage:
    """Take the emulator on that port, or start one."""
    if not is_listening(port):
        emulator = start_emulator(port, enforce_iam=True)
        print(f"Started an emulator on port {port}, which enforces IAM.")
        return LocalStage(port, emulator)
    local = LocalStage(port, emulator=None)
    if not answers(local.endpoint_url):
        raise StackError(f"Port {port} is taken by something that is no emulator: choose EMULATOR_PORT=….")
    print(f"Using the emulator that is on port {port} already.")
    return local


def _forget(local: LocalStage) -> None:
    """Stop the emulator that `up` started, and with it everything inside; remove the files."""
    if local.emulator:
        local.emulator.stop()
    shutil.rmtree(local.stack().directory, ignore_errors=True)
    for file in STATES.glob(f"{LOCAL_STAGE}.*"):
        file.unlink()


COMMANDS = {"up": up, "down": down}


def main(arguments: list[str]) -> int:
    """Run one command."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m dev.stack {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        if arguments[0] != "down":  # which may have nothing to do
            binary()  # Terraform, or a word about it before anything is started
        COMMANDS[arguments[0]]()
    except (StackError, EmulatorError, TerraformError, HashKeyError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
