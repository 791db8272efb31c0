"""What tests share that is no stand-in."""

import os
import time
from typing import Any, NoReturn

import pytest

from adapters.dynamodb.items import key, number, stream_attribute


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test for want of a tool, saying which; under CI=true a skip is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def expire(client: Any, table: str, user_id: str, stream_id: str) -> None:
    """Let a lease have run out ten minutes ago."""
    client.update_item(
        TableName=table,
        Key=key(user_id),
        UpdateExpression="SET #s.expiresAt = :past",
        ExpressionAttributeNames={"#s": stream_attribute(stream_id)},
        ExpressionAttributeValues={":past": number(int(time.time()) - 600)},
    )
