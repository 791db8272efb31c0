"""The base of the operator's routes, for which API Gateway checks a signature in every mode of `AUTH`.

An operator may list and end any user's streams. Each event names the operator.
"""

from typing import Any

from entrypoints.callers import Unauthenticated
from entrypoints.event_log import EventLog
from entrypoints.http_request import HttpRequest
from entrypoints.route import AnswerT, CommandT, Route


class OperatorRoute(Route[CommandT, AnswerT]):
    """A route of the operator, whose events contain the operator's ARN."""

    __slots__ = ()

    may_ignore_unknown_fields = False
    """A `DELETE` whose misspelled `streamId` was ignored would end all of the user's streams."""

    def _record(self, request: HttpRequest, context: Any, log: EventLog) -> dict[str, Any]:
        operator = _arn(request)
        return super()._record(request, context, log) | ({"operator": operator} if operator else {})


def require_operator(request: HttpRequest) -> None:
    """Return if API Gateway has checked the caller's signature and permission.

    Raises:
        Unauthenticated: it has not. No setting turns this off: `make run` adds an operator of its own.
    """
    if not _arn(request):
        raise Unauthenticated("no signature of an operator was checked")


def _arn(request: HttpRequest) -> str:
    """Return the ARN of the IAM principal that signed the request; empty if there is none."""
    return str(request.authorizer("iam").get("userArn") or "")
