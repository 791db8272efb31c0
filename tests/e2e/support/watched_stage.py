"""A stage that is deployed as on AWS, by `make deploy`, and watched; on the emulator, with a pager."""

import json
import os
import platform
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dev import ROOT
from dev.emulators.ministack import Emulator, emulated_api_url, emulated_environment, start_emulator
from dev.operate.stage import FUNCTIONS
from dev.packaging.package import THIS_PYTHON
from dev.tools.servers import free_port
from tests.e2e.support.faulty_store import FaultyStore
from tests.support.commands import succeed
from tests.support.service import client_of
from tests.support.terminal import terminal

HASH_KEY: Final = "pepper"
COMMAND_SECONDS: Final = 240
MAX_STREAMS: Final = 2
CONCURRENCY: Final = 4
"""The account's concurrent instances of functions."""
NOT_COPIED: Final = shutil.ignore_patterns(".*", "build", "node_modules", "__pycache__")
LINKED: Final = (".venv", ".venv-emulator", ".venv-crt", ".cache")
# The emulator keeps no saved queries: these are left out. Everything else is applied unchanged.
WITHOUT_QUERIES: Final = "".join(
    f'resource "aws_cloudwatch_query_definition" "{name}" {{\n  for_each = {{}}\n}}\n'
    for name in ("events", "access_log")
)


@dataclass(frozen=True)
class WatchedStage:
    """The stage, and everything around it.

    Attributes:
        project: a copy of the project, which the stage was deployed from and whose commands work on it.
        store: the proxy between the functions and DynamoDB.
        pager: the queue where the person on call finds the alarms' messages.
        answers: the output of each command that was run on it.
    """

    stage: str
    project: Path
    emulator: Emulator
    store: FaultyStore
    api_url: str
    pager: str
    answers: dict[str, str]

    @property
    def prefix(self) -> str:
        """The beginning of every name in the stage."""
        return f"stream-limiter-{self.stage}"

    @property
    def functions(self) -> list[str]:
        """The names of the functions."""
        return [f"{self.prefix}-{route}" for route in FUNCTIONS]

    @property
    def package(self) -> Path:
        """The zip that was deployed."""
        return self.project / "build" / "stream-limiter.zip"

    @property
    def configuration(self) -> Path:
        """The working copy of Terraform's that it was applied from."""
        return self.project / "build" / "stacks" / self.stage

    def client(self, service: str) -> Any:
        """Return an AWS client, as the account's root user."""
        return client_of(self.emulator.endpoint_url, service)

    def shell(self, command: str) -> str:
        """Run a command in the project, as an operator whose account the emulator is; return its output.

        Raises:
            AssertionError: it failed.
        """
        self.answers[command] = _shell(self.project, environment(self.emulator), command)
        return self.answers[command]

    def terminal(self, command: str) -> str:
        """Return a command's output on a terminal."""
        with terminal() as screen:
            with screen.output() as output:
                process = subprocess.Popen(
                    ["sh", "-c", command], cwd=self.project, env=environment(self.emulator), stdout=output
                )
            shown = screen.wait_for()
        assert process.wait(COMMAND_SECONDS) == 0
        return shown


@contextmanager
def watched_stage(directory: Path) -> Iterator[WatchedStage]:
    """Deploy a stage, whose copy of the project lies in this directory."""
    stage = f"t{secrets.token_hex(4)}"
    port = free_port()
    with FaultyStore(port) as store:
        variables = {
            "AWS_ENDPOINT_URL_DYNAMODB": store.url,
            "LAMBDA_ACCOUNT_CONCURRENCY": str(CONCURRENCY),
        }
        with start_emulator(port, enforce_iam=True, variables=variables) as emulator:
            sns, sqs = (client_of(emulator.endpoint_url, service) for service in ("sns", "sqs"))
            topic, pager = _pager(sns, sqs)
            settings = {
                "auth": "none",
                "alarm_topic_arn": topic,
                "on_store_failure": "open",
                "max_streams": MAX_STREAMS,
                "lease_seconds": 3600,  # a test says when they expire
                "log_hash_key": HASH_KEY,
            }
            project = _project(directory / "project", stage, settings)
            command = f"make deploy STAGE={stage}"
            output = _shell(project, environment(emulator), command)
            api_url = emulated_api_url(emulator.endpoint_url, output.rpartition("API_URL=")[2].strip())
            yield WatchedStage(stage, project, emulator, store, api_url, pager, {command: output})


def environment(emulator: Emulator) -> dict[str, str]:
    """Return an operator's shell variables: the account, and a mode without questions."""
    return {
        **emulated_environment(emulator.endpoint_url),
        "AUTO_APPROVE": "1",
        "FOLLOW": "0",
        # The architecture that this machine can run.
        "PYTHON_VERSION": THIS_PYTHON,
        "ARCHITECTURE": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
    }


def copied(directory: Path) -> Path:
    """Copy the project there, without what is built or running; the environments are shared."""
    shutil.copytree(ROOT, directory, ignore=NOT_COPIED)
    for name in LINKED:
        (ROOT / name).mkdir(exist_ok=True)
        (directory / name).symlink_to(ROOT / name)
    return directory


def _project(directory: Path, stage: str, settings: Mapping[str, Any]) -> Path:
    """Copy the project, and add the stage."""
    copied(directory)
    terraform = directory / "terraform"
    (terraform / "queries_override.tf").write_text(WITHOUT_QUERIES, encoding="utf-8")
    (terraform / "stages").mkdir(exist_ok=True)
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    (terraform / "stages" / f"{stage}.tfvars").write_text("".join(lines), encoding="utf-8")
    return directory


def _pager(sns: Any, sqs: Any) -> tuple[str, str]:
    """Return a topic that alarms can be sent to, and the queue where the person on call finds them."""
    topic = sns.create_topic(Name="pager")["TopicArn"]
    queue = sqs.create_queue(QueueName="pager")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return str(topic), str(queue)


def _shell(directory: Path, variables: Mapping[str, str], command: str) -> str:
    env = {**variables, "MAKEFLAGS": "--no-print-directory", "PATH": os.environ["PATH"]}
    return succeed("sh", "-c", command, cwd=directory, env=env, seconds=COMMAND_SECONDS)
