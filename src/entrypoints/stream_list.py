"""`GET /stream?userId=`: a user's live streams."""

from domain.limiter import Answer, StreamLimiter
from domain.requests import ListStreams
from entrypoints.answer_models import StreamsAnswer
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.request_models import ListQuery
from entrypoints.route import Route


def decode(request: HttpRequest, service: Service) -> ListStreams:
    """Return the request to list a user's streams."""
    query = request.query(ListQuery)
    user_id = service.callers.user(request, query.user_id)
    return ListStreams(user_id, service.callers.limit(request, query.max_streams))


def encode(command: ListStreams, answer: Answer, service: Service) -> StreamsAnswer:
    """Return the streams that hold the slots."""
    return StreamsAnswer.of(answer.live, command.limit)


handler = Route("GET /stream", decode, StreamLimiter.list_streams, encode)
