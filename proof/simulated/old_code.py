"""Code from before groups, simulated with today's code: it neither reads, checks nor counts groups.

It does not know which streams a lease has displaced either.
"""

import re
from typing import Any, Final

from adapters.aws.errors import ErrorAnswer
from adapters.dynamodb.client import DynamoDbApi
from adapters.dynamodb.items import DISPLACED, GROUP_PREFIX, GROUPS, STREAM_PREFIX

_IN_NO_GROUP: Final = re.compile(r" AND attribute_not_exists\(#s\d+\.groups\)")
"""Today's condition on a stream that it ends; old code does not have it."""
_DISPLACED: Final = re.compile(r", #s\d+\.displaced = :displaced")


class OldCode:
    """A `DynamoDbApi` for today's adapter that removes newer attributes from items and requests.

    Args:
        api: the API that makes the calls.
    """

    def __init__(self, api: DynamoDbApi) -> None:
        self._api = api

    def update_item(self, **request: Any) -> dict[str, Any]:
        """DynamoDB's `UpdateItem`."""
        request["ConditionExpression"] = _IN_NO_GROUP.sub("", request["ConditionExpression"])
        request["UpdateExpression"] = _DISPLACED.sub("", request["UpdateExpression"])
        values = request.get("ExpressionAttributeValues", {})
        request["ExpressionAttributeValues"] = {
            name: _older(value) if "M" in value else value
            for name, value in values.items()
            if name != ":displaced"
        }
        try:
            answer = self._api.update_item(**request)
        except ErrorAnswer as error:
            raise ErrorAnswer(error.code, error.status, _older_item(error.item)) from error
        return {"Attributes": _older_item(answer["Attributes"])}

    def get_item(self, **request: Any) -> dict[str, Any]:
        """DynamoDB's `GetItem`."""
        return {"Item": _older_item(self._api.get_item(**request).get("Item", {}))}


def _older_item(item: Any) -> dict[str, Any]:
    return {
        name: _older(value) if name.startswith(STREAM_PREFIX) else value
        for name, value in item.items()
        if not name.startswith(GROUP_PREFIX)
    }


def _older(lease: Any) -> dict[str, Any]:
    return {"M": {field: value for field, value in lease["M"].items() if field not in {GROUPS, DISPLACED}}}
