"""`POST /stream/end`: give a slot back."""

from domain.limiter import Answer, StreamLimiter
from domain.requests import EndAnonymous, EndNamed, EndRequest
from entrypoints.answer_models import EndAnswer
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.request_models import EndBody
from entrypoints.route import Route


def decode(request: HttpRequest, service: Service) -> EndRequest:
    """Return the end of a named stream, or of an anonymous one."""
    body = request.body(EndBody)
    user_id = service.callers.user(request, body.user_id)
    key = request.idempotency_key()  # also checked beside a name, which needs none
    if body.stream_id is None:
        return EndAnonymous(user_id, key or service.new_key())
    return EndNamed(user_id, body.stream_id, body.play, body.groups)


def encode(command: EndRequest, answer: Answer, service: Service) -> EndAnswer:
    """Return the number of streams that is left."""
    return EndAnswer.of(answer, command.stream_id if isinstance(command, EndNamed) else None)


handler = Route("POST /stream/end", decode, StreamLimiter.end, encode)
