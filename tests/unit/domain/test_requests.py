"""The limit that each request states."""

import pytest

from domain.operators import EndStreams, ShowStreams
from domain.requests import (
    EndAnonymous,
    EndNamed,
    Heartbeat,
    ListStreams,
    Renewal,
    StartAnonymous,
    StartNamed,
)
from tests.unit.domain.states import USER


@pytest.mark.parametrize(
    "request_", [StartNamed(USER, "tv", 2), StartAnonymous(USER, "1", 2), ListStreams(USER, 2)], ids=repr
)
def test_a_start_and_a_list_state_the_limit_of_the_user(
    request_: StartNamed | StartAnonymous | ListStreams,
) -> None:
    """A request that a limit applies to, or that shows it, states it."""
    assert request_.limit == 2


@pytest.mark.parametrize(
    "request_",
    [
        Heartbeat(USER, "tv"),
        Renewal(USER, "tv", "token"),
        EndNamed(USER, "tv"),
        EndAnonymous(USER, "1"),
        ShowStreams(USER),
        EndStreams(USER),
    ],
    ids=repr,
)
def test_any_other_request_states_no_limit(
    request_: Heartbeat | Renewal | EndNamed | EndAnonymous | ShowStreams | EndStreams,
) -> None:
    """A request that no limit applies to has the limit `None`, so its event has no limit."""
    assert request_.limit is None
