from domain.bounds import Bound
from domain.errors import LimitReached, NoActiveStream, StreamGone, TooManyStarts
from domain.streams import LiveStreams
from tests.unit.domain.states import lease


def test_a_refusals_text_does_not_name_the_streams() -> None:
    """A refusal's text does not name the streams, because it may appear in a trace; the answer names them."""
    watching = LiveStreams((lease("tv", device="bedroom"),), 1)
    assert str(LimitReached(Bound(2), 2, watching)) == "limit of 2 reached"
    assert str(TooManyStarts(2, watching, 9)) == "too many starts"
    assert str(NoActiveStream(watching)) == "no active stream"
    assert str(StreamGone("tv")) == "stream tv is gone"
