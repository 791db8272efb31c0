"""What can happen next: players send, hosts decide and write, the network loses and repeats, time passes."""

from collections.abc import Iterator
from dataclasses import replace

from domain.decisions import Refuse, Settled, Try, decide_start, first_heartbeat, first_start
from domain.policy import Policy
from domain.requests import EndAnonymous, EndNamed, Heartbeat, StartAnonymous, StartNamed
from domain.streams import Lease, Snapshot
from domain.writes import Admit, Release, ReleaseAnonymous, Write, after, permits
from proof.frozen import FrozenState
from proof.model.promises import Violation, must_be_full, must_be_gone, must_fit
from proof.model.states import DEADLINE_TICKS, USER, Flight, Player, Scenario, World
from proof.requests import Request


def steps(scenario: Scenario, world: World) -> Iterator[tuple[str, World]]:
    """Everything that can happen next."""
    if world.now < scenario.horizon and all(_may_wait(player, world.now) for player in world.players):
        yield f"the clock ticks: {world.now + 1}", replace(world, now=world.now + 1)
    for place, write in enumerate(world.left_behind):
        rest = world.left_behind[:place] + world.left_behind[place + 1 :]
        yield f"a late packet arrives: {write}", replace(_write(scenario, world, write), left_behind=rest)
    for place, player in enumerate(world.players):
        if player.flight is not None:
            yield from _in_flight(scenario, world, place, player.flight)
        elif _may_send(scenario, world, place):
            request = scenario.scripts[place][player.sent]
            for skew in {0, scenario.policy.grace_seconds}:
                flight = Flight(_first(request, scenario.policy, world.now + skew), world.now, skew)
                told = None if _gives_up(request, scenario, place) else player.told
                sent = replace(player, sent=player.sent + 1, flight=flight, told=told)
                yield f"player {place} sends {request}, clock +{skew}", _with(world, place, sent)


def _may_wait(player: Player, now: int) -> bool:
    return player.flight is None or now - player.flight.began < DEADLINE_TICKS


def _may_send(scenario: Scenario, world: World, place: int) -> bool:
    player = world.players[place]
    if player.sent == len(scenario.scripts[place]):
        return False
    echo = place - (len(scenario.scripts) - len(scenario.repeated))
    if echo < 0:
        return True
    original, request = scenario.repeated[echo]
    return world.players[original].sent > request


def _gives_up(request: Request, scenario: Scenario, place: int) -> bool:
    """Whether the player no longer claims its slot once it has sent this."""
    return isinstance(request, EndNamed) or place >= len(scenario.scripts) - len(scenario.repeated)


def _first(request: Request, policy: Policy, now: int) -> Write:
    match request:
        case StartNamed() | StartAnonymous():
            return first_start(request, policy, now).write
        case Heartbeat():
            return first_heartbeat(request, policy, now).write
        case EndNamed():
            return Release(USER, request.stream_id, policy.retain_until(now))
        case EndAnonymous():
            return ReleaseAnonymous(USER, request.mark, policy.retain_until(now))


def _in_flight(scenario: Scenario, world: World, place: int, flight: Flight) -> Iterator[tuple[str, World]]:
    """What can happen to a request that a host works on."""
    player = world.players[place]
    request = scenario.scripts[place][player.sent - 1]
    state = world.store.snapshot
    if world.losses < scenario.losses:
        lost = replace(world, losses=world.losses + 1)
        given_up = _with(lost, place, replace(player, flight=None))
        yield (
            f"player {place}'s host gives up, its write is still under way",
            replace(given_up, left_behind=(*world.left_behind, flight.step)),
        )
        if permits(state, flight.step):
            again = replace(player, flight=replace(flight, landed=True))
            yield f"player {place}'s reply is lost", _with(_write(scenario, lost, flight.step), place, again)
    if permits(state, flight.step):
        landed = _write(scenario, world, flight.step)
        told = _told(landed.store.snapshot, request, player)
        yield (
            f"player {place}'s write lands",
            _with(landed, place, replace(player, flight=None, told=told)),
        )
        return
    if not isinstance(request, StartNamed | StartAnonymous):
        told = _told(state, request, player)
        if isinstance(request, Heartbeat) and told is None:
            must_be_gone(scenario, world, player, request)
        yield f"player {place} is answered", _with(world, place, replace(player, flight=None, told=told))
        return
    decision = decide_start(state, request, scenario.policy, world.now + flight.skew)
    match decision:
        case Try(write):
            again = replace(player, flight=Flight(write, flight.began, flight.skew))
            yield f"player {place}'s host decides: {decision.outcome}", _with(world, place, again)
        case Settled():
            told = _told(state, request, player)
            yield f"player {place} had its slot", _with(world, place, replace(player, flight=None, told=told))
        case Refuse():
            must_be_full(scenario, world, request, flight)
            yield f"player {place} is refused", _with(world, place, replace(player, flight=None))


def _told(state: Snapshot, request: Request, player: Player) -> Lease | None:
    """The slot that the player knows to be its own after this answer."""
    if isinstance(request, StartNamed | Heartbeat):
        return state.leases.get(request.stream_id)
    return player.told


def _with(world: World, place: int, player: Player) -> World:
    players = (*world.players[:place], player, *world.players[place + 1 :])
    return replace(world, players=players)


def _write(scenario: Scenario, world: World, write: Write) -> World:
    """The write meets the store."""
    state = world.store.snapshot
    if not permits(state, write):
        return world
    granted = world.granted
    if isinstance(write, Admit) and not isinstance(write.newcomer, Lease):
        if write.newcomer.mark in granted:
            raise Violation(f"counted twice: {write.newcomer.mark}")
        granted = (*granted, write.newcomer.mark)
    result = after(state, write)
    if isinstance(write, Admit):
        must_fit(scenario, write, result)
    return replace(world, store=FrozenState.of(result), granted=granted)
