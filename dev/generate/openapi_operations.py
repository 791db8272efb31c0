"""The descriptions of the API's routes that are not in their models, for `openapi.py`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from domain.bounds import Bound
from domain.errors import (
    InvalidInput,
    LimitReached,
    NoActiveStream,
    StoreContended,
    StoreThrottled,
    StoreUnavailable,
    StreamGone,
    TokenRefused,
    TokensUnavailable,
    TooManyStarts,
)
from domain.operators import OperatorAnswer
from domain.policy import Outcome
from domain.streams import GoneReason, Lease, LiveStreams, SpentToken
from entrypoints.answer_models import (
    AnswerModel,
    EndAnswer,
    HoldAnswer,
    StreamsAnswer,
)
from entrypoints.callers import InvalidLimitClaim, InvalidSubject, NotAllowed, OtherUser
from entrypoints.operator_models import (
    OperatorEndAnswer,
    OperatorEndQuery,
    OperatorListQuery,
    OperatorStreamsAnswer,
)
from entrypoints.renewal_models import RenewalBody
from entrypoints.request_models import (
    EndBody,
    HeartbeatBody,
    ListQuery,
    RequestModel,
    StartBody,
)
from entrypoints.settings import Settings

USER_CLAIM: Final = Settings.model_fields["user_claim"].default
STARTED_AT: Final = 1795497579
WATCHING: Final = LiveStreams((Lease("tv-1", STARTED_AT, STARTED_AT + 90, "living room"),), anonymous_count=2)
HOLD: Final = {
    "streamCount": 1,
    "streamId": "tv-1",
    "expiresAt": "2026-11-24T05:21:09Z",
    "expiresInSeconds": 90,
    "heartbeatSeconds": 30.0,
}
UNVERIFIED: Final = {name: value for name, value in HOLD.items() if name != "streamCount"} | {
    "verified": False
}
ISSUED: Final = {"playbackToken": "2D3RhEOhAQWhBEYyMDI2LWFY …"}
"""The beginning of a playback token, which has about 180 characters."""
RENEWABLE: Final = {"heartbeatUrl": "https://example.lambda-url.eu-central-1.on.aws/", "userId": "1"}

SHOWN: Final = OperatorAnswer(
    Outcome.LISTED,
    WATCHING,
    None,
    STARTED_AT,
    anonymous_until=STARTED_AT + 43_200,
    spent=(SpentToken("pc-1", STARTED_AT + 20),),
)
ENDED: Final = OperatorAnswer(
    Outcome.ENDED, LiveStreams(), None, STARTED_AT, ended=("tv-1",), ended_anonymous=2
)

EVERYWHERE: Final[Sequence[Exception]] = (
    InvalidInput("userId", "is required"),
    NotAllowed(),
    StoreUnavailable(),
    StoreThrottled(),
    StoreContended(),
    Exception(),
)
OF_TOKENS: Final[Sequence[Exception]] = (OtherUser(USER_CLAIM), InvalidSubject(USER_CLAIM))
"""The problems of all routes that accept tokens, which excludes the operator's."""


