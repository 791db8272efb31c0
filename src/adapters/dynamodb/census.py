"""The `Census` over a DynamoDB table: a scan, page by page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import boto3

from adapters.aws.errors import ApiError
from adapters.aws.sdk import api_errors
from adapters.dynamodb.failures import domain_error
from adapters.dynamodb.items import USER_ID, snapshot
from domain.streams import Snapshot


class DynamoDbCensus:
    """All items of the table.

    Args:
        client: boto3's DynamoDB client, with long timeouts and its own retries.
        table: the name of the table.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    @classmethod
    def of_table(cls, table: str) -> Self:
        """Return the census of a table, by a client with the SDK's own timeouts and retries."""
        with _store_errors():
            return cls(boto3.client("dynamodb"), table)

    def estimate(self) -> int:
        """Return DynamoDB's count of items, which it updates about every six hours."""
        with _store_errors():
            count: int = self._client.describe_table(TableName=self._table)["Table"]["ItemCount"]
        return count

    def states(self) -> Iterator[tuple[str, Snapshot]]:
        """Yield each user with its state."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        with _store_errors():
            for page in pages:
                for item in page["Items"]:
                    yield item[USER_ID]["S"], snapshot(item)


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        with api_errors():
            yield
    except ApiError as error:
        raise domain_error(error) from error
