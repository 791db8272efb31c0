"""The video of `make run`, at `/cdn/`: a local bucket behind the real edge function."""

from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.playback_keys import PlaybackKey
from dev import ROOT
from dev.emulators.edge import Edge, Refused

VIDEO: Final = ROOT / "dev" / "local" / "video"
PATH: Final = "/cdn"
PLAYLIST: Final = f"{PATH}/demo/index.m3u8"
UHD_PREFIX: Final = f"{PATH}/uhd/"
UHD_PLAYLIST: Final = f"{UHD_PREFIX}demo/index.m3u8"
"""The same film in higher quality."""

METHODS: Final = ("GET", "HEAD")
HEADERS: Final = ("range", "cta-common-access-token")
MAX_AGE_SECONDS: Final = 3600


def cdn(keys: Sequence[PlaybackKey], group_paths: Mapping[str, str]) -> Mount:
    """Return the route of the video, for tokens signed with one of these keys; without keys it is open.

    Under a group's path, the token's stream must be in the group.
    """
    return Mount(PATH, _Distribution(Edge(_config(keys, group_paths)), _bucket()))


def _config(keys: Sequence[PlaybackKey], group_paths: Mapping[str, str]) -> dict[str, Any]:
    """Return the edge's configuration in the form that `make playback-key` writes for CloudFront."""
    if not keys:
        return {"mode": "off"}
    secrets = {key.kid: urlsafe_b64encode(key.secret).decode().rstrip("=") for key in keys}
    return {"mode": "enforce", "keys": secrets, "paths": dict(group_paths)}


def _bucket() -> ASGIApp:
    """Return the origin, with the CORS rules of `examples/cloudfront`, for pages of any origin."""
    return CORSMiddleware(
        _Files(directory=VIDEO),
        allow_origin_regex=".*",
        allow_credentials=True,
        allow_methods=METHODS,
        allow_headers=HEADERS,
        max_age=MAX_AGE_SECONDS,
    )


class _Files(StaticFiles):
    """Files that a browser does not cache, so that each of its requests reaches the edge."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


class _Distribution:
    """CloudFront's part: it runs the function on each request, and fetches what passes from the origin."""

    def __init__(self, edge: Edge, origin: ASGIApp) -> None:
        self._edge = edge
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        outcome = await run_in_threadpool(
            self._edge.handle,
            request.method,
            scope["raw_path"].decode("ascii"),
            _by_name(part.partition("=")[::2] for part in request.url.query.split("&") if part),
            _by_name((name, value) for name, value in request.headers.items() if name != "cookie"),
            request.cookies,
        )
        if isinstance(outcome, Refused):
            await Response(status_code=outcome.status, headers=outcome.headers)(scope, receive, send)
            return
        passed = {
            **scope,
            "path": unquote(outcome.uri),
            "headers": [
                (name.encode(), value.encode("latin-1"))
                for name, values in outcome.headers.items()
                for value in values
            ],
            "query_string": b"",  # the example's bucket receives neither queries nor cookies
        }
        await self._origin(passed, receive, send)


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        values[name].append(value)
    return values
