"""Code from before groups, simulated with today's code: it neither reads, checks nor counts groups.

It does not know which streams a lease has displaced either.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from adapters.aws.api import Operations
from adapters.aws.errors import ErrorAnswer
from adapters.dynamodb.items import DISPLACED, GROUP_PREFIX, GROUPS, STREAM_PREFIX

_IN_NO_GROUP: Final = re.compile(r" AND attribute_not_exists\(#s\d+\.groups\)")
"""Today's condition on a stream that it ends; old code does not have it."""
_DISPLACED: Final = re.compile(r", #s\d+\.displaced = :displaced")


class OldCode:
    """The operations of DynamoDB for today's adapter, without what is newer, in requests and answers.

    Args:
        api: the API that makes the calls.
    """

    def __init__(self, api: Operations) -> None:
        self._api = api

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make one attempt at an operation."""
        return self._update(request) if operation == "UpdateItem" else self._get(request)

    def _update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        values = request.get("ExpressionAttributeValues", {})
        older = {
            **request,
            "ConditionExpression": _IN_NO_GROUP.sub("", request["ConditionExpression"]),
            "UpdateExpression": _DISPLACED.sub("", request["UpdateExpression"]),
            "ExpressionAttributeValues": {
                name: _older(value) if "M" in value else value
                for name, value in values.items()
                if name != ":displaced"
            },
        }
        try:
            answer = self._api.call("UpdateItem", older)
        except ErrorAnswer as error:
            raise ErrorAnswer(error.code, error.status, _older_item(error.item)) from error
        return {"Attributes": _older_item(answer["Attributes"])}

    def _get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {"Item": _older_item(self._api.call("GetItem", request).get("Item", {}))}


def _older_item(item: Any) -> dict[str, Any]:
    return {
        name: _older(value) if name.startswith(STREAM_PREFIX) else value
        for name, value in item.items()
        if not name.startswith(GROUP_PREFIX)
    }


def _older(lease: Any) -> dict[str, Any]:
    return {"M": {field: value for field, value in lease["M"].items() if field not in {GROUPS, DISPLACED}}}
