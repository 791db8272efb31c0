"""A support desk that may call the operator's routes and nothing else, and the page that it works by."""

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import boto3
import httpx
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from adapters.dynamodb.items import key
from dev.emulators.ministack import REGION, emulated_environment, start_emulator
from dev.tools.terraform import Stack
from tests.e2e.support.deployment import need_the_tools, published_issuer, stage
from tests.e2e.support.runbook import commands_of
from tests.e2e.support.target import World
from tests.support import documented
from tests.support.commands import succeed
from tests.support.logs import leaks, log_lines
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

CALLER: Final = "viewer-1"
SCREENS: Final = ("tv", "phone", "pc")
COMMAND_SECONDS: Final = 60
ROLE: Final = "support"
DESK: Final = "desk-7"


@dataclass(frozen=True)
class Desk:
    """A service that requires tokens of players, and the support desk for its users.

    Attributes:
        world: the service.
        stack: its Terraform.
        endpoint_url: the account that it is in.
        credentials: the desk's own, of a role that has what docs/security.md gives an operator.
    """

    world: World
    stack: Stack
    endpoint_url: str
    credentials: Mapping[str, str]

    def play(self, screen: str) -> httpx.Response:
        """Start a stream as the caller's own player."""
        return self.world.send_for(CALLER, 3, "/stream/start", streamId=screen, device=f"{screen} at home")

    def watches(self, screen: str) -> bool:
        """Return whether the player of a screen continues."""
        return self.world.send_for(CALLER, None, "/stream/heartbeat", streamId=screen).status_code == 200

    def commands(self, part: str) -> list[str]:
        """Return the commands of docs/support.md that have this part, about the caller's TV."""
        meant = {
            "stage": str(self.stack.stage),
            "api_url": self.world.url,
            "region": REGION,
            "user": CALLER,
            "stream": "tv",
        }
        return [command for command in commands_of("support.md", meant) if part in command]

    def run(self, command: str) -> Any:
        """Run a command over HTTP with the desk's credentials, and return the answer."""
        return json.loads(self._shell(command, self.credentials))

    def run_as_operator(self, command: str) -> str:
        """Run a command of a colleague, who has rights on the table and the logs."""
        return self._shell(command, {})

    def _shell(self, command: str, credentials: Mapping[str, str]) -> str:
        known = emulated_environment(self.endpoint_url) | {"MAKEFLAGS": "--no-print-directory"}
        environment = {**known, **credentials, "PATH": os.environ["PATH"]}
        return succeed("sh", "-c", command, env=environment, seconds=COMMAND_SECONDS)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Yield the desk, on an emulator that checks signatures and policies."""
    need_the_tools()
    directory = tmp_path_factory.mktemp("support")
    with start_emulator(enforce_iam=True) as emulator:
        account = partial(client_of, emulator.endpoint_url)
        issuer, tokens = published_issuer(emulator, directory)
        stack, url = stage(emulator, directory / "stage", **tokens, log_hash_key=secrets.token_urlsafe(32))
        world = World("jwt", url, issuer, account, Credentials("test", "test"))
        yield Desk(world, stack, emulator.endpoint_url, assumed(account, world))


def assumed(account: Any, world: World) -> dict[str, str]:
    """Return the credentials of a session of a role that has what docs/security.md gives an operator."""
    iam = account("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000"}}
    allow = {**documented.invoke_policies()["operator"], "Resource": world.documented_arns("operator")}
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=policy(trust))["Role"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="operate", PolicyDocument=policy(allow))
    session = account("sts").assume_role(RoleArn=role["Arn"], RoleSessionName=DESK)["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }


def policy(statement: Mapping[str, Any]) -> str:
    """Return a policy of this one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def watching(desk: Desk) -> None:
    """Let the caller watch on as many screens as the plan allows, and be refused on one more."""
    for command in desk.commands('"end viewer-1"'):
        desk.run_as_operator(command)
    assert [desk.play(screen).status_code for screen in SCREENS] == [200, 200, 200]
    assert desk.play("kitchen").json()["code"] == "limit_reached"


