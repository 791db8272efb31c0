"""The heartbeat URL on the emulator: the zip, deployed by Terraform and called over HTTP."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from dev.emulators.issuer import Issuer
from dev.emulators.ministack import Emulator, emulated_function_url, start_emulator
from dev.operate.stage import URL_FUNCTION
from dev.tools.terraform import Stack, run_terraform
from tests.e2e.support import runbook
from tests.e2e.support.deployment import need_the_tools, published_issuer, stage
from tests.e2e.support.renewal_attacks import RENEWALS, RenewalAttack
from tests.e2e.support.token_attacks import PLAYBACK_KEY, claims_of
from tests.support.commands import succeed
from tests.support.logs import leaks, log_lines
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

PARAMETER: Final = "/stream-limiter/playback-key"
PAGE: Final = "https://watch.example.com"
SESSION: Final = -65538


@dataclass(frozen=True)
class Deployment:
    """A stage with a heartbeat URL, under `auth = jwt`."""

    stack: Stack
    emulator: Emulator
    issuer: Issuer
    api_url: str
    url: str

    def client(self, service: str) -> Any:
        """Return an AWS client, as the account's root user."""
        return client_of(self.emulator.endpoint_url, service)

    def by_api(self, route: str, user: str, **fields: object) -> httpx.Response:
        """Call the API with a user's login."""
        login = {"authorization": f"Bearer {self.issuer.token(user)}"}
        return httpx.post(f"{self.api_url}/stream/{route}", json=fields, headers=login, timeout=30)

    def by_url(self, content: bytes, **headers: str) -> httpx.Response:
        """Call the heartbeat URL, without any login."""
        sent = {"content-type": "application/json", **headers}
        return httpx.post(self.url, content=content, headers=sent, timeout=30)

    def new_heartbeat(self) -> dict[str, str]:
        """Return a heartbeat of a live stream, by its newest token."""
        token = self.by_api("start", "viewer-1", streamId="tv").json()["playbackToken"]
        return {"userId": "viewer-1", "streamId": "tv", "playbackToken": token}

    def item_of(self, user: str) -> Any:
        """Return the table's item of a user."""
        table = self.stack.output()["table_name"]
        return self.client("dynamodb").get_item(TableName=table, Key={"userId": {"S": user}})["Item"]

    def events(self) -> Sequence[dict[str, Any]]:
        """Return the events of the URL's function."""
        name = self.stack.output()["log_group_names"]["heartbeat-url"]
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=name)
        lines = [event["message"] for page in pages for event in page["events"]]
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Yield the service, applied once for this module."""
    need_the_tools()
    directory = tmp_path_factory.mktemp("heartbeat-url")
    with start_emulator(enforce_iam=True) as emulator:
        issuer, variables = published_issuer(emulator, directory)
        client_of(emulator.endpoint_url, "ssm").put_parameter(
            Name=PARAMETER, Value=PLAYBACK_KEY, Type="SecureString"
        )
        variables |= {
            "playback_key_parameter": PARAMETER,
            "heartbeat_url": "true",
            "reserved_concurrency": "20",
            "cors_origins": json.dumps([PAGE]),
        }
        stack, api_url = stage(emulator, directory, **variables)
        url = emulated_function_url(emulator.endpoint_url, str(stack.output()["heartbeat_url"]))
        yield Deployment(stack, emulator, issuer, api_url, url)


@pytest.fixture
def honest(deployment: Deployment) -> dict[str, str]:
    """Return a heartbeat of a live stream, by its newest token."""
    return deployment.new_heartbeat()


def test_second_plan_is_empty(deployment: Deployment) -> None:
    """A second apply would change nothing.

    The exception is the authorizer, which the emulator gives a version of payloads that is for other kinds.
    """
    stack = deployment.stack
    plan = run_terraform(stack.directory, "plan", "-no-color", *stack.inputs(), environment=stack.environment)
    assert re.findall(r"# (\S+) (?:will|must) be", plan) == ["aws_apigatewayv2_authorizer.jwt[0]"], plan


def test_answers_name_the_deployed_url(deployment: Deployment) -> None:
    """Answers to start and heartbeat name the URL."""
    made = deployment.stack.output()["heartbeat_url"]
    for route in ("start", "heartbeat"):
        assert deployment.by_api(route, "viewer-1", streamId="tv").json()["heartbeatUrl"] == made


def test_a_heartbeat_without_a_login_extends_the_stream(
    deployment: Deployment, honest: dict[str, str]
) -> None:
    """A token alone extends the stream within the login's time, and the next token does so again."""
    before = claims_of(honest["playbackToken"])
    for _ in range(2):
        answer = deployment.by_url(json.dumps(honest).encode())
        assert answer.status_code == 200, answer.text
        assert (answer.json()["streamId"], "heartbeatUrl" in answer.json()) == ("tv", False)
        honest |= {"playbackToken": answer.json()["playbackToken"]}
        claims = claims_of(honest["playbackToken"])
        assert claims[SESSION] == before[SESSION]
        assert {name: claims[name] for name in (1, 2, 7)} == {name: before[name] for name in (1, 2, 7)}
    event = deployment.events()[-1]
    assert (event["via"], event["outcome"], event["store_calls"]) == ("url", "extended", 1)
    ended = deployment.by_api("end", "viewer-1", streamId="tv")
    assert ended.json()["ended"] is True
    gone = deployment.by_url(json.dumps(honest).encode())
    assert (gone.status_code, gone.json()["code"]) == (410, "stream_gone")


