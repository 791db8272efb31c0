"""The contract of every repository: each write is one atomic, conditional step.

`domain.transitions` defines the meaning of each write. The same suite runs over every repository.
"""

import uuid
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.bounds import AsSeen, Bound, Count
from domain.group_counts import RECOUNTS
from domain.ports import Deadline, Landed, Rejected, StreamRepository
from domain.streams import AnonymousSlots, Displaced, GoneReason, Lease, Snapshot
from domain.token_names import Counted, Names, Recounted, recount
from domain.transitions import after, permits
from domain.writes import (
    Admit,
    AnonymousStream,
    Ended,
    Extend,
    Freed,
    Release,
    ReleaseAnonymous,
    Repair,
    Write,
)
from tests.support.properties import examples

RETAIN = 4_000_000_000
"""A TTL in the future, so that no store deletes an item during a test."""

NOW = 1_800_000_000

DISPLACED = (Displaced(GoneReason.REPLACED, "01234567"), Displaced(GoneReason.EXPIRED, "89abcdef"))


def lease(stream_id: str, expires_at: int = NOW + 90, device: str | None = None) -> Lease:
    """Return a lease that begins now."""
    return Lease(stream_id, NOW, expires_at, device)


def anonymous(request: str, expires_at: int | None = NOW + 900) -> AnonymousStream:
    """Return an anonymous newcomer."""
    return AnonymousStream(request, expires_at, presumed_expired=NOW)


class Story:
    """One user's writes in order; `state` is the state that the latest one returned."""

    def __init__(self, repository: StreamRepository, user_id: str, deadline: Deadline) -> None:
        self._repository = repository
        self._deadline = deadline
        self.user_id = user_id
        self.state = Snapshot()

    def write(self, write: Write) -> bool:
        """Make the write, and return whether it landed."""
        result = self._repository.apply(write, self._deadline)
        self.state = result.state
        return isinstance(result, Landed)

    def admit(
        self,
        newcomer: Lease | AnonymousStream,
        limit: int = 3,
        freed: Freed = Freed(),  # noqa: B008 - frozen
        *,
        counts: tuple[Count, ...] = (),
        names: Names | None = None,
    ) -> bool:
        """Admit a newcomer, and return whether it was admitted."""
        counts = counts or (Bound(limit),)
        return self.write(Admit(self.user_id, newcomer, counts, RETAIN, freed, names))

    def extend(
        self, stream_id: str, expires_at: int, replaces: Ended | None = None, names: Names | None = None
    ) -> bool:
        """Extend a lease, and return whether it was extended."""
        return self.write(Extend(self.user_id, stream_id, expires_at, RETAIN, replaces, names=names))

    def end(
        self,
        stream_id: str,
        *,
        of_play: str | None = None,
        spends: bool = False,
        groups: tuple[str, ...] = (),
    ) -> bool:
        """End a named stream, and return whether it existed."""
        return self.write(Release(self.user_id, stream_id, RETAIN, of_play, spends, groups))

    def end_anonymous(self, request: str) -> bool:
        """End an anonymous stream, and return whether there was one."""
        return self.write(ReleaseAnonymous(self.user_id, request, RETAIN))

    @property
    def counted(self) -> tuple[list[str] | None, dict[str, int]]:
        """Return the names that count towards the token bound, and when the spent tokens among them end."""
        tokens = self.state.tokens
        return None if tokens is None else sorted(tokens), dict(self.state.spent)

    def read(self) -> Snapshot:
        """Return the state that a read returns."""
        return self._repository.read(self.user_id, self._deadline)


@pytest.fixture
def story(repository: StreamRepository, user_id: str, deadline: Deadline) -> Story:
    """Return the story of a user that no other test uses."""
    return Story(repository, user_id, deadline)


def test_an_unknown_user_has_the_empty_state(story: Story) -> None:
    """A read of an unknown user returns no streams, and creates no item."""
    assert story.read() == Snapshot()


def test_the_first_anonymous_start_is_one_write(story: Story) -> None:
    """The first write creates the user's state, and returns the state that a read returns."""
    assert story.admit(anonymous("start:1"))
    assert story.state == Snapshot(1, AnonymousSlots(1, NOW + 900), {}, ("start:1",))
    assert story.read() == story.state


