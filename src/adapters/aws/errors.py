"""What a call to AWS can come to but the answer that was asked for, whichever client makes it.

ApiError                it was not and cannot be made: no credentials, no region, a wrong argument
├── NoAnswer            nobody knows whether it took effect
└── ErrorAnswer         the service answered with an error
"""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The root of what a client raises, and what it raises where it can make no request."""


class NoAnswer(ApiError):
    """The service was not reached, did not answer in time, or what came is none of its answers.

    Whether the request took effect is unknown. The text is for logs, and names no value of the request.
    """


class ErrorAnswer(ApiError):
    """The service answered with an error.

    Attributes:
        code: its name for it, such as `ConditionalCheckFailedException`; the status when it gave none.
        status: the HTTP status.
        item: what a failed condition of DynamoDB's met, in the SDK's shape.
        request_id: the service's name for the call; empty when it gave none.
    """

    def __init__(
        self, code: str, status: int, item: Mapping[str, Any] | None = None, request_id: str = ""
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.item = item or {}
        self.request_id = request_id
