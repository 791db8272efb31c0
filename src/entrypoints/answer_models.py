"""What callers are told, as pydantic models: the contract's JSON, field by field.

A field that is `None` is left out of the JSON.
"""

from datetime import UTC, datetime
from math import floor
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from domain.limiter import Answer, Reply, Unverified
from domain.policy import Outcome, Policy
from domain.streams import GoneReason, Lease, LiveStreams


class AnswerModel(BaseModel):
    """JSON in camelCase, times in RFC 3339 and UTC."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True)

    def to_json(self) -> str:
        """The JSON text."""
        # `model_dump_json` adds as much work again, for options that are not needed here.
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True).decode()


class StreamView(AnswerModel):
    """Who holds a slot."""

    stream_id: str
    device: str | None
    started_at: datetime
    expires_at: datetime
    path_prefix: str | None = None
    groups: tuple[str, ...] | None = None

    @classmethod
    def of(cls, lease: Lease) -> Self:
        """The lease as callers see it."""
        return cls(
            stream_id=lease.stream_id,
            device=lease.device,
            started_at=moment(lease.started_at),
            expires_at=moment(lease.expires_at),
            path_prefix=lease.path_prefix,
            groups=lease.groups or None,
        )


class HoldAnswer(AnswerModel):
    """The answer to a start or a heartbeat: the caller's stream goes on.

    Attributes:
        stream_count: the user's live streams; left out when the store could not be asked.
        max_streams: the limit that a start was held against.
        stream_id: the named stream, as are the four that follow; left out for an anonymous one.
        groups: the groups that it is in, where there are any.
        expires_at: until when the player holds its slot.
        expires_in_seconds: the same for players whose clock is off, rounded down.
        heartbeat_seconds: how often to send a heartbeat.
        verified: false when the store could not be asked: a 410 may follow. Else left out.
        playback_token: what the CDN asks for, good until `expires_at`; left out where none is issued.
        heartbeat_url: where the token suffices for the next heartbeat; left out where there is no such place.
        user_id: the user that a heartbeat there names, which a player with a login need not know otherwise.
    """

    stream_count: int | None = None
    max_streams: int | None = None
    stream_id: str | None = None
    groups: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    expires_in_seconds: int | None = None
    heartbeat_seconds: float | None = None
    verified: Literal[False] | None = None
    playback_token: str | None = None
    heartbeat_url: str | None = None
    user_id: str | None = None

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
        """The answer to a start that was held against this limit, or to a heartbeat."""
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
    """The stream is over.

    Attributes:
        stream_count: the user's live streams after it.
        stream_id: the named stream; left out for an anonymous one.
        ended: for a named stream, whether this call ended it; false when it was over before.
    """

    stream_count: int
    stream_id: str | None = None
    ended: bool | None = None

    @classmethod
    def of(cls, answer: Answer, stream_id: str | None) -> Self:
        """The answer to an end."""
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
        """The live streams of a user who may have so many."""
        return cls(
            stream_count=live.count,
            anonymous_count=live.anonymous_count,
            max_streams=limit,
            streams=tuple(StreamView.of(lease) for lease in live.leases),
        )


class FieldError(AnswerModel):
    """One thing that is wrong with the input."""

    field: str
    detail: str


class GroupLimit(AnswerModel):
    """The limit of a group that a start met."""

    group: str
    max: int


class Problem(AnswerModel):
    """An error, as RFC 9457 has it (`application/problem+json`).

    Attributes:
        type: a URI that names the kind of problem.
        title: the kind in words.
        status: the HTTP status.
        detail: what is wrong this time.
        message: the same text as `detail`, under the name that older clients read.
        code: the kind, stable and for machines.
        limit: the limit that is reached, where it is a group's.
        reason: why a stream is gone, where that is known.
        by: the device of the stream that took its slot, where it has given one.
        retry_after_seconds: when a start that was put off may come again.
    """

    type: str
    title: str
    status: int
    detail: str
    message: str
    code: str
    errors: tuple[FieldError, ...] | None = None
    stream_count: int | None = None
    anonymous_count: int | None = None
    max_streams: int | None = None
    limit: GroupLimit | None = None
    streams: tuple[StreamView, ...] | None = None
    stream_id: str | None = None
    reason: GoneReason | None = None
    by: str | None = None
    retry_after_seconds: int | None = None
    request_id: str | None = None


def moment(epoch_seconds: int) -> datetime:
    """Return the time as answers write it."""
    return datetime.fromtimestamp(epoch_seconds, UTC)