def test_the_first_named_start_is_one_write(story: Story) -> None:
    """A lease is stored with all its fields, the device's label unchanged."""
    tv = Lease("tv:1", NOW, NOW + 90, "Wohnzimmer 📺", "load-1", "/film/", ("away", "uhd"), DISPLACED)
    assert all(getattr(tv, field.name) for field in fields(tv)), "a field is new: give it a value here"
    assert story.admit(tv)
    assert story.state == Snapshot(1, AnonymousSlots(), {"tv:1": tv}, (), groups={"away": 1, "uhd": 1})
    assert story.read() == story.state


def test_a_rejection_at_the_limit_returns_the_state(story: Story) -> None:
    """At the limit a newcomer is rejected, and the rejection shows which streams hold the slots."""
    assert [story.admit(lease(name)) for name in "abcd"] == [True, True, True, False]
    assert sorted(story.state.leases) == ["a", "b", "c"]
    assert not story.admit(anonymous("start:1"))
    assert story.read().stream_count == 3


def test_a_limit_of_zero_admits_no_stream(story: Story) -> None:
    """A limit of zero rejects even a user without any state."""
    assert not story.admit(anonymous("start:1"), limit=0)
    assert not story.admit(lease("a"), limit=0)
    assert story.read() == Snapshot()


def test_a_limit_below_the_count_rejects_newcomers(story: Story) -> None:
    """Three streams under a limit of one stay three, and none is admitted until the limit is raised."""
    assert all(story.admit(lease(name)) for name in "abc")
    assert not story.admit(lease("d"), limit=1)
    assert story.state.stream_count == 3
    assert story.admit(lease("d"), limit=4)


def test_an_eviction_requires_the_count_that_was_seen(story: Story) -> None:
    """An eviction lands only where the count is the one that was seen, also for a user without any state."""
    assert not story.admit(lease("a"), counts=(AsSeen(1, 2),))
    assert story.admit(lease("a"), counts=(AsSeen(0, 1),))
    assert story.admit(lease("b"))
    assert not story.admit(lease("c"), freed=Freed(ended=(Ended("a"),)), counts=(AsSeen(3, 3),))
    assert story.admit(lease("c"), freed=Freed(ended=(Ended("a"),)), counts=(AsSeen(2, 2),))
    assert sorted(story.state.leases) == ["b", "c"]


def test_an_existing_name_is_not_admitted_again(story: Story) -> None:
    """A repeated named start is rejected with a state that shows its lease."""
    assert story.admit(lease("a"))
    assert not story.admit(lease("a", NOW + 100))
    assert story.state.leases["a"] == lease("a")


def test_a_request_is_remembered_through_three_others(story: Story) -> None:
    """A repeat is recognised while at most three other anonymous changes came in between."""
    assert story.admit(anonymous("start:1"), limit=9)
    for other in ("start:2", "start:3", "start:4"):
        assert story.admit(anonymous(other), limit=9)
        assert not story.admit(anonymous("start:1"), limit=9)
    assert story.end_anonymous("end:5")
    assert story.state.marks == ("end:5", "start:4", "start:3", "start:2")
    assert story.admit(anonymous("start:1"), limit=9)


def test_an_anonymous_start_does_not_renew_expired_slots(story: Story) -> None:
    """While anonymous slots are presumed expired, the plain write is rejected."""
    assert story.admit(anonymous("start:1", expires_at=NOW))
    assert not story.admit(anonymous("start:2"))
    assert story.admit(AnonymousStream("start:2", NOW + 900, presumed_expired=NOW - 1))


def test_slots_without_an_expiry_count_as_expired_once_a_period_is_set(story: Story) -> None:
    """Without a period no expiry is stored; once one is set, a slot without an expiry has expired."""
    for request in ("start:1", "start:2"):
        assert story.admit(AnonymousStream(request, None, presumed_expired=None))
    assert story.state.anonymous == AnonymousSlots(2, None)
    assert not story.admit(anonymous("start:3"))
    assert story.admit(anonymous("start:3"), freed=Freed(anonymous=AnonymousSlots(2, None)))
    assert story.state.anonymous == AnonymousSlots(1, NOW + 900)
    assert story.state.stream_count == 1


