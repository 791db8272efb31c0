"""The operator's Lambda function: one function and one role, as its routes have the same callers."""

from collections.abc import Mapping
from typing import Any, Final

from entrypoints import operator_end, operator_list
from entrypoints.route import Route

ROUTES: Final[Mapping[str, Route[Any, Any]]] = {
    route.key: route for route in (operator_list.handler, operator_end.handler)
}


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer one event of API Gateway by the route that the event names."""
    return ROUTES[event["routeKey"]](event, context)
