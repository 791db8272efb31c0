"""A rotation of playback keys, interrupted anywhere and repeated: no good token is refused."""

import contextlib
from collections.abc import Sequence
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from adapters.playback_keys import PlaybackKey
from dev.operate.playback_key import rotate
from dev.operate.rotation import Placement, made_at, name_of, next_step
from tests.edge.tokens import key_text
from tests.unit.dev.key_places import OPENED_AT, Interrupted, Places, silent, text_of

PROCESSES_READ_WITHIN: Final = 300
PROCESSES_SIGN_FOR: Final = 900
"""The time that a process may sign with keys it has read, if it cannot read again."""
TOKENS_LIVE_FOR: Final = 300 + 60
"""The longest lease with tokens, and the greatest grace."""

OLD: Final = PlaybackKey("20260101T000000Z", b"o" * 32)
OLDER: Final = PlaybackKey("20250101T000000Z", b"p" * 32)
BY_HAND: Final = PlaybackKey("2026-a", b"h" * 32)

STARTS: Final[Sequence[Sequence[PlaybackKey]]] = (
    [],
    [OLD],
    [BY_HAND],
    [OLD, OLDER],
    [OLDER, OLD],
    [BY_HAND, OLD],
)
INTERRUPTED_RUNS: Final = st.lists(
    st.tuples(
        st.integers(0, 60),  # calls and waits before the interruption; a whole rotation is about 150
        st.booleans(),  # True if the interrupted call takes effect
        st.integers(0, 3000),  # seconds until the operator tries again
    ),
    max_size=6,
)


class Watched(Places):
    """Places that are checked after each write: the set of usable keys shrinks while time passes."""

    def changed(self) -> None:
        """Check that no key signs that the edge, or another process, does not know."""
        for keys in self._known(PROCESSES_SIGN_FOR + TOKENS_LIVE_FOR):
            assert not self.has_edge or keys[0] in self.edge, "a token may be good that the edge refuses"
        read = self._known(PROCESSES_READ_WITHIN)
        for one in read:
            assert all(one[0] in other for other in read), "a token may be good that the service refuses"

    def _known(self, seconds: float) -> list[list[PlaybackKey]]:
        """Return the keys that a process may have read within this number of seconds."""
        ends = [*(begun for begun, _ in self.history), self.now + 1][1:]
        return [keys for end, (_, keys) in zip(ends, self.history, strict=True) if end > self.now - seconds]


def placed(keys: Sequence[PlaybackKey], *, has_edge: bool) -> Watched:
    """Return a stage that has had these keys for a long time, at the edge too."""
    config = {"mode": "enforce", "keys": {key.kid: key_text(key) for key in keys}}
    places = Watched(parameter=text_of(keys) or None, has_edge=has_edge)
    if keys and has_edge:
        places.config = config
    if keys:
        places.written_at = OPENED_AT - 86_400
        places.history.append((places.written_at, [*keys]))
    return places


@given(keys=st.sampled_from(STARTS), has_edge=st.booleans(), runs=INTERRUPTED_RUNS)
def test_every_good_token_is_accepted_throughout_a_rotation(
    *, keys: Sequence[PlaybackKey], has_edge: bool, runs: Sequence[tuple[int, bool, int]]
) -> None:
    """Every good token is accepted at every moment, wherever the rotation is interrupted and repeated."""
    places = placed(keys, has_edge=has_edge)
    messages: list[str] = []
    for calls, takes_effect, pause in runs:
        places.calls_left, places.takes_effect = calls, takes_effect
        with contextlib.suppress(Interrupted):
            rotate(places.stage(), messages.append, places.sleep)
        places.calls_left = None
        places.now += pause
    rotate(places.stage(), messages.append, places.sleep)

    (newest,) = places.service
    assert made_at(newest.kid) is not None
    assert places.edge == ([newest] if has_edge else [])
    for key in [*keys, newest]:
        assert key_text(key) not in "\n".join(messages)


@given(keys=st.sampled_from(STARTS[1:]), has_edge=st.booleans())
def test_a_rotation_replaces_every_key(*, keys: Sequence[PlaybackKey], has_edge: bool) -> None:
    """After a complete rotation, neither place knows any of the earlier keys."""
    places = placed(keys[:1], has_edge=has_edge)
    rotate(places.stage(), silent, places.sleep)

    assert len(places.service) == 1
    assert places.service[0] not in keys


def test_the_order_of_a_rotation() -> None:
    """The edge learns the key, then the service verifies and signs with it, and both forget the old one."""
    places = placed([OLD], has_edge=True)
    messages: list[str] = []
    rotate(places.stage(), messages.append, places.sleep)
    new = places.service[0].kid

    assert [line for line in messages if line.startswith("Now ")] == [
        f"Now the edge knows {new}.",
        f"Now the service verifies with {new}.",
        f"Now the service signs with {new}.",
        f"Now the edge knows only {new}.",
        f"Now the service knows only {new}.",
    ]
    assert places.now - OPENED_AT == 300 + 900 + 300 + 60


def test_the_first_key_is_written_without_a_wait() -> None:
    """The first key is written without a wait, because no process can know another key."""
    places = placed([], has_edge=True)
    rotate(places.stage(), silent, places.sleep)

    assert places.now == OPENED_AT
    assert places.config == {"mode": "off", "keys": {places.service[0].kid: key_text(places.service[0])}}


def test_a_deleted_parameter_is_restored_from_the_edge() -> None:
    """A deleted parameter gets the key of the edge again, so that no viewer is interrupted."""
    places = placed([OLD], has_edge=True)
    places.parameter = None
    messages: list[str] = []
    rotate(places.stage(), messages.append, places.sleep)

    assert messages[0] == f"Now the service signs with {OLD.kid}."
    assert places.service == [OLD]


def test_a_key_made_within_the_same_second_has_another_name() -> None:
    """A second key within the same second has a later name, because names give the order of keys."""
    places = placed([PlaybackKey(name_of(OPENED_AT), b"o" * 32)], has_edge=True)
    rotate(places.stage(), silent, places.sleep)

    assert places.service[0].kid == name_of(OPENED_AT + 1)


def test_an_interrupted_rotation_continues_with_its_key() -> None:
    """An interrupted rotation continues with the key that the edge already has, and makes no other."""
    new = PlaybackKey(name_of(OPENED_AT), b"n" * 32)
    places = placed([OLD], has_edge=True)
    places.config["keys"][new.kid] = key_text(new)
    rotate(places.stage(), silent, places.sleep)

    assert places.service == places.edge == [new]


def test_an_edge_that_lacks_a_key_learns_it_first() -> None:
    """An edge that lacks a key, because it is new or was changed by hand, is repaired at once."""
    for edge in ([], [OLDER], [PlaybackKey(OLD.kid, b"x" * 32)]):
        step = next_step(Placement([OLD, BY_HAND], edge, OPENED_AT), OPENED_AT)
        assert step
        assert step.edge
        assert {OLD, BY_HAND} <= {*{key.kid: key for key in step.edge}.values()}
        assert step.not_before == 0


def test_a_keys_name_has_its_creation_time() -> None:
    """A key's name of 16 characters has its time of making, to the second; a name given by hand has none."""
    assert made_at(name_of(OPENED_AT)) == OPENED_AT
    assert len(name_of(OPENED_AT)) == 16
    assert made_at("2026-a") is None