def test_an_anonymous_end_frees_one_anonymous_slot_at_most(story: Story) -> None:
    """The count never falls below zero, and an anonymous end never ends a named stream."""
    assert story.admit(lease("a"))
    assert not story.end_anonymous("end:1")
    assert story.admit(anonymous("start:1"))
    assert story.end_anonymous("end:1")
    assert not story.end_anonymous("end:1")
    assert not story.end_anonymous("end:2")
    assert (story.state.stream_count, story.state.anonymous.count) == (1, 0)


def test_an_end_of_an_unknown_user_creates_no_state(story: Story) -> None:
    """A rejected end of any kind leaves no state behind."""
    assert not story.end_anonymous("end:1")
    assert not story.end("a")
    assert not story.extend("a", NOW + 90)
    assert story.read() == Snapshot()


def test_a_named_end_frees_only_its_own_slot(story: Story) -> None:
    """A named end gives back one slot, and its repeat gives back no other."""
    assert all(story.admit(lease(name)) for name in "ab")
    assert story.end("a")
    assert not story.end("a")
    assert story.state == Snapshot(1, AnonymousSlots(), {"b": lease("b")}, ())


def test_replacing_swaps_two_streams_at_the_limit(story: Story) -> None:
    """Replacing a stream leaves the count unchanged, and is rejected if the old stream does not exist."""
    assert all(story.admit(lease(name)) for name in "abc")
    assert story.admit(lease("d"), freed=Freed(ended=(Ended("a"),)))
    assert (story.state.stream_count, sorted(story.state.leases)) == (3, ["b", "c", "d"])
    assert not story.admit(lease("e"), freed=Freed(ended=(Ended("a"),)))


def test_an_extension_never_moves_an_expiry_back(story: Story) -> None:
    """A late packet never moves an expiry back; the rest of the lease is unchanged."""
    assert story.admit(lease("a", NOW + 90, "tv"))
    assert story.extend("a", NOW + 120)
    assert story.extend("a", NOW + 120)
    assert not story.extend("a", NOW + 119)
    assert story.state.leases["a"] == lease("a", NOW + 120, "tv")
    assert story.state.stream_count == 1


def test_a_lease_remembers_the_streams_that_it_displaced(story: Story) -> None:
    """An extension keeps the streams that the lease remembers, unless it brings others."""
    assert story.admit(replace(lease("a"), displaced=DISPLACED[:1]))
    assert story.extend("a", NOW + 100)
    assert story.state.leases["a"].displaced == DISPLACED[:1]
    assert story.write(Extend(story.user_id, "a", NOW + 110, RETAIN, displaced=DISPLACED))
    assert story.read().leases["a"].displaced == DISPLACED


def test_an_extension_can_end_the_stream_that_it_replaces(story: Story) -> None:
    """An extension that replaces a stream ends that stream and gives back its slot."""
    assert all(story.admit(lease(name)) for name in "ab")
    assert story.extend("b", NOW + 100, replaces=Ended("a"))
    assert story.state == Snapshot(1, AnonymousSlots(), {"b": lease("b", NOW + 100)}, ())
    assert not story.extend("b", NOW + 110, replaces=Ended("a"))


def test_a_takeover_needs_the_expiry_that_was_seen(story: Story) -> None:
    """A lease that a heartbeat renewed in the meantime is not taken over."""
    assert all(story.admit(lease(name)) for name in "abc")
    seen = Freed(expired=(story.state.leases["a"],))
    assert story.extend("a", NOW + 200)
    assert not story.admit(lease("d"), freed=seen)
    assert story.admit(lease("d"), freed=Freed(expired=(story.state.leases["a"],)))
    assert sorted(story.state.leases) == ["b", "c", "d"]


