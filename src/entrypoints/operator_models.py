"""Requests and answers of operators as pydantic models, which no other function loads."""

from datetime import datetime
from typing import Self

from pydantic import Field

from domain.operators import OperatorAnswer
from entrypoints.answer_models import AnswerModel, StreamView, moment
from entrypoints.request_models import RequestModel, RequiredUserId, StreamId


class OperatorListQuery(RequestModel):
    """`GET /operator/streams`. Signed by IAM under every `auth`."""

    user_id: RequiredUserId


class OperatorEndQuery(RequestModel):
    """`DELETE /operator/streams`. Without `streamId` it ends all of the user's streams. Signed by IAM."""

    user_id: RequiredUserId
    stream_id: StreamId | None = None


class SpentTokenView(AnswerModel):
    """A stream that has ended, but still has an unexpired playback token."""

    stream_id: str
    token_expires_at: datetime


class OperatorStreamsAnswer(AnswerModel):
    """Everything that takes one of the user's slots, or prevents another start."""

    stream_count: int = Field(description="The user's live streams.")
    anonymous_count: int
    anonymous_expires_at: datetime | None = Field(
        None, description="When the anonymous streams are presumed to have ended; omitted if unknown."
    )
    streams: tuple[StreamView, ...]
    spent_tokens: tuple[SpentTokenView, ...] = Field(
        description="Ended streams that count towards the token bound until their token expires."
    )

    @classmethod
    def of(cls, answer: OperatorAnswer) -> Self:
        """Return an operator's view of a user."""
        live = answer.live
        return cls(
            stream_count=live.count,
            anonymous_count=live.anonymous_count,
            anonymous_expires_at=None if answer.anonymous_until is None else moment(answer.anonymous_until),
            streams=tuple(StreamView.of(lease) for lease in live.leases),
            spent_tokens=tuple(
                SpentTokenView(stream_id=token.stream_id, token_expires_at=moment(token.expires_at))
                for token in answer.spent
            ),
        )


class OperatorEndAnswer(AnswerModel):
    """The streams that an operator has ended."""

    stream_count: int = Field(description="The user's live streams after it.")
    ended_streams: tuple[str, ...] = Field(
        description="The named streams that this call ended, live or expired; empty if there were none."
    )
    ended_anonymous: int = Field(description="The number of anonymous streams that it ended.")

    @classmethod
    def of(cls, answer: OperatorAnswer) -> Self:
        """Return an operator's view of an end."""
        return cls(
            stream_count=answer.live.count,
            ended_streams=answer.ended,
            ended_anonymous=answer.ended_anonymous,
        )
