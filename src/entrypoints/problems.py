"""The one table from errors to answers.

It is looked up along an error's ancestors, so a new kind of error is answered like its nearest ancestor, and
an unexpected one is an opaque 500.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import Any, Final

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
from domain.streams import GoneReason
from entrypoints.answer_models import FieldError, GroupLimit, Problem, StreamView
from entrypoints.callers import (
    InvalidLimitClaim,
    InvalidSubject,
    NotAllowed,
    OtherUser,
)
from entrypoints.http_request import MAX_BODY_BYTES, BodyTooLarge, InvalidFields

RETRY_AFTER_SECONDS: Final = 1
REFUSED: Final = "refused"
"""The outcome of a request that was refused because of a bound."""

FAILED: Final = "failed"
"""The outcome of a request that could not be served: logged as an error, with its cause."""

DENIED: Final = "denied"
"""The outcome of a request whose caller may not act for the user."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The answer to one kind of error.

    Attributes:
        status: the HTTP status.
        code: the name of the kind for programs, which is stable.
        title: the kind in words.
        detail: returns the problem of this request in words; it must not show internals.
        outcome: the outcome in the request's event.
        members: returns the other members of the problem.
    """

    status: HTTPStatus
    code: str
    title: str
    detail: Callable[[Any], str]
    outcome: str = FAILED
    members: Callable[[Any], dict[str, Any]] = field(default=lambda _: {})


def rule_for(error: Exception) -> Rule:
    """Return the rule of the nearest ancestor that has one."""
    return next(RULES[kind] for kind in type(error).__mro__ if kind in RULES)


def problem_for(error: Exception, request_id: str) -> Problem:
    """Return the answer to an error."""
    rule = rule_for(error)
    detail = rule.detail(error)
    return Problem(
        type=f"urn:stream-limiter:problem:{rule.code.replace('_', '-')}",
        title=rule.title,
        status=rule.status,
        detail=detail,
        message=detail,
        code=rule.code,
        request_id=request_id if rule.status is HTTPStatus.INTERNAL_SERVER_ERROR else None,
        **rule.members(error),
    )


def _limit_reached(error: LimitReached) -> str:
    limit, group = error.full.limit, error.full.group
    of_group = "" if group is None else f" in the group {group}"
    if limit == 0:
        return f"This user may not watch any stream{of_group}."
    streams = "stream" if limit == 1 else "streams"
    return f"The maximum of {limit} simultaneous {streams}{of_group} is reached."


def _wait(error: TooManyStarts) -> int:
    """Return the whole seconds after which a start may be sent again."""
    return max(RETRY_AFTER_SECONDS, ceil(error.seconds))


def _holders(error: LimitReached) -> dict[str, Any]:
    return {
        "stream_count": error.live.count,
        "anonymous_count": error.live.anonymous_count,
        "max_streams": error.limit,
        "limit": None
        if error.full.group is None
        else GroupLimit(group=error.full.group, max=error.full.limit),
        "streams": tuple(StreamView.of(lease) for lease in error.live.leases),
    }


def _field_errors(error: InvalidInput | InvalidFields) -> dict[str, Any]:
    errors = error.errors if isinstance(error, InvalidFields) else (error,)
    return {"errors": tuple(FieldError(field=error.field, detail=str(error)) for error in errors)}


def _always(detail: str) -> Callable[[Any], str]:
    return lambda _: detail


_GONE: Final = {
    GoneReason.REPLACED: "Another stream was started in place of this one.",
    GoneReason.EVICTED: "The stream was ended because another one was started at the limit.",
    GoneReason.EXPIRED: "The stream lost its slot to another one after its lease had expired.",
    GoneReason.ENDED: "The stream was ended.",
    None: "The stream has ended, was evicted, or lost its slot after its lease had expired.",
}

_INVALID: Final = Rule(
    HTTPStatus.BAD_REQUEST,
    "invalid_request",
    "Invalid request",
    lambda error: f"{error}.",
    "invalid",
    _field_errors,
)

RULES: Final[dict[type, Rule]] = {
    InvalidInput: _INVALID,
    InvalidFields: _INVALID,
    BodyTooLarge: Rule(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        "Request body too large",
        _always(f"body must be at most {MAX_BODY_BYTES} bytes."),
        "invalid",
    ),
    NotAllowed: Rule(
        HTTPStatus.FORBIDDEN,
        "not_allowed",
        "Not authenticated",
        _always("This request was not authenticated."),
    ),
    TokenRefused: Rule(
        HTTPStatus.UNAUTHORIZED,
        "unauthenticated",
        "Login required",
        _always("The playback token is not of this stream, is too old, or can no longer be renewed."),
        DENIED,
    ),
    InvalidSubject: Rule(
        HTTPStatus.FORBIDDEN,
        "invalid_subject",
        "Invalid user in the token",
        lambda error: f"The token's claim {error.claim} is missing or is not a valid userId.",
        DENIED,
    ),
    OtherUser: Rule(
        HTTPStatus.FORBIDDEN,
        "other_user",
        "Token for another user",
        lambda error: f"userId must be the token's claim {error.claim}, or be left out.",
        DENIED,
    ),
    InvalidLimitClaim: Rule(
        HTTPStatus.FORBIDDEN,
        "invalid_limit",
        "Invalid limit in the token",
        lambda error: error.detail,
    ),
    LimitReached: Rule(
        HTTPStatus.FORBIDDEN, "limit_reached", "Stream limit reached", _limit_reached, REFUSED, _holders
    ),
    TooManyStarts: Rule(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_starts",
        "Too many starts",
        lambda error: f"Too many streams were started in a short time. Try again in {_wait(error)} s.",
        REFUSED,
        lambda error: {
            "stream_count": error.live.count,
            "max_streams": error.limit,
            "retry_after_seconds": _wait(error),
        },
    ),
    NoActiveStream: Rule(
        HTTPStatus.FORBIDDEN,
        "no_active_stream",
        "No active stream",
        _always("There is no active stream to end."),
        REFUSED,
        lambda error: {"stream_count": error.live.count},
    ),
    StreamGone: Rule(
        HTTPStatus.GONE,
        "stream_gone",
        "Stream gone",
        lambda error: _GONE[error.reason],
        "gone",
        lambda error: {"stream_id": error.stream_id, "reason": error.reason, "by": error.by},
    ),
    TokensUnavailable: Rule(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "tokens_unavailable",
        "Service unavailable",
        _always("No playback token can be issued at the moment. Try again shortly."),
    ),
    StoreUnavailable: Rule(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "store_unavailable",
        "Service unavailable",
        _always("The streams cannot be counted at the moment. Try again shortly."),
    ),
    StoreThrottled: Rule(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too_many_requests",
        "Too many requests",
        _always("There are too many requests at the moment. Try again shortly."),
    ),
    StoreContended: Rule(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "contended",
        "Too many concurrent changes",
        _always("Too many requests change this user's streams at once. Try again shortly."),
    ),
    Exception: Rule(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        "Internal error",
        _always("An unexpected error occurred. Search the log for the request id."),
    ),
}
