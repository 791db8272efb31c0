"""The routes of the service. A Lambda function serves one or two of them, and does not import this list."""

from typing import Any, Final

from entrypoints import operator_routes, stream_end, stream_heartbeat, stream_list, stream_start
from entrypoints.route import Route

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    stream_start.handler,
    stream_heartbeat.handler,
    stream_end.handler,
    stream_list.handler,
    *operator_routes.ROUTES.values(),
)
