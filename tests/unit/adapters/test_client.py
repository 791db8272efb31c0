import os
import subprocess
import sys
import zlib

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from adapters.dynamodb.api_errors import NoAnswer
from adapters.dynamodb.client import (
    ATTEMPT_SECONDS,
    CONNECT_SECONDS,
    READ_SECONDS,
    NotConfigured,
    StoreClient,
    dynamodb_client,
    lean_client,
    store_client,
)
from adapters.dynamodb.http_transport import Endpoint, HttpTransport
from adapters.dynamodb.lean_client import LeanClient
from domain.limiter import DEADLINE_SECONDS

IN_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "stream-limiter-dev-start",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-central-1",
}


def test_a_call_is_one_short_attempt() -> None:
    """The SDK repeats nothing by itself, and two attempts fit into a request's deadline."""
    config = dynamodb_client().meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_SECONDS, READ_SECONDS)
    assert ATTEMPT_SECONDS == CONNECT_SECONDS + READ_SECONDS <= DEADLINE_SECONDS / 2


def test_connections_are_kept_alive() -> None:
    """A warm function makes no new TLS handshake; threads do not queue for a connection."""
    config = dynamodb_client().meta.config
    assert config.tcp_keepalive is True
    assert config.max_pool_connections == 64


def test_region_and_endpoint_come_from_the_session() -> None:
    """Whoever makes the session decides where its calls go."""
    client = dynamodb_client(boto3.Session("test", "test", region_name="eu-central-1"))
    assert client.meta.region_name == "eu-central-1"
    assert client.meta.endpoint_url == "https://dynamodb.eu-central-1.amazonaws.com"


def test_the_lean_client_reads_the_sdks_own_variables() -> None:
    """The region's own endpoint, unless one is named."""
    client = lean_client(IN_LAMBDA)
    assert transport_of(client) == Endpoint("dynamodb.eu-central-1.amazonaws.com", 443, tls=True)
    named = {**IN_LAMBDA, "AWS_ENDPOINT_URL": "http://general:1", "AWS_ENDPOINT_URL_DYNAMODB": ""}
    assert transport_of(lean_client(named)) == Endpoint("general", 1, tls=False)
    named["AWS_ENDPOINT_URL_DYNAMODB"] = "http://special:2"
    assert transport_of(lean_client(named)) == Endpoint("special", 2, tls=False)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"])
def test_the_lean_client_says_what_it_lacks(name: str) -> None:
    """Chosen where it cannot work, it does not start."""
    with pytest.raises(NotConfigured, match=name):
        store_client(StoreClient.LEAN, {**IN_LAMBDA, name: ""})


def test_in_a_lambda_auto_takes_the_lean_client() -> None:
    """Its credentials are in its environment, and the environment does not outlive them."""
    assert isinstance(store_client(StoreClient.AUTO, IN_LAMBDA), LeanClient)


@pytest.mark.parametrize(
    "different",
    [
        {"AWS_LAMBDA_FUNCTION_NAME": ""},
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_REGION": ""},
        {"AWS_REGION": "cn-north-1"},
        {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/credentials"},
        {"AWS_PROFILE": "other"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_CA_BUNDLE": "authorities.pem"},
        {"https_proxy": "http://proxy:3128"},
    ],
    ids=str,
)
def test_anywhere_else_auto_takes_boto3(different: dict[str, str]) -> None:
    """Other credentials, other endpoints and other ways to them are the SDK's business."""
    client = store_client(StoreClient.AUTO, {**IN_LAMBDA, **different})
    assert client.meta.service_model.service_name == "dynamodb"  # type: ignore[attr-defined]  # boto3 makes it


def test_a_choice_is_kept_wherever_it_runs() -> None:
    """Neither name is a mere wish."""
    assert isinstance(
        store_client(StoreClient.LEAN, {**IN_LAMBDA, "AWS_LAMBDA_FUNCTION_NAME": ""}), LeanClient
    )
    assert not isinstance(store_client(StoreClient.BOTO3, IN_LAMBDA), LeanClient)


def test_the_lean_client_loads_neither_boto3_nor_botocore() -> None:
    """Loading them is most of a cold start."""
    program = """
import sys
from entrypoints import bootstrap, stream_end, stream_heartbeat, stream_list, stream_start
bootstrap.service()
stream_start.handler({"body": '{"userId": "1"}'}, None)
sys.exit(bool({"boto3", "botocore", "urllib3"} & set(sys.modules)))
"""
    environment = {
        **IN_LAMBDA,
        "TABLE_NAME": "streams",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, stdout=subprocess.DEVNULL)


def damaged_answer(body: bytes, **headers: str) -> None:
    """Let boto3 read this answer."""
    client = dynamodb_client()
    response = AWSResponse("http://store", 200, headers, None)
    response._content = body  # noqa: SLF001 - as a response that was read
    client._endpoint.http_session.send = lambda _: response  # noqa: SLF001 - beneath botocore
    client.get_item(TableName="streams", Key={"userId": {"S": "1"}})


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"3", b'"text"'])
def test_boto3_takes_no_damaged_answer_for_a_user_without_any_state(body: bytes) -> None:
    """It would by itself, and a read would show a user without streams."""
    with pytest.raises(NoAnswer):
        damaged_answer(body)


def test_boto3_checks_the_checksum_of_an_answer() -> None:
    """Its standard retry mode does not by itself."""
    damaged_answer(b"{}", **{"x-amz-crc32": str(zlib.crc32(b"{}"))})
    with pytest.raises(NoAnswer):
        damaged_answer(b"{}", **{"x-amz-crc32": "1"})


def transport_of(client: LeanClient) -> Endpoint:
    """Where its requests go."""
    transport = client.transport
    assert isinstance(transport, HttpTransport)
    return transport.endpoint
