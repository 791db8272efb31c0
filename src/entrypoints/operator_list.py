"""`GET /operator/streams?userId=`: any user's live streams, for an operator."""

from domain.operators import OperatorAnswer, ShowStreams, show_streams
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.operator_models import OperatorListQuery, OperatorStreamsAnswer
from entrypoints.operators import OperatorRoute, require_operator


def decode(request: HttpRequest, service: Service) -> ShowStreams:
    """Return whose streams to show."""
    require_operator(request)
    return ShowStreams(request.query(OperatorListQuery).user_id)


def encode(command: ShowStreams, answer: OperatorAnswer, service: Service) -> OperatorStreamsAnswer:
    """Return what keeps the user from starting another stream."""
    return OperatorStreamsAnswer.of(answer)


handler = OperatorRoute("GET /operator/streams", decode, show_streams, encode)
