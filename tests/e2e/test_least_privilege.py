"""What each function may do, taken away bit by bit, on an emulator that enforces IAM."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import boto3
import httpx
import pytest

from dev.emulator import REGION, start_emulator
from tests.e2e.deployed import need_the_tools, stage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CALLS: Final = {
    "start": ("POST", "/stream/start"),
    "heartbeat": ("POST", "/stream/heartbeat"),
    "end": ("POST", "/stream/end"),
    "list": ("GET", "/stream?userId=1"),
}
POLICY: Final = "table-and-log"


@dataclass(frozen=True)
class Granted:
    """A deployed service, and its functions' policies."""

    url: str
    prefix: str
    iam: Any
    logs: Any

    def call(self, function: str) -> int:
        """Send the function an ordinary request; gives the status."""
        method, path = CALLS[function]
        body = None if method == "GET" else {"userId": "1", "streamId": "tv"}
        return httpx.request(method, self.url + path, json=body, timeout=30).status_code

    def policy(self, function: str) -> Any:
        """What the function may do."""
        found = self.iam.get_role_policy(RoleName=f"{self.prefix}-{function}", PolicyName=POLICY)
        return found["PolicyDocument"]

    def allow(self, function: str, policy: Any) -> None:
        """Let the function do this, and nothing else."""
        self.iam.put_role_policy(
            RoleName=f"{self.prefix}-{function}", PolicyName=POLICY, PolicyDocument=json.dumps(policy)
        )


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    """The service as Terraform deploys it."""
    need_the_tools()
    with start_emulator(enforce_iam=True) as emulator:
        session = boto3.Session("test", "test", region_name=REGION)
        stack, url = stage(emulator, tmp_path_factory.mktemp("granted"), auth="none")
        yield Granted(
            url,
            f"stream-limiter-{stack.stage}",
            session.client("iam", endpoint_url=emulator.endpoint_url),
            session.client("logs", endpoint_url=emulator.endpoint_url),
        )


@pytest.mark.parametrize("function", CALLS)
def test_each_call_needs_its_permission(function: str, granted: Granted) -> None:
    """With its one permission on the table taken away a function fails, and with it back it works."""
    policy = granted.policy(function)
    of_table, *others = policy["Statement"]
    assert isinstance(of_table["Action"], str)
    assert granted.call(function) < 500

    granted.allow(function, {**policy, "Statement": others})
    taken_away = granted.call(function)
    granted.allow(function, policy)

    assert taken_away == 500
    assert granted.call(function) < 500


@pytest.mark.parametrize("function", CALLS)
def test_no_permission_is_for_more_than_this_table(function: str, granted: Granted) -> None:
    """On any other table the same permission does not help: it is this table that the function needs."""
    policy = granted.policy(function)
    of_table, *others = policy["Statement"]

    other = {**of_table, "Resource": of_table["Resource"] + "-other"}
    granted.allow(function, {**policy, "Statement": [other, *others]})
    elsewhere = granted.call(function)
    granted.allow(function, policy)

    assert elsewhere == 500


@pytest.mark.parametrize("function", CALLS)
def test_nothing_is_granted_that_is_not_needed(function: str, granted: Granted) -> None:
    """Beside its table a function may write its own log: create a stream there, and put lines into it."""
    role = f"{granted.prefix}-{function}"
    _, of_log, *more = granted.policy(function)["Statement"]
    group = f"/aws/lambda/{granted.prefix}-{function}"

    assert more == []
    assert set(of_log["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert of_log["Resource"].endswith(f":log-group:{group}:*")
    assert granted.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    assert granted.iam.list_role_policies(RoleName=role)["PolicyNames"] == [POLICY]


def test_no_line_of_a_log_names_the_user(granted: Granted) -> None:
    """Whatever was called, and whatever failed, the functions' logs hold hashes."""
    viewer = "viewer-nobody-may-read"
    for function, (method, path) in CALLS.items():
        url = granted.url + path.replace("userId=1", f"userId={viewer}")
        for body in ({"userId": viewer, "streamId": "tv"}, {"userId": viewer, "streamId": "not valid"}):
            httpx.request(method, url, json=None if function == "list" else body, timeout=30)
    policy = granted.policy("start")
    granted.allow("start", {**policy, "Statement": policy["Statement"][1:]})
    headers = {"authorization": "Bearer secret-token"}
    failed = httpx.post(granted.url + "/stream/start", json={"userId": viewer}, headers=headers, timeout=30)
    granted.allow("start", policy)
    lines = [
        event["message"]
        for group in granted.logs.describe_log_groups()["logGroups"]
        for event in granted.logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
    ]

    assert failed.status_code == 500
    assert any('"outcome": "failed"' in line for line in lines)
    assert any('"user": ' in line for line in lines)
    assert [line for line in lines if viewer in line or "secret-token" in line] == []