def test_a_takeover_reclaims_all_expired_slots_in_one_write(story: Story) -> None:
    """One write reclaims expired leases, expired anonymous slots and the newcomer's own expired lease."""
    assert all(story.admit(lease(name), limit=5) for name in "abc")
    assert all(story.admit(anonymous(f"start:{n}"), limit=5) for n in range(2))
    dead = Freed(expired=(lease("a"), lease("b")), anonymous=AnonymousSlots(2, NOW + 900))
    assert story.admit(lease("a", NOW + 300), limit=2, freed=dead)
    assert story.state.leases == {"a": lease("a", NOW + 300), "c": lease("c")}
    assert (story.state.stream_count, story.state.anonymous.count) == (2, 0)


def test_a_takeover_needs_room_after_reclaiming(story: Story) -> None:
    """One expired lease of four makes no room under a limit of three."""
    assert all(story.admit(lease(name), limit=4) for name in "abcd")
    assert not story.admit(lease("e"), freed=Freed(expired=(lease("a"),)))
    assert story.admit(lease("e"), freed=Freed(expired=(lease("a"),), ended=(Ended("b"),)))


def test_a_takeover_needs_the_anonymous_slots_that_were_seen(story: Story) -> None:
    """A takeover is rejected if the number or the expiry of the anonymous slots has changed."""
    assert story.admit(AnonymousStream("start:1", None, presumed_expired=None))
    unexpiring = story.state.anonymous
    assert story.end_anonymous("end:2")
    assert story.admit(anonymous("start:3"))
    for seen in (unexpiring, AnonymousSlots(1, NOW + 899), AnonymousSlots(2, NOW + 900)):
        assert not story.admit(lease("a"), freed=Freed(anonymous=seen))
    assert story.admit(lease("a"), freed=Freed(anonymous=story.state.anonymous))
    assert (story.state.stream_count, story.state.anonymous.count) == (1, 0)


def test_a_repair_makes_the_count_equal_its_parts(story: Story) -> None:
    """A repair removes expired slots, and is rejected if the state has changed."""
    assert all(story.admit(lease(name)) for name in "ab")
    assert story.admit(anonymous("start:1"))
    over = Freed(expired=(lease("a"),), anonymous=story.state.anonymous)
    early = Repair(story.user_id, story.state, over, RETAIN)
    assert story.admit(lease("c"), limit=4)
    assert not story.write(early)
    repair = Repair(story.user_id, story.state, over, RETAIN)
    assert story.write(repair)
    assert (story.state.stream_count, sorted(story.state.leases)) == (2, ["b", "c"])
    assert not story.write(repair)


def test_a_name_counts_until_its_token_expires(story: Story) -> None:
    """An ended stream's name stays counted: the same name may start again, a new one is rejected."""
    counted = Counted(bound=3)
    assert all(story.admit(lease(name), names=counted) for name in "ab")
    assert story.end("a", spends=True)
    assert story.counted == (["a", "b"], {"a": NOW + 90})
    assert story.admit(lease("c"), names=counted)
    assert not story.admit(lease("d"), limit=9, names=counted)
    assert not story.admit(lease("a", NOW + 89), names=counted), "its last token ends later"
    assert story.admit(lease("a"), names=counted)
    assert story.counted == (["a", "b", "c"], {})
    assert story.read() == story.state


def test_a_replaced_name_stays_counted(story: Story) -> None:
    """A replaced name stays counted, in a start's write and in a renewal's."""
    counted = Counted(bound=3)
    assert all(story.admit(lease(name), names=counted) for name in "ab")
    assert story.admit(lease("c"), freed=Freed(ended=(Ended("a"),)), names=counted)
    assert story.counted == (["a", "b", "c"], {"a": NOW + 90})
    assert story.extend("c", NOW + 100, replaces=Ended("b"), names=recount(story.state, "c", (), NOW))
    assert story.counted == (["a", "b", "c"], {"a": NOW + 90, "b": NOW + 90})
    assert not story.admit(lease("d"), freed=Freed(ended=(Ended("c"),)), names=counted)


def test_uncounted_streams_are_counted_first(story: Story) -> None:
    """A write that relies on counted names is rejected if leases are not counted; a recount is admitted."""
    assert story.admit(lease("a"))
    assert not story.admit(lease("b"), names=Counted(bound=9))
    assert not story.extend("a", NOW + 100, names=Counted(bound=0))
    assert story.extend("a", NOW + 100, names=recount(story.state, "a", (), NOW))
    assert story.counted == (["a"], {})
    assert story.admit(lease("b"), names=Counted(bound=9))


