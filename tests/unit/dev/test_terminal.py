"""The terminal output of `make run`."""

import io
import json
import re
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dev.local.terminal import RequestLines, WithoutEvents
from dev.operate.logs import GREEN, RED, YELLOW
from tests.support.service import request_app
from tests.support.terminal import COLOUR

NAMES = {"userId": "household", "streamId": "television-of-the-living-room"}
ESCAPE = "\033"


def shown(answer: Response, path: str = "/stream/start", method: str = "POST", **request: Any) -> str:
    """Return the output for a request with this answer."""

    async def serve(asked: Request) -> Response:
        await asked.body()
        return answer

    out = io.StringIO()
    app = Starlette(routes=[Route(path, serve, methods=["GET", "POST", "OPTIONS"])])
    request_app(RequestLines(app, 3, out), method, path, **request)
    return out.getvalue()


def plain(line: str) -> str:
    """Return a line without its colours."""
    return COLOUR.sub("", line)


def test_a_request_is_one_line_with_its_details() -> None:
    """A request is one line with time, route, status, user, stream, slots and duration."""
    line = shown(JSONResponse({"streamCount": 2, "maxStreams": 4}), json=NAMES)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d POST /stream/start +200 household +televis… +2 of 4 +\d+\.\d ms\n", plain(line)
    )


def test_an_answer_without_a_limit_is_shown_with_the_services() -> None:
    """An answer without a limit, as a heartbeat's, is shown with the service's limit."""
    assert " 2 of 3 " in plain(shown(JSONResponse({"streamCount": 2}), json=NAMES))


@pytest.mark.parametrize(("status", "colour"), [(200, GREEN), (403, YELLOW), (503, RED)])
def test_a_status_is_coloured_by_its_kind(status: int, colour: str) -> None:
    """A refusal has another colour than a failure."""
    assert f"{colour}{status}" in shown(JSONResponse({}, status), json=NAMES)


def test_a_refusal_has_its_code() -> None:
    """A refusal's code is at the line's end."""
    assert plain(shown(JSONResponse({"code": "limit_reached"}, 403), json=NAMES)).endswith(" limit_reached\n")


def test_a_list_names_its_user_by_its_query() -> None:
    """A list, which has no body, is shown with the user of its query."""
    assert " household " in plain(shown(JSONResponse({}), "/stream", "GET", params={"userId": "household"}))


def test_the_pages_own_lists_are_left_out() -> None:
    """The page's own lists, one each second, are left out; another page's list is shown."""
    answer = JSONResponse({"streamCount": 1})
    assert shown(answer, "/stream", "GET", headers={"sec-fetch-site": "same-origin"}) == ""
    assert shown(answer, "/stream", "GET", headers={"sec-fetch-site": "same-site"}) != ""


def test_only_refused_video_requests_are_shown() -> None:
    """A video request is shown only if the edge refuses it, with the edge's reason."""
    path = "/cdn/demo/index.m3u8"
    assert shown(PlainTextResponse("film"), path, "GET") == ""
    assert plain(shown(Response(None, 403, {"x-playback": "expired"}), path, "GET")).endswith(" expired\n")


def test_only_preflights_of_refused_origins_are_shown() -> None:
    """A preflight is shown if its origin may not call, because the browser hides that from the page."""
    asked: dict[str, Any] = {"method": "OPTIONS", "headers": {"origin": "http://dev.local"}}
    assert shown(PlainTextResponse("OK"), **asked) == ""
    line = shown(PlainTextResponse("Disallowed CORS origin", 400), **asked)
    assert plain(line).endswith(" Disallowed CORS origin: http://dev.local\n")


def test_callers_names_are_escaped_for_the_terminal() -> None:
    """A caller's names are shown without escape sequences and line breaks, which the terminal would obey."""
    line = plain(shown(JSONResponse({}), json={"userId": f"{ESCAPE}[2J\nx", "streamId": f"{ESCAPE}]0;"}))
    assert ESCAPE not in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_not_an_object_has_a_line(body: bytes) -> None:
    """A body that is not an object has a line too, and its request is answered."""
    assert "400" in shown(JSONResponse({"code": "invalid_request"}, 400), content=body)


def test_only_failure_events_are_shown() -> None:
    """Of the events only failures are shown, with their causes; any other output is shown unchanged."""
    out = io.StringIO()
    terminal = WithoutEvents(out)
    event = {"level": "info", "outcome": "admitted", "status": 200}
    failure = event | {"level": "error", "outcome": "failed", "exception": "StoreFault\n  a.py:1 f"}
    print(json.dumps(event), file=terminal)
    terminal.write(f"{json.dumps(failure)}\n")
    print("ready", file=terminal)
    lines = plain(out.getvalue()).splitlines()
    assert "failed" in lines[-4]
    assert lines[-3:] == ["    StoreFault", "      a.py:1 f", "ready"]
    assert "admitted" not in out.getvalue()
