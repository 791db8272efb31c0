"""The `StreamRepository` over a DynamoDB table."""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from adapters.dynamodb.api_errors import NoAnswer
from adapters.dynamodb.expressions import update_request
from adapters.dynamodb.failures import api_error, domain_error, refused_item
from adapters.dynamodb.items import key, snapshot
from domain.errors import StoreContended, StoreError, StoreFault
from domain.ports import Deadline, Landed, Rejected
from domain.streams import Snapshot
from domain.writes import Write

Result = TypeVar("Result")

ATTEMPTS: Final = 4
"""How often one call is tried at most. The deadline usually ends it sooner."""

BACKOFF_SECONDS: Final = 0.05
"""The longest pause before the second attempt; it doubles with each further one."""


class DynamoDbApi(Protocol):
    """The two calls of the AWS SDK that are needed, in its own shape. `boto3.client("dynamodb")` has them.

    Each makes one attempt, of at most `attempt_seconds` (the repository repeats it within the
    request's deadline), and raises botocore's exceptions or `api_errors`.
    """

    def update_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `UpdateItem`."""
        ...

    def get_item(self, **request: Any) -> Mapping[str, Any]:
        """DynamoDB's `GetItem`."""
        ...


class DynamoDbStreamRepository:
    """Keeps each user's streams in one item.

    A write is repeated when its outcome is unknown: every write is recognised by the state that it
    leaves, so the repeat of one that landed is rejected, and brings a state that shows its effect.

    Args:
        api: DynamoDB's calls.
        table: the table's name.
        attempt_seconds: how long one attempt takes at most; none is begun with less time left.
        sleep: pauses for so many seconds.
    """

    def __init__(
        self,
        api: DynamoDbApi,
        table: str,
        *,
        attempt_seconds: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._table = table
        self._attempt_seconds = attempt_seconds
        self._sleep = sleep

    def apply(self, write: Write, deadline: Deadline) -> Landed | Rejected:
        """Make the change with one conditional `UpdateItem`, which also returns the state."""
        request = update_request(self._table, write)

        def update() -> Landed | Rejected:
            try:
                answer = self._api.update_item(**request)
            except Exception as error:
                told = api_error(error)
                item = None if told is None else refused_item(told)
                if item is None:
                    raise
                return Rejected(snapshot(item))
            if not answer.get("Attributes"):
                raise NoAnswer("an answer to a write without the state after it")
            return Landed(snapshot(answer["Attributes"]))

        return self._attempt(update, deadline)

    def read(self, user_id: str, deadline: Deadline) -> Snapshot:
        """The user's state, by one strongly consistent `GetItem`."""

        def get() -> Snapshot:
            response = self._api.get_item(TableName=self._table, Key=key(user_id), ConsistentRead=True)
            return snapshot(response.get("Item", {}))

        return self._attempt(get, deadline)

    def _attempt(self, call: Callable[[], Result], deadline: Deadline) -> Result:
        """Call until it succeeds, the failure is not one that passes, or time or attempts run out."""
        failure: StoreError = StoreContended("no time left for an attempt")  # an earlier write took it
        cause: Exception | None = None
        for attempt in range(ATTEMPTS):
            if deadline.remaining() < self._attempt_seconds:
                break
            try:
                return call()
            except Exception as error:
                told = api_error(error)
                if told is None:  # nobody knows what it means
                    raise
                failure, cause = domain_error(told), error
            pause = random.uniform(0, BACKOFF_SECONDS * 2**attempt)  # noqa: S311 - spreads load, keeps no secret
            last = attempt == ATTEMPTS - 1 or deadline.remaining() < pause + self._attempt_seconds
            if isinstance(failure, StoreFault) or last:
                break
            self._sleep(pause)
        raise failure from cause
