"""The page of `make run` at `/`: a household of players that use the JavaScript client. Never deployed."""

import json
import os
from functools import cache
from typing import Any, Final

import boto3
from boto3.dynamodb.types import TypeDeserializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from adapters.dynamodb.items import key
from dev import ROOT
from entrypoints.settings import Settings

PAGE: Final = ROOT / "dev" / "local" / "page"
CLIENT: Final = ROOT / "clients" / "js"


def page(settings: Settings) -> list[BaseRoute]:
    """Return the routes of the page: the page, its parts, the client, the plan, and a user's item."""
    plan = {
        "maxStreams": settings.max_streams,
        "groupLimits": settings.group_limits,
        "graceSeconds": settings.grace_seconds,
    }

    async def tell_plan(_: Request) -> Response:
        module = f"export default {json.dumps(plan)};"  # loaded before the page's first line
        return Response(module, media_type="text/javascript", headers=_UNCACHED)

    return [
        Route("/", _index),
        Route("/page/plan.js", tell_plan),
        Route("/page/item", _item),
        Mount("/page", StaticFiles(directory=PAGE)),
        Mount("/client", StaticFiles(directory=CLIENT)),
    ]


async def _index(_: Request) -> Response:
    return FileResponse(PAGE / "index.html", headers=_UNCACHED)


async def _item(request: Request) -> Response:
    """Return the user's item from the table, which no route of the service exposes."""
    item = await run_in_threadpool(_read, request.query_params.get("userId", ""))
    return JSONResponse(item, headers=_UNCACHED)


def _read(user_id: str) -> dict[str, Any]:
    table = os.environ["TABLE_NAME"]
    found = _store().get_item(TableName=table, Key=key(user_id), ConsistentRead=True)
    decode = TypeDeserializer().deserialize
    return {name: _plain(decode(value)) for name, value in sorted(found.get("Item", {}).items())}


@cache
def _store() -> Any:
    return boto3.client("dynamodb")


def _plain(value: Any) -> Any:
    """Convert a value to JSON: DynamoDB has sets, and its numbers are decimals, all of them whole here."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, set):
        return sorted(value)
    return value if isinstance(value, str) else int(value)


_UNCACHED: Final = {"cache-control": "no-store"}