def test_a_recount_needs_the_names_and_spent_tokens_that_were_seen(story: Story) -> None:
    """A recount is rejected if a name was added, or was spent again, since the state was read."""
    assert all(story.admit(lease(name), names=Counted(bound=9)) for name in "ab")
    assert story.end("a", spends=True)
    seen = story.state
    assert story.admit(lease("a", NOW + 200), names=Counted(bound=9))
    assert story.end("a", spends=True)
    forgets = recount(seen, "b", (), latest_expired=NOW + 90)
    assert not story.extend("b", NOW + 100, names=forgets), "the spent token is another one"
    assert story.admit(lease("c"), names=Counted(bound=9))
    assert not story.extend("b", NOW + 100, names=recount(seen, "b", (), NOW)), "there is one name more"
    assert story.extend("b", NOW + 100, names=recount(story.state, "b", (), NOW + 200))
    assert story.counted == (["b", "c"], {})


def test_a_recount_can_remove_the_last_name(story: Story) -> None:
    """The last name leaves with the last lease, and the next newcomer needs no second write."""
    assert story.admit(lease("a"), names=Counted(bound=1))
    over = Freed(expired=(lease("a"),))
    assert story.write(
        Repair(story.user_id, story.state, over, RETAIN, recount(story.state, None, ("a",), NOW))
    )
    assert story.state == story.read() == Snapshot()
    assert story.admit(lease("b"), names=Counted(bound=1))


def test_a_stream_of_another_play_is_unchanged(story: Story) -> None:
    """The late end or heartbeat of a page that was reloaded does not affect the reloaded page's stream."""
    assert story.admit(Lease("a", NOW, NOW + 90, play="load-2"))
    assert not story.end("a", of_play="load-1")
    assert not story.write(Extend(story.user_id, "a", NOW + 100, RETAIN, of_play="load-1"))
    assert story.write(Extend(story.user_id, "a", NOW + 100, RETAIN, of_play="load-2", play="load-3"))
    assert story.state.leases["a"].play == "load-3"
    assert story.end("a", of_play="load-3")


def test_a_group_has_a_limit_of_its_own(story: Story) -> None:
    """A newcomer takes a slot in each of its groups and gives it back; an unlimited group is counted."""
    one_of_uhd = (Bound(3), Bound(1, "uhd"))
    assert story.admit(in_groups("a", "hdr", "uhd"), counts=one_of_uhd)
    assert not story.admit(in_groups("b", "uhd"), counts=one_of_uhd)
    assert story.admit(in_groups("b", "hdr"), counts=one_of_uhd[:1])
    assert story.state.groups == {"hdr": 2, "uhd": 1}
    assert not story.admit(in_groups("c", "away"), counts=(Bound(3), Bound(0, "away"))), "blocked"
    assert story.end("a", groups=("hdr", "uhd"))
    assert story.admit(in_groups("c", "uhd"), counts=one_of_uhd)
    assert story.read() == story.state


def test_a_groups_lowered_limit_never_wraps(story: Story) -> None:
    """Two streams in a group whose limit is now one stay two, and none is admitted until it has room."""
    assert all(story.admit(in_groups(name, "uhd"), counts=(Bound(9), Bound(2, "uhd"))) for name in "ab")
    assert not story.admit(in_groups("c", "uhd"), counts=(Bound(9), Bound(1, "uhd")))
    assert story.end("a", groups=("uhd",))
    assert not story.admit(in_groups("c", "uhd"), counts=(Bound(9), Bound(1, "uhd")))
    assert story.end("b", groups=("uhd",))
    assert story.admit(in_groups("c", "uhd"), counts=(Bound(9), Bound(1, "uhd")))