@pytest.mark.usefixtures("watching")
def test_the_support_desk_frees_a_slot_without_rights_on_the_table(desk: Desk) -> None:
    """By HTTP, as the page says, the desk lists the streams, ends one, and the caller can play."""
    look, end, end_all = desk.commands("curl ")

    seen = {one["streamId"]: one["device"] for one in desk.run(look)["streams"]}
    assert seen == {screen: f"{screen} at home" for screen in SCREENS}
    assert desk.run(end) == {"streamCount": 2, "endedStreams": ["tv"], "endedAnonymous": 0}
    assert desk.play("kitchen").status_code == 200
    assert not desk.watches("tv")
    assert desk.watches("phone")

    assert sorted(desk.run(end_all)["endedStreams"]) == ["kitchen", "pc", "phone"]
    assert desk.run(look)["streamCount"] == 0
    assert desk.run(end) == {"streamCount": 0, "endedStreams": [], "endedAnonymous": 0}

    session = boto3.Session(
        *(
            desk.credentials[f"AWS_{name}"]
            for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
        ),
        region_name=REGION,
    )
    table = session.client("dynamodb", endpoint_url=desk.endpoint_url)
    for call in (table.get_item, table.delete_item):
        with pytest.raises(ClientError, match="AccessDenied"):
            call(TableName=desk.stack.output()["table_name"], Key=key(CALLER))


@pytest.mark.usefixtures("watching")
def test_streamctl_frees_a_slot_with_rights_on_the_table(desk: Desk) -> None:
    """With rights on the table, `streamctl` does the same by the commands of the page."""
    show, end, end_all, _ = desk.commands("make streamctl")

    assert desk.run_as_operator(show).startswith(f"{CALLER}: 3 live, 3 slots taken")
    assert desk.run_as_operator(end) == f"{CALLER}: 1 ended\n"
    assert desk.play("kitchen").status_code == 200
    assert desk.run_as_operator(end_all) == f"{CALLER}: 3 ended\n"


def test_the_support_desk_cannot_call_player_routes(desk: Desk) -> None:
    """The desk's policy is for listing and ending, and a player's route requires a token, not a signature."""
    path, body = "/stream/start", b'{"streamId": "tv"}'
    by = Credentials(desk.credentials["AWS_ACCESS_KEY_ID"], desk.credentials["AWS_SECRET_ACCESS_KEY"])
    assert desk.world.send(path, body, desk.world.signed(path, body, by)).status_code == 401


@pytest.mark.usefixtures("watching")
def test_the_log_names_the_operators_session(desk: Desk) -> None:
    """The log has the ARN of the session and the hash that `streamctl` prints for the user, and no user."""
    look, *ends = desk.commands("curl ")
    desk.run(look)
    for command in ends:
        desk.run(command)
    (log,) = desk.commands("make logs FN=operator")
    (user_hash,) = desk.commands("hash viewer-1")
    lines = _eventually(desk, log)

    assert {event["operator"] for event in lines} == {f"arn:aws:sts::000000000000:assumed-role/{ROLE}/{DESK}"}
    assert {(event["route"], event["outcome"]) for event in lines} >= {
        ("GET /operator/streams", "listed"),
        ("DELETE /operator/streams", "ended"),
    }
    assert {event["user"] for event in lines} == {desk.run_as_operator(user_hash).strip()}
    for event in lines:
        documented.check(event)
    assert leaks(log_lines(desk.world.account("logs"))) == []


def _eventually(desk: Desk, command: str) -> list[dict[str, Any]]:
    """Return the events that a command prints, once the emulator has written both routes'."""
    for _ in range(10):
        lines = [json.loads(line) for line in desk.run_as_operator(command).splitlines()]
        events = [line for line in lines if "route" in line]
        if len({event["route"] for event in events}) > 1:
            return events
        time.sleep(1)
    return events
