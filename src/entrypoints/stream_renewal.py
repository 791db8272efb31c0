"""The heartbeat URL: keep a named stream's slot by its playback token, without a login.

Lambda passes on a request to the URL unchanged. No part of it was authenticated, so only the token counts,
whatever else the event contains.
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
"""The entry point in events; events of API Gateway's routes do not name one."""


class UrlRoute(Route[Renewal, Reply]):
    """A route whose events show that they did not come through the API."""

    __slots__ = ()

    def _record(self, request: HttpRequest, context: Any, log: EventLog) -> dict[str, Any]:
        return super()._record(request, context, log) | {"via": VIA}


def decode(request: HttpRequest, service: Service) -> Renewal:
    """Return the heartbeat of a user's stream, with the token that proves it."""
    body = request.body(RenewalBody)
    return Renewal(body.user_id, body.stream_id, body.playback_token, body.play)


def encode(command: Renewal, answer: Reply, service: Service) -> HoldAnswer:
    """Return the extended lease and its next token."""
    return HoldAnswer.of(answer, service.limiter.policy)


handler = UrlRoute("POST /stream/heartbeat", decode, StreamLimiter.renew, encode)
