"""The use cases of operators, over a `StreamLimiter`.

They have a module of their own, so that a function for players does not load them.
"""

from domain import audit
from domain.errors import StoreContended
from domain.limiter import DEADLINE_SECONDS, Answer, StreamLimiter
from domain.policy import Outcome
from domain.ports import Deadline
from domain.requests import Unlimited
from domain.streams import SpentToken
from domain.values import value_object


@value_object
class ShowStreams(Unlimited):
    """The request to show a user's live streams, and what else prevents another start."""

    user_id: str


@value_object
class EndStreams(Unlimited):
    """The request to end a user's streams, whether they are live or have expired.

    Attributes:
        stream_id: the stream to end; `None` = all of them, including anonymous ones.
    """

    user_id: str
    stream_id: str | None = None


@value_object
class OperatorAnswer(Answer):
    """An answer that explains a refusal, or lists the streams that were ended.

    Attributes:
        anonymous_until: when the user's anonymous streams are presumed to have ended.
        spent: the playback tokens that outlive their streams; the first to expire comes first.
        ended: the names of the streams that were ended.
        ended_anonymous: the number of anonymous streams that were ended.
    """

    anonymous_until: int | None = None
    spent: tuple[SpentToken, ...] = ()
    ended: tuple[str, ...] = ()
    ended_anonymous: int = 0


def show_streams(limiter: StreamLimiter, request: ShowStreams) -> OperatorAnswer:
    """Return the user's live streams, and what else explains a refusal."""
    state = limiter.repository.read(request.user_id, Deadline.after(DEADLINE_SECONDS, limiter.clock))
    now = limiter.clock.now()
    live = limiter.policy.live(state, now)
    latest_expired = limiter.policy.latest_expired(now)
    unexpired = [(until, name) for name, until in state.spent.items() if until > latest_expired]
    return OperatorAnswer(
        Outcome.LISTED,
        live,
        None,
        now,
        anonymous_until=state.anonymous.expires_at if live.anonymous_count > 0 else None,
        spent=tuple(SpentToken(name, until) for until, name in sorted(unexpired)),
    )


def end_streams(limiter: StreamLimiter, request: EndStreams) -> OperatorAnswer:
    """End one stream of a user, or all of them, for an operator. Their playback tokens stay counted.

    This is idempotent: `Outcome.ALREADY_ENDED`.

    Raises:
        StoreContended: the user's state kept changing.
    """
    now = limiter.clock.now()
    deadline = Deadline.after(DEADLINE_SECONDS, limiter.clock)
    done = audit.end_streams(
        limiter.repository, request.user_id, limiter.policy, now, deadline, stream_id=request.stream_id
    )
    if done is None:
        raise StoreContended
    freed, state = done
    return OperatorAnswer(
        Outcome.ENDED if freed.slots else Outcome.ALREADY_ENDED,
        limiter.policy.live(state, now),
        None,
        now,
        ended=freed.names,
        ended_anonymous=freed.anonymous.count,
    )
