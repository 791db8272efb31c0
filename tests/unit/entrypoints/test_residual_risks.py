"""The attacks that docs/security.md lists as not stopped, as they work."""

import pytest

from testing.fakes import FakeClock
from tests.unit.entrypoints.calls import Api, assert_problem


def test_one_stream_id_on_ten_devices_is_one_slot() -> None:
    """Ten devices that start and send heartbeats under one name count as one stream."""
    api = Api(MAX_STREAMS="1")

    starts = [api.start("1", streamId="shared", device=f"device {n}") for n in range(10)]
    beats = [api.heartbeat("1", streamId="shared") for _ in range(10)]

    assert {answer.status for answer in (*starts, *beats)} == {200}
    assert {answer.body["streamCount"] for answer in starts} == {1}


@pytest.mark.parametrize("on_limit", ["reject", "evict_oldest"])
def test_anonymous_slots_block_named_starts_for_their_period(on_limit: str) -> None:
    """Named starts are refused until the anonymous slots are presumed expired: nothing evicts those."""
    clock = FakeClock()
    api = Api(clock=clock, ON_LIMIT=on_limit, ANONYMOUS_SECONDS="43200")
    for _ in range(3):
        assert api.start("1").status == 200

    assert_problem(api.start("1", streamId="tv"), 403, "limit_reached")
    clock.advance(43_200)
    assert_problem(api.start("1", streamId="tv"), 403, "limit_reached")
    clock.advance(3)
    assert api.start("1", streamId="tv").status == 200


def test_an_anonymous_end_frees_any_anonymous_slot() -> None:
    """An anonymous end frees any anonymous slot, the way out for a user who is locked out."""
    api = Api(ON_LIMIT="evict_oldest")
    for _ in range(3):
        api.start("1")

    assert api.end("1").status == 200
    assert api.start("1", streamId="tv").status == 200
