"""`GET /operator/streams?userId=`: any user's live streams, for an operator."""

from domain.operators import OperatorAnswer, ShowStreams, show_streams
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.operator_models import OperatorListQuery, OperatorStreamsAnswer
from entrypoints.operators import OperatorRoute, require_operator


def decode(request: HttpRequest, service: Service) -> ShowStreams:
    """Return the request to show a user's streams."""
    require_operator(request)
    return ShowStreams(request.query(OperatorListQuery).user_id)


def encode(command: ShowStreams, answer: OperatorAnswer, service: Service) -> OperatorStreamsAnswer:
    """Return the streams, and what else prevents another start."""
    return OperatorStreamsAnswer.of(answer)


handler = OperatorRoute("GET /operator/streams", decode, show_streams, encode)
