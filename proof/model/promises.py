"""What must hold, in every state and of every answer."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from domain.decisions import Postpone, Try, decide_start, first_start
from domain.policy import Enforcement, OnLimit, Policy
from domain.requests import EndNamed, Heartbeat, StartAnonymous, StartNamed
from domain.streams import CEILING, Lease, Snapshot
from domain.writes import Admit, AnonymousStream, permits
from proof.frozen import FrozenState
from proof.model.states import USER, Host, Player, Scenario, World


class Violation(Exception):
    """A promise is broken. Its text says which."""


def bound(scenario: Scenario, newcomer: Lease | AnonymousStream) -> tuple[int, int]:
    """How many slots there may be once this newcomer has one, and how many before anybody is evicted."""
    limits = [request.limit for request in _starts(scenario, newcomer)]
    return CEILING if _in_shadow(scenario) else max(limits), min(limits)


def _in_shadow(scenario: Scenario) -> bool:
    return any(policy.enforcement is Enforcement.SHADOW for policy in scenario.policies)


def _starts(scenario: Scenario, newcomer: Lease | AnonymousStream) -> Iterator[StartNamed | StartAnonymous]:
    """The requests that this newcomer can have come by."""
    for request in chain.from_iterable(scenario.scripts):
        if isinstance(newcomer, Lease):
            if isinstance(request, StartNamed) and request.stream_id == newcomer.stream_id:
                yield request
        elif isinstance(request, StartAnonymous) and request.mark == newcomer.mark:
            yield request


def _replaced(scenario: Scenario, newcomer: Lease | AnonymousStream) -> set[str | None]:
    return {start.replaces for start in _starts(scenario, newcomer) if isinstance(start, StartNamed)}


def must_fit(scenario: Scenario, write: Admit, result: Snapshot) -> None:
    """A newcomer gets a slot within its limit, and nobody is evicted for it while one is free."""
    most, least = bound(scenario, write.newcomer)
    if result.stream_count > most:
        raise Violation(f"{result.stream_count} slots under a limit of {most}")
    evicted = set(write.freed.ended_names) - _replaced(scenario, write.newcomer)
    if evicted and result.stream_count < least:
        raise Violation(f"{evicted} evicted with {result.stream_count} of {least} slots taken after it")


def must_be_gone(scenario: Scenario, world: World, player: Player, request: Heartbeat) -> None:
    """A 410 goes to a player whose lease had run out, or whose stream somebody ended or evicted."""
    told = player.told
    if told is not None and told.expires_at > world.now and not _may_vanish(scenario, told):
        raise Violation(f"{request.stream_id} is told to be gone within its lease")


def must_be_full(world: World, request: StartNamed | StartAnonymous, host: Host) -> None:
    """A refusal is true by the clock of the host that gives it."""
    policy = host.policy
    bound = CEILING if policy.enforcement is Enforcement.SHADOW else request.limit
    live = policy.live(world.store.snapshot, world.now + host.skew)
    replaced = isinstance(request, StartNamed) and any(
        lease.stream_id == request.replaces for lease in live.leases
    )
    if live.count - replaced < bound:
        raise Violation(f"refused with {live.count} of {bound} slots taken")
    if policy.on_limit is OnLimit.EVICT_OLDEST and bound > live.anonymous_count:
        raise Violation("refused although the oldest could have been evicted")


def must_be_counted(store: FrozenState, lease: Lease) -> None:
    """A player is given a token only under a name that counts towards the bound."""
    if lease.stream_id not in (store.tokens or ()):
        raise Violation(f"{lease.stream_id} is given a token, and not among the names {store.tokens}")


def must_have_too_many_names(world: World, request: StartNamed, host: Host, until: int) -> None:
    """A start is put off truly by the clock of its host, and no longer than those names have tokens."""
    state, policy, now = world.store.snapshot, host.policy, world.now + host.skew
    if policy.enforcement is Enforcement.SHADOW:
        raise Violation("put off although the limit is not enforced")
    live = policy.live(state, now)
    over_since = policy.over_since(now)
    names = {lease.stream_id for lease in live.leases}
    names |= {
        name for name, expiry in state.spent.items() if expiry > over_since and name not in state.leases
    }
    evicts = policy.on_limit is OnLimit.EVICT_OLDEST
    most = max(request.limit, live.count) if evicts else request.limit
    if len(names | {request.stream_id}) <= most + (policy.token_overlap or 0):
        raise Violation(f"put off with {len(names)} names")
    held = {
        name: replace(lease, expires_at=until + 1) if lease in live.leases else lease
        for name, lease in state.leases.items()
    }
    if not isinstance(decide_start(replace(state, leases=held), request, policy, until - 1), Postpone):
        raise Violation(f"put off until {until}, and would get in a second before")
    if not isinstance(decide_start(state, request, policy, until), Try):
        raise Violation(f"put off until {until}, and again then")


def _may_vanish(scenario: Scenario, lease: Lease) -> bool:
    """Return whether anything but its expiry may end a stream in this scenario."""
    return any(policy.on_limit is OnLimit.EVICT_OLDEST for policy in scenario.policies) or any(
        (isinstance(request, EndNamed) and request.stream_id == lease.stream_id and lease.is_of(request.play))
        or (isinstance(request, StartNamed) and request.replaces == lease.stream_id)
        for request in chain.from_iterable(scenario.scripts)
    )


def check(scenario: Scenario, world: World, free: set[FrozenState]) -> None:
    """The promises that hold in every state."""
    store = world.store
    if store.stream_count != store.anonymous.count + len(store.leases):
        raise Violation(f"the count {store.stream_count} is not the sum of its parts")
    if not 0 <= store.stream_count <= CEILING:
        raise Violation(f"{store.stream_count} slots")
    there = {lease.stream_id for lease in store.leases}
    for player in world.players:
        told = player.told
        if told is None or told.expires_at <= world.now or told.stream_id in there:
            continue
        if not _may_vanish(scenario, told):
            raise Violation(f"{told.stream_id} lost its slot within its lease")
    if scenario.policy.token_overlap is not None:
        _tokens_are_bounded(scenario, world)
    if store not in free:
        free.add(store)
        for policy in scenario.policies:
            _slots_come_back(policy, store)


def _tokens_are_bounded(scenario: Scenario, world: World) -> None:
    """No more names than the highest limit and the overlap have an unexpired token."""
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


def _slots_come_back(policy: Policy, store: FrozenState) -> None:
    """When everybody is gone for a lease and the grace, a newcomer is admitted by its second write."""
    newcomer = StartNamed(USER, "newcomer", 1)
    expiries = [lease.expires_at for lease in store.leases] + [token.expires_at for token in store.spent]
    if store.anonymous.count:
        if not policy.anonymous_seconds:
            return  # these never expire: so it was asked for
        expiries.append(store.anonymous.expires_at or 0)
    later = max(expiries, default=0) + policy.grace_seconds
    state = store.snapshot
    first = first_start(newcomer, policy, later)
    if permits(state, first.write):
        return
    second = decide_start(state, newcomer, policy, later)
    if not isinstance(second, Try) or not permits(state, second.write):
        raise Violation("a slot is not free after its lease and the grace")
