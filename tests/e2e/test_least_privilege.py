"""Each function's permissions, removed one by one, on an emulator that enforces IAM and records calls."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
from botocore.credentials import Credentials

from dev.emulators.ministack import start_emulator
from dev.tools.terraform import Stack, TerraformError
from tests.e2e.support.deployment import need_the_tools, stage
from tests.e2e.support.target import signature
from tests.support.logs import leaks, log_lines
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

VIEWER: Final = "viewer-1"
CALLS: Final = {
    "start": [("POST", "/stream/start")],
    "heartbeat": [("POST", "/stream/heartbeat")],
    "end": [("POST", "/stream/end")],
    "list": [("GET", f"/stream?userId={VIEWER}")],
    "operator": [
        ("GET", f"/operator/streams?userId={VIEWER}"),
        ("DELETE", f"/operator/streams?streamId=tv&userId={VIEWER}"),
    ],
}
"""An ordinary call of each route of a function: together they make every call that the function needs."""

ACTIONS: Final = [
    *((function, "dynamodb:UpdateItem") for function in ("start", "heartbeat", "end", "operator")),
    *((function, "dynamodb:GetItem") for function in ("list", "operator")),
]
POLICY: Final = "table-and-log"
PARAMETER: Final = "/stream-limiter/log-hash-key"
KEY: Final = "pepper"
PLAYBACK_PARAMETER: Final = "/stream-limiter/playback-key"
PLAYBACK_KEY: Final = f"2026-a:{'k' * 43}"
ISSUE_TOKENS: Final = {"start", "heartbeat"}
BY_AWS_ITSELF: Final = {
    *("logs:CreateLogStream", "logs:PutLogEvents"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    "kms:Decrypt",
}
"""The calls of Lambda, DynamoDB and SSM under a function's role, which the emulator does not require."""


@dataclass(frozen=True)
class Granted:
    """A deployed service with every optional feature, and its functions' policies."""

    stack: Stack
    url: str
    endpoint_url: str

    @property
    def prefix(self) -> str:
        """The beginning of every name in it."""
        return f"stream-limiter-{self.stack.stage}"

    def client(self, service: str) -> Any:
        """Return a client of the account's root user."""
        return client_of(self.endpoint_url, service)

    def answers(self, function: str) -> list[httpx.Response]:
        """Send the function an ordinary request along each of its routes, and return its answers."""
        body = {"userId": VIEWER, "streamId": "tv"}
        return [
            self.send(method, path, json.dumps(body).encode() if method == "POST" else None)
            for method, path in CALLS[function]
        ]

    def answer(self, function: str) -> httpx.Response:
        """Send the one route of the function an ordinary request, and return its answer."""
        (answer,) = self.answers(function)
        return answer

    def send(self, method: str, path: str, body: bytes | None) -> httpx.Response:
        """Send a request, signed by the account's root user."""
        url = self.url + path
        headers = {
            "content-type": "application/json",
            **signature(method, url, body, Credentials("test", "test")),
        }
        return httpx.request(method, url, content=body, headers=headers, timeout=30)

    def call(self, function: str) -> int:
        """Send the function its ordinary requests, and return the worst status."""
        return max(answer.status_code for answer in self.answers(function))

    def call_anew(self, function: str) -> int:
        """Send the function its ordinary requests in a new process, and return the worst status."""
        self.restart(function)
        return self.call(function)

    def restart(self, function: str) -> None:
        """Let a new process serve the function's next request."""
        name = f"{self.prefix}-{function}"
        functions = self.client("lambda")
        found = functions.get_function_configuration(FunctionName=name)["Environment"]
        changed = {"Variables": {**found["Variables"], "UNREAD": secrets.token_hex(4)}}
        functions.update_function_configuration(FunctionName=name, Environment=changed)
        version = functions.publish_version(FunctionName=name)["Version"]
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)

    def events(self, function: str) -> list[dict[str, Any]]:
        """Return the events that the function has logged."""
        found = self.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{self.prefix}-{function}")
        return [json.loads(event["message"]) for event in found["events"] if event["message"][0] == "{"]

    def calls_of_functions(self) -> dict[str, str]:
        """Return the latest calls on the wire that were not root's, by id, in the words of policies."""
        return {
            event["EventId"]: f"{event['EventSource'].partition('.')[0]}:{event['EventName']}"
            for event in self.client("cloudtrail").lookup_events()["Events"]
            if event["AccessKeyId"] != "test"
        }

    def policy(self, function: str) -> Any:
        """Return the function's policy."""
        found = self.client("iam").get_role_policy(RoleName=f"{self.prefix}-{function}", PolicyName=POLICY)
        return found["PolicyDocument"]

    def allow(self, function: str, policy: Any) -> None:
        """Allow the function this, and nothing else."""
        self.client("iam").put_role_policy(
            RoleName=f"{self.prefix}-{function}", PolicyName=POLICY, PolicyDocument=json.dumps(policy)
        )


