import json
import os
import random
import sys
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from botocore.utils import ContainerMetadataFetcher

from adapters.aws import sdk
from entrypoints import bootstrap, stream_list
from tests.support.commands import succeed
from tests.support.loopback import LoopbackServer
from tests.unit.entrypoints.calls import LambdaContext, event

pytestmark = pytest.mark.usefixtures("new_process")


class Aws(LoopbackServer):
    """The endpoint of a role's credentials, DynamoDB and the Parameter Store, on one port of loopback.

    Attributes:
        parameter: the value of every parameter.
        seen: the requests: a path, or an operation with the access key that signed it.
    """

    def __init__(self) -> None:
        super().__init__(partial(_Answer, self))
        self.parameter = "pepper"
        self.seen: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    def __init__(self, aws: Aws, *arguments: Any) -> None:
        self._aws = aws
        super().__init__(*arguments)  # which handles the request

    def do_GET(self) -> None:
        self._aws.seen.append(self.path)
        role = {"AccessKeyId": "ROLE", "SecretAccessKey": "s", "Token": "t"}
        self._answer({**role, "Expiration": "2099-01-01T00:00:00Z"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        signed_by = self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
        self._aws.seen.append(f"{operation} by {signed_by}")
        self._answer({"Parameter": {"Value": self._aws.parameter}} if operation == "GetParameter" else {})

    def _answer(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Return AWS as a function sees it."""
    with Aws() as server:
        yield server


@pytest.fixture
def environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set and return the variables of a function under SnapStart."""
    variables = {
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_LAMBDA_FUNCTION_NAME": "stream-limiter-dev-list",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{aws.url}/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": aws.url,
        "TABLE_NAME": "streams",
        "AUTH": "none",
    }
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    sdk.snapshot_session.cache_clear()
    return variables


@pytest.fixture
def snapshot(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> bootstrap.Parts:  # noqa: ARG001 - read by what is called
    """Return the contents of the function's snapshot; this process is a copy of it."""
    parts = bootstrap.parts_for_snapshot()
    assert parts is not None
    monkeypatch.setattr(bootstrap, "IN_SNAPSHOT", parts)
    return parts


def restored() -> bootstrap.Service:
    """Return the service of another copy of the snapshot, in which no request was served yet."""
    bootstrap.service.cache_clear()
    return bootstrap.service()


PROGRAM = """
import sys
touched = []
def hook(name, arguments):
    if name in ("socket.connect", "socket.getaddrinfo"):
        touched.append(name)
sys.addaudithook(hook)

from entrypoints import stream_list
print("boto3" in sys.modules, touched)

from adapters.aws import sdk
sdk.sdk_client = None  # no client can be made any more
answer = stream_list.handler({"rawQueryString": "userId=1"}, None)
print(answer["statusCode"])
"""


def run(environment: dict[str, str]) -> list[str]:
    """Import a handler and call it once, in a process with this environment; return what it printed."""
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return succeed(sys.executable, "-c", PROGRAM, env={**environment, **path}).splitlines()


def test_a_snapshot_has_clients_but_no_connection_and_no_credentials(
    environment: dict[str, str], aws: Aws
) -> None:
    """Importing a handler builds boto3's clients and connects to nothing; the first request does the rest."""
    imported, _, status = run({**environment, "LOG_HASH_KEY_PARAMETER": "/key"})

    assert imported == "True []"
    assert status == "200"
    assert aws.seen == ["/credentials", "GetParameter by ROLE", "GetItem by ROLE"]


def test_without_snap_start_nothing_is_built_on_import(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without SnapStart a cold start builds its service with its first request."""
    assert environment["TABLE_NAME"]
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")

    assert bootstrap.parts_for_snapshot() is None


@pytest.mark.parametrize(
    "broken",
    [{"TABLE_NAME": ""}, {"STORE_CLIENT": "lean"}, {"MAX_STREAMS": "many"}],
    ids=str,
)
def test_a_wrong_setting_fails_requests_but_no_import(
    broken: dict[str, str], environment: dict[str, str]
) -> None:
    """Under SnapStart too, a wrong setting is an error event and an opaque 500 for each request."""
    _, logged, status = run({**environment, **broken})

    assert status == "500"
    assert json.loads(logged)["code"] == "wrong_settings"


def test_a_restored_copy_builds_nothing_again(snapshot: bootstrap.Parts) -> None:
    """A copy builds nothing again that the snapshot holds."""
    assert restored().store_calls is snapshot.store_calls


@pytest.mark.usefixtures("snapshot")
def test_copies_of_a_snapshot_have_different_random_keys() -> None:
    """Without a configured key, each copy has a random key of the log, which is not in the snapshot."""
    assert restored().log.user_hash("1") != restored().log.user_hash("1")


@pytest.mark.usefixtures("snapshot")
def test_copies_of_a_snapshot_have_different_jitter() -> None:
    """Each copy has its own state of the random numbers for backoff jitter."""
    state = random.getstate()
    restored()
    one = random.getstate()
    random.setstate(state)
    restored()

    assert random.getstate() != one


def test_each_copy_reads_the_parameter(
    environment: dict[str, str], aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies that are restored after a key has changed use the new key."""
    assert environment["TABLE_NAME"]
    monkeypatch.setenv("LOG_HASH_KEY_PARAMETER", "/key")
    monkeypatch.setattr(bootstrap, "IN_SNAPSHOT", bootstrap.parts_for_snapshot())
    before = restored().log.user_hash("1")
    assert restored().log.user_hash("1") == before

    aws.parameter = "salt"

    assert restored().log.user_hash("1") != before


@pytest.mark.usefixtures("snapshot")
def test_a_copy_without_credentials_answers_with_an_error(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If credentials cannot be looked up, the answer is an opaque 500 with an event; the next call works."""
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1")

    answer = stream_list.handler(event("list"), LambdaContext())

    assert answer["statusCode"] == 500
    assert "CredentialRetrievalError" in json.loads(capsys.readouterr().out)["exception"]
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{aws.url}/credentials")
    assert stream_list.handler(event("list"), LambdaContext())["statusCode"] == 200
