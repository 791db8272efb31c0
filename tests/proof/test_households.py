"""Honest households that keep their names never wait for tokens, and fresh names do."""

from proof import households
from testing.fakes import unhurried


def test_kept_names_are_never_postponed_at_the_default_overlap() -> None:
    """Households that keep their names meet every goal of the proof."""
    rows = households.prove(1, 150, unhurried)

    assert [row for row in rows if not row.met] == []


def test_fresh_names_are_postponed() -> None:
    """A fresh name for each channel meets the bound; a hop between screens does at an overlap of 1."""
    postponed = {
        (each.story, each.keeps_names, each.limit, each.overlap): each.postponed
        for each in households.outcomes()
    }

    assert all(postponed["zapping", False, limit, 2] for limit in households.LIMITS)
    assert postponed["tv, phone, tv, tablet, tv", True, 1, 1] == 1
