"""The policy of docs/deploy.md lets its bearer deploy, on an emulator that enforces IAM."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from dev.emulators.ministack import REGION, Emulator, emulated_api_url, emulated_environment, start_emulator
from dev.operate.hash_key import HashKey, HashKeyError
from dev.operate.stage import hash_key_parameter
from dev.packaging import package
from dev.tools.terraform import Stack, TerraformError
from tests.e2e.support.deployment import need_the_tools
from tests.support.documented import boundary_statement, deployer_policy
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

USER: Final = "deployer"
ACCOUNT: Final = "000000000000"
"""The emulator's account."""


@dataclass(frozen=True)
class Account:
    """An emulated account, with a user that may do nothing yet."""

    emulator: Emulator
    environment: dict[str, str]

    def client(self, service: str) -> Any:
        """Return a client of the account's root user."""
        return client_of(self.emulator.endpoint_url, service)

    def allow(self, statements: list[Any]) -> None:
        """Let the user do this, and nothing else; the emulator cannot tell every call's resource."""
        everywhere = [{**statement, "Resource": "*"} for statement in statements]
        policy = json.dumps({"Version": "2012-10-17", "Statement": everywhere})
        self.client("iam").put_user_policy(UserName=USER, PolicyName="deploys", PolicyDocument=policy)

    def stack(self, directory: Path, **variables: str) -> Stack:
        """Return a stage that the user deploys."""
        stack = Stack(
            directory=directory / "terraform",
            state=directory / "terraform.tfstate",
            stage="rights",
            variables={"package_path": str(package.build("local")), "auth": "none", **variables},
            environment=self.environment,
            quiet=True,
        )
        stack.init()
        return stack


@pytest.fixture
def account() -> Iterator[Account]:
    """Return an account of the test's own, so that tests do not meet each other's remains."""
    need_the_tools()
    with start_emulator(enforce_iam=True) as emulator:
        iam = client_of(emulator.endpoint_url, "iam")
        iam.create_user(UserName=USER)
        key = iam.create_access_key(UserName=USER)["AccessKey"]
        credentials = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        yield Account(emulator, {**emulated_environment(emulator.endpoint_url), **credentials})


def denied(run: Callable[[], None]) -> set[str]:
    """Run it; return the actions that it was denied."""
    try:
        run()
    except TerraformError as error:
        return set(re.findall(r"not authorized to perform: (\w+:\w+)", str(error)))
    return set()


def test_the_documented_rights_are_enough(account: Account, tmp_path: Path) -> None:
    """With the documented rights a stage is deployed, changed in every way, and destroyed."""
    account.allow([each for each in deployer_policy()["Statement"] if each["Sid"] != "Monitoring"])
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    stack = account.stack(tmp_path, monitoring="false", reserved_concurrency="1", kms_key_arn=key)
    stack.apply()
    changed = {
        "log_retention_days": "7",
        "max_streams": "2",
        "memory_size": "256",
        "reserved_concurrency": "-1",
        "tags": '{ owner = "us" }',
        "throttling_rate": "9",
    }
    stack = replace(stack, variables={**stack.variables, **changed})
    stack.apply()
    url = emulated_api_url(account.emulator.endpoint_url, str(stack.output()["api_url"]))

    assert httpx.post(f"{url}/stream/start", json={"userId": "1"}, timeout=30).status_code == 200
    stack.destroy()
    assert account.client("dynamodb").list_tables()["TableNames"] == []


def test_the_documented_rights_are_enough_for_a_heartbeat_url(account: Account, tmp_path: Path) -> None:
    """With the documented rights, a heartbeat URL can be created, changed and removed from its stage."""
    account.allow([each for each in deployer_policy()["Statement"] if each["Sid"] != "Monitoring"])
    asked = {"heartbeat_url": "true", "playback_key_parameter": "/key", "reserved_concurrency": "1"}
    stack = account.stack(tmp_path, monitoring="false", **asked)
    stack.apply()
    origins = {"cors_origins": '["https://watch.example.com"]', "tags": '{ owner = "us" }'}
    replace(stack, variables={**stack.variables, **origins}).apply()
    assert stack.output()["heartbeat_url"]

    stack = replace(stack, variables={**stack.variables, "heartbeat_url": "false"})
    stack.apply()
    left = [one["FunctionName"] for one in account.client("lambda").list_functions()["Functions"]]
    assert left
    assert not any("heartbeat-url" in name for name in left)
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []
    stack.destroy()


