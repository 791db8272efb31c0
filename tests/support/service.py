"""Calls of the service and of AWS that tests of several folders make."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import boto3
import httpx
from starlette.types import ASGIApp

from adapters.dynamodb.items import STREAM_PREFIX, key, number
from dev.emulators.ministack import REGION

AT_LIMIT: Final = "The maximum of 3 simultaneous streams is reached."
NOTHING_OPEN: Final = "There is no active stream to end."


def request_app(app: ASGIApp, method: str, path: str, **request: Any) -> httpx.Response:
    """Return an application's answer to a request that no network sees."""

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:3000") as client:
            return await client.request(method, path, **request)

    return asyncio.run(asked())


def client_of(endpoint_url: str, service: str) -> Any:
    """Return a client of the account's root user, for a service at this address."""
    return boto3.Session("test", "test", region_name=REGION).client(service, endpoint_url=endpoint_url)


def expire(client: Any, table: str, user_id: str, stream_id: str) -> None:
    """Set a lease's expiry to ten minutes ago."""
    client.update_item(
        TableName=table,
        Key=key(user_id),
        UpdateExpression="SET #s.expiresAt = :past",
        ExpressionAttributeNames={"#s": STREAM_PREFIX + stream_id},
        ExpressionAttributeValues={":past": number(int(time.time()) - 600)},
    )


def check_original_contract(call: Callable[[str], tuple[int, Mapping[str, Any]]]) -> None:
    """Check that four starts count to three and the fourth is refused, as are four ends, back to zero.

    Args:
        call: makes the user's anonymous `start` or `end`; returns the status and the body of the answer.
    """
    starts = [call("start") for _ in range(4)]
    ends = [call("end") for _ in range(4)]
    results = [[(status, body["streamCount"]) for status, body in answers] for answers in (starts, ends)]

    assert results == [[(200, 1), (200, 2), (200, 3), (403, 3)], [(200, 2), (200, 1), (200, 0), (403, 0)]]
    assert starts[3][1]["message"] == AT_LIMIT
    assert ends[3][1]["message"] == NOTHING_OPEN
