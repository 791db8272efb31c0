"""`make restore`, over the emulator: users' streams are as they were."""

import uuid
from typing import Any

import boto3
import localstack_client.session
import pytest

from adapters.clock import SystemClock
from adapters.dynamodb.items import key
from dev.emulators.ministack import REGION
from dev.emulators.table import ensure_table
from dev.operate import restore
from domain.limiter import StreamLimiter
from domain.policy import Policy
from domain.ports import Deadline
from domain.requests import StartNamed
from tests.conftest import repository_over
from tests.support.service import client_of


@pytest.fixture
def dynamodb(embedded: localstack_client.session.Session) -> Any:
    """Return the embedded emulator, as boto3's resource: LocalStack has no point-in-time restore."""
    return boto3.resource(
        "dynamodb", region_name=REGION, endpoint_url=embedded.client("dynamodb").meta.endpoint_url
    )


@pytest.fixture
def table(dynamodb: Any) -> str:
    """Yield a table of the test's own."""
    name = f"restored-{uuid.uuid4().hex[:8]}"
    ensure_table(dynamodb.meta.client, name)
    return name


def test_a_deleted_item_is_restored(dynamodb: Any, table: str, deadline: Deadline) -> None:
    """A deleted item is restored with its streams, a later one stays, and the restored table is deleted."""
    client = client_of(dynamodb.meta.client.meta.endpoint_url, "dynamodb")
    repository = repository_over(client, table)
    limiter = StreamLimiter(repository, SystemClock(), Policy())
    limiter.start(StartNamed("lost", "tv", 3, "living room"))
    before = repository.read("lost", deadline)

    def go_wrong(**_: Any) -> None:
        client.delete_item(TableName=table, Key=key("lost"))
        limiter.start(StartNamed("late", "tv", 3))

    dynamodb.meta.client.meta.events.register("after-call.dynamodb.RestoreTableToPointInTime", go_wrong)
    assert restore.restore(dynamodb, table, None) == 1

    assert repository.read("lost", deadline) == before
    assert repository.read("late", deadline).stream_count == 1
    assert f"{table}-restored" not in client.list_tables()["TableNames"]
