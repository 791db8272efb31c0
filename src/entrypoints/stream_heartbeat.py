"""`POST /stream/heartbeat`: keep a named stream's slot."""

from domain.limiter import Answer, StreamLimiter
from domain.requests import Heartbeat
from entrypoints.answer_models import HoldAnswer
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.request_models import HeartbeatBody
from entrypoints.route import Route


def decode(request: HttpRequest, service: Service) -> Heartbeat:
    """Whose heartbeat it is."""
    body = request.body(HeartbeatBody)
    return Heartbeat(service.callers.user(request, body.user_id), body.stream_id, body.play)


def encode(command: Heartbeat, answer: Answer, service: Service) -> HoldAnswer:
    """The lease as it is now."""
    return HoldAnswer.of(answer, service.limiter.policy)


handler = Route("POST /stream/heartbeat", decode, StreamLimiter.heartbeat, encode)
