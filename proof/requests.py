"""What a player asks of the service, as one type, and the use case that answers it."""

from domain.limiter import Answer, StreamLimiter
from domain.requests import EndAnonymous, EndNamed, EndRequest, Heartbeat, StartRequest

Request = StartRequest | Heartbeat | EndRequest


def ask(limiter: StreamLimiter, request: Request) -> Answer:
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
