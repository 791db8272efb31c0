"""The key of the logs' hash from a parameter, by either client, over a real Parameter Store."""

import json
from collections.abc import Iterator
from contextlib import closing

import localstack_client.session
import pytest

from adapters.aws.api import AwsApi, StoreClient, aws_api
from adapters.parameter_store import ParameterUnavailable, parameter
from dev.emulators.ministack import REGION
from dev.tools.servers import free_port
from entrypoints import bootstrap

pytestmark = pytest.mark.usefixtures("new_process")

NAME = "/stream-limiter/log-hash-key"
CLIENTS = [StoreClient.LEAN, StoreClient.BOTO3]
Output = pytest.CaptureFixture[str]


@pytest.fixture
def name(localstack: localstack_client.session.Session, monkeypatch: pytest.MonkeyPatch) -> str:
    """Yield a parameter that holds an encrypted key; the environment has the store's address."""
    ssm = localstack.client("ssm")
    ssm.put_parameter(Name=NAME, Value="pepper", Type="SecureString", Overwrite=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", ssm.meta.endpoint_url)
    monkeypatch.setenv("AWS_REGION", REGION)
    return NAME


@pytest.fixture(params=CLIENTS)
def ssm(request: pytest.FixtureRequest, name: str) -> Iterator[AwsApi]:  # noqa: ARG001 - says where it is
    """Yield the service, by either client."""
    with closing(aws_api("ssm", request.param)) as api:
        yield api


def test_a_parameter_is_read_and_decrypted(ssm: AwsApi, name: str) -> None:
    """With either client a parameter is read and decrypted."""
    assert parameter(name, ssm) == "pepper"


def test_a_missing_parameter_raises_an_error_with_its_code(ssm: AwsApi, name: str) -> None:
    """Both clients raise the one error of this adapter, which has no value."""
    with pytest.raises(ParameterUnavailable, match=r"^ParameterNotFound$"):
        parameter(f"{name}-other", ssm)


@pytest.mark.parametrize("client", CLIENTS)
def test_an_unavailable_parameter_store_raises_an_error(
    client: StoreClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parameter store at a dead address is an error."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", f"http://127.0.0.1:{free_port()}")
    with closing(aws_api("ssm", client)) as unreachable, pytest.raises(ParameterUnavailable):
        parameter(name, unreachable)


@pytest.mark.parametrize("client", CLIENTS)
def test_two_processes_with_one_parameter_share_a_users_hash(
    client: StoreClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parameter works like the same key in a variable; without either, each process has its own hash."""
    monkeypatch.setenv("TABLE_NAME", "streams")
    monkeypatch.setenv("STORE_CLIENT", client)
    alone = hash_of_a_new_process()
    monkeypatch.setenv("LOG_HASH_KEY", "pepper")
    by_variable = hash_of_a_new_process()
    monkeypatch.delenv("LOG_HASH_KEY")
    monkeypatch.setenv("LOG_HASH_KEY_PARAMETER", name)

    assert hash_of_a_new_process() == hash_of_a_new_process() == by_variable != alone


def test_without_its_parameter_the_service_uses_and_reports_a_random_key(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Streams are limited without the parameter, and one error event says that hashes will not match."""
    monkeypatch.setenv("TABLE_NAME", "streams")
    monkeypatch.setenv("LOG_HASH_KEY_PARAMETER", f"{name}-other")

    assert hash_of_a_new_process() != hash_of_a_new_process()
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["level"], first["event"]) == ("error", "log_hash_key_unavailable")
    assert first["exception"].startswith("ParameterUnavailable: ParameterNotFound\n")
    assert first.keys() == second.keys()


def hash_of_a_new_process() -> str:
    """Return the viewer's hash in the logs of a process that starts now."""
    bootstrap.service.cache_clear()
    return bootstrap.service().log.user_hash("viewer-1")
