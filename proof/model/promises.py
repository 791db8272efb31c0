"""What must hold, in every state and of every answer."""

from collections.abc import Iterator
from itertools import chain

from domain.decisions import Try, decide_start, first_start
from domain.policy import Enforcement, OnLimit, Policy
from domain.requests import EndNamed, Heartbeat, StartAnonymous, StartNamed
from domain.streams import CEILING, Lease, Snapshot
from domain.writes import Admit, AnonymousStream, permits
from proof.frozen import FrozenState
from proof.model.states import USER, Flight, Player, Scenario, World


class Violation(Exception):
    """A promise is broken. Its text says which."""


def bound(scenario: Scenario, newcomer: Lease | AnonymousStream) -> tuple[int, int]:
    """How many slots there may be once this newcomer has one, and how many before anybody is evicted."""
    limits = [request.limit for request in _starts(scenario, newcomer)]
    shadow = scenario.policy.enforcement is Enforcement.SHADOW
    return CEILING if shadow else max(limits), min(limits)


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
    evicted = set(write.freed.ended) - _replaced(scenario, write.newcomer)
    if evicted and result.stream_count < least:
        raise Violation(f"{evicted} evicted with {result.stream_count} of {least} slots taken after it")


def must_be_gone(scenario: Scenario, world: World, player: Player, request: Heartbeat) -> None:
    """A 410 goes to a player whose lease had run out, or whose stream somebody ended or evicted."""
    told = player.told
    if told is not None and told.expires_at > world.now and not _may_vanish(scenario, request.stream_id):
        raise Violation(f"{request.stream_id} is told to be gone within its lease")


def must_be_full(
    scenario: Scenario, world: World, request: StartNamed | StartAnonymous, flight: Flight
) -> None:
    """A refusal is true by the clock of the host that gives it."""
    policy = scenario.policy
    bound = CEILING if policy.enforcement is Enforcement.SHADOW else request.limit
    live = policy.live(world.store.snapshot, world.now + flight.skew)
    replaced = isinstance(request, StartNamed) and any(
        lease.stream_id == request.replaces for lease in live.leases
    )
    if live.count - replaced < bound:
        raise Violation(f"refused with {live.count} of {bound} slots taken")
    if policy.on_limit is OnLimit.EVICT_OLDEST and bound > live.anonymous_count:
        raise Violation("refused although the oldest could have been evicted")


def _may_vanish(scenario: Scenario, stream_id: str) -> bool:
    """Whether anything but its expiry may end a stream in this scenario."""
    requests = chain.from_iterable(scenario.scripts)
    return scenario.policy.on_limit is OnLimit.EVICT_OLDEST or any(
        (isinstance(request, EndNamed) and request.stream_id == stream_id)
        or (isinstance(request, StartNamed) and request.replaces == stream_id)
        for request in requests
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
        if not _may_vanish(scenario, told.stream_id):
            raise Violation(f"{told.stream_id} lost its slot within its lease")
    if store not in free:
        free.add(store)
        _slots_come_back(scenario.policy, store)


def _slots_come_back(policy: Policy, store: FrozenState) -> None:
    """When everybody is gone for a lease and the grace, a newcomer is admitted by its second write."""
    newcomer = StartNamed(USER, "newcomer", 1)
    expiries = [lease.expires_at for lease in store.leases]
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
