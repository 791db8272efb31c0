"""Starts and ends of streams in groups, which have limits of their own beside that of all streams."""

from dataclasses import replace

from domain.bounds import Bound
from domain.decisions import Decision, Refuse, Try, decide_start
from domain.group_counts import RECOUNTS
from domain.policy import Policy
from domain.requests import StartNamed
from domain.streams import Lease, Snapshot
from domain.writes import after, permits
from tests.unit.domain.states import NOW, POLICY, USER, lease, state

UHD = ("uhd",)
LIMITS = {"uhd": 1, "away": 1}


def start(name: str, *groups: str, limit: int = 3, replaces: str | None = None, **limits: int) -> StartNamed:
    """Return a start in these groups, held against these limits; by default one stream in each of two."""
    bounds = tuple(Bound(most, group) for group, most in (LIMITS | limits).items() if group in groups)
    return StartNamed(USER, name, limit, None, replaces, groups=groups, group_bounds=bounds)


def within(stream: Lease, *groups: str) -> Lease:
    """Return the same lease in these groups."""
    return replace(stream, groups=groups)


def grouped(*leases: Lease, **counts: int) -> Snapshot:
    """Return a state of these leases, whose groups are counted right, but for those that are given."""
    seen = state(*leases)
    names = {group for each in leases for group in each.groups}
    return replace(seen, groups={group: seen.leases_in(group) for group in names} | counts)


def decide(seen: Snapshot, request: StartNamed, policy: Policy = POLICY) -> Decision:
    """Return the decision of now."""
    return decide_start(seen, request, policy, NOW)


class TestMiscounts:
    """Code from before there were groups ends streams, and leaves the counts of their groups too high."""

    def test_a_wrong_count_is_made_anew_by_one_of_two(self) -> None:
        """Two starts that saw the same wrong count do not both get the one slot that is free."""
        seen = grouped(within(lease("a"), "uhd"), uhd=2)
        b, c = (decide(seen, start(name, "uhd", uhd=2)) for name in "bc")
        assert isinstance(b, Try)
        assert isinstance(c, Try)
        left = after(seen, b.write)
        assert left.groups == {"uhd": 2, RECOUNTS: 1}
        assert not permits(left, c.write)
        assert decide(left, start("c", "uhd", uhd=2)) == Refuse(Bound(2, "uhd"))
