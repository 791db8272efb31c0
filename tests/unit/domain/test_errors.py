import pytest

from domain.errors import LimitReached, NoActiveStream, Refusal, StreamGone
from domain.streams import LiveStreams
from tests.unit.domain.states import lease

WATCHING = LiveStreams((lease("tv", device="bedroom"),), 1)


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (LimitReached(2, WATCHING), "limit of 2 reached"),
        (NoActiveStream(WATCHING), "no active stream"),
        (StreamGone("tv"), "stream tv is gone"),
    ],
)
def test_a_refusal_says_what_it_is(refusal: Refusal, text: str) -> None:
    """Not who is watching what: that is for the answer, and a text may come into a trace."""
    assert str(refusal) == text