@dataclass(frozen=True, slots=True)
class Operation:
    """The description of a route that is not in its models.

    Attributes:
        name: the `operationId`.
        summary: its purpose in a few words.
        takes: the body, or the query of a route without a body.
        answers: the answer on success.
        request_examples: examples of requests by name.
        answer_examples: examples of answers by name.
        refusals: the problems that only this route has.
        is_repeatable: whether it takes an `Idempotency-Key`.
    """

    name: str
    summary: str
    takes: type[RequestModel]
    answers: type[AnswerModel]
    request_examples: Mapping[str, Any]
    answer_examples: Mapping[str, Any]
    refusals: Sequence[Exception] = ()
    is_repeatable: bool = field(default=False)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "POST /stream/start": Operation(
        "startStream",
        "Take a slot",
        StartBody,
        HoldAnswer,
        request_examples={
            "named": {"userId": "1", "streamId": "tv-1", "device": "living room"},
            "anonymous": {"userId": "1"},
            "replaces": {"userId": "1", "streamId": "tv-2", "replaces": "tv-1"},
            "reloaded": {"userId": "1", "streamId": "tv-1", "play": "k3Xv9"},
            "jwt": {"streamId": "tv-1", "device": "living room"},
            "groups": {"userId": "1", "streamId": "tv-1", "groups": ["uhd"]},
            "iam": {"userId": "1", "streamId": "tv-1", "maxStreams": 5, "groupLimits": {"uhd": 2}},
        },
        answer_examples={
            "named": {"maxStreams": 3, **HOLD},
            "anonymous": {"streamCount": 1, "maxStreams": 3},
            "unverified": {"maxStreams": 3, **UNVERIFIED},
            "groups": {"maxStreams": 3, **HOLD, "groups": ["uhd"]},
            "token": {"maxStreams": 3, **HOLD, **ISSUED},
            "heartbeatUrl": {"maxStreams": 3, **HOLD, **ISSUED, **RENEWABLE},
        },
        refusals=(
            LimitReached(Bound(3), 3, WATCHING),
            LimitReached(Bound(1, "uhd"), 3, WATCHING),
            InvalidLimitClaim(),
            TooManyStarts(3, WATCHING, 42),
            TokensUnavailable(),
        ),
        is_repeatable=True,
    ),
    "POST /stream/heartbeat": Operation(
        "heartbeat",
        "Keep a named stream's slot",
        HeartbeatBody,
        HoldAnswer,
        request_examples={"named": {"userId": "1", "streamId": "tv-1"}},
        answer_examples={
            "named": HOLD,
            "unverified": UNVERIFIED,
            "token": HOLD | ISSUED,
            "heartbeatUrl": HOLD | ISSUED | RENEWABLE,
        },
        refusals=(StreamGone("tv-1", GoneReason.EVICTED, "living room"),),
    ),
    "POST /": Operation(
        "renew",
        "Keep a named stream's slot by its playback token",
        RenewalBody,
        HoldAnswer,
        request_examples={"named": {"userId": "1", "streamId": "tv-1", **ISSUED}},
        answer_examples={"token": HOLD | ISSUED},
        refusals=(StreamGone("tv-1"), TokenRefused(), TokensUnavailable()),
    ),
    "POST /stream/end": Operation(
        "endStream",
        "Give a slot back",
        EndBody,
        EndAnswer,
        request_examples={
            "named": {"userId": "1", "streamId": "tv-1"},
            "groups": {"userId": "1", "streamId": "tv-1", "groups": ["uhd"]},
            "anonymous": {"userId": "1"},
        },
        answer_examples={
            "named": {"streamCount": 0, "streamId": "tv-1", "ended": True},
            "repeated": {"streamCount": 0, "streamId": "tv-1", "ended": False},
            "anonymous": {"streamCount": 0},
        },
        refusals=(NoActiveStream(LiveStreams()),),
        is_repeatable=True,
    ),
    "GET /stream": Operation(
        "listStreams",
        "List the streams that hold slots",
        ListQuery,
        StreamsAnswer,
        request_examples={},
        answer_examples={"listed": json.loads(StreamsAnswer.of(WATCHING, 3).to_json())},
        refusals=(InvalidLimitClaim(),),
    ),
    "GET /operator/streams": Operation(
        "showStreams",
        "Show why a user cannot start a stream",
        OperatorListQuery,
        OperatorStreamsAnswer,
        request_examples={},
        answer_examples={"shown": json.loads(OperatorStreamsAnswer.of(SHOWN).to_json())},
    ),
    "DELETE /operator/streams": Operation(
        "endStreams",
        "End one stream of a user, or all of them",
        OperatorEndQuery,
        OperatorEndAnswer,
        request_examples={},
        answer_examples={"all": json.loads(OperatorEndAnswer.of(ENDED).to_json())},
    ),
}

GATEWAY: Final = {
    "401": ("API Gateway's own answer to a missing or invalid token under `auth = jwt`.", "Unauthorized"),
    "403": (
        "`application/json` is API Gateway's own answer to a missing or invalid signature.",
        "Forbidden",
    ),
    "429": ("API Gateway's own answer when the stage's rate limit is exceeded.", "Too Many Requests"),
    "500": (
        "`application/json` is API Gateway's own answer when a function fails.",
        "Internal Server Error",
    ),
    "503": (
        "`application/json` is API Gateway's own answer when it cannot invoke a function.",
        "Service Unavailable",
    ),
}
"""API Gateway's own answers by status: the circumstances, and the message."""
