"""The real stores that proofs run over: DynamoDB Local and the emulator, each in a process of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from localstack_client.session import Session

from adapters.dynamodb.client import ATTEMPT_SECONDS, dynamodb_client
from adapters.dynamodb.items import key
from adapters.dynamodb.repository import DynamoDbApi, DynamoDbStreamRepository
from dev.dynamodb_local import start_dynamodb_local
from dev.emulator import REGION, start_emulator
from dev.table import ensure_table

TABLE: Final = "streams-to-prove"
EPOCH: Final = 2_000_000_000.0
"""Lies ahead: no item's TTL has come, so that no store sweeps it."""


@contextmanager
def stores() -> Iterator[tuple[str, ...]]:
    """Both stores, with the table; gives the addresses of DynamoDB Local and the emulator, in this order."""
    with ExitStack() as stack:
        local = stack.enter_context(start_dynamodb_local())
        emulator = stack.enter_context(start_emulator())
        addresses = (local.endpoint_url, emulator.endpoint_url)
        for address in addresses:
            patient = _session(address).client("dynamodb")
            ensure_table(patient, TABLE)
            patient.update_item(TableName=TABLE, Key=key("warm-up"))  # a Java process is slow at first
            patient.get_item(TableName=TABLE, Key=key("warm-up"))
        yield addresses


def client_of(address: str) -> Any:
    """The service's own client, of the store at this address."""
    return dynamodb_client(_session(address))


def repository_over(api: DynamoDbApi) -> DynamoDbStreamRepository:
    """The repository over the table, repeating at once."""
    return DynamoDbStreamRepository(api, TABLE, attempt_seconds=ATTEMPT_SECONDS, sleep=lambda _: None)


def _session(address: str) -> Session:
    """A session that finds every service at this address, whatever the environment says."""
    host = address.removeprefix("http://")
    return Session("test", "test", region_name=REGION, localstack_host=host)
