"""The part of a decision that the state, the policy and the time determine together."""

from dataclasses import replace

from domain.policy import Policy
from domain.requests import Heartbeat
from domain.situation import Situation
from domain.streams import LiveStreams, Snapshot, SpentToken
from domain.token_names import Recounted
from tests.unit.domain.states import NOW, USER, dead, lease, state

TOKENS = Policy(token_overlap=2)
BEAT = Heartbeat(USER, "a")


def situation(seen: Snapshot, policy: Policy = TOKENS) -> Situation[Heartbeat]:
    """Return the situation of a heartbeat that met this state."""
    return Situation(seen, BEAT, policy, NOW)


def test_only_unexpired_leases_are_live() -> None:
    """A lease whose expiry and grace have passed is not live."""
    seen = situation(state(lease("a"), dead("b")))

    assert seen.live == LiveStreams((lease("a"),))
    assert (seen.is_live(lease("a")), seen.is_live(dead("b"))) == (True, False)


def test_a_recount_forgets_exactly_the_tokens_whose_grace_has_passed() -> None:
    """A token still counts one second before the end of its grace, and is forgotten at the end."""
    over = NOW - TOKENS.grace_seconds
    seen = replace(state(lease("a")), tokens=frozenset("a"), spent={"b": over, "c": over + 1})

    assert situation(seen).recount() == Recounted(frozenset("a"), frozenset("ac"), (SpentToken("b", over),))


def test_without_tokens_no_name_is_counted() -> None:
    """Without playback tokens there is no recount, and no name is left to count."""
    seen = situation(state(lease("a")), Policy())

    assert seen.recount() is None
    assert seen.is_counted("a")


def test_with_tokens_a_name_must_be_counted() -> None:
    """With playback tokens a name counts if the state holds it, and none counts where none ever did."""
    counted = replace(state(lease("a")), tokens=frozenset("a"))

    assert [situation(counted).is_counted(name) for name in "ab"] == [True, False]
    assert not situation(state(lease("a"))).is_counted("a")
