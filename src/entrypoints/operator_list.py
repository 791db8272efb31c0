"""`GET /operator/streams?userId=`: any user's live streams, for an operator."""

from domain.limiter import Answer, StreamLimiter
from domain.requests import ShowStreams
from entrypoints.answer_models import OperatorStreamsAnswer
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.operators import OperatorRoute, require_operator
from entrypoints.request_models import OperatorListQuery


def decode(request: HttpRequest, service: Service) -> ShowStreams:
    """Return whose streams to show."""
    require_operator(request)
    return ShowStreams(request.query(OperatorListQuery).user_id)


def encode(command: ShowStreams, answer: Answer, service: Service) -> OperatorStreamsAnswer:
    """Return what keeps the user from starting another stream."""
    return OperatorStreamsAnswer.of(answer)


handler = OperatorRoute("GET /operator/streams", decode, StreamLimiter.show_streams, encode)
