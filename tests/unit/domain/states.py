"""States, requests and policies for decisions: chosen by hand, and drawn at random."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from domain.attempt import Attempt
from domain.bounds import AsSeen, Bound
from domain.decisions import Decision, Try, decide_start
from domain.gone import mark
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.requests import StartAnonymous, StartNamed, StartRequest
from domain.streams import CEILING, NO_SLOTS, AnonymousSlots, Displaced, GoneReason, Lease, Snapshot
from domain.writes import Admit, Freed
from testing.room import Room
from tests.support.properties import examples

NOW: Final = 1_800_000_000
USER: Final = "user-1"
POLICY: Final = Policy()
RETAIN: Final = NOW + 43_200 + 86_400

NEW: Final = Lease("new", NOW, NOW + 90)
"""The lease that a start of the stream `new` asks for."""


def lease(stream_id: str, *, left: int = 90, age: int = 0, device: str | None = None) -> Lease:
    """Return a lease that began `age` seconds ago and has `left` seconds left."""
    return Lease(stream_id, NOW - age, NOW + left, device)


def dead(stream_id: str, *, age: int = 92) -> Lease:
    """Return a lease whose grace of two seconds ends in this second."""
    return lease(stream_id, left=-2, age=age)


def state(
    *leases: Lease, anonymous: int = 0, anonymous_left: int | None = 900, marks: tuple[str, ...] = ()
) -> Snapshot:
    """Return a state of these leases and this number of anonymous slots, which keeps the invariant."""
    slots = NO_SLOTS
    if anonymous:
        slots = AnonymousSlots(anonymous, None if anonymous_left is None else NOW + anonymous_left)
    return Snapshot(len(leases) + anonymous, slots, by_name(leases), marks)


def by_name(leases: tuple[Lease, ...]) -> Mapping[str, Lease]:
    """Return these leases by name."""
    return MappingProxyType({lease.stream_id: lease for lease in leases})


def named(limit: int = 3, replaces: str | None = None) -> StartNamed:
    """Return a start of the stream `new`."""
    return StartNamed(USER, "new", limit, replaces=replaces)


def anonymous(limit: int = 3, key: str = "1") -> StartAnonymous:
    """Return an anonymous start."""
    return StartAnonymous(USER, key, limit)


def admit_new(
    outcome: Outcome,
    freed: Freed = Freed(),  # noqa: B008 - frozen
    limit: int = 3,
    *,
    as_seen: bool = False,
    full: Bound | None = None,
) -> Try:
    """Return the decision to admit `new`; `seen` is the count that an eviction requires unchanged."""
    count = AsSeen(limit - 1 + freed.slots, limit) if as_seen else Bound(limit)
    newcomer = replace(NEW, displaced=displaced_by_new(freed))
    return Try(Admit(USER, newcomer, (count,), RETAIN, freed), outcome, full)


def displaced_by_new(freed: Freed) -> tuple[Displaced, ...]:
    """Return what the stream `new` remembers: the stream `old` as replaced, any other as evicted."""
    reasons = {
        **{name: GoneReason.REPLACED if name == "old" else GoneReason.EVICTED for name in freed.ended_names},
        **{lease.stream_id: GoneReason.EXPIRED for lease in freed.expired if lease.stream_id != "new"},
    }
    return tuple(Displaced(reason, mark(name)) for name, reason in reasons.items())[:2]


def parts(state: Snapshot) -> int:
    """Return the number that the count must equal."""
    return state.anonymous.count + len(state.leases)


@dataclass(frozen=True, slots=True)
class Case:
    """All inputs of a decision."""

    state: Snapshot
    request: StartRequest
    policy: Policy
    now: float

    def decide(self) -> Decision:
        """Return the decision."""
        return decide_start(Attempt(self.state, self.request, self.policy, self.now))

    @property
    def is_repeat(self) -> bool:
        """True if the state shows that the request already has its slot."""
        if isinstance(self.request, StartAnonymous):
            return self.request.mark in self.state.marks
        live = self.policy.live(self.state, self.now).leases
        named = {lease.stream_id: lease for lease in live}.get(self.request.stream_id)
        return named is not None and named.groups == self.request.groups

    @property
    def room(self) -> Room:
        """The limits that apply to the newcomer, and the live streams that it shares them with."""
        return Room.of(self.state, self.request, self.policy, self.now)


thoroughly: Final = settings(max_examples=examples(3), suppress_health_check=[HealthCheck.filter_too_much])
"""Settings for the search of decision properties: each case is cheap, and the state space is wide.

