"""DynamoDB's calls, as the repository asks for them."""

from collections.abc import Mapping
from typing import Any, Protocol

from adapters.aws.api import AwsApi


class DynamoDbApi(Protocol):
    """The two calls that are needed, in the shape of the AWS SDK.

    Each makes one attempt (the repository repeats it within the request's deadline), and raises an `ApiError`
    where there is no answer, or an error.
    """

    def update_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `UpdateItem`."""
        ...

    def get_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `GetItem`."""
        ...


class DynamoDbClient:
    """Makes them by whichever client of AWS there is.

    Args:
        api: that client, of DynamoDB.
    """

    def __init__(self, api: AwsApi) -> None:
        self.api = api

    def update_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `UpdateItem`."""
        return self.api.call("UpdateItem", request)

    def get_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `GetItem`."""
        return self.api.call("GetItem", request)
