import boto3

from adapters.dynamodb.client import ATTEMPT_SECONDS, CONNECT_SECONDS, READ_SECONDS, dynamodb_client
from domain.limiter import DEADLINE_SECONDS


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
