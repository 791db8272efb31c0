"""Code from before there were groups, made of the code of today: it reads, requires and counts none."""

import re
from typing import Any, Final

from adapters.aws.errors import ErrorAnswer
from adapters.dynamodb.client import DynamoDbApi
from adapters.dynamodb.items import GROUP_PREFIX, GROUPS, STREAM_PREFIX

_IN_NO_GROUP: Final = re.compile(r" AND attribute_not_exists\(#s\d+\.groups\)")
"""What today's code requires of a stream that it ends; code that reads no groups knows of none."""


class OldCode:
    """A `DynamoDbApi` for today's adapter that hides every trace of a group from it, and from its requests.

    Args:
        api: makes the calls.
    """

    def __init__(self, api: DynamoDbApi) -> None:
        self._api = api

    def update_item(self, **request: Any) -> dict[str, Any]:
        """DynamoDB's `UpdateItem`."""
        request["ConditionExpression"] = _IN_NO_GROUP.sub("", request["ConditionExpression"])
        try:
            answer = self._api.update_item(**request)
        except ErrorAnswer as error:
            raise ErrorAnswer(error.code, error.status, _without_groups(error.item)) from error
        return {"Attributes": _without_groups(answer["Attributes"])}

    def get_item(self, **request: Any) -> dict[str, Any]:
        """DynamoDB's `GetItem`."""
        return {"Item": _without_groups(self._api.get_item(**request).get("Item", {}))}


def _without_groups(item: Any) -> dict[str, Any]:
    return {
        name: _ungrouped(value) if name.startswith(STREAM_PREFIX) else value
        for name, value in item.items()
        if not name.startswith(GROUP_PREFIX)
    }


def _ungrouped(lease: Any) -> dict[str, Any]:
    return {"M": {field: value for field, value in lease["M"].items() if field != GROUPS}}
