"""Errors raised by either AWS client.

ApiError                the call cannot be made: no credentials, no region, a wrong argument
├── NoAnswer            the effect of the call is unknown
└── ErrorAnswer         the service answered with an error
"""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The root of these errors, raised itself if the client cannot make a request."""


class NoAnswer(ApiError):
    """The service was not reached, did not answer in time, or sent an unreadable answer.

    The effect of the request is unknown. The text is for logs, and contains no value of the request.
    """


class ErrorAnswer(ApiError):
    """The service answered with an error.

    Attributes:
        code: the name of the error, such as `ConditionalCheckFailedException`; the status if it has none.
        status: the HTTP status.
        item: the item on which a condition of DynamoDB failed, in the SDK's shape.
        request_id: the service's id of the call; empty if it has none.
    """

    def __init__(
        self, code: str, status: int, item: Mapping[str, Any] | None = None, request_id: str = ""
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.item = item or {}
        self.request_id = request_id
