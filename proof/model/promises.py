"""The promises that must hold in every state and for every answer."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from domain.attempt import Attempt
from domain.bounds import AsSeen, Bound
from domain.decisions import Decision, Gone, Postpone, Refuse, Try, decide_start, first_start
from domain.group_counts import RECOUNTS
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.requests import EndNamed, Heartbeat, StartAnonymous, StartNamed
from domain.streams import CEILING, GoneReason, Lease, Snapshot
from domain.transitions import after, permits
from domain.writes import Admit, AnonymousStream, Write, group_names
from proof.harness.frozen import FrozenState
from proof.model.states import USER, Host, Player, Scenario, World
from testing.room import Room, bounds_of


class Violation(Exception):
    """A promise is broken. The message names it."""


def _limits(scenario: Scenario, newcomer: Lease | AnonymousStream) -> dict[str | None, list[int]]:
    """Return the limits that may have applied to this newcomer, by group."""
    limits: dict[str | None, list[int]] = {}
    for bound in chain.from_iterable(bounds_of(start) for start in _starts(scenario, newcomer)):
        if bound.group is None or (isinstance(newcomer, Lease) and bound.group in newcomer.groups):
            limits.setdefault(bound.group, []).append(bound.limit)
    return limits


def _taken(state: Snapshot, group: str | None) -> int:
    return state.stream_count if group is None else state.leases_in(group)


def _in_shadow(scenario: Scenario) -> bool:
    return any(policy.enforcement is Enforcement.SHADOW for policy in scenario.policies)


def _starts(scenario: Scenario, newcomer: Lease | AnonymousStream) -> Iterator[StartNamed | StartAnonymous]:
    """Yield the requests that this newcomer can have come from."""
    for request in chain.from_iterable(scenario.scripts):
        if isinstance(newcomer, Lease):
            if isinstance(request, StartNamed) and request.stream_id == newcomer.stream_id:
                yield request
        elif isinstance(request, StartAnonymous) and request.mark == newcomer.mark:
            yield request


def _replaced(scenario: Scenario, newcomer: Lease | AnonymousStream) -> set[str | None]:
    return {start.replaces for start in _starts(scenario, newcomer) if isinstance(start, StartNamed)}


def must_fit(scenario: Scenario, write: Admit, result: Snapshot) -> None:
    """Check that a newcomer is within its limits, and that each evicted stream had a slot of a full limit.

    In shadow only the ceiling holds. Old code may end a stream of a group just before an eviction.
    """
    limits = _limits(scenario, write.newcomer)
    if _in_shadow(scenario):
        limits = {None: [CEILING]}
    for group, most in limits.items():
        if _taken(result, group) > max(most):
            raise Violation(f"{_taken(result, group)} slots of {group or 'all'} under a limit of {max(most)}")
    for stream in write.freed.ended:
        if stream.stream_id in _replaced(scenario, write.newcomer) or scenario.old_code:
            continue
        counted = [group for group in limits if group in {None, *stream.groups}]
        if all(_taken(result, group) < min(limits[group]) for group in counted):
            raise Violation(f"{stream} evicted with {result.stream_count} slots taken after it")


def must_be_gone(scenario: Scenario, world: World, player: Player, request: Heartbeat, gone: Gone) -> None:
    """Check that a 410 goes to a player whose lease had expired, or whose stream was ended or evicted.

    A reason in it must be possible in this scenario.
    """
    slot = player.slot
    possible = {
        None: True,
        GoneReason.REPLACED: any(
            isinstance(start, StartNamed) and start.replaces == request.stream_id
            for start in chain.from_iterable(scenario.scripts)
        ),
        GoneReason.EVICTED: any(policy.on_limit is OnLimit.EVICT_OLDEST for policy in scenario.policies),
        GoneReason.EXPIRED: slot is None or slot.expires_at <= world.now,
        GoneReason.ENDED: scenario.policy.token_overlap is not None,
    }
    if not possible[gone.reason]:
        raise Violation(f"{request.stream_id} was answered that it was {gone.reason}")
    if slot is not None and slot.expires_at > world.now and not _may_vanish(scenario, slot):
        raise Violation(f"{request.stream_id} got a 410 within its lease")


def must_be_right(
    state: Snapshot, request: StartNamed | StartAnonymous, host: Host, now: float, decision: Decision | Gone
) -> None:
    """Check that a decision is true by the clock of the host that makes it."""
    policy = host.policy
    room = Room.of(state, request, policy, now)
    match decision:
        case Refuse(full=full):
            _must_be_full(room, policy, full)
        case Try(outcome=Outcome.EVICTED, write=Admit(freed=freed)):
            replaced = request.replaces if isinstance(request, StartNamed) else None
            evicted = tuple(name for name in freed.ended_names if name != replaced)
            if evicted != room.fewest():
                raise Violation(f"{evicted} are to be evicted, but {room.fewest()} would suffice")
        case Try(outcome=Outcome.WOULD_REFUSE, full=full):
            if full not in room.full() and policy.token_overlap is None:
                raise Violation(f"{full} is named as the reason, but it is {room.full()}")
    if isinstance(decision, Try) and host.knows_groups:
        _must_count_right(state, decision.write)


def _must_be_full(room: Room, policy: Policy, full: Bound | None) -> None:
    """Check that a limit is full, that it is the named one, and that no eviction would make room."""
    evicts = policy.on_limit is OnLimit.EVICT_OLDEST and policy.enforcement is Enforcement.ENFORCE
    if policy.enforcement is Enforcement.SHADOW and len(room.others) + room.anonymous < CEILING:
        raise Violation("refused in shadow")
    if not room.full():
        raise Violation(f"refused with room under {room.bounds}")
    if evicts and room.fewest() is not None:
        raise Violation(f"refused although {room.fewest()} could have been evicted")
    if full not in room.full(room.others if evicts else ()):
        raise Violation(f"{full} is named as full, but is not")


def _must_count_right(state: Snapshot, write: Write) -> None:
    """Check that a write which recounts a group counts right, if nothing comes in between."""
    counts = write.counts if isinstance(write, Admit) else ()
    result = after(state, write)
    for count in counts:
        if (
            isinstance(count, AsSeen)
            and count.group
            and result.count(count.group) != _taken(result, count.group)
        ):
            raise Violation(f"{count} is not the number of streams in the group")


def must_be_in(lease: Lease, request: StartNamed) -> None:
    """Check that a stream that starts is in the groups of its request."""
    if lease.groups != request.groups:
        raise Violation(f"{request} was granted, and the stream is in {lease.groups}")


def must_be_counted(store: FrozenState, lease: Lease) -> None:
    """Check that a player gets a token only under a name that counts towards the bound."""
    if lease.stream_id not in (store.tokens or ()):
        raise Violation(f"{lease.stream_id} got a token, but is not among the names {store.tokens}")


def must_have_too_many_names(world: World, request: StartNamed, host: Host, until: int) -> None:
    """Check that a start is postponed rightly by its host's clock, and only while those names have tokens."""
    state, policy, now = world.store.snapshot, host.policy, world.now + host.skew
    if policy.enforcement is Enforcement.SHADOW:
        raise Violation("postponed although the limit is not enforced")
    live = policy.live(state, now)
    latest_expired = policy.latest_expired(now)
    names = {lease.stream_id for lease in live.leases}
    names |= {
        name for name, expiry in state.spent.items() if expiry > latest_expired and name not in state.leases
    }
    evicts = policy.on_limit is OnLimit.EVICT_OLDEST
    most = max(request.limit, live.count) if evicts else request.limit
    if len(names | {request.stream_id}) <= most + (policy.token_overlap or 0):
        raise Violation(f"postponed with {len(names)} names")
    held = {
        name: replace(lease, expires_at=until + 1) if lease in live.leases else lease
        for name, lease in state.leases.items()
    }
    if not isinstance(
        decide_start(Attempt(replace(state, leases=held), request, policy, until - 1)), Postpone
    ):
        raise Violation(f"postponed until {until}, and would get in a second before")
    if not isinstance(decide_start(Attempt(state, request, policy, until)), Try):
        raise Violation(f"postponed until {until}, and again then")


