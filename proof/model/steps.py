"""The model's steps: players send, hosts decide and write, the network loses and repeats, time passes."""

from collections.abc import Iterator
from dataclasses import replace

from domain.attempt import Attempt
from domain.decisions import (
    Decision,
    Gone,
    Postpone,
    Refuse,
    Settled,
    Try,
    decide_end,
    decide_heartbeat,
    decide_start,
    first_end,
    first_heartbeat,
    first_start,
)
from domain.policy import Policy
from domain.requests import EndAnonymous, EndNamed, Heartbeat, StartAnonymous, StartNamed, StartRequest
from domain.situation import Situation
from domain.streams import Lease, Snapshot, SpentToken
from domain.writes import Admit, Ended, Extend, Release, ReleaseAnonymous, Write
from proof.harness.frozen import FrozenState
from proof.harness.requests import Request, ungrouped
from proof.model.old_code import Blind, Step, lands, left, without_groups
from proof.model.promises import (
    Violation,
    must_be_counted,
    must_be_gone,
    must_be_in,
    must_be_right,
    must_fit,
    must_have_too_many_names,
)
from proof.model.states import DEADLINE_TICKS, USER, Flight, Host, Player, Scenario, World


def steps(scenario: Scenario, world: World) -> Iterator[tuple[str, World]]:
    """Yield all possible next steps."""
    if world.now < scenario.horizon and all(_may_wait(player, world.now) for player in world.players):
        yield f"the clock ticks: {world.now + 1}", _tick(world)
    for place, step in enumerate(world.left_behind):
        rest = world.left_behind[:place] + world.left_behind[place + 1 :]
        yield f"a late packet arrives: {step}", replace(_write(scenario, world, step), left_behind=rest)
    for place, player in enumerate(world.players):
        if player.flight is not None:
            yield from _in_flight(scenario, world, place, player.flight)
        elif _may_send(scenario, world, place):
            request = scenario.scripts[place][player.sent]
            for host in scenario.hosts:
                flight = Flight(_first(request, host, world.now + host.skew), world.now, host)
                slot = None if _gives_up(request, scenario, place) else player.slot
                sent = replace(player, sent=player.sent + 1, flight=flight, slot=slot)
                code = f"overlap {host.policy.token_overlap}, {'new' if host.knows_groups else 'old'} code"
                yield (
                    f"player {place} sends {request}, clock +{host.skew}, {code}",
                    _with(world, place, sent),
                )


def _tick(world: World) -> World:
    """Let a second pass; expired tokens are dropped."""
    now = world.now + 1
    return replace(
        world,
        now=now,
        tokens=frozenset(token for token in world.tokens if token.expires_at > now),
        uncounted=frozenset((name, until) for name, until in world.uncounted if until is None or until > now),
    )


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
    """Return whether the player gives up its slot by sending this."""
    return isinstance(request, EndNamed) or place >= len(scenario.scripts) - len(scenario.repeated)


def _first(request: Request, host: Host, now: int) -> Step:
    write: Write
    match request if host.knows_groups else ungrouped(request):
        case (StartNamed() | StartAnonymous()) as start:
            write = first_start(start, host.policy, now).write
        case Heartbeat() as heartbeat:
            write = first_heartbeat(heartbeat, host.policy, now).write
        case EndNamed() as end:
            write = first_end(end, host.policy, now).write
        case EndAnonymous(mark=mark):
            write = ReleaseAnonymous(USER, mark, host.policy.retain_until(now))
    return write if host.knows_groups else Blind(write)


def _in_flight(scenario: Scenario, world: World, place: int, flight: Flight) -> Iterator[tuple[str, World]]:
    """Yield what can happen to a request that a host works on."""
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
        if lands(state, flight.step):
            again = replace(player, flight=replace(flight, landed=True))
            yield f"player {place}'s reply is lost", _with(_write(scenario, lost, flight.step), place, again)
    if lands(state, flight.step):
        landed = _write(scenario, world, flight.step)
        yield f"player {place}'s write lands", _answered(landed, place, request, flight.host)
        return
    if isinstance(request, EndAnonymous):
        yield f"player {place} is answered", _answered(world, place, request, flight.host)
    else:
        yield _decided(scenario, world, place, request, flight)


