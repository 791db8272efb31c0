"""A player over the Python client: one command per line comes in, one event per line goes out."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Any

from stream_limiter_client import (
    AsyncStream,
    AsyncStreamLimiter,
    LimitReached,
    ServiceError,
    Stream,
    StreamGone,
    StreamLimiter,
    TooManyStarts,
)


def report(stream: Stream | AsyncStream, event: str, **more: Any) -> None:
    """Write one event."""
    written = {"event": event, "streamId": stream.stream_id, "holders": [], **more}
    sys.stdout.write(json.dumps(written) + "\n")
    sys.stdout.flush()


def report_admitted(stream: Stream | AsyncStream) -> None:
    """Write the event of a start that took a slot."""
    report(stream, "admitted", hasToken=stream.playback_token is not None)


def report_lost(stream: Stream | AsyncStream, reason: ServiceError) -> None:
    """Write the event of a start that was refused or postponed, or of a slot that was taken away."""
    match reason:
        case LimitReached():
            holders = [holder.device for holder in reason.streams]
            limit = {} if reason.limit is None else {"limit": asdict(reason.limit)}
            report(stream, "refused", holders=holders, **limit)
        case TooManyStarts():
            report(stream, "postponed", seconds=reason.retry_after)
        case _:
            gone = {"reason": reason.reason, "by": reason.by} if isinstance(reason, StreamGone) else {}
            report(stream, "gone", **gone)


def in_threads(url: str, user_id: str, device: str, stream_id: str | None = None) -> None:
    """Play with the client for threads."""
    stream = StreamLimiter(url, "login").stream(
        user_id,
        device=device,
        stream_id=stream_id,
        on_gone=lambda reason: report_lost(stream, reason),
        on_lapsed=lambda: report(stream, "lapsed"),
        on_admitted=lambda: report(stream, "resumed"),
    )
    for line in sys.stdin:
        command = json.loads(line)
        if command["action"] == "end":
            report(stream, "ended" if stream.end() else "failed")
            continue
        try:
            stream.start(replaces=command.get("replaces"), groups=command.get("groups"))
        except (LimitReached, TooManyStarts) as refusal:
            report_lost(stream, refusal)
        else:
            report_admitted(stream)


async def in_asyncio(url: str, user_id: str, device: str, stream_id: str | None = None) -> None:
    """Play with the client for asyncio."""
    stream = AsyncStreamLimiter(url, "login").stream(
        user_id,
        device=device,
        stream_id=stream_id,
        on_gone=lambda reason: report_lost(stream, reason),
        on_lapsed=lambda: report(stream, "lapsed"),
        on_admitted=lambda: report(stream, "resumed"),
    )
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        if command["action"] == "end":
            report(stream, "ended" if await stream.end() else "failed")
            continue
        try:
            await stream.start(replaces=command.get("replaces"), groups=command.get("groups"))
        except (LimitReached, TooManyStarts) as refusal:
            report_lost(stream, refusal)
        else:
            report_admitted(stream)


if __name__ == "__main__":
    kind, *where = sys.argv[1:]
    if kind == "threads":
        in_threads(*where)
    else:
        asyncio.run(in_asyncio(*where))