def _may_vanish(scenario: Scenario, lease: Lease) -> bool:
    """Return whether anything other than expiry may end a stream in this scenario."""
    return any(policy.on_limit is OnLimit.EVICT_OLDEST for policy in scenario.policies) or any(
        (
            isinstance(request, EndNamed)
            and request.stream_id == lease.stream_id
            and lease.belongs_to(request.play)
        )
        or (isinstance(request, StartNamed) and request.replaces == lease.stream_id)
        for request in chain.from_iterable(scenario.scripts)
    )


def check(scenario: Scenario, world: World, free: set[FrozenState]) -> None:
    """Check the promises that hold in every state."""
    store = world.store
    if store.stream_count != store.anonymous.count + len(store.leases):
        raise Violation(f"the count {store.stream_count} is not the sum of its parts")
    if not 0 <= store.stream_count <= CEILING:
        raise Violation(f"{store.stream_count} slots")
    there = {lease.stream_id for lease in store.leases}
    for player in world.players:
        slot = player.slot
        if slot is None or slot.expires_at <= world.now or slot.stream_id in there:
            continue
        if not _may_vanish(scenario, slot):
            raise Violation(f"{slot.stream_id} lost its slot within its lease")
    if scenario.policy.token_overlap is not None:
        _tokens_are_bounded(scenario, world)
    if store not in free:
        free.add(store)
        _groups_are_counted(scenario, store.snapshot)
        for policy in scenario.policies:
            _slots_are_freed(policy, store)


