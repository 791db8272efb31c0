"""A player over the Python client: one command per line comes in, one event per line goes out."""

import asyncio
import json
import sys
from typing import Any

from stream_limiter_client import (
    AsyncStream,
    AsyncStreamLimiter,
    LimitReached,
    ServiceError,
    Stream,
    StreamLimiter,
    TooManyStarts,
)


def tell(stream: Stream | AsyncStream, event: str, **more: Any) -> None:
    """Write one event."""
    told = {"event": event, "streamId": stream.stream_id, "holders": [], **more}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def tell_admitted(stream: Stream | AsyncStream) -> None:
    """Tell a start that took a slot."""
    tell(stream, "admitted", hasToken=stream.playback_token is not None)


def tell_lost(stream: Stream | AsyncStream, reason: ServiceError) -> None:
    """Tell a start that was refused or put off, or a slot that was taken away."""
    match reason:
        case LimitReached():
            tell(stream, "refused", holders=[holder.device for holder in reason.streams])
        case TooManyStarts():
            tell(stream, "put off", seconds=reason.retry_after)
        case _:
            tell(stream, "gone")


def in_threads(url: str, user_id: str, device: str, stream_id: str | None = None) -> None:
    """Play with the client for threads."""
    stream = StreamLimiter(url).stream(
        user_id, device=device, stream_id=stream_id, on_gone=lambda reason: tell_lost(stream, reason)
    )
    for line in sys.stdin:
        command = json.loads(line)
        if command["action"] == "end":
            tell(stream, "ended" if stream.end() else "failed")
            continue
        try:
            stream.start(replaces=command.get("replaces"))
        except (LimitReached, TooManyStarts) as refusal:
            tell_lost(stream, refusal)
        else:
            tell_admitted(stream)


async def in_asyncio(url: str, user_id: str, device: str, stream_id: str | None = None) -> None:
    """Play with the client for asyncio."""
    stream = AsyncStreamLimiter(url).stream(
        user_id, device=device, stream_id=stream_id, on_gone=lambda reason: tell_lost(stream, reason)
    )
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        if command["action"] == "end":
            tell(stream, "ended" if await stream.end() else "failed")
            continue
        try:
            await stream.start(replaces=command.get("replaces"))
        except (LimitReached, TooManyStarts) as refusal:
            tell_lost(stream, refusal)
        else:
            tell_admitted(stream)


if __name__ == "__main__":
    kind, *where = sys.argv[1:]
    if kind == "threads":
        in_threads(*where)
    else:
        asyncio.run(in_asyncio(*where))