def test_a_session_ends_with_the_login(deployment: Deployment, honest: dict[str, str]) -> None:
    """The claim is the login token's own end, as API Gateway passes it on."""
    ends = claims_of(honest["playbackToken"])[SESSION]
    assert abs(ends - deployment.issuer.claims("viewer-1")["exp"]) <= 30


@dataclass(frozen=True)
class Attacked:
    """The results of all attacks.

    Attributes:
        answers: the answer to each, by its name.
        events: the events that they left.
        items: the user's items in the table before them, and after them.
    """

    answers: Mapping[str, httpx.Response]
    events: Sequence[dict[str, Any]]
    items: tuple[Any, Any]


@pytest.fixture(scope="module")
def attacked(deployment: Deployment) -> Attacked:
    """Return the results of all attacks, one after the other, on a live stream."""
    honest = deployment.new_heartbeat()
    before, seen = deployment.item_of("viewer-1"), len(deployment.events())
    answers = {attack.name: deployment.by_url(attack.body(honest)) for attack in RENEWALS}
    return Attacked(answers, deployment.events()[seen:], (before, deployment.item_of("viewer-1")))


@pytest.mark.parametrize("attack", RENEWALS, ids=lambda attack: attack.name)
def test_an_attack_is_refused(attack: RenewalAttack, attacked: Attacked) -> None:
    """Each attack ends with its own status and code."""
    answer = attacked.answers[attack.name]
    assert (answer.status_code, answer.json().get("code")) == (attack.status, attack.code), answer.text


def test_no_attack_reaches_the_store(attacked: Attacked) -> None:
    """Each attack leaves an event without a call to the store, and the item is unchanged."""
    assert len(attacked.events) == len(attacked.answers) == len(RENEWALS)
    assert {(event["store_calls"], event["failed"], event["via"]) for event in attacked.events} == {
        (0, 0, "url")
    }
    assert not any("user" in event for event in attacked.events)
    before, after = attacked.items
    assert before == after


def test_a_login_has_no_effect_at_the_url(deployment: Deployment, honest: dict[str, str]) -> None:
    """A header neither replaces the token nor invalidates it."""
    login = {"authorization": f"Bearer {deployment.issuer.token('viewer-1')}"}
    assert deployment.by_url(json.dumps(honest).encode(), **login).status_code == 200
    without = json.dumps({"userId": "viewer-1", "streamId": "tv"}).encode()
    assert deployment.by_url(without, **login).status_code == 400
    forged = json.dumps(honest | {"playbackToken": "AA"}).encode()
    assert deployment.by_url(forged, **login).status_code == 401


def test_the_api_does_not_accept_a_playback_token_as_login(
    deployment: Deployment, honest: dict[str, str]
) -> None:
    """With a playback token in place of a login the API still requires a login."""
    answer = httpx.post(f"{deployment.api_url}/stream/heartbeat", json=honest, timeout=30)
    assert answer.status_code == 401


@pytest.mark.parametrize(("origin", "allowed"), [(PAGE, PAGE), ("https://evil.example.com", None)])
def test_only_pages_of_the_configured_origins_may_call_it(
    origin: str, allowed: str | None, deployment: Deployment
) -> None:
    """Pages of the service's origins may call it, and pages of no other."""
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    preflight = httpx.options(deployment.url, headers=asked, timeout=30)
    assert preflight.headers.get("access-control-allow-origin") == allowed


def test_the_function_can_be_invoked_only_by_its_url(deployment: Deployment) -> None:
    """The function's policy allows calls by the URL alone, so no caller can invoke it with its own event."""
    names = deployment.stack.output()["function_names"]
    policy = deployment.client("lambda").get_policy(FunctionName=names["heartbeat-url"], Qualifier="live")
    conditions = {
        statement["Action"]: statement.get("Condition")
        for statement in json.loads(policy["Policy"])["Statement"]
    }
    assert conditions == {
        "lambda:InvokeFunctionUrl": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        "lambda:InvokeFunction": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
    }
    for key in set(names) - {"heartbeat-url"}:
        policy = deployment.client("lambda").get_policy(FunctionName=names[key], Qualifier="live")
        principals = {
            json.dumps(statement["Principal"]) for statement in json.loads(policy["Policy"])["Statement"]
        }
        assert principals == {'{"Service": "apigateway.amazonaws.com"}'}


def test_logs_contain_neither_users_nor_tokens(deployment: Deployment) -> None:
    """After all requests the logs name no user and have no token."""
    assert leaks(log_lines(deployment.client("logs"))) == []


def test_the_runbook_switches_the_url_off(deployment: Deployment) -> None:
    """The runbook's command leaves the URL's function no instance, and the API's function all of its own."""
    (command,) = [
        command
        for command in runbook.commands_of("runbook.md", defaultdict(str, stage=str(deployment.stack.stage)))
        if URL_FUNCTION in command
    ]
    succeed("sh", "-c", command, env={**deployment.stack.environment, "PATH": os.environ["PATH"]})
    names = deployment.stack.output()["function_names"]
    instances = {
        key: deployment.client("lambda").get_function_concurrency(FunctionName=names[key])
        for key in ("heartbeat", URL_FUNCTION)
    }
    assert {key: answer["ReservedConcurrentExecutions"] for key, answer in instances.items()} == {
        "heartbeat": 20,
        URL_FUNCTION: 0,
    }
