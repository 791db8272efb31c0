"""`make run` on a terminal: a coloured line per request, instead of the events that a pipe gets."""

import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import IO, Any, Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dev.local.cdn import PATH as CDN
from dev.local.gateway import HEARTBEAT_URL
from dev.operate.logs import GREEN, GREY, PLAIN, RED, YELLOW, readable

API: Final = ("/stream", "/stream/", "/operator/")
LONGEST_USER: Final = 16
LONGEST_STREAM: Final = 8


class WithoutEvents(io.TextIOBase):
    """Standard output for people: failures are readable, and other events are left out.

    Each event is one write.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def write(self, text: str, /) -> int:
        """Write the text, unless it is the event of a successful request, which has a line of its own."""
        is_event = text.startswith("{")
        if not is_event or json.loads(text)["level"] == "error":
            self._out.write(f"{readable(text.rstrip())}\n" if is_event else text)
        return len(text)

    def flush(self) -> None:
        """Flush the output."""
        self._out.flush()


@dataclass
class _Exchange:
    """A request, and its answer so far."""

    scope: Scope
    body: bytearray = field(default_factory=bytearray)
    status: int = 0
    headers: Headers = field(default_factory=Headers)
    answer: bytearray = field(default_factory=bytearray)

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def is_shown(self) -> bool:
        """True for a refusal, or a player's call (not a part of a video, or our page's list)."""
        if self.status >= HTTPStatus.BAD_REQUEST:
            return True
        is_call = self.path in {API[0], HEARTBEAT_URL} or self.path.startswith(API[1:])
        if not is_call or self.scope["method"] == "OPTIONS":
            return False
        is_list = self.scope["method"] == "GET"
        return not (is_list and Headers(scope=self.scope).get("sec-fetch-site") == "same-origin")


class RequestLines:
    """An application around another one that writes a line for each call of a player and each refusal.

    Args:
        app: the application.
        max_streams: the limit, if an answer does not contain it.
        out: the stream for the lines.
    """

    def __init__(self, app: ASGIApp, max_streams: int, out: IO[str]) -> None:
        self._app = app
        self._max_streams = max_streams
        self._out = out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write its line when it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope)

        async def receive_and_record() -> Message:
            message = await receive()
            exchange.body += message.get("body", b"")
            return message

        async def record_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.headers = Headers(raw=message["headers"])
            elif not exchange.path.startswith(f"{CDN}/"):
                exchange.answer += message.get("body", b"")
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive_and_record, record_and_send)
        finally:
            if exchange.is_shown:
                self._out.write(f"{self._line(exchange, time.perf_counter() - began)}\n")
                self._out.flush()

    def _line(self, exchange: _Exchange, seconds: float) -> str:
        query = parse_qs(exchange.scope["query_string"].decode("latin-1"))
        fields = _object(exchange.body) | {name: values[0] for name, values in query.items()}
        answer = _object(exchange.answer)
        colour = _colour(exchange.status)
        count = answer.get("streamCount")
        limit = answer.get("maxStreams", self._max_streams)
        parts = [
            f"{GREY}{datetime.now().astimezone():%H:%M:%S}{PLAIN}",
            f"{exchange.scope['method'] + ' ' + _printable(exchange.path):24}",
            f"{colour}{exchange.status}{PLAIN}",
            f"{_shortened(fields.get('userId', '-'), LONGEST_USER):{LONGEST_USER}}",
            f"{_shortened(fields.get('streamId', '-'), LONGEST_STREAM):{LONGEST_STREAM}}",
            f"{'-' if count is None else f'{count} of {limit}':7}",
            f"{GREY}{seconds * 1000:.1f} ms{PLAIN}",
        ]
        if exchange.status >= HTTPStatus.BAD_REQUEST:
            parts.append(f"{colour}{_reason(exchange, answer)}{PLAIN}")
        return " ".join(parts)


def _colour(status: int) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RED
    return YELLOW if status >= HTTPStatus.BAD_REQUEST else GREEN


def _reason(exchange: _Exchange, answer: Mapping[str, Any]) -> str:
    """Return the reason for a refusal: the service's code, the edge's reason, or the CORS rule."""
    origin = Headers(scope=exchange.scope).get("origin")
    if exchange.scope["method"] == "OPTIONS" and origin and not answer:
        return f"{exchange.answer.decode()}: {_printable(origin)}"
    return str(answer.get("code") or exchange.headers.get("x-playback") or answer.get("message", ""))


def _object(body: bytes | bytearray) -> dict[str, Any]:
    """Return the JSON object of a body; an empty one for any other body."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _shortened(value: Any, longest: int) -> str:
    text = _printable(str(value))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _printable(text: str) -> str:
    """Return the text without characters that control a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)
