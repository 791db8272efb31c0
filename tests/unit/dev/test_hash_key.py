"""The common key of the logs' hash: made once, kept, deleted, and shown nowhere."""

from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from dev.operate.hash_key import HashKey, HashKeyError

NAME: Final = "/stream-limiter-dev-log-hash-key"


@pytest.fixture
def ssm() -> Iterator[Any]:
    """Return an account's parameters."""
    with mock_aws():
        yield boto3.client("ssm")


def value(ssm: Any) -> str:
    """Return the key."""
    return str(ssm.get_parameter(Name=NAME, WithDecryption=True)["Parameter"]["Value"])


def test_a_new_key_is_encrypted_and_not_printed(ssm: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The parameter is a SecureString of 32 random bytes, and only its name is printed."""
    HashKey(ssm, NAME).make()

    assert ssm.get_parameter(Name=NAME)["Parameter"]["Type"] == "SecureString"
    assert len(value(ssm)) == 43
    printed = capsys.readouterr()
    assert NAME in printed.out
    assert value(ssm) not in printed.out + printed.err


def test_an_existing_key_is_kept(ssm: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A second deployment changes no user's hash, and prints nothing about the key."""
    HashKey(ssm, NAME).make()
    before = value(ssm)
    capsys.readouterr()

    HashKey(ssm, NAME).make()

    assert value(ssm) == before
    assert capsys.readouterr().out == ""


def test_two_stages_have_two_keys(ssm: Any) -> None:
    """A user's hash on one stage reveals nothing about another stage."""
    for name in (NAME, f"{NAME}-2"):
        HashKey(ssm, name).make()

    assert value(ssm) != ssm.get_parameter(Name=f"{NAME}-2", WithDecryption=True)["Parameter"]["Value"]


def test_deleting_a_key_twice_is_harmless(ssm: Any) -> None:
    """Deleting the key again is harmless, so an interrupted undeployment can be repeated."""
    HashKey(ssm, NAME).make()

    HashKey(ssm, NAME).delete()
    HashKey(ssm, NAME).delete()

    assert ssm.describe_parameters()["Parameters"] == []


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("put_parameter", "allow ssm:PutParameter on /stream-limiter-dev-log-hash-key, or set log_hash_key_"),
        ("delete_parameter", "delete /stream-limiter-dev-log-hash-key in SSM"),
    ],
)
def test_a_missing_permission_is_named(operation: str, message: str) -> None:
    """The error has the denied action and the remedy, and quotes nothing of AWS's answer."""
    ssm = boto3.client("ssm")
    key = HashKey(ssm, NAME)
    command = key.make if operation == "put_parameter" else key.delete
    with Stubber(ssm) as stub:
        stub.add_client_error(operation, "AccessDeniedException", "the value was k3y")
        with pytest.raises(HashKeyError) as refusal:
            command()

    assert "(AccessDeniedException): " + message in str(refusal.value)
    assert "k3y" not in str(refusal.value)