def _groups_are_counted(scenario: Scenario, state: Snapshot) -> None:
    """Check that a group's count is its number of leases; old code leaves it too high, never too low."""
    for group in {*state.groups, *group_names(state.leases.values())} - {RECOUNTS}:
        count, leases = state.count(group), state.leases_in(group)
        if count < leases or (count > leases and not scenario.old_code):
            raise Violation(f"{count} streams are counted in {group}, and there are {leases}")


def _tokens_are_bounded(scenario: Scenario, world: World) -> None:
    """Check that no more names than the highest limit and the overlap have an unexpired token."""
    if not _in_shadow(scenario):
        uncounted = {name for name, _ in world.uncounted}
        names = {token.stream_id for token in world.tokens} - uncounted
        starts = [start for start in chain.from_iterable(scenario.scripts) if isinstance(start, StartNamed)]
        most = max(start.limit for start in starts) + (scenario.policy.token_overlap or 0)
        if len(names) > most:
            raise Violation(f"{sorted(names)} have tokens, and {most} may")
    store = world.store
    if scenario.beside is None:
        parts = {lease.stream_id for lease in store.leases} | {token.stream_id for token in store.spent}
        if parts != (store.tokens or frozenset()):
            raise Violation(f"the names {store.tokens} are not those of the parts {parts}")


def _slots_are_freed(policy: Policy, store: FrozenState) -> None:
    """Check that a lease and the grace after all players left, a newcomer's second write admits it.

    It is in the counted groups, each with a limit of one.
    """
    groups = tuple(group for group, _ in store.groups if group != RECOUNTS)
    newcomer = StartNamed(
        USER, "newcomer", 1, groups=groups, group_bounds=tuple(Bound(1, group) for group in groups)
    )
    expiries = [lease.expires_at for lease in store.leases] + [token.expires_at for token in store.spent]
    if store.anonymous.count:
        if not policy.anonymous_seconds:
            return  # these never expire, as configured
        expiries.append(store.anonymous.expires_at or 0)
    later = max(expiries, default=0) + policy.grace_seconds
    state = store.snapshot
    first = first_start(newcomer, policy, later)
    if permits(state, first.write):
        return
    second = decide_start(Attempt(state, newcomer, policy, later))
    if not isinstance(second, Try) or not permits(state, second.write):
        raise Violation("a slot is not free after its lease and the grace")
