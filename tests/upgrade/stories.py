"""The calls of each story, and how a recording of them is read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.unit.entrypoints.calls import event

FIXTURES: Final = Path(__file__).parent / "fixtures"
BEGIN: Final = 1_700_000_000
LATER: Final = 600
"""Seconds after which every lease of a story has expired."""


@dataclass(frozen=True)
class Call:
    """A player's call.

    Attributes:
        name: of its handler.
        fields: the members of its body.
        key: its idempotency key.
        after: seconds since the call before it.
    """

    name: str
    fields: Mapping[str, Any]
    key: str | None = None
    after: int = 1

    def event(self, user_id: str) -> dict[str, Any]:
        """Return the call as API Gateway sends it."""
        sent = event(self.name)
        if self.name == "list":
            return {
                **sent,
                "rawQueryString": f"userId={user_id}",
                "queryStringParameters": {"userId": user_id},
            }
        headers = {"idempotency-key": self.key} if self.key else {}
        body = json.dumps({"userId": user_id, **self.fields})
        return {**sent, "headers": {**sent["headers"], **headers}, "body": body}


def _start(name: str, **fields: Any) -> Call:
    return Call("start", {"streamId": name, **fields})


def _end(name: str, **fields: Any) -> Call:
    return Call("end", {"streamId": name, **fields})


def _heartbeat(name: str, **fields: Any) -> Call:
    return Call("heartbeat", {"streamId": name, **fields}, after=30)


STORIES: Final[Mapping[str, tuple[Call, ...]]] = {
    "household": (
        _start("tv", device="living room"),
        _start("phone"),
        Call("start", {}, key="anonymous-1"),
        _heartbeat("tv"),
        _heartbeat("phone"),
    ),
    "comings-and-goings": (_start("tv"), _end("tv"), _start("phone"), _start("tv"), _end("phone")),
    "replacement": (
        _start("tv", device="kitchen"),
        _start("tablet"),
        _start("phone", replaces="tv"),
        _heartbeat("phone"),
    ),
    "anonymous": (
        Call("start", {}, key="start-1"),
        Call("start", {}, key="start-2"),
        Call("start", {}, key="start-2"),
        Call("end", {}, key="end-1"),
    ),
    "expired": (
        _start("tv"),
        _start("phone"),
        _start("tablet"),
        Call("start", {"streamId": "laptop"}, after=LATER),
        _heartbeat("laptop"),
    ),
}
GROUP_STORIES: Final[Mapping[str, tuple[Call, ...]]] = {
    "in-groups": (
        _start("tv", groups=["uhd"], play="page-1"),
        _start("phone"),
        _heartbeat("tv", play="page-1"),
        _end("tv", groups=["uhd"], play="page-1"),
        _start("tablet", groups=["uhd"]),
    ),
}
"""Only code that knows groups can record these."""


@dataclass(frozen=True)
class Recorded:
    """A call as an earlier release served it.

    Attributes:
        call: the call.
        at: when it came.
        status: of the answer.
        writes: the `UpdateItem` requests that it made, each with whether it landed.
    """

    call: Call
    at: int
    status: int
    writes: tuple[tuple[Mapping[str, Any], bool], ...]


@dataclass(frozen=True)
class Recording:
    """A story as an earlier release served it.

    Attributes:
        user_id: of its user, and the story's name.
        variables: the settings.
        calls: its calls.
        item: the item that it left.
        answer: the list of the user's streams at its end, as the earlier release answered.
        at: when the list was asked for.
    """

    user_id: str
    variables: Mapping[str, str]
    calls: tuple[Recorded, ...]
    item: Mapping[str, Any]
    answer: Mapping[str, Any]
    at: int


def recordings(fixture: Path) -> list[Recording]:
    """Return the stories of a fixture."""
    read = json.loads(fixture.read_text(encoding="utf-8"))
    return [_recording(name, read["variables"], story) for name, story in read["stories"].items()]


def _recording(name: str, variables: Mapping[str, str], story: Mapping[str, Any]) -> Recording:
    calls = tuple(
        Recorded(
            call,
            kept["at"],
            kept["status"],
            tuple((write["request"], write["lands"]) for write in kept["writes"]),
        )
        for call, kept in zip({**STORIES, **GROUP_STORIES}[name], story["calls"], strict=True)
    )
    return Recording(name, variables, calls, story["item"], story["answer"], story["at"])
