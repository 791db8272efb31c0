"""What a call to DynamoDB can come to but an answer that it was asked for, whichever client makes it."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The root of what a client of DynamoDB raises."""


class NoAnswer(ApiError):
    """DynamoDB was not reached, did not answer in time, or what came is none of its answers.

    Whether the request took effect is unknown. The text is for logs, and names no value of the request.
    """


class ErrorAnswer(ApiError):
    """DynamoDB answered with an error.

    Attributes:
        code: its name for it, such as `ConditionalCheckFailedException`; the status when it gave none.
        status: the HTTP status.
        item: what a failed condition met, in the SDK's shape.
        request_id: DynamoDB's name for the call; empty when it gave none.
    """

    def __init__(
        self, code: str, status: int, item: Mapping[str, Any] | None = None, request_id: str = ""
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.item = item or {}
        self.request_id = request_id
