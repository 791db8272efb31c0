"""The real stores that proofs run over: DynamoDB Local and the emulator, each in a process of its own.

The service has two clients, and each store is called by either.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from localstack_client.session import Session

from adapters.aws.api import AwsApi, Operations
from adapters.aws.http_transport import Endpoint, HttpTransport
from adapters.aws.json_api import JsonApi
from adapters.aws.sdk import SdkApi, sdk_client
from adapters.aws.sigv4 import Credentials, Signer
from adapters.aws.timeouts import PROMPT, Timeouts
from adapters.dynamodb import items
from adapters.dynamodb.repository import DynamoDbStreamRepository
from dev.emulators.dynamodb_local import start_dynamodb_local
from dev.emulators.ministack import REGION, start_emulator
from dev.emulators.table import ensure_table
from domain.streams import Snapshot

TABLE: Final = "streams-to-prove"
EPOCH: Final = 2_000_000_000.0
"""A time ahead: no item's TTL has come, so that no store deletes it."""


@dataclass(frozen=True)
class Way:
    """The store and the client of a run.

    Attributes:
        address: the store's.
        lean: true for the lean client, false for boto3.
    """

    address: str
    lean: bool


@contextmanager
def stores() -> Iterator[tuple[Way, ...]]:
    """Yield four ways to both stores, with the table; the first two and the last two share a store."""
    with ExitStack() as stack:
        local = stack.enter_context(start_dynamodb_local())
        emulator = stack.enter_context(start_emulator())
        addresses = (local.endpoint_url, emulator.endpoint_url)
        for address in addresses:
            patient = _session(address).client("dynamodb")
            ensure_table(patient, TABLE)
            patient.update_item(TableName=TABLE, Key=items.key("warm-up"))  # a Java process is slow at first
            patient.get_item(TableName=TABLE, Key=items.key("warm-up"))
        yield tuple(
            Way(address, lean=lean)
            for clients in ((True, False), (False, True))
            for address, lean in zip(addresses, clients, strict=True)
        )


PATIENT: Final = Timeouts(connect_seconds=30, read_seconds=30)
"""Long timeouts, because a busy machine is not a fault."""

Stores = Callable[[], AbstractContextManager[tuple[Way, ...]]]
"""A context manager of the ways to running stores."""


@contextmanager
def client_of(way: Way) -> Iterator[AwsApi]:
    """Return the service's client on this way."""
    if not way.lean:
        yield SdkApi(sdk_client_of(way))
        return
    endpoint = Endpoint.of(way.address)
    transport = HttpTransport(endpoint, PATIENT)
    try:
        signer = Signer(Credentials("test", "test"), REGION, endpoint.authority)
        yield JsonApi(transport, signer)
    finally:
        transport.close()


def sdk_client_of(way: Way) -> Any:
    """Return boto3's client of the store, which has more than the service's two calls."""
    return sdk_client("dynamodb", _session(way.address), PATIENT)


def repository_over(api: Operations) -> DynamoDbStreamRepository:
    """Return the repository over the table."""
    return DynamoDbStreamRepository(api, TABLE, attempt_seconds=PROMPT.attempt_seconds)


def item_of(user_id: str, state: Snapshot) -> dict[str, Any]:
    """Return the item that reads as this state."""
    item: dict[str, Any] = {
        **items.key(user_id),
        items.STREAM_COUNT: items.number(state.stream_count),
        items.ANONYMOUS_COUNT: items.number(state.anonymous.count),
        **{items.STREAM_PREFIX + name: items.lease_value(lease) for name, lease in state.leases.items()},
        **{place: items.string(mark) for place, mark in zip(items.MARKS, state.marks, strict=False)},
    }
    if state.anonymous.expires_at is not None:
        item[items.ANONYMOUS_EXPIRES_AT] = items.number(state.anonymous.expires_at)
    if state.tokens:
        item[items.TOKENS] = items.strings(state.tokens)
    item |= {items.SPENT_PREFIX + name: items.number(until) for name, until in state.spent.items()}
    item |= {items.GROUP_PREFIX + name: items.number(count) for name, count in state.groups.items()}
    return item


def _session(address: str) -> Session:
    """Return a session that finds every service at this address, whatever the environment says."""
    host = address.removeprefix("http://")
    return Session("test", "test", region_name=REGION, localstack_host=host)
