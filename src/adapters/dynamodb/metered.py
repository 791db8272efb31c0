"""Counts and times of DynamoDB's calls."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from adapters.aws.api import Operations
from adapters.aws.errors import ErrorAnswer
from adapters.dynamodb.failures import CONDITION_FAILED
from adapters.store_calls import StoreCalls


class MeteredApi:
    """Operations of DynamoDB that record every call.

    Args:
        api: makes the calls.
        calls: the record of them.
        monotonic: returns seconds that never go back.
    """

    def __init__(
        self, api: Operations, calls: StoreCalls, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._calls = calls
        self._monotonic = monotonic

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one attempt at this operation."""
        calls = self._calls
        calls.count += 1
        started = self._monotonic()
        request_id = ""
        try:
            answer = self._api.call(operation, request)
            request_id = answer.get("ResponseMetadata", {}).get("RequestId", "")
        except ErrorAnswer as error:
            calls.rejected += error.code == CONDITION_FAILED
            request_id = error.request_id
            raise
        finally:
            calls.seconds += self._monotonic() - started
            if request_id:
                calls.request_ids.append(request_id)
        return answer
