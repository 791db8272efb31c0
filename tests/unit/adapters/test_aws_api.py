import os
import subprocess
import sys

import pytest

from adapters.aws.api import NotConfigured, StoreClient, aws_api, json_api
from adapters.aws.http_transport import Endpoint, HttpTransport
from adapters.aws.json_api import JsonApi
from adapters.aws.sdk import SdkApi

IN_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "stream-limiter-dev-start",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-central-1",
}


def test_the_lean_client_reads_the_sdks_own_variables() -> None:
    """The lean client calls the region's own endpoint, unless another is configured."""
    assert endpoint_of(IN_LAMBDA) == Endpoint("dynamodb.eu-central-1.amazonaws.com", 443, tls=True)
    named = {**IN_LAMBDA, "AWS_ENDPOINT_URL": "http://general:1", "AWS_ENDPOINT_URL_DYNAMODB": ""}
    assert endpoint_of(named) == Endpoint("general", 1, tls=False)
    named["AWS_ENDPOINT_URL_DYNAMODB"] = "http://special:2"
    assert endpoint_of(named) == Endpoint("special", 2, tls=False)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"])
def test_the_lean_client_names_what_is_missing(name: str) -> None:
    """The lean client does not start where it cannot work, and says what it lacks."""
    with pytest.raises(NotConfigured, match=name):
        aws_api("dynamodb", StoreClient.LEAN, {**IN_LAMBDA, name: ""})


def test_in_lambda_auto_selects_the_lean_client() -> None:
    """In Lambda `auto` selects the lean client: the environment's credentials outlive the environment."""
    assert isinstance(aws_api("dynamodb", StoreClient.AUTO, IN_LAMBDA), JsonApi)


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
def test_elsewhere_auto_selects_boto3(different: dict[str, str]) -> None:
    """Elsewhere `auto` selects boto3, which knows other credentials, endpoints and ways to them."""
    assert isinstance(aws_api("dynamodb", StoreClient.AUTO, {**IN_LAMBDA, **different}), SdkApi)


def test_an_explicit_choice_applies_everywhere() -> None:
    """An explicit choice of client applies everywhere."""
    assert isinstance(
        aws_api("dynamodb", StoreClient.LEAN, {**IN_LAMBDA, "AWS_LAMBDA_FUNCTION_NAME": ""}), JsonApi
    )
    assert isinstance(aws_api("dynamodb", StoreClient.BOTO3, IN_LAMBDA), SdkApi)


def test_the_lean_client_loads_neither_boto3_nor_botocore() -> None:
    """The lean client loads neither boto3 nor botocore, which are most of a cold start."""
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


def endpoint_of(environment: dict[str, str]) -> Endpoint:
    """Return the host that the lean client calls in this environment."""
    transport = json_api("dynamodb", environment).transport
    assert isinstance(transport, HttpTransport)
    return transport.endpoint
