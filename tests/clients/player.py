"""A player over the Python client: one command per line comes in, one event per line goes out."""

import asyncio
import json
import sys

from stream_limiter_client import AsyncStreamLimiter, LimitReached, ServiceError, StreamLimiter


class Told:
    """Tells what happens to one stream."""

    stream_id: str | None = None

    def tell(self, event: str, holders: list[str | None] | None = None) -> None:
        """Write one event."""
        told = {"event": event, "streamId": self.stream_id, "holders": holders or []}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    def lost(self, reason: ServiceError) -> None:
        """Tell a start that was refused, or a slot that was taken away."""
        if isinstance(reason, LimitReached):
            self.tell("refused", [holder.device for holder in reason.streams])
        else:
            self.tell("gone")


def in_threads(url: str, user_id: str, device: str) -> None:
    """Play with the client for threads."""
    told = Told()
    limiter = StreamLimiter(url)
    stream = limiter.stream(user_id, device=device, on_gone=told.lost)
    for line in sys.stdin:
        command = json.loads(line)
        if command["action"] == "start":
            if replaces := command.get("replaces"):
                stream = limiter.stream(user_id, device=device, replaces=replaces, on_gone=told.lost)
            try:
                stream.start()
            except LimitReached as refusal:
                told.lost(refusal)
                continue
            told.stream_id = stream.stream_id
            told.tell("admitted")
        else:
            told.tell("ended" if stream.end() else "failed")


async def in_asyncio(url: str, user_id: str, device: str) -> None:
    """Play with the client for asyncio."""
    told = Told()
    limiter = AsyncStreamLimiter(url)
    stream = limiter.stream(user_id, device=device, on_gone=told.lost)
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        if command["action"] == "start":
            if replaces := command.get("replaces"):
                stream = limiter.stream(user_id, device=device, replaces=replaces, on_gone=told.lost)
            try:
                await stream.start()
            except LimitReached as refusal:
                told.lost(refusal)
                continue
            told.stream_id = stream.stream_id
            told.tell("admitted")
        else:
            told.tell("ended" if await stream.end() else "failed")


if __name__ == "__main__":
    kind, *where = sys.argv[1:]
    if kind == "threads":
        in_threads(*where)
    else:
        asyncio.run(in_asyncio(*where))
