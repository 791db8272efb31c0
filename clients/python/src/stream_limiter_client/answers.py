"""The service's answers as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class StreamView:
    """A stream that holds a slot, and the groups in which it counts as well."""

    stream_id: str
    device: str | None
    started_at: datetime
    expires_at: datetime
    groups: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read one stream from an answer."""
        return cls(
            stream_id=answer["streamId"],
            device=answer.get("device"),
            started_at=datetime.fromisoformat(answer["startedAt"]),
            expires_at=datetime.fromisoformat(answer["expiresAt"]),
            groups=tuple(answer.get("groups", ())),
        )


@dataclass(frozen=True, slots=True)
class GroupLimit:
    """The limit of a group, such as "2 in UHD"."""

    group: str
    max: int


@dataclass(frozen=True, slots=True)
class UserStreams:
    """A user's live streams: the named ones, and the number of anonymous ones and of all."""

    streams: tuple[StreamView, ...]
    anonymous_count: int
    stream_count: int
    max_streams: int

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read the streams from an answer."""
        return cls(
            streams=tuple(StreamView.of(stream) for stream in answer["streams"]),
            anonymous_count=answer["anonymousCount"],
            stream_count=answer["streamCount"],
            max_streams=answer["maxStreams"],
        )