def test_a_permissions_boundary_limits_the_functions(account: Account, tmp_path: Path) -> None:
    """With the documented rights a stage gets a boundary, which takes away what it does not allow.

    The emulator does not know the statement's condition.
    """
    boundary = {name: value for name, value in boundary_statement().items() if name != "Condition"}
    account.allow([*deployer_policy()["Statement"], boundary])
    stack = account.stack(tmp_path, monitoring="false")
    stack.apply()
    url = emulated_api_url(account.emulator.endpoint_url, str(stack.output()["api_url"]))
    statuses = []
    for action in ("dynamodb:*", "s3:*"):
        allowed = [{"Effect": "Allow", "Action": [action, "logs:*"], "Resource": "*"}]
        policy = account.client("iam").create_policy(
            PolicyName=f"only-{action[:2]}", PolicyDocument=json.dumps({"Statement": allowed})
        )
        arn = policy["Policy"]["Arn"]
        bounded = replace(stack, variables={**stack.variables, "permissions_boundary": arn})
        bounded.apply()
        for role in stack.output()["role_names"].values():
            set_boundary = account.client("iam").get_role(RoleName=role)["Role"]["PermissionsBoundary"]
            assert set_boundary["PermissionsBoundaryArn"] == arn
        answer = httpx.post(f"{url}/stream/start", json={"userId": "1"}, timeout=30)
        statuses.append(answer.status_code)

    assert statuses == [200, 500]
    assert stack.output()["table_arn"].endswith(stack.output()["table_name"])
    assert stack.output()["api_id"] in stack.output()["api_url"]
    stack.destroy()


def test_the_documented_rights_are_enough_for_the_hash_key(account: Account) -> None:
    """With the documented rights the parameter is made and deleted, but not read, and no other is touched.

    For these calls the emulator knows the resource: the statement is tested unchanged.
    """
    (statement,) = (one for one in deployer_policy()["Statement"] if one["Sid"] == "LogHashKey")
    account.allow([{"Effect": "Allow", "Action": ["sts:GetCallerIdentity"]}])
    resource = statement["Resource"].replace("<region>", REGION).replace("<account>", ACCOUNT)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": resource}]})
    account.client("iam").put_user_policy(UserName=USER, PolicyName="key", PolicyDocument=policy)
    key = account.environment
    session = boto3.Session(key["AWS_ACCESS_KEY_ID"], key["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    ssm = session.client("ssm", endpoint_url=account.emulator.endpoint_url)
    name = hash_key_parameter("rights")

    HashKey(ssm, name).make()
    HashKey(ssm, name).make()
    with pytest.raises(ClientError, match="AccessDenied"):
        ssm.get_parameter(Name=name, WithDecryption=True)
    with pytest.raises(HashKeyError, match=r"AccessDenied\w*\): allow ssm:PutParameter on /other"):
        HashKey(ssm, "/other").make()
    HashKey(ssm, name).delete()

    assert account.client("ssm").describe_parameters()["Parameters"] == []


def test_the_documented_rights_are_enough_to_monitor(account: Account, tmp_path: Path) -> None:
    """Nothing of the dashboard, the alarms and their topic is denied; the emulator knows no saved queries."""
    account.allow(deployer_policy()["Statement"])
    stack = account.stack(tmp_path, monitoring="true", alarm_email="on-call@example.com")

    assert denied(stack.apply) == set()
    assert account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert account.client("sns").list_topics()["Topics"]
    assert denied(stack.destroy) == set()
    assert account.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_without_rights_nothing_is_created(account: Account, tmp_path: Path) -> None:
    """Without the statements a user is denied the first action of each, so the emulator enforces them."""
    account.allow([{"Effect": "Allow", "Action": ["sts:GetCallerIdentity"]}])

    assert denied(account.stack(tmp_path, monitoring="false").apply) == {
        "apigateway:POST",
        "dynamodb:CreateTable",
        "iam:CreateRole",
        "logs:CreateLogGroup",
    }
