"""The `Census` over a DynamoDB table: a scan, page by page."""

from collections.abc import Iterator
from typing import Any

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

    def estimate(self) -> int:
        """Return DynamoDB's count of items, which it updates about every six hours."""
        count: int = self._client.describe_table(TableName=self._table)["Table"]["ItemCount"]
        return count

    def states(self) -> Iterator[tuple[str, Snapshot]]:
        """Yield each user with its state."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        for page in pages:
            for item in page["Items"]:
                yield item[USER_ID]["S"], snapshot(item)
