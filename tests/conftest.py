"""The stores that tests run over: each is started once, on first use, on a free port of loopback."""

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import boto3
import localstack_client.session
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from adapters.aws.api import AwsApi, json_api
from adapters.aws.sdk import SdkApi, sdk_client
from adapters.aws.timeouts import PROMPT
from adapters.dynamodb.items import key
from adapters.dynamodb.repository import DynamoDbStreamRepository
from adapters.in_memory import InMemoryStreamRepository
from dev.emulators.dynamodb_local import start_dynamodb_local, unavailable
from dev.emulators.ministack import REGION, start_emulator
from dev.emulators.table import ensure_table
from dev.local.local_service import LocalService
from domain.ports import Deadline, StreamRepository
from entrypoints import bootstrap
from testing.fakes import FakeClock
from testing.simulated_dynamodb import SimulatedDynamoDb
from testing.stores import PATIENT
from tests.support import properties
from tests.support.commands import skip_or_fail
from tests.support.logs import leaks
from tests.support.service import client_of

TABLE: Final = "streams-under-test"

properties.register()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the fast tests first, because no unit test waits for a store."""
    items.sort(key=lambda item: "unit" not in item.path.parts)


@pytest.fixture(autouse=True)
def _own_aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the caller's AWS account from every test, whatever the environment says."""
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


@pytest.fixture(scope="session", autouse=True)
def _no_output_names_a_user() -> Iterator[None]:
    """Check that what `make run` has printed by a test's end names no user."""
    stop = LocalService.stop

    def stop_and_check(service: LocalService, how: signal.Signals = signal.SIGTERM) -> int:
        code = stop(service, how)
        assert leaks(service.lines) == []
        return code

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalService, "stop", stop_and_check)
        yield


@pytest.fixture
def new_process() -> Iterator[None]:
    """Clear what a service keeps from earlier tests, and for later ones."""
    bootstrap.service.cache_clear()
    yield
    bootstrap.service.cache_clear()


@pytest.fixture
def user_id() -> str:
    """Return a user that no other test uses."""
    return f"user-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def deadline() -> Deadline:
    """Return a deadline that does not pass, however busy the machine is."""
    return Deadline.after(10, FakeClock())


@pytest.fixture(scope="session")
def sdk_session() -> boto3.Session:
    """Return the session for boto3's clients, which slowly reads the description of DynamoDB once."""
    return boto3.Session("test", "test", region_name=REGION)


@pytest.fixture(scope="session")
def embedded() -> Iterator[localstack_client.session.Session]:
    """Return the embedded emulator, wherever LOCALSTACK_HOST points."""
    with start_emulator() as emulator:
        yield localstack_client.session.Session(localstack_host=f"127.0.0.1:{emulator.port}")


@pytest.fixture(scope="session")
def localstack(request: pytest.FixtureRequest) -> localstack_client.session.Session:
    """Return the LocalStack-compatible endpoint that LOCALSTACK_HOST names, else the embedded emulator."""
    if os.environ.get("LOCALSTACK_HOST"):
        session = localstack_client.session.Session()
    else:
        session = request.getfixturevalue("embedded")
    ensure_table(session.client("dynamodb"), TABLE)
    return session


@pytest.fixture(scope="session")
def dynamodb_local_url() -> Iterator[str]:
    """Yield DynamoDB Local: AWS's own implementation of the expressions, and atomic."""
    reason = unavailable()
    if reason:
        skip_or_fail(reason)
    with start_dynamodb_local() as store:
        patient = client_of(store.endpoint_url, "dynamodb")
        ensure_table(patient, TABLE)
        # A Java process is slow at first: its first requests take longer than a request may.
        patient.update_item(TableName=TABLE, Key=key("warm-up"))
        patient.get_item(TableName=TABLE, Key=key("warm-up"))
        yield store.endpoint_url


@pytest.fixture
def emulator_client(localstack: localstack_client.session.Session) -> Any:
    """Return boto3's client of the LocalStack-compatible endpoint."""
    return sdk_client("dynamodb", localstack, PATIENT)


@pytest.fixture
def dynamodb_local_client(
    dynamodb_local_url: str, sdk_session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Return boto3's client of DynamoDB Local."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_local_url)
    return sdk_client("dynamodb", sdk_session, PATIENT)


@pytest.fixture
def moto_client(sdk_session: boto3.Session) -> Iterator[Any]:
    """Yield boto3's client of moto: in this process, fast, and not atomic across threads."""
    with mock_aws():
        client = sdk_client("dynamodb", sdk_session)
        ensure_table(client, TABLE)
        yield client


@pytest.fixture
def lean_emulator_client(emulator_client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsApi]:
    """Yield the lean client of the LocalStack-compatible endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", emulator_client.meta.endpoint_url)
    yield from _lean_client()


@pytest.fixture
def lean_dynamodb_local_client(dynamodb_local_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsApi]:
    """The lean client of DynamoDB Local."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_local_url)
    yield from _lean_client()


def _lean_client() -> Iterator[AwsApi]:
    """Yield the lean client that the environment makes, with its connections closed afterwards."""
    with closing(json_api("dynamodb", timeouts=PATIENT)) as api:
        yield api


@pytest.fixture(params=["emulator", "dynamodb_local", "lean_dynamodb_local"])
def atomic_client(request: pytest.FixtureRequest) -> AwsApi:
    """Return each client of DynamoDB Local, and each store that keeps conditions true under races."""
    return api_of(request.getfixturevalue(f"{request.param}_client"))


@pytest.fixture(
    params=[
        *("in_memory", "simulated", "moto"),
        *("emulator", "dynamodb_local", "lean_emulator", "lean_dynamodb_local"),
    ]
)
def repository(request: pytest.FixtureRequest) -> StreamRepository:
    """Return every repository."""
    if request.param == "in_memory":
        return InMemoryStreamRepository()
    if request.param == "simulated":
        return repository_over(SimulatedDynamoDb())
    return repository_over(request.getfixturevalue(f"{request.param}_client"))


def repository_over(client: Any, table: str = TABLE) -> StreamRepository:
    """Return the DynamoDB repository over this client's table."""
    return DynamoDbStreamRepository(api_of(client), table, attempt_seconds=PROMPT.attempt_seconds)


def api_of(client: Any) -> AwsApi:
    """Return the client as the repository calls it: boto3's raises errors of its own."""
    return SdkApi(client) if isinstance(client, BaseClient) else client
