"""Answers as pydantic models: the JSON of the contract, field by field.

A field that is `None` is omitted from the JSON.
"""

from datetime import UTC, datetime
from math import floor
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from domain.limiter import Answer, Reply, Unverified
from domain.policy import Outcome, Policy
from domain.streams import GoneReason, Lease, LiveStreams


class AnswerModel(BaseModel):
    """JSON in camelCase, times in RFC 3339 and UTC."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True)

    def to_json(self) -> str:
        """Return the JSON text."""
        # `model_dump_json` takes twice as long, for options that are not needed here.
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True).decode()


class StreamView(AnswerModel):
    """A stream that holds a slot."""

    stream_id: str
    device: str | None
    started_at: datetime
    expires_at: datetime
    path_prefix: str | None = None
    groups: tuple[str, ...] | None = None

    @classmethod
    def of(cls, lease: Lease) -> Self:
        """Return the lease as callers see it."""
        return cls(
            stream_id=lease.stream_id,
            device=lease.device,
            started_at=moment(lease.started_at),
            expires_at=moment(lease.expires_at),
            path_prefix=lease.path_prefix,
            groups=lease.groups or None,
        )


class HoldAnswer(AnswerModel):
    """The answer to a start or a heartbeat: the caller's stream goes on."""

    stream_count: int | None = Field(
        None, description="The user's live streams; omitted if the store was unavailable."
    )
    max_streams: int | None = Field(
        None, description="The number of streams that the user may have, after a start."
    )
    stream_id: str | None = Field(
        None, description="The named stream. Omitted for an anonymous one, like the four fields that follow."
    )
    groups: tuple[str, ...] | None = Field(None, description="The groups that the stream is in, if any.")
    expires_at: datetime | None = Field(None, description="The time until which the player holds its slot.")
    expires_in_seconds: int | None = Field(
        None, description="The same in seconds, rounded down, for players whose clock is wrong."
    )
    heartbeat_seconds: float | None = Field(None, description="The interval of heartbeats.")
    verified: Literal[False] | None = Field(
        None, description="False if the store was unavailable: a 410 may follow. Otherwise omitted."
    )
    playback_token: str | None = Field(
        None, description="The token for the CDN, valid until the lease ends; omitted if none is issued."
    )
    heartbeat_url: str | None = Field(
        None, description="A URL that accepts the token in place of a login; omitted if there is none."
    )
    user_id: str | None = Field(None, description="The user to name in a heartbeat there.")

    @classmethod
    def of(
        cls,
        answer: Reply,
        policy: Policy,
        limit: int | None = None,
        *,
        heartbeat_url: str | None = None,
        user_id: str | None = None,
    ) -> Self:
        """Return the answer to a heartbeat, or to a start under this limit."""
        lease = answer.lease
        return cls(
            stream_count=answer.live.count if isinstance(answer, Answer) else None,
            max_streams=limit,
            stream_id=None if lease is None else lease.stream_id,
            groups=None if lease is None else lease.groups or None,
            expires_at=None if lease is None else moment(lease.expires_at),
            expires_in_seconds=None if lease is None else max(0, floor(lease.expires_at - answer.at)),
            heartbeat_seconds=None if lease is None else policy.heartbeat_seconds,
            verified=False if isinstance(answer, Unverified) else None,
            playback_token=answer.token,
            heartbeat_url=heartbeat_url,
            user_id=user_id if heartbeat_url else None,
        )


class EndAnswer(AnswerModel):
    """The answer to an end."""

    stream_count: int = Field(description="The user's live streams after it.")
    stream_id: str | None = Field(None, description="The named stream; omitted for an anonymous one.")
    ended: bool | None = Field(
        None, description="For a named stream, whether this call ended it; false if it had ended before."
    )

    @classmethod
    def of(cls, answer: Answer, stream_id: str | None) -> Self:
        """Return the answer to an end."""
        ended = None if stream_id is None else answer.outcome is Outcome.ENDED
        return cls(stream_count=answer.live.count, stream_id=stream_id, ended=ended)


class StreamsAnswer(AnswerModel):
    """The user's live streams."""

    stream_count: int
    anonymous_count: int
    max_streams: int
    streams: tuple[StreamView, ...]

    @classmethod
    def of(cls, live: LiveStreams, limit: int) -> Self:
        """Return the live streams of a user who may have this many."""
        return cls(
            stream_count=live.count,
            anonymous_count=live.anonymous_count,
            max_streams=limit,
            streams=tuple(StreamView.of(lease) for lease in live.leases),
        )


class FieldError(AnswerModel):
    """An error in one field of a request."""

    field: str
    detail: str


class GroupLimit(AnswerModel):
    """The limit of a group that refused a start."""

    group: str
    max: int


class Problem(AnswerModel):
    """An error in the form of RFC 9457 (`application/problem+json`)."""

    type: str = Field(description="A URI that names the kind of problem.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="The problem of this request in words.")
    message: str = Field(description="The same text as `detail`, under the name that older clients read.")
    code: str = Field(description="The kind for programs, which is stable.")
    errors: tuple[FieldError, ...] | None = None
    stream_count: int | None = None
    anonymous_count: int | None = None
    max_streams: int | None = None
    limit: GroupLimit | None = Field(None, description="The limit that is reached, if it is that of a group.")
    streams: tuple[StreamView, ...] | None = None
    stream_id: str | None = None
    reason: GoneReason | None = Field(None, description="The reason why a stream is gone, if known.")
    by: str | None = Field(
        None, description="The device of the stream that took its slot, if it has stated one."
    )
    retry_after_seconds: int | None = Field(
        None, description="The time after which a start that was postponed may be sent again."
    )
    request_id: str | None = None


def moment(epoch_seconds: int) -> datetime:
    """Return a time in the form of the answers."""
    return datetime.fromtimestamp(epoch_seconds, UTC)
