"""DynamoDB's calls, counted and timed."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from adapters.aws.errors import ErrorAnswer
from adapters.dynamodb.client import DynamoDbApi
from adapters.dynamodb.failures import CONDITION_FAILED
from adapters.store_calls import StoreCalls


class MeteredApi:
    """A `DynamoDbApi` that writes down every call of another one.

    Args:
        api: makes the calls.
        calls: where they are written down.
        monotonic: tells seconds that never go back.
    """

    def __init__(
        self, api: DynamoDbApi, calls: StoreCalls, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._calls = calls
        self._monotonic = monotonic

    def update_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `UpdateItem`."""
        return self._metered(self._api.update_item, request)

    def get_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `GetItem`."""
        return self._metered(self._api.get_item, request)

    def _metered(
        self, call: Callable[..., Mapping[str, Any]], request: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        calls = self._calls
        calls.count += 1
        begun = self._monotonic()
        request_id = ""
        try:
            answer = call(**request)
            request_id = answer.get("ResponseMetadata", {}).get("RequestId", "")
        except ErrorAnswer as error:
            calls.refused += error.code == CONDITION_FAILED
            request_id = error.request_id
            raise
        finally:
            calls.seconds += self._monotonic() - begun
            if request_id:
                calls.request_ids.append(request_id)
        return answer