def _decided(
    scenario: Scenario, world: World, place: int, request: StartRequest | Heartbeat | EndNamed, flight: Flight
) -> tuple[str, World]:
    """Have the host decide about a request whose write was rejected."""
    player, host, state = world.players[place], flight.host, world.store.snapshot
    understood: Request = request
    if not host.knows_groups:
        state, understood = without_groups(state), ungrouped(request)
    now = world.now + host.skew
    decision = _decide(state, understood, host.policy, now)
    if isinstance(understood, StartNamed | StartAnonymous):
        must_be_right(state, understood, host, now, decision)
    match decision, request:
        case (Try(write, outcome), _):
            step = write if host.knows_groups else Blind(write)
            again = replace(player, flight=Flight(step, flight.began, host))
            return f"player {place}'s host decides: {outcome}", _with(world, place, again)
        case (Settled(), _):
            return f"player {place} is answered", _answered(world, place, request, host)
        case (Postpone(until), StartNamed()):
            must_have_too_many_names(world, request, host, until)
            return f"player {place} is postponed until {until}", _refused(world, place)
        case (Gone() as gone, Heartbeat()):
            must_be_gone(scenario, world, player, request, gone)
            return f"player {place} is gone", _with(world, place, replace(player, flight=None, slot=None))
        case (Refuse(), StartNamed() | StartAnonymous()):
            return f"player {place} is refused", _refused(world, place)
    raise Violation("postponed without need of a token")


def _decide(state: Snapshot, request: Request, policy: Policy, now: float) -> Decision | Gone:
    match request:
        case Heartbeat():
            return decide_heartbeat(Situation(state, request, policy, now))
        case EndNamed():
            return decide_end(Situation(state, request, policy, now))
        case EndAnonymous():
            raise TypeError(request)  # it has only one write
        case _:
            return decide_start(Attempt(state, request, policy, now))


def _refused(world: World, place: int) -> World:
    return _with(world, place, replace(world.players[place], flight=None))


def _answered(world: World, place: int, request: Request, host: Host) -> World:
    """Give the player the answer with the slot in this state, and a token if tokens are enabled."""
    player, policy = world.players[place], host.policy
    slot = _slot_after(world.store.snapshot, request, player)
    if isinstance(request, StartNamed) and host.knows_groups and slot:
        must_be_in(slot, request)
    tokens = world.tokens
    uncounted = world.uncounted
    if isinstance(request, StartNamed | Heartbeat) and slot and policy.token_overlap is not None:
        must_be_counted(world.store, slot)
        earlier = [token for token in tokens if token.stream_id == slot.stream_id]
        until = max([slot.expires_at, *(token.expires_at for token in earlier)])
        if until > world.now:
            tokens = tokens.difference(earlier) | {SpentToken(slot.stream_id, until)}
        if (slot.stream_id, None) in uncounted:
            a_lease_later = world.now + policy.lease_seconds + policy.grace_seconds
            uncounted = uncounted - {(slot.stream_id, None)} | {(slot.stream_id, a_lease_later)}
    answered = replace(world, tokens=tokens, uncounted=uncounted)
    return _with(answered, place, replace(player, flight=None, slot=slot))


def _slot_after(state: Snapshot, request: Request, player: Player) -> Lease | None:
    """Return the slot that the player holds by this answer."""
    if isinstance(request, StartNamed | Heartbeat):
        return state.leases.get(request.stream_id)
    return player.slot


def _with(world: World, place: int, player: Player) -> World:
    players = (*world.players[:place], player, *world.players[place + 1 :])
    return replace(world, players=players)


def _write(scenario: Scenario, world: World, step: Step) -> World:
    """Apply the write to the store."""
    state = world.store.snapshot
    if not lands(state, step):
        return world
    granted = world.granted
    write = step.write if isinstance(step, Blind) else step
    if isinstance(write, Admit) and not isinstance(write.newcomer, Lease):
        if write.newcomer.mark in granted:
            raise Violation(f"counted twice: {write.newcomer.mark}")
        granted = (*granted, write.newcomer.mark)
    result = left(state, step)
    if isinstance(write, Admit):
        must_fit(scenario, write, result)
    store = FrozenState.of(result)
    return replace(world, store=store, granted=granted, uncounted=_uncounted(scenario, world, write))


def _uncounted(scenario: Scenario, world: World, write: Write) -> frozenset[tuple[str, int | None]]:
    """Return the names that the token bound excepts after this write, because old code took part."""
    policy = scenario.policy
    if policy.token_overlap is None:
        return frozenset()
    uncounted = dict(world.uncounted)
    a_lease_later = world.now + policy.lease_seconds + policy.grace_seconds
    match write:
        case Admit(names=None, newcomer=newcomer, freed=freed):
            uncounted |= dict.fromkeys(freed.ended_names, a_lease_later)
            if isinstance(newcomer, Lease):
                uncounted[newcomer.stream_id] = None
        case (
            Extend(names=None, replaces=Ended(stream_id=replaced)) | Release(spends=False, stream_id=replaced)
        ):
            uncounted[replaced] = a_lease_later
        case _:
            pass
    return frozenset(uncounted.items())
