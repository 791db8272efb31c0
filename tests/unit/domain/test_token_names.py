"""The names that count towards the token bound, as values."""

from dataclasses import replace

from domain.streams import Snapshot, SpentToken
from domain.token_names import Counted, Recounted, by_end, names_after
from tests.unit.domain.states import NOW, lease, state

SPENT = {"s": NOW + 40, "t": NOW + 20}


def test_a_name_that_starts_again_is_not_spent_any_more() -> None:
    """However the names are counted, and whatever other tokens are forgotten."""
    seen = replace(Snapshot(), tokens=frozenset("st"), spent=SPENT)
    anew = Recounted(seen.tokens, frozenset("s"), (SpentToken("t", NOW + 20),))
    assert names_after(seen, anew, "s") == (frozenset("s"), {})
    assert names_after(seen, Counted(bound=9), "s") == (frozenset("st"), {"t": NOW + 20})


def test_names_that_were_never_counted_stay_so() -> None:
    """A write that counts no name of its own makes no set of names, which would be empty."""
    assert names_after(Snapshot(), Counted(bound=0), None) == (None, {})


def test_the_end_of_tokens_is_that_of_the_names_that_count() -> None:
    """Spent tokens first, by their end, then leases, and no other name; a lease has no spent token."""
    leases = (lease("a", left=9), lease("b", left=5), lease("t", left=30))
    seen = replace(state(*leases), spent=SPENT | {"u": NOW + 1})
    ends = by_end(seen, frozenset("absnt"))
    assert ends == [
        SpentToken("s", NOW + 40),
        SpentToken("b", NOW + 5),
        SpentToken("a", NOW + 9),
        SpentToken("t", NOW + 30),
    ]
    assert by_end(seen, frozenset("b")) == [SpentToken("b", NOW + 5)]