def actions(statement: Any) -> set[str]:
    """Return the actions that a statement allows."""
    action = statement["Action"]
    return {action} if isinstance(action, str) else set(action)


def without(policy: Any, action: str) -> Any:
    """Return the policy without this action, and without a statement that allows nothing else."""
    assert sum(action in actions(statement) for statement in policy["Statement"]) == 1
    left = [{**one, "Action": sorted(actions(one) - {action})} for one in policy["Statement"]]
    return {**policy, "Statement": [one for one in left if one["Action"]]}


def without_parameter(policy: Any, name: str) -> Any:
    """Return the policy without the statement that allows reading this parameter."""
    left = [
        statement
        for statement in policy["Statement"]
        if not statement["Resource"].endswith(f"parameter{name}")
    ]
    assert len(left) == len(policy["Statement"]) - 1
    return {**policy, "Statement": left}


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    """Yield the service as Terraform deploys it with a key, parameters and traces of its own."""
    need_the_tools()
    with start_emulator(enforce_iam=True, trail=True) as emulator:
        ssm, kms = (client_of(emulator.endpoint_url, service) for service in ("ssm", "kms"))
        for name, value in ((PARAMETER, KEY), (PLAYBACK_PARAMETER, PLAYBACK_KEY)):
            ssm.put_parameter(Name=name, Value=value, Type="SecureString")
        stack, url = stage(
            emulator,
            tmp_path_factory.mktemp("granted"),
            auth="none",
            kms_key_arn=kms.create_key()["KeyMetadata"]["Arn"],
            log_hash_key_parameter=PARAMETER,
            playback_key_parameter=PLAYBACK_PARAMETER,
            tracing="true",
            deletion_protection="true",
        )
        yield Granted(stack, url, emulator.endpoint_url)


@pytest.mark.parametrize("function", CALLS)
def test_each_function_uses_exactly_its_permissions(function: str, granted: Granted) -> None:
    """A new process makes each call that is granted, and no call is granted that it does not make."""
    policy = granted.policy(function)
    may = set[str]().union(*map(actions, policy["Statement"]))
    granted.call("start")  # an operator's end of a stream that does not exist writes nothing
    before = granted.calls_of_functions()
    assert granted.call_anew(function) < 500
    after = granted.calls_of_functions()

    assert may - BY_AWS_ITSELF == {call for identity, call in after.items() if identity not in before}
    assert may >= BY_AWS_ITSELF
    role = f"{granted.prefix}-{function}"
    assert granted.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    assert granted.client("iam").list_role_policies(RoleName=role)["PolicyNames"] == [POLICY]


@pytest.mark.parametrize(("function", "action"), ACTIONS)
def test_each_call_requires_its_permission(function: str, action: str, granted: Granted) -> None:
    """With a permission on the table taken away a function fails, and with it back it works."""
    policy = granted.policy(function)
    assert actions(policy["Statement"][0]) == {one for of, one in ACTIONS if of == function}
    assert granted.call(function) < 500
    granted.call("start")  # as above

    granted.allow(function, without(policy, action))
    taken_away = granted.call(function)
    granted.allow(function, policy)

    assert taken_away == 500
    assert granted.call(function) < 500


