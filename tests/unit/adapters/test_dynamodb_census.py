from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.dynamodb.census import DynamoDbCensus
from domain.bounds import Bound
from domain.errors import StoreError, StoreFault, StoreThrottled
from domain.ports import Deadline
from domain.streams import Lease, Snapshot
from domain.writes import Admit
from tests.conftest import TABLE, repository_over


def test_a_census_returns_every_user_once(moto_client: Any, deadline: Deadline) -> None:
    """A census returns each user once, with the state that a read would return."""
    lease = Lease("a", 1, 91, "tv")
    for n in range(3):
        repository_over(moto_client).apply(Admit(f"user-{n}", lease, (Bound(3),), None), deadline)
    census = DynamoDbCensus(moto_client, TABLE)
    state = Snapshot(1, leases={"a": lease})
    assert sorted(census.states(), key=lambda user: user[0]) == [(f"user-{n}", state) for n in range(3)]
    assert census.estimate() == 3


@pytest.mark.parametrize(
    ("code", "status", "failure"),
    [("ResourceNotFoundException", 400, StoreFault), ("ThrottlingException", 400, StoreThrottled)],
)
def test_a_failed_call_is_an_error_of_the_store(
    moto_client: Any, code: str, status: int, failure: type[StoreError]
) -> None:
    """A table that cannot be counted or read raises the domain's error, whose text is the code."""
    census = DynamoDbCensus(moto_client, TABLE)
    with Stubber(moto_client) as stub:
        stub.add_client_error("describe_table", code, http_status_code=status)
        stub.add_client_error("scan", code, http_status_code=status)

        with pytest.raises(failure, match=f"^{code}$"):
            census.estimate()
        with pytest.raises(failure, match=f"^{code}$"):
            list(census.states())