def test_a_write_with_the_wrong_groups_is_rejected(story: Story) -> None:
    """A write with the wrong groups is rejected with a state that shows them, and counts stay right."""
    both = (in_groups("a", "uhd"), in_groups("b"))
    assert all(story.admit(lease) for lease in both)
    for wrong in ((), ("hdr",), ("hdr", "uhd")):
        assert not story.end("a", groups=wrong)
        assert not story.admit(in_groups("c", *wrong), freed=Freed(ended=(Ended("a", wrong),)))
        assert not story.extend("b", NOW + 100, replaces=Ended("a", wrong))
        assert not story.admit(lease("c"), freed=Freed(expired=(in_groups("a", *wrong),)))
    assert story.state.groups == {"uhd": 1}
    assert story.extend("b", NOW + 100, replaces=Ended("a", ("uhd",)))
    assert not story.state.groups


def test_replacing_within_a_group_needs_no_free_slot(story: Story) -> None:
    """Replacing within a group leaves its count unchanged, and is admitted at its limit but not above."""
    assert all(story.admit(in_groups(name, "uhd")) for name in "ab")
    swap = Freed(ended=(Ended("a", ("uhd",)),))
    assert not story.admit(in_groups("c", "uhd"), freed=swap, counts=(Bound(3), Bound(1, "uhd")))
    assert story.admit(in_groups("c", "uhd"), freed=swap, counts=(Bound(3), Bound(2, "uhd")))
    assert story.state.groups == {"uhd": 2}


def test_recounting_a_group_requires_the_count_that_was_seen(story: Story) -> None:
    """A group's count becomes the written number; at zero the count is removed."""
    assert all(story.admit(in_groups(name, "uhd")) for name in "ab")
    assert not story.admit(lease("c"), counts=(Bound(3), AsSeen(1, 1, "uhd")))
    assert story.admit(lease("c"), counts=(Bound(3), AsSeen(2, 7, "uhd"), AsSeen(0, 0, "hdr")))
    assert story.state.groups == {"uhd": 7}
    recounted = Repair(story.user_id, story.state, Freed(), RETAIN, groups=(AsSeen(7, 0, "uhd"),))
    assert story.write(recounted)
    assert story.state == story.read()
    assert not story.state.groups
    assert not story.write(recounted)


def test_a_groups_wrong_count_is_corrected_by_one_of_two_writes(story: Story) -> None:
    """A second write that saw the same wrong count is rejected, even if the number is still the same."""
    assert story.admit(in_groups("a", "uhd"), counts=(Bound(3), AsSeen(0, 2, "uhd"))), "as old code leaves it"
    recounted = (Bound(3), AsSeen(2, 2, "uhd"), AsSeen(0, 1, RECOUNTS))
    assert story.admit(in_groups("b", "uhd"), counts=recounted)
    assert not story.admit(in_groups("c", "uhd"), counts=recounted)
    assert story.state == story.read()
    assert story.state.groups == {"uhd": 2, RECOUNTS: 1}


def in_groups(stream_id: str, *groups: str) -> Lease:
    """Return a lease in these groups that begins now."""
    return Lease(stream_id, NOW, NOW + 90, groups=groups)


names = st.sampled_from(["a", "b", "c", "x.y:z-_"])
groupings = st.sampled_from([(), (), ("uhd",), ("away", "uhd"), ("away",)])
requests = st.sampled_from([f"start:{n}" for n in range(6)])
expiries = st.integers(NOW - 2, NOW + 2)
plays = st.sampled_from([None, None, "load-1", "load-2"])
prefixes = st.sampled_from([None, "/film/"])
displacements = st.sampled_from([(), (), DISPLACED[:1], DISPLACED])
leases = st.builds(
    Lease,
    names,
    st.just(NOW),
    expiries,
    st.sampled_from([None, "tv"]),
    plays,
    prefixes,
    groupings,
    displacements,
)
newcomers = st.one_of(
    leases, st.builds(AnonymousStream, requests, st.none() | expiries, st.none() | st.just(NOW))
)


@st.composite
def counting(
    draw: st.DrawFn, state: Snapshot, own: str | None, freed: Freed, bounds: st.SearchStrategy[int]
) -> Names | None:
    """Draw a way of counting names: none, unchanged, or a recount from this state or from an older one."""
    reclaimed = [lease.stream_id for lease in freed.expired]
    recounted = recount(state, own, reclaimed, draw(expiries))
    stale = Recounted(draw(st.sampled_from([None, frozenset({"a"})])), recounted.names, recounted.forgotten)
    return draw(st.one_of(st.none(), st.builds(Counted, bounds), st.just(recounted), st.just(stale)))


