"""The real zip beneath the real Terraform on the emulator, which enforces IAM; called over HTTP.

Terraform is a module here, as the root in examples/module uses it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.credentials import Credentials

from dev import ROOT
from dev.emulators.issuer import Issuer
from dev.emulators.ministack import Emulator, start_emulator
from dev.tools.terraform import Stack, run_terraform
from tests.e2e.support.attacks import INPUTS, OPEN, Attack
from tests.e2e.support.deployment import need_the_tools, stage
from tests.e2e.support.target import World
from tests.support import documented
from tests.support.logs import leaks, log_lines
from tests.support.service import check_original_contract, client_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.long]


@dataclass(frozen=True)
class Deployment:
    """A stack of these tests' own, and its address."""

    stack: Stack
    emulator: Emulator
    api_url: str

    @property
    def prefix(self) -> str:
        """The beginning of every name in it."""
        return f"household-{self.stack.stage}"

    def client(self, service: str) -> Any:
        """Return an AWS client, as the account's root user."""
        return client_of(self.emulator.endpoint_url, service)

    @property
    def world(self) -> World:
        """The same as an attacker meets it, with credentials of all kinds, which are not required."""
        issuer = Issuer.at(self.emulator.endpoint_url, self.stack.state.with_name("issuer.pem"))
        return World("none", self.api_url, issuer, self.client, Credentials("test", "test"))

    def list_of(self, user_id: str) -> httpx.Response:
        """Request a user's streams."""
        return httpx.get(f"{self.api_url}/stream", params={"userId": user_id}, timeout=30)

    def post(self, path: str, body: dict[str, str]) -> httpx.Response:
        """Call the API as a player does."""
        return httpx.post(f"{self.api_url}{path}", json=body, timeout=30)

    def resources(self) -> dict[str, list[str]]:
        """List by kind everything in the account that has the stack's name."""
        logs = self.client("logs").describe_log_groups()["logGroups"]
        names = {
            "tables": self.client("dynamodb").list_tables()["TableNames"],
            "functions": [one["FunctionName"] for one in self.client("lambda").list_functions()["Functions"]],
            "apis": [one["Name"] for one in self.client("apigatewayv2").get_apis()["Items"]],
            "log groups": [one["logGroupName"] for one in logs],
            "roles": [one["RoleName"] for one in self.client("iam").list_roles()["Roles"]],
        }
        return {kind: [name for name in found if self.prefix in name] for kind, found in names.items()}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Yield the service, applied once for this module under a stage of its own."""
    need_the_tools()
    root = ROOT / "examples" / "module"
    with start_emulator(enforce_iam=True) as emulator:
        stack, api_url = stage(emulator, tmp_path_factory.mktemp("stack"), root, auth="none")
        yield Deployment(stack, emulator, api_url)


def test_the_stack_serves_the_original_contract(deployment: Deployment) -> None:
    """Four starts in a row give 200 200 200 403, and four ends do."""

    def call(name: str) -> tuple[int, dict[str, Any]]:
        answer = deployment.post(f"/stream/{name}", {"userId": "viewer-1"})
        return answer.status_code, answer.json()

    check_original_contract(call)


def test_each_route_works_within_its_role(deployment: Deployment) -> None:
    """A named stream is started, kept, listed and ended, each by a function that may do one thing."""
    stream = {"userId": "viewer-2", "streamId": "tv"}

    assert deployment.post("/stream/start", stream).status_code == 200
    assert deployment.post("/stream/heartbeat", stream).status_code == 200
    assert [one["streamId"] for one in deployment.list_of("viewer-2").json()["streams"]] == ["tv"]
    assert deployment.post("/stream/end", stream).json()["streamCount"] == 0


def test_second_plan_is_empty(deployment: Deployment) -> None:
    """A second apply would change nothing."""
    stack = deployment.stack

    plan = run_terraform(stack.directory, "plan", *stack.inputs(), environment=stack.environment)

    assert "No changes." in plan


def test_metrics_include_every_sampled_heartbeat(deployment: Deployment, tmp_path: Path) -> None:
    """Half of the heartbeats have an event of their own; the log makes the metrics of all of them."""
    stack, url = stage(deployment.emulator, tmp_path, auth="none", heartbeat_log_sample="2")
    stream = {"userId": "viewer-9", "streamId": "tv"}
    for name in ("start", *["heartbeat"] * 6):
        assert httpx.post(f"{url}/stream/{name}", json=stream, timeout=30).status_code == 200
    group = f"/aws/lambda/stream-limiter-{stack.stage}-heartbeat"
    lines = deployment.client("logs").filter_log_events(logGroupName=group)["events"]
    events = [json.loads(line["message"]) for line in lines if '"_aws":' in line["message"]]

    for event in events:
        assert documented.made_of(event).keys() == documented.METRICS.keys() - documented.RARE
    assert sum(len(documented.values_of(event, "duration_ms")) for event in events) == 6
    assert sum(sum(documented.values_of(event, "requests")) for event in events) == 6
    assert "heartbeats" in {event["event"] for event in events}


def test_functions_need_their_roles_policies(deployment: Deployment) -> None:
    """Without its policy a function fails, because IAM is enforced here, and the next apply repairs it."""
    deployment.client("iam").delete_role_policy(
        RoleName=f"{deployment.prefix}-list", PolicyName="table-and-log"
    )
    assert deployment.list_of("viewer-2").is_server_error

    deployment.stack.apply()
    assert deployment.list_of("viewer-2").is_success


@pytest.mark.parametrize("attack", [*INPUTS, *OPEN], ids=lambda attack: attack.name)
def test_an_attack_is_refused(attack: Attack, deployment: Deployment) -> None:
    """Without authentication a request that breaks the contract is still refused."""
    answer = attack.send(deployment.world)

    assert answer.status_code == attack.status, answer.text
    assert answer.json().get("code") == attack.code


def test_logs_contain_no_user(deployment: Deployment) -> None:
    """After all requests the logs hold hashes and no user."""
    assert leaks(log_lines(deployment.client("logs"))) == []


def test_destroy_leaves_nothing(deployment: Deployment) -> None:
    """Runs last: destroying deletes everything that has the stack's name."""
    assert all(deployment.resources().values())

    deployment.stack.destroy()

    assert not any(deployment.resources().values())
