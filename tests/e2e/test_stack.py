"""The real zip beneath the real Terraform on the emulator, which enforces IAM; spoken to over HTTP.

Terraform is used as a module here, out of the root in examples/module: callers sign.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from dev import package
from dev.emulator import REGION, Emulator, start_emulator
from dev.smoke import signature, smoke
from dev.stack import emulated_api_url, emulated_environment
from dev.terraform import CONFIGURATION, ROOT, Stack, copy_configuration
from tests.e2e.deployed import need_the_tools

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Deployment:
    """A stack of these tests' own, and where it is."""

    stack: Stack
    emulator: Emulator
    api_url: str

    @property
    def prefix(self) -> str:
        """What the name of everything in it begins with."""
        return f"household-{self.stack.stage}"

    def client(self, service: str) -> Any:
        """Give an AWS client, as the account's root user."""
        return boto3.client(service, endpoint_url=self.emulator.endpoint_url, region_name=REGION)

    def list_of(self, user_id: str) -> httpx.Response:
        """Ask for a user's streams."""
        return httpx.get(f"{self.api_url}/stream", params={"userId": user_id}, auth=signature(), timeout=30)

    def post(self, path: str, body: dict[str, str]) -> httpx.Response:
        """Call the API as a player's backend does."""
        return httpx.post(f"{self.api_url}{path}", json=body, auth=signature(), timeout=30)

    def what_is_there(self) -> dict[str, list[str]]:
        """List by kind everything in the account that bears the stack's name."""
        logs = self.client("logs").describe_log_groups()["logGroups"]
        names = {
            "tables": self.client("dynamodb").list_tables()["TableNames"],
            "functions": [one["FunctionName"] for one in self.client("lambda").list_functions()["Functions"]],
            "apis": [one["Name"] for one in self.client("apigatewayv2").get_apis()["Items"]],
            "log groups": [one["logGroupName"] for one in logs],
            "roles": [one["RoleName"] for one in self.client("iam").list_roles()["Roles"]],
            "policies": [one["PolicyName"] for one in self.client("iam").list_policies()["Policies"]],
        }
        return {kind: [name for name in found if self.prefix in name] for kind, found in names.items()}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The service, applied once for these tests under a stage of its own."""
    need_the_tools()
    directory: Path = tmp_path_factory.mktemp("stack")
    copy_configuration(CONFIGURATION, directory / "terraform")
    with start_emulator(enforce_iam=True) as emulator:
        stack = Stack(
            directory=directory / "examples" / "module",
            state=directory / "terraform.tfstate",
            stage=f"t{secrets.token_hex(4)}",
            variables={"package_path": str(package.build("local")), "monitoring": "false"},
            environment=emulated_environment(emulator.endpoint_url),
            quiet=True,
            configuration=ROOT / "examples" / "module",
        )
        stack.init()
        stack.apply()
        api_url = emulated_api_url(emulator.endpoint_url, str(stack.output()["api_url"]))
        yield Deployment(stack, emulator, api_url)


def test_contract_of_the_predecessor(deployment: Deployment) -> None:
    """Four starts in a row give 200 200 200 403, and four ends do."""
    starts = [deployment.post("/stream/start", {"userId": "1"}) for _ in range(4)]
    ends = [deployment.post("/stream/end", {"userId": "1"}) for _ in range(4)]

    assert [answer.status_code for answer in starts] == [200, 200, 200, 403]
    assert [answer.json()["streamCount"] for answer in starts[:3]] == [1, 2, 3]
    assert "maximum" in starts[3].json()["message"]
    assert [answer.status_code for answer in ends] == [200, 200, 200, 403]
    assert [answer.json()["streamCount"] for answer in ends[:3]] == [2, 1, 0]
    assert "no active stream" in ends[3].json()["message"]


def test_each_route_works_within_its_role(deployment: Deployment) -> None:
    """A named stream is started, kept, listed and ended, each by a function that may do one thing."""
    stream = {"userId": "2", "streamId": "tv"}

    assert deployment.post("/stream/start", stream).status_code == 200
    assert deployment.post("/stream/heartbeat", stream).status_code == 200
    assert [one["streamId"] for one in deployment.list_of("2").json()["streams"]] == ["tv"]
    assert deployment.post("/stream/end", stream).json()["streamCount"] == 0


def test_the_backend_policy_is_all_that_a_backend_needs(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the policy that the example makes of the module's output a caller gets in, and without it not."""
    iam = deployment.client("iam")
    iam.create_user(UserName="backend")
    key = iam.create_access_key(UserName="backend")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    without = deployment.list_of("3").status_code

    policy = str(deployment.stack.output()["backend_policy_arn"])
    iam.attach_user_policy(UserName="backend", PolicyArn=policy)
    smoke(deployment.api_url, sign=signature())
    iam.detach_user_policy(UserName="backend", PolicyArn=policy)

    assert without == 403


def test_second_plan_is_empty(deployment: Deployment) -> None:
    """What was applied is what is described: a second apply would change nothing."""
    assert not deployment.stack.has_changes()


def test_roles_are_what_lets_a_function_work(deployment: Deployment) -> None:
    """IAM is enforced here: without its policy a function fails, and the next apply mends it."""
    deployment.client("iam").delete_role_policy(
        RoleName=f"{deployment.prefix}-list", PolicyName="table-and-log"
    )
    assert deployment.list_of("2").is_server_error

    deployment.stack.apply()
    assert deployment.list_of("2").is_success


def test_destroy_leaves_nothing(deployment: Deployment) -> None:
    """Runs last: everything that bears the stack's name is there before, and nothing is after."""
    assert all(deployment.what_is_there().values())

    deployment.stack.destroy()

    assert not any(deployment.what_is_there().values())
