"""A player's requests as one type, and the use case that answers each."""

from dataclasses import replace

from domain.limiter import Reply, StreamLimiter
from domain.requests import EndAnonymous, EndNamed, EndRequest, Heartbeat, StartNamed, StartRequest

Request = StartRequest | Heartbeat | EndRequest


def ungrouped(request: Request) -> Request:
    """Return a request as code from before groups reads it."""
    match request:
        case StartNamed():
            return replace(request, groups=(), group_bounds=())
        case EndNamed():
            return replace(request, groups=())
        case _:
            return request


def serve(limiter: StreamLimiter, request: Request) -> Reply:
    """Make one request.

    Raises:
        StreamLimiterError: it was refused, or the store failed.
    """
    match request:
        case Heartbeat():
            return limiter.heartbeat(request)
        case EndNamed() | EndAnonymous():
            return limiter.end(request)
        case _:
            return limiter.start(request)
