"""Players of one user in a simulated world: they start, keep, replace, end, reload, crash and come back."""

import itertools
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from adapters.dynamodb.repository import DynamoDbStreamRepository
from domain.bounds import Bound
from domain.errors import (
    LimitReached,
    NoActiveStream,
    Refusal,
    StreamGone,
    StreamLimiterError,
    TooManyStarts,
)
from domain.limiter import Answer, Reply, StreamLimiter, Unverified
from domain.policy import Outcome, Policy
from domain.requests import EndAnonymous, EndNamed, Heartbeat, StartAnonymous, StartNamed
from proof.harness.requests import Request, serve, ungrouped
from proof.simulated.old_code import OldCode
from proof.simulated.witness import Broken, Witness
from proof.simulated.world import ATTEMPT_SECONDS, Host, Waiting, World

USER = "user"
ANSWER_TIMEOUT_SECONDS = 4
TRIES = 3


@dataclass
class Service:
    """The service on several hosts, behind a network that loses, repeats, delays and reorders packets.

    Attributes:
        deployed_at: until then, half of the hosts run code from before tokens and groups.
        groups: the groups in alphabetical order, each with its limit; `None` = no limit.
    """

    world: World
    witness: Witness
    policy: Policy
    hosts: list[Host]
    loss: float
    deployed_at: float = 0
    groups: tuple[tuple[str, int | None], ...] = ()

    def call(self, request: Request) -> Reply | StreamLimiterError | None:
        """Send a request and wait for its answer; `None` when none came in time."""
        world, waiting = self.world, Waiting()
        packets = 2 if world.random.random() < self.loss else 1
        for _ in range(packets):
            if world.random.random() >= self.loss:
                world.after(self._delay(), self._arrive, request, waiting)
        world.after(ANSWER_TIMEOUT_SECONDS, waiting.answer, None)
        answer: Reply | StreamLimiterError | None = world.wait(waiting)
        return answer

    def limiter(self, host: Host) -> StreamLimiter:
        """Return the real use cases over the real adapter, on this host."""
        api = OldCode(host) if self.runs_old_code(host) else host
        repository = DynamoDbStreamRepository(api, "streams", attempt_seconds=ATTEMPT_SECONDS)
        return StreamLimiter(repository, host, self.policy_of(host))

    def policy_of(self, host: Host) -> Policy:
        """Return this host's policy now."""
        return replace(self.policy, token_overlap=None) if self.runs_old_code(host) else self.policy

    def runs_old_code(self, host: Host) -> bool:
        """Return whether this host runs code from before tokens and groups."""
        return self.world.time < self.deployed_at and host in self.hosts and self.hosts.index(host) % 2 == 1

    def draw_groups(self) -> tuple[str, ...]:
        """Return some of the groups."""
        return tuple(name for name, _ in self.groups if self.world.random.random() < 0.5)

    def grouped(self, start: StartNamed, groups: tuple[str, ...], *, lower: bool = False) -> StartNamed:
        """Return the start in these groups, with their limits or lower ones."""
        bounds = tuple(
            Bound(max(0, limit - lower), name)
            for name, limit in self.groups
            if name in groups and limit is not None
        )
        return replace(start, groups=groups, group_bounds=bounds)

    def _delay(self) -> float:
        chance = self.world.random
        return chance.uniform(1, 25) if chance.random() < self.loss / 3 else chance.expovariate(20)

    def _arrive(self, request: Request, waiting: Waiting) -> None:
        host = self.world.random.choice(self.hosts)
        self.world.note(host.name, "hears", request)
        was_dead = False
        if isinstance(request, (StartNamed, Heartbeat)):
            was_dead = self.witness.is_long_dead(request.stream_id)
            self.witness.contact[request.stream_id] = self.world.time
        if isinstance(request, StartNamed) and request.replaces is not None:
            self.witness.departures.replaces[request.stream_id].add(request.replaces)
        self.world.spawn(lambda: self._serve(host, request, waiting, was_dead=was_dead))

    def _serve(self, host: Host, request: Request, waiting: Waiting, *, was_dead: bool) -> None:
        began = self.world.time
        has_tokens = self.policy_of(host).token_overlap is not None
        understood = ungrouped(request) if self.runs_old_code(host) else request
        answer: Reply | StreamLimiterError
        try:
            answer = serve(self.limiter(host), understood)
        except StreamLimiterError as error:
            answer = error
            self._look_at_refusal(error, request, began)
        else:
            self.witness.granted_groups(understood, answer.lease)
            if has_tokens and answer.lease is not None:
                self.witness.gave_token(answer.lease)
            if isinstance(request, (StartAnonymous, EndAnonymous)):
                self.witness.granted(request.mark)
            elif (
                isinstance(request, StartNamed)
                and was_dead
                and self.witness.contact.get(request.stream_id) == began
            ):
                self.witness.admitted_again(request.stream_id, began)
        self._answer(host, request, answer, waiting)

    def _look_at_refusal(self, error: StreamLimiterError, request: Request, began: float) -> None:
        """Have the witness check a refusal."""
        if isinstance(error, StreamGone) and isinstance(request, Heartbeat):
            self.witness.gone(request, error, began)
        if isinstance(error, LimitReached):
            self.witness.refused(error, self.world.time)
        if isinstance(error, TooManyStarts):
            self.witness.postponed(error, request)
        if isinstance(request, (StartAnonymous, EndAnonymous)) and isinstance(
            error, (LimitReached, NoActiveStream)
        ):
            self.witness.refused_though_granted(request.mark)

    def _answer(
        self, host: Host, request: Request, answer: Reply | StreamLimiterError, waiting: Waiting
    ) -> None:
        result = answer.outcome if isinstance(answer, Reply) else repr(answer)
        self.world.note(host.name, "answers", type(request).__name__, result)
        if self.world.random.random() >= self.loss:
            self.world.after(self._delay(), waiting.answer, answer)


