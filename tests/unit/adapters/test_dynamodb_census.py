from typing import Any

from adapters.dynamodb.census import DynamoDbCensus
from domain.bounds import Bound
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
