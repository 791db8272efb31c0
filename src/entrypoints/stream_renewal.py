"""The heartbeat URL: keep a named stream's slot by its playback token, without a login.

Lambda hands over what reaches the URL as it is: nothing of a request here was authenticated, so nothing but
the token counts, whatever else the event has.
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from typing import Any, Final

from domain.limiter import Reply, StreamLimiter
from domain.requests import Renewal
from entrypoints.answer_models import HoldAnswer
from entrypoints.bootstrap import Service
from entrypoints.event_log import EventLog
from entrypoints.http_request import HttpRequest
from entrypoints.renewal_models import RenewalBody
from entrypoints.route import Route

VIA: Final = "url"
"""The way in, as events name it; those of API Gateway's routes name none."""


class UrlRoute(Route[Renewal, Reply]):
    """A route whose events tell that they did not come through the API."""

    __slots__ = ()

    def _record(self, request: HttpRequest, context: Any, log: EventLog) -> dict[str, Any]:
        return super()._record(request, context, log) | {"via": VIA}


def decode(request: HttpRequest, service: Service) -> Renewal:
    """Whose heartbeat it is, by their own word and by the token."""
    body = request.body(RenewalBody)
    return Renewal(body.user_id, body.stream_id, body.playback_token, body.play)


def encode(command: Renewal, answer: Reply, service: Service) -> HoldAnswer:
    """The lease as it is now, and its next token."""
    return HoldAnswer.of(answer, service.limiter.policy)


handler = UrlRoute("POST /stream/heartbeat", decode, StreamLimiter.renew, encode)