@dataclass
class Player:
    """One player: plays stream after stream, with a name or without, until it stops."""

    number: int
    service: Service
    limit: int
    plays: int
    limits_change: bool
    _serial: Any = field(default_factory=itertools.count)

    def play(self) -> None:
        """Play from start to end."""
        world = self.service.world
        previous: str | None = None
        for _ in range(self.plays):
            longest = 60 if world.random.random() < 0.1 else 6
            world.sleep(world.random.uniform(0.05, longest))
            if world.random.random() < 0.3:
                self._anonymous()
                previous = None
            else:
                previous = self._named(previous)

    def _named(self, previous: str | None) -> str | None:
        """Watch under a new name; return the name if the stream continues, to be replaced next."""
        world, held = self.service.world, self.service.witness.held
        name = f"{self.number}-{next(self._serial)}"
        if previous is not None:
            held.pop(previous, None)
        # Otherwise both play in parallel, until this one is replaced.
        at_first = previous if world.random.random() < 0.7 else None
        groups = self.service.draw_groups()
        if not self._hold(self._start(name, groups, replaces=at_first)):
            return None
        if at_first != previous:
            self._hold(self._start(name, groups, replaces=previous))
        groups = self._watch(name, groups)
        way_to_go = world.random.random()
        if way_to_go < 0.3:  # on to the next episode
            return name
        held.pop(name, None)
        if way_to_go < 0.5:
            world.note("player", self.number, "crashes")
            world.sleep(world.random.uniform(0, 15))
            if world.random.random() < 0.5:  # and briefly returns under its name
                self._hold(self._start(name, groups))
                held.pop(name, None)
            return None
        for _ in range(world.random.randint(1, 2)):
            named = groups if world.random.random() < 0.5 else self.service.draw_groups()
            self._retry(EndNamed(USER, name, groups=named))
        return None

    def _watch(self, name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
        """Send some heartbeats, and reload the page in between: its last packets may come late, or never.

        Returns:
            The groups that the stream is in at the end: it joins others in between.
        """
        world, play = self.service.world, ""
        for _ in range(world.random.randrange(5)):
            world.sleep(self._pause())
            if self.service.groups and world.random.random() < 0.2:
                others = self.service.draw_groups()
                if self._hold(self._start(name, others)):
                    groups = others
                continue
            if not self._reloads() or (play and world.random.random() < 0.7):
                self._hold(Heartbeat(USER, name, play or None))
                continue
            if play:
                self.service.witness.held.pop(name, None)
                for late in (EndNamed(USER, name, play), Heartbeat(USER, name, play)):
                    world.after(0, world.spawn, partial(self.service.call, late))
            play = f"{next(self._serial):04}"
            self._hold(self._start(name, groups, play=play))
        return groups

    def _anonymous(self) -> None:
        world, witness = self.service.world, self.service.witness
        name = f"{self.number}-{next(self._serial)}"
        if world.random.random() < 0.1:  # an end of nothing, or of any anonymous stream
            witness.forget()
            self._retry(EndAnonymous(USER, name))
            return
        sent = world.time
        answer = self._retry(StartAnonymous(USER, name, self._limit()))
        if not isinstance(answer, Reply):
            return
        margin = witness.processing + 2 * witness.skew  # a late start moves the expiry back by that much
        if not witness.forgot:
            witness.anonymous[name] = sent + self.service.policy.anonymous_seconds - margin
        world.sleep(world.random.uniform(0, 20))
        witness.anonymous.pop(name, None)
        if world.random.random() < 0.8:
            self._retry(EndAnonymous(USER, name))
        else:
            world.note("player", self.number, "crashes")

    def _pause(self) -> float:
        """Wait until the next heartbeat, which is sometimes so late that the lease has expired."""
        chance, policy = self.service.world.random, self.service.policy
        if chance.random() < 0.15:
            return policy.lease_seconds + chance.uniform(-1, 2) + policy.grace_seconds
        return policy.heartbeat_seconds * chance.uniform(0.5, 1.4)

    def _hold(self, request: StartNamed | Heartbeat) -> bool:
        """Start or keep a stream, and record the answer about its slot."""
        answer = self._retry(request)
        if not isinstance(answer, Reply):
            keeps_its_lease = isinstance(request, StartNamed) and isinstance(answer, Refusal)
            if answer is not None and not keeps_its_lease:
                self.service.witness.held.pop(request.stream_id, None)
            return False
        witness, name = self.service.witness, request.stream_id
        assert answer.lease is not None  # noqa: S101 - a granted named stream has a lease
        evicted_meanwhile = (
            self.service.policy.on_limit == "evict_oldest" and name not in witness.state.leases
        )
        if not evicted_meanwhile:
            until = answer.lease.expires_at + witness.skew
            witness.held[name] = max(witness.held.get(name, 0), until)
        return True

    def _retry(self, request: Request) -> Reply | StreamLimiterError | None:
        """Repeat a request until it is answered otherwise than by a failure of the store."""
        for _ in range(TRIES):
            answer = self.service.call(request)
            if isinstance(answer, (Answer, Unverified, LimitReached, NoActiveStream, TooManyStarts)):
                return answer
            self.service.world.sleep(self.service.world.random.uniform(0, 1))
        return answer

    def _reloads(self) -> bool:
        """Return whether the player names its page loads, which code from before tokens does not know."""
        return self.service.policy.token_overlap is not None and not self.service.deployed_at

    def _start(
        self, name: str, groups: tuple[str, ...], *, replaces: str | None = None, play: str | None = None
    ) -> StartNamed:
        """Return a start in these groups, perhaps under lower limits."""
        start = StartNamed(USER, name, self._limit(), f"device of {name}", replaces, play)
        return self.service.grouped(start, groups, lower=self._is_lower()) if self.service.groups else start

    def _limit(self) -> int:
        return max(0, self.limit - 1) if self._is_lower() else self.limit

    def _is_lower(self) -> bool:
        return self.limits_change and self.service.world.random.random() < 0.5


def probe(service: Service, witness: Witness, limit: int) -> None:
    """Check that after all players have left, as many new streams fit as the limit allows, and no more.

    After that, the same for each group that has a limit.
    """
    world = service.world
    slowest = min(service.hosts, key=lambda host: host.skew)
    calm = Host(world, "probe", slowest.skew, fault_rate=0)
    world.sleep(service.policy.anonymous_seconds + witness.processing)
    for group, most in ((None, limit), *service.groups):
        if most is None:
            continue
        world.sleep(witness.longest_hold)
        fit = min(most, limit)
        for number in range(fit + 1):
            start = StartNamed(USER, f"probe-{group}-{number}", limit)
            try:
                outcome = (
                    service.limiter(calm).start(service.grouped(start, (group,) if group else ())).outcome
                )
            except (LimitReached, TooManyStarts):
                outcome = None
            world.note("probe", group, number, outcome)
            free = outcome in {Outcome.ADMITTED, Outcome.RECLAIMED}
            if free is not (number < fit):
                raise Broken(
                    f"start {number + 1} of {fit} after all players had left: {outcome or 'refused'}"
                )
