"""`DELETE /operator/streams?userId=[&streamId=]`: end any user's streams, for an operator."""

from domain.operators import EndStreams, OperatorAnswer, end_streams
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.operator_models import OperatorEndAnswer, OperatorEndQuery
from entrypoints.operators import OperatorRoute, require_operator


def decode(request: HttpRequest, service: Service) -> EndStreams:
    """Return which streams to end."""
    require_operator(request)
    query = request.query(OperatorEndQuery)
    return EndStreams(query.user_id, query.stream_id)


def encode(command: EndStreams, answer: OperatorAnswer, service: Service) -> OperatorEndAnswer:
    """Return the streams that were ended, and the number that is left."""
    return OperatorEndAnswer.of(answer)


handler = OperatorRoute("DELETE /operator/streams", decode, end_streams, encode)