Where a property is about admissions, most discarded cases are refusals.
"""

NAMES: Final = "abcdefghijklmnopqrstuvw"
"""Names for more streams than there may be."""

GROUPS: Final = ("away", "hdr", "uhd")
groupings: Final = st.sampled_from([(), (), ("uhd",), ("away", "uhd"), ("hdr",), GROUPS])
"""Draw the groups that a stream is in."""

clocks: Final = st.integers(-16, 16).map(lambda eighths: NOW + eighths / 8)
limits: Final = st.integers(0, 4) | st.integers(0, CEILING)
expiries: Final = st.integers(NOW - 6, NOW + 6)


@st.composite
def policies(draw: st.DrawFn, *, tokens: bool = False) -> Policy:
    """Draw any policy, with periods so short that every boundary is near; with tokens where required."""
    lease_seconds = draw(st.integers(1, 5))
    return Policy(
        lease_seconds=lease_seconds,
        heartbeat_seconds=lease_seconds * draw(st.sampled_from([0.25, 0.5, 0.9])),
        grace_seconds=draw(st.integers(0, 3)),
        anonymous_seconds=draw(st.integers(0, 5)),
        on_limit=draw(st.sampled_from(OnLimit)),
        enforcement=draw(st.sampled_from(Enforcement)),
        token_overlap=draw(st.integers(1, 3) if tokens else st.none() | st.integers(1, 3)),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Draw any state with a right count of at most the slots a user may have, and any counted names."""
    ages_and_expiries = st.tuples(st.integers(NOW - 9, NOW - 6), expiries)
    times = draw(st.lists(ages_and_expiries, max_size=draw(st.sampled_from([4, CEILING]))))
    leases = tuple(
        Lease(name, *pair, groups=draw(groupings)) for name, pair in zip(NAMES, times, strict=False)
    )
    anonymous = draw(st.integers(0, min(draw(st.sampled_from([3, CEILING])), CEILING - len(leases))))
    marks = draw(st.permutations(["start:1", "start:2", "end:1", "end:2"]))[: draw(st.integers(0, 4))]
    slots = AnonymousSlots(anonymous, draw(st.none() | expiries))
    spent = draw(st.dictionaries(st.sampled_from("xyz" + NAMES[:2]), expiries, max_size=4))
    counted = frozenset({*(lease.stream_id for lease in leases), *spent})
    # None: no key was configured so far. Others: old code, which counts no names, wrote beside new code.
    tokens = draw(st.sampled_from([counted or None, counted or None, None, frozenset({"a", "z"})]))
    return Snapshot(
        len(leases) + anonymous, slots, by_name(leases), tuple(marks), tokens, spent, draw(counts(leases))
    )


@st.composite
def counts(draw: st.DrawFn, leases: tuple[Lease, ...]) -> dict[str, int]:
    """Return the counts of the groups, which old code may have left too high."""
    too_many = draw(st.sampled_from([0, 0, 0, 1, 2]))
    numbers = {group: sum(group in lease.groups for lease in leases) + too_many for group in GROUPS}
    return {group: number for group, number in numbers.items() if number}


@st.composite
def cases(draw: st.DrawFn, *, tokens: bool = False) -> Case:
    """Draw any state, with a request mostly about streams that exist. The group `hdr` has no limit."""
    state = draw(snapshots())
    names = [*state.leases, "x", "y"]
    name = draw(st.sampled_from(names))
    names.remove(name)
    groups = draw(st.sampled_from([state.leases[name].groups] if name in state.leases else [()]) | groupings)
    bounds = tuple(Bound(draw(st.integers(0, 3)), group) for group in groups if group != "hdr")
    named = st.builds(
        StartNamed,
        st.just(USER),
        st.just(name),
        limits,
        st.sampled_from([None, "tv"]),
        st.none() | st.sampled_from(names),
        groups=st.just(groups),
        group_bounds=st.just(bounds),
    )
    anonymous = st.builds(StartAnonymous, st.just(USER), st.sampled_from(["1", "3"]), limits)
    return Case(state, draw(named | anonymous), draw(policies(tokens=tokens)), draw(clocks))


@st.composite
def crowding(draw: st.DrawFn) -> Case:
    """Draw a start in groups that live streams fill or nearly fill, while the user's own limit has room."""
    names = NAMES[: draw(st.integers(1, 5))]
    leases = tuple(Lease(name, NOW - 9, NOW + 9, groups=draw(groupings)) for name in names)
    groups = draw(groupings.filter(bool))
    bounds = tuple(Bound(draw(st.integers(1, 2)), group) for group in groups if group != "hdr")
    request = StartNamed(
        USER,
        "new",
        draw(st.integers(4, 6)),
        replaces=draw(st.none() | st.just("a")),
        groups=groups,
        group_bounds=bounds,
    )
    state = Snapshot(len(leases), leases=by_name(leases), groups=draw(counts(leases)))
    return Case(state, request, draw(policies()), NOW)


@st.composite
def circling(draw: st.DrawFn) -> Case:
    """Draw a start with room, of a player that started and ended so often that it must wait."""
    overlap, limit = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    evicts = draw(st.booleans())
    held = draw(st.integers(0, limit if evicts else limit - 1))
    ends = draw(st.lists(st.integers(NOW + 1, NOW + 6), min_size=limit + overlap - held, max_size=8))
    leases = tuple(Lease(name, NOW - 6, NOW + 9) for name in NAMES[:held])
    spent = dict(zip(NAMES[held:], ends, strict=False))
    policy = Policy(
        lease_seconds=9,
        heartbeat_seconds=3,
        grace_seconds=draw(st.integers(0, 3)),
        on_limit=OnLimit.EVICT_OLDEST if evicts else OnLimit.REJECT,
        token_overlap=overlap,
    )
    counted = frozenset({*NAMES[:held], *spent})
    state = Snapshot(held, leases=by_name(leases), tokens=counted, spent=spent)
    return Case(state, StartNamed(USER, "new", limit), policy, NOW + draw(st.integers(0, 7)) / 8)