@pytest.mark.parametrize("function", CALLS)
def test_the_common_hash_requires_its_permission(function: str, granted: Granted) -> None:
    """With the permission the hash is the parameter's; without it a new process logs that and has another."""
    policy = granted.policy(function)
    common = hmac.digest(KEY.encode(), VIEWER.encode(), hashlib.sha256)[:8].hex()
    assert granted.call(function) < 500
    before = granted.events(function)
    assert {event["user"] for event in before} == {common}

    granted.allow(function, without_parameter(policy, PARAMETER))
    taken_away = granted.call_anew(function)
    granted.allow(function, policy)

    assert taken_away < 500
    logged = [event for event in granted.events(function) if event not in before]
    assert {event["event"] for event in logged} == {"log_hash_key_unavailable", "request"}
    assert common not in {event.get("user") for event in logged}


@pytest.mark.parametrize("function", sorted(ISSUE_TOKENS))
def test_tokens_require_their_permission(function: str, granted: Granted) -> None:
    """Without the permission a start is refused, and a heartbeat gets no token, with the reason logged."""
    policy = granted.policy(function)
    assert granted.call("start") == 200
    assert "playbackToken" in granted.answer(function).json()
    before = granted.events(function)

    granted.allow(function, without_parameter(policy, PLAYBACK_PARAMETER))
    granted.restart(function)
    taken_away = granted.answer(function)
    granted.allow(function, policy)
    granted.restart(function)  # the process without keys would try again in ten seconds

    assert taken_away.status_code == {"start": 503, "heartbeat": 200}[function]
    assert "playbackToken" not in taken_away.json()
    logged = [event for event in granted.events(function) if event not in before]
    assert {event["event"] for event in logged} == {"playback_key_unavailable", "request"}


@pytest.mark.parametrize("function", sorted(CALLS.keys() - ISSUE_TOKENS))
def test_only_functions_that_issue_tokens_may_read_their_key(function: str, granted: Granted) -> None:
    """Only the functions that sign may read the keys."""
    readable = [
        s["Resource"] for s in granted.policy(function)["Statement"] if "ssm:GetParameter" in actions(s)
    ]

    assert [resource.partition(":parameter")[2] for resource in readable] == [PARAMETER]


@pytest.mark.parametrize("function", CALLS)
def test_every_permission_is_limited_to_this_table(function: str, granted: Granted) -> None:
    """The same permission on any other table does not let the function work."""
    policy = granted.policy(function)
    of_table, *others = policy["Statement"]

    other = {**of_table, "Resource": of_table["Resource"] + "-other"}
    granted.allow(function, {**policy, "Statement": [other, *others]})
    elsewhere = granted.call(function)
    granted.allow(function, policy)

    assert elsewhere == 500


@pytest.mark.parametrize("function", CALLS)
def test_no_permission_covers_every_resource(function: str, granted: Granted) -> None:
    """Only a log's streams, which Lambda names, and X-Ray have a wildcard."""
    group = f":log-group:/aws/lambda/{granted.prefix}-{function}:*"
    for statement in granted.policy(function)["Statement"]:
        assert not any("*" in action for action in actions(statement))
        resource = statement["Resource"]
        if resource == "*":
            assert actions(statement) == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
        elif resource.endswith(group):
            assert actions(statement) == {"logs:CreateLogStream", "logs:PutLogEvents"}
        else:
            assert "*" not in resource


def test_a_protected_stage_is_not_undeployed(granted: Granted) -> None:
    """Nothing of a protected stage is deleted, because the table cannot be."""
    with pytest.raises(TerraformError, match="deletion_protection"):
        granted.stack.destroy()

    assert {granted.call(function) for function in CALLS} <= {200, 410}


def test_logs_do_not_contain_the_user(granted: Granted) -> None:
    """After all calls and failures, the functions' logs hold hashes and no user."""
    for method, path in (call for calls in CALLS.values() for call in calls):
        for stream in ("tv", "not valid"):
            body = json.dumps({"userId": VIEWER, "streamId": stream}).encode()
            granted.send(method, path, body if method == "POST" else None)
        granted.send(method, f"{path}&userId={VIEWER}", None)
    policy = granted.policy("start")
    granted.allow("start", without(policy, "dynamodb:UpdateItem"))
    headers = {"authorization": "Bearer eyJhbGciOi"}
    failed = httpx.post(granted.url + "/stream/start", json={"userId": VIEWER}, headers=headers, timeout=30)
    granted.allow("start", policy)
    lines = log_lines(granted.client("logs"))

    assert failed.status_code == 500
    assert any('"outcome":"failed"' in line for line in lines)
    assert leaks(lines) == []
