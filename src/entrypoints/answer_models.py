"""What callers are told, as pydantic models: the contract's JSON, field by field.

A field that is `None` is left out of the JSON.
"""

from datetime import UTC, datetime
from math import floor
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from domain.limiter import Answer
from domain.policy import Outcome, Policy
from domain.streams import Lease, LiveStreams


class AnswerModel(BaseModel):
    """JSON in camelCase, times in RFC 3339 and UTC."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True)

    def to_json(self) -> str:
        """The JSON text."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


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
            started_at=_time(lease.started_at),
            expires_at=_time(lease.expires_at),
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

    @classmethod
    def of(
        cls, answer: Answer, policy: Policy, limit: int | None = None, heartbeat_url: str | None = None
    ) -> Self:
        """The answer to a start that was held against this limit, or to a heartbeat."""
        lease = answer.lease
        return cls(
            stream_count=None if answer.live is None else answer.live.count,
            max_streams=limit,
            stream_id=None if lease is None else lease.stream_id,
            groups=None if lease is None else lease.groups or None,
            expires_at=None if lease is None else _time(lease.expires_at),
            expires_in_seconds=None if lease is None else max(0, floor(lease.expires_at - answer.at)),
            heartbeat_seconds=None if lease is None else policy.heartbeat_seconds,
            verified=False if answer.outcome is Outcome.UNVERIFIED else None,
            playback_token=answer.token,
            heartbeat_url=heartbeat_url,
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
        live = answer.live or LiveStreams()
        ended = None if stream_id is None else answer.outcome is Outcome.ENDED
        return cls(stream_count=live.count, stream_id=stream_id, ended=ended)


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


class SpentTokenView(AnswerModel):
    """A stream that is over, and still has an unexpired playback token."""

    stream_id: str
    token_expires_at: datetime


class OperatorStreamsAnswer(AnswerModel):
    """Everything that takes one of the user's slots, or keeps the user from starting again.

    Attributes:
        stream_count: the user's live streams.
        anonymous_expires_at: when the anonymous streams are presumed over; left out where that is unknown.
        spent_tokens: streams that are over and count towards the token bound, until the token ends.
    """

    stream_count: int
    anonymous_count: int
    anonymous_expires_at: datetime | None = None
    streams: tuple[StreamView, ...]
    spent_tokens: tuple[SpentTokenView, ...]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Return what an operator sees of a user."""
        live = answer.live or LiveStreams()
        return cls(
            stream_count=live.count,
            anonymous_count=live.anonymous_count,
            anonymous_expires_at=None if answer.anonymous_until is None else _time(answer.anonymous_until),
            streams=tuple(StreamView.of(lease) for lease in live.leases),
            spent_tokens=tuple(
                SpentTokenView(stream_id=token.stream_id, token_expires_at=_time(token.expires_at))
                for token in answer.spent
            ),
        )


class OperatorEndAnswer(AnswerModel):
    """What an operator has ended.

    Attributes:
        stream_count: the user's live streams after it.
        ended_streams: the named streams that this call ended, live or expired; empty where there was none.
        ended_anonymous: how many anonymous streams it ended.
    """

    stream_count: int
    ended_streams: tuple[str, ...]
    ended_anonymous: int

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Return what an operator sees of an end."""
        live = answer.live or LiveStreams()
        return cls(
            stream_count=live.count, ended_streams=answer.ended, ended_anonymous=answer.ended_anonymous
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
    retry_after_seconds: int | None = None
    request_id: str | None = None


def _time(epoch_seconds: int) -> datetime:
    return datetime.fromtimestamp(epoch_seconds, UTC)
