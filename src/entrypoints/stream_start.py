"""`POST /stream/start`: take a slot."""

from domain.bounds import Bound
from domain.limiter import Reply, StreamLimiter
from domain.requests import StartAnonymous, StartNamed, StartRequest
from entrypoints.answer_models import HoldAnswer
from entrypoints.bootstrap import Service
from entrypoints.http_request import HttpRequest
from entrypoints.request_models import StartBody
from entrypoints.route import Route


def decode(request: HttpRequest, service: Service) -> StartRequest:
    """Return the start of a named stream, or of an anonymous one."""
    body = request.body(StartBody)
    user_id = service.callers.user(request, body.user_id)
    limit = service.callers.limit(request, body.max_streams)
    key = request.idempotency_key()  # also checked beside a name, which needs none
    if body.stream_id is None:
        service.callers.check_anonymous_start()
        return StartAnonymous(user_id, key or service.new_key(), limit)
    if body.path_prefix is not None:
        service.callers.check_path_permission()
    bounds: tuple[Bound, ...] = ()
    if body.groups or body.group_limits is not None:
        bounds = service.callers.group_bounds(request, body.groups, body.group_limits)
    return StartNamed(
        user_id=user_id,
        stream_id=body.stream_id,
        limit=limit,
        device=body.device,
        replaces=body.replaces,
        play=body.play,
        path_prefix=body.path_prefix,
        groups=body.groups,
        group_bounds=bounds,
        session_until=service.callers.session_until(request, service.clock),
    )


def encode(command: StartRequest, answer: Reply, service: Service) -> HoldAnswer:
    """Return the slot that the caller holds now."""
    is_renewable = isinstance(command, StartNamed) and answer.token and command.session_until
    url = service.heartbeat_url if is_renewable else None
    return HoldAnswer.of(
        answer, service.limiter.policy, command.limit, heartbeat_url=url, user_id=command.user_id
    )


handler = Route("POST /stream/start", decode, StreamLimiter.start, encode)
