"""The names that count towards the token bound, as values."""

from dataclasses import replace

from domain.bounds import Bound
from domain.streams import Snapshot, SpentToken
from domain.token_names import Counted, Recounted, by_end, names_after, names_permit
from domain.transitions import permits
from domain.writes import Admit, Ended, Extend, Freed, Repair
from tests.unit.domain.states import NOW, USER, lease, state

SPENT = {"s": NOW + 40, "t": NOW + 20}


def test_a_restarted_name_is_no_longer_spent() -> None:
    """A name that starts again is not spent, however names are counted and whatever tokens are forgotten."""
    seen = replace(Snapshot(), tokens=frozenset("st"), spent=SPENT)
    recounted = Recounted(seen.tokens, frozenset("s"), (SpentToken("t", NOW + 20),))
    assert names_after(seen, recounted, "s") == (frozenset("s"), {})
    assert names_after(seen, Counted(bound=9), "s") == (frozenset("st"), {"t": NOW + 20})


def test_uncounted_names_stay_uncounted() -> None:
    """A write that counts no name of its own creates no set of names, which would be empty."""
    assert names_after(Snapshot(), Counted(bound=0), None) == (None, {})


def test_token_ends_list_exactly_the_counted_names() -> None:
    """Spent tokens come first, by their end, then leases, and no other name; a lease has no spent token."""
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


def test_without_a_recount_only_counted_streams_are_ended() -> None:
    """Only counted streams are ended, because an uncounted ended name would leave a token without a bound."""
    seen = replace(state(lease("a"), lease("b")), tokens=frozenset("a"))
    assert names_permit(seen, Counted(bound=9), "c", ("a",))
    assert not names_permit(seen, Counted(bound=9), "c", ("b",))


def test_a_recount_needs_names_and_spent_tokens_as_seen() -> None:
    """A recount requires the names and the spent tokens that were seen."""
    seen = replace(Snapshot(), tokens=frozenset("st"), spent=SPENT)
    recounted = Recounted(seen.tokens, frozenset("s"), (SpentToken("t", NOW + 20),))
    assert names_permit(seen, recounted, "s")
    assert not names_permit(replace(seen, tokens=frozenset("s")), recounted, "s")
    assert not names_permit(replace(seen, spent={"t": NOW + 21}), recounted, "s")


def test_a_counted_name_can_restart_at_the_bound() -> None:
    """At the bound a newcomer may start if its own name is counted already."""
    seen = replace(Snapshot(), tokens=frozenset("a"))
    assert permits(seen, Admit(USER, lease("a"), (Bound(1),), None, names=Counted(bound=1)))


def test_no_write_ends_a_stream_whose_name_is_not_counted() -> None:
    """A write ends only streams whose names are counted, for newcomers and for held streams alike."""
    counted = replace(state(lease("a"), lease("b")), tokens=frozenset("abc"))
    uncounted = replace(counted, tokens=frozenset("ac"))
    newcomer = Admit(USER, lease("c"), (Bound(2),), None, Freed(ended=(Ended("b"),)), names=Counted(bound=9))
    holder = Extend(USER, "a", NOW + 100, None, replaces=Ended("b"), names=Counted(bound=9))
    for write in (newcomer, holder):
        assert permits(counted, write)
        assert not permits(uncounted, write)


def test_a_repair_needs_the_names_as_seen() -> None:
    """A repair requires the names that were seen, because a name counted meanwhile would be lost."""
    seen = replace(state(lease("a")), tokens=frozenset("ab"))
    repair = Repair(USER, seen, Freed(), None, Recounted(seen.tokens, frozenset("a")))
    assert permits(seen, repair)
    assert not permits(replace(seen, tokens=frozenset("abc")), repair)
