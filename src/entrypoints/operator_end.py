"""`DELETE /operator/streams?userId=[&streamId=]`: end any user's streams, for an operator."""

from domain.limiter import Answer, StreamLimiter
from domain.requests import EndStreams
from entrypoints.answer_models import OperatorEndAnswer
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.operators import OperatorRoute, require_operator
from entrypoints.request_models import OperatorEndQuery


def decode(request: HttpRequest, service: Service) -> EndStreams:
    """Return which streams to end."""
    require_operator(request)
    query = request.query(OperatorEndQuery)
    return EndStreams(query.user_id, query.stream_id)


def encode(command: EndStreams, answer: Answer, service: Service) -> OperatorEndAnswer:
    """Return what was ended, and what is left."""
    return OperatorEndAnswer.of(answer)


handler = OperatorRoute("DELETE /operator/streams", decode, StreamLimiter.end_streams, encode)
