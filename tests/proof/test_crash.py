"""A killed service loses nothing that it answered, and blocks no slot for longer than a lease."""

import pytest

from dev.emulators.dynamodb_local import unavailable
from domain.streams import Lease, Snapshot
from proof import crash
from testing.fakes import unhurried
from tests.support.commands import skip_or_fail


@pytest.mark.e2e
@pytest.mark.long
def test_after_each_kill_the_store_matches_the_answers() -> None:
    """The short form of the proof meets every goal."""
    reason = unavailable()
    if reason:
        skip_or_fail(reason)

    rows = crash.prove(seed=1, goal=1, progress=unhurried)

    assert [row for row in rows if not row.met] == []


@pytest.mark.parametrize(
    ("play", "contradicts"),
    [
        (crash.Play("1", "there", expires_at=20), False),
        (crash.Play("1", "gone", expires_at=20), True),
        (crash.Play("1", "gone", expires_at=20, known=False), False),
        (crash.Play("1", "gone", expires_at=5), False),
        (crash.Play("1", "there", expires_at=0), True),
        (crash.Play("1", "gone", expires_at=0), False),
    ],
)
def test_a_lost_or_revived_stream_is_detected(play: crash.Play, *, contradicts: bool) -> None:
    """The proof notices a missing lease that was answered, and a stream that lives after its answered end."""
    state = Snapshot(1, leases={"there": Lease("there", 1, 20)})

    assert play.contradicts(state, now=10) is contradicts
