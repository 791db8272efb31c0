"""HTTP in front of the real Lambda handlers: API Gateway's role on a developer's machine."""

import base64
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette import routing
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Lifespan

from dev.local.cors import Origins
from entrypoints import stream_renewal
from entrypoints.operators import OperatorRoute
from entrypoints.route import Route
from entrypoints.routes import ROUTES

HEARTBEAT_URL: Final = "/heartbeat-url"
"""The path of the heartbeat URL here. On AWS it has a host of its own, where a path has no meaning."""

OPERATOR: Final = {"iam": {"userArn": "arn:aws:iam::000000000000:user/local"}}
"""The header that API Gateway adds to a signed request; here, to every request for an operator's route."""

TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript")
"""The content types whose bodies reach a handler as text; all others are in base64."""


@dataclass(frozen=True)
class LambdaContext:
    """The part of Lambda's context object that the handlers read."""

    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


def gateway(
    lifespan: Lifespan[Starlette],
    others: Iterable[routing.BaseRoute],
    origins: Origins,
    *,
    allow_credentials: bool = False,
) -> Starlette:
    """Return an ASGI application that serves the routes as API Gateway does, and the other routes.

    The heartbeat URL is among the routes. Pages of the origins may read their answers, and nothing else.
    """
    routes = [*map(_route, ROUTES), _function_url(HEARTBEAT_URL, stream_renewal.handler)]
    api = origins.allow(routing.Router(routes), credentials=allow_credentials)
    return Starlette(
        routes=[*others, routing.Mount("", api)],
        exception_handlers={HTTPException: _not_routed},
        lifespan=lifespan,
    )


def _route(route: Route[Any, Any]) -> routing.Route:
    method, path = route.key.split(" ")

    async def serve(request: Request) -> Response:
        event = _event(request, await request.body(), route.key)
        if isinstance(route, OperatorRoute):
            event["requestContext"]["authorizer"] = OPERATOR
        return await _answer(route, event)

    return routing.Route(path, serve, methods=[method])


def _function_url(path: str, handler: Route[Any, Any]) -> routing.Route:
    """Return the route of a function URL, which passes every method on. Its events name no route."""

    async def serve(request: Request) -> Response:
        return await _answer(handler, _event(request, await request.body(), "$default"))

    return routing.Route(path, serve, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])


async def _answer(route: Route[Any, Any], event: dict[str, Any]) -> Response:
    # Lambda runs a handler in a process of its own; here a thread keeps it off the event loop.
    answer = await run_in_threadpool(route, event, LambdaContext())
    response = Response(answer["body"], answer["statusCode"], answer["headers"])
    for cookie in answer.get("cookies", ()):
        response.headers.append("set-cookie", cookie)
    return response


def _event(request: Request, body: bytes, route: str) -> dict[str, Any]:
    """Return the event, in API Gateway's payload format 2.0, which function URLs use too."""
    content_type = request.headers.get("content-type", "text/plain")
    is_text = content_type.startswith(TEXT_TYPES) and _is_utf8(body)
    names = set(request.headers.keys())
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": request.url.path,
        "rawQueryString": request.url.query,
        "headers": {name: ",".join(request.headers.getlist(name)) for name in names},
        "requestContext": {
            "apiId": "local",
            "http": {
                "method": request.method,
                "path": request.url.path,
                "protocol": f"HTTP/{request.scope['http_version']}",
                "sourceIp": request.client.host if request.client else "",
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": route,
            "stage": "$default",
            "timeEpoch": time.time_ns() // 1_000_000,
        },
        **({"body": body.decode() if is_text else base64.b64encode(body).decode()} if body else {}),
        "isBase64Encoded": bool(body) and not is_text,
    }


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


async def _not_routed(_: Request, error: Exception) -> Response:
    """Answer an unknown path or a wrong method, which no handler receives."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    return JSONResponse({"message": error.detail}, error.status_code, error.headers)
