"""`POST /stream/heartbeat`: keep a named stream's slot."""

from domain.limiter import Reply, StreamLimiter
from domain.requests import Heartbeat
from entrypoints.answer_models import HoldAnswer
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.request_models import HeartbeatBody
from entrypoints.route import Route


def decode(request: HttpRequest, service: Service) -> Heartbeat:
    """Return the heartbeat of a user's stream."""
    body = request.body(HeartbeatBody)
    callers = service.callers
    user_id = callers.user(request, body.user_id)
    if not callers.issues_tokens:
        return Heartbeat(user_id, body.stream_id, body.play)
    return Heartbeat(
        user_id,
        body.stream_id,
        body.play,
        callers.session_until(request, service.clock),
        may_watch=not callers.is_blocked(request),
    )


def encode(command: Heartbeat, answer: Reply, service: Service) -> HoldAnswer:
    """Return the extended lease."""
    url = service.heartbeat_url if answer.token and command.session_until else None
    return HoldAnswer.of(answer, service.limiter.policy, heartbeat_url=url, user_id=command.user_id)


handler = Route("POST /stream/heartbeat", decode, StreamLimiter.heartbeat, encode)
