"""The `StreamRepository` over a DynamoDB table."""

import random
from collections.abc import Callable
from typing import Final, TypeVar

from adapters.aws.api import Operations
from adapters.aws.errors import ApiError, ErrorAnswer, NoAnswer
from adapters.dynamodb.expressions import update_request
from adapters.dynamodb.failures import CONDITION_FAILED, domain_error
from adapters.dynamodb.items import key, snapshot
from domain.errors import StoreContended, StoreError, StoreFault
from domain.ports import Deadline, Landed, Rejected
from domain.streams import Snapshot
from domain.writes import Write

Result = TypeVar("Result")

ATTEMPTS: Final = 4
"""The most attempts at one call. The deadline usually ends them sooner."""

BACKOFF_SECONDS: Final = 0.05
"""The longest pause before the second attempt: exponential backoff with full jitter."""


class DynamoDbStreamRepository:
    """A repository with one item for each user's streams.

    A write is repeated if its outcome is unknown. Every write is recognised by the state that it leaves, so
    the repeat of one that landed is rejected, with a state that shows its effect.

    Args:
        api: DynamoDB, one attempt per call.
        table: the name of the table.
        attempt_seconds: the longest time of one attempt; none begins with less time left.
    """

    def __init__(self, api: Operations, table: str, *, attempt_seconds: float) -> None:
        self._api = api
        self._table = table
        self._attempt_seconds = attempt_seconds

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
        """Make the change with one conditional `UpdateItem`, which also returns the state."""
        request = update_request(self._table, write)

        def update() -> Landed | Rejected:
            try:
                answer = self._api.call("UpdateItem", request)
            except ErrorAnswer as error:
                if error.code != CONDITION_FAILED:
                    raise
                return Rejected(snapshot(error.item))
            if not answer.get("Attributes"):
                raise NoAnswer("an answer to a write without the state after it")
            return Landed(snapshot(answer["Attributes"]))

        return self._attempt(update, deadline)

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:
        """Return the user's state, by one strongly consistent `GetItem`."""
        request = {"TableName": self._table, "Key": key(user_id), "ConsistentRead": True}

        def get() -> Snapshot:
            response = self._api.call("GetItem", request)
            return snapshot(response.get("Item", {}))

        return self._attempt(get, deadline)

    def _attempt(self, call: Callable[[], Result], deadline: Deadline) -> Result:
        """Call until it succeeds, until the failure is permanent, or until time or attempts run out."""
        failure: StoreError = StoreContended("no time left for an attempt")  # an earlier write used it
        cause: ApiError | None = None
        attempts = 0
        while deadline.remaining() >= self._attempt_seconds:
            attempts += 1
            try:
                return call()
            except ApiError as error:
                failure, cause = domain_error(error), error
            pause = random.uniform(0, BACKOFF_SECONDS * 2 ** (attempts - 1))  # noqa: S311 - spreads load, and protects no secret
            last = attempts == ATTEMPTS or deadline.remaining() < pause + self._attempt_seconds
            if isinstance(failure, StoreFault) or last:
                break
            deadline.clock.sleep(pause)
        raise failure from cause