def stated_groups(state: Snapshot, name: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Draw the groups that a stream is in, or others."""
    if name not in state.leases:
        return groupings
    return st.one_of(st.just(state.leases[name].groups), st.just(state.leases[name].groups), groupings)


@st.composite
def seen_counts(draw: st.DrawFn, state: Snapshot) -> tuple[AsSeen, ...]:
    """Draw the count of all streams and those of some groups, mostly as they are, with any new value."""

    def seen(group: str | None) -> AsSeen:
        return AsSeen(
            state.count(group) + draw(st.sampled_from([0, 0, 0, 1])), draw(st.integers(0, 3)), group
        )

    return tuple(seen(group) for group in (None, *draw(groupings)))


@st.composite
def writes(draw: st.DrawFn, user_id: str, state: Snapshot) -> Write:
    """Draw any write, mostly about streams that exist."""
    there = sorted(state.leases)
    dead = draw(st.lists(st.sampled_from(there), unique=True) if there else st.just([]))
    ended = draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=1))
    slots = state.anonymous if state.anonymous.count and draw(st.booleans()) else AnonymousSlots()
    expired = tuple(
        Lease(
            name,
            NOW,
            state.leases[name].expires_at + draw(st.sampled_from([0, 0, 0, 1])),
            groups=draw(stated_groups(state, name)),
        )
        for name in dead
    )
    freed = Freed(
        expired,
        tuple(Ended(name, draw(stated_groups(state, name))) for name in ended if name not in dead),
        slots,
    )
    newcomer = draw(newcomers)
    own = newcomer.stream_id if isinstance(newcomer, Lease) else None
    if own in freed.ended_names:
        freed = Freed(expired, (), slots)  # a stream does not replace itself
    retain = draw(st.sampled_from([RETAIN, None]))
    limit = draw(st.integers(0, 4))
    bounds = (Bound(limit), *(Bound(draw(st.integers(0, 2)), group) for group in draw(groupings)))
    as_seen = draw(seen_counts(state))
    replaces = draw(st.none() | names)
    extended = draw(names)
    ends = draw(names)
    count_newcomer = counting(state, own, freed, st.integers(1, 4))
    options: list[Write] = [
        Admit(
            user_id, newcomer, bounds, retain, names=draw(counting(state, own, Freed(), st.integers(1, 4)))
        ),
        Admit(user_id, newcomer, bounds, retain, freed, names=draw(count_newcomer)),
        Admit(user_id, newcomer, as_seen, retain, freed, names=draw(count_newcomer)),
        Extend(
            user_id,
            extended,
            draw(expiries),
            retain,
            None if replaces in {None, extended} else Ended(replaces, draw(stated_groups(state, replaces))),
            of_play=draw(plays),
            play=draw(plays),
            path_prefix=draw(prefixes),
            displaced=draw(displacements),
            names=draw(counting(state, extended, Freed(), st.just(0))),
        ),
        Release(user_id, ends, retain, draw(plays), draw(st.booleans()), draw(stated_groups(state, ends))),
        ReleaseAnonymous(user_id, draw(requests), retain),
        Repair(user_id, state, freed, retain, recount(state, None, dead, draw(expiries))),
        Repair(user_id, state, Freed(expired, (), slots), retain, groups=as_seen[1:]),
    ]
    return draw(st.sampled_from(options))


@given(data=st.data())
@settings(max_examples=examples(0.4), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_write_matches_the_domains_model(
    data: st.DataObject, repository: StreamRepository, deadline: Deadline
) -> None:
    """Along any sequence of writes the store answers exactly as `permits` and `after` do."""
    user_id = uuid.uuid4().hex
    state = Snapshot()
    for _ in range(data.draw(st.integers(1, 15), label="writes")):
        write = data.draw(writes(user_id, state))
        expected: Landed | Rejected = Rejected(state)
        if permits(state, write):
            state = after(state, write)
            expected = Landed(state)
        assert repository.apply(write, deadline) == expected
    assert repository.read(user_id, deadline) == state
