"""Deterministic simulation: the real use cases and the real adapter in a world that a seed determines."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random

from domain.policy import Enforcement, OnLimit, Policy
from proof.harness.processes import spread
from proof.harness.report import Progress, Row
from proof.simulated.players import Player, Service, probe
from proof.simulated.scripts import Script
from proof.simulated.witness import Broken, Witness
from proof.simulated.world import FAULTS, Host, World

MAX_STEPS = 20_000
"""The limit of steps, after which an episode counts as endless."""

POLICY = Policy(lease_seconds=10, heartbeat_seconds=3, grace_seconds=2, anonymous_seconds=25)
PROCESSING_SECONDS = 6
STORIES = 400
BATCH = 25


@dataclass(frozen=True)
class Scene:
    """The parts of one episode, and the seed that decides the rest."""

    seed: int
    players: int
    plays: int
    limit: int
    policy: Policy
    faults: tuple[str, ...]
    fault_rate: float
    loss: float
    limits_change: bool
    scripts: int
    deployed_after: float
    groups: tuple[tuple[str, int | None], ...] = ()

    @classmethod
    def draw(cls, seed: int) -> "Scene":
        """Return the scene of this seed."""
        chance = Random(seed)
        policy = replace(
            POLICY,
            on_limit=chance.choice([OnLimit.REJECT, OnLimit.REJECT, OnLimit.EVICT_OLDEST]),
            enforcement=chance.choice([Enforcement.ENFORCE] * 5 + [Enforcement.SHADOW]),
        )
        scene = cls(
            seed=seed,
            players=chance.randint(2, 6),
            plays=chance.randint(2, 6),
            limit=chance.choice([0, 1, 1, 2, 2, 3]),
            policy=policy,
            faults=FAULTS,
            fault_rate=chance.choice([0, 0.1, 0.3]),
            loss=chance.choice([0, 0.05, 0.2]),
            limits_change=chance.random() < 0.2,
            scripts=0,
            deployed_after=0,
        )
        if chance.random() < 0.5:
            scene = scene.with_tokens(chance)
        return scene.with_groups(chance) if chance.random() < 0.5 else scene

    def with_tokens(self, chance: Random) -> "Scene":
        """Return the same scene with playback tokens, and with scripts that collect them."""
        return replace(
            self,
            policy=replace(self.policy, token_overlap=chance.choice([1, 1, 2, 3])),
            scripts=chance.choice([0, 1, 2, 2, 3]),
            deployed_after=0 if chance.random() < 0.8 else chance.uniform(5, 30),
        )

    def with_groups(self, chance: Random) -> "Scene":
        """Return the same scene with groups, one of which has no limit."""
        deployed_after = self.deployed_after or (0 if chance.random() < 0.8 else chance.uniform(5, 30))
        limits = (("away", chance.choice([0, 1, 2])), ("hdr", None), ("uhd", chance.choice([1, 1, 2])))
        return replace(self, groups=limits, deployed_after=deployed_after)

    def simpler(self, seed: int) -> "Scene":
        """Return a smaller scene of the same kind."""
        chance = Random(seed)
        return replace(
            self,
            seed=seed,
            players=chance.randint(1, self.players),
            plays=chance.randint(1, 2),
            scripts=chance.randint(0, self.scripts),
            faults=() if chance.random() < 0.5 else (chance.choice(FAULTS),),
            loss=chance.choice([0, self.loss]),
        )


@dataclass(frozen=True)
class Ending:
    """The end of an episode.

    Attributes:
        broken: the broken promise, if any.
        story: the last events.
    """

    steps: int
    trace: str
    broken: str | None
    story: tuple[str, ...]


def play(scene: Scene) -> Ending:
    """Play one episode."""
    import random  # noqa: PLC0415 - the adapter draws its pauses from the shared generator

    random.seed(scene.seed)
    world = World(scene.seed, scene.faults)
    skew = scene.policy.grace_seconds / 2  # hosts differ by the grace at most
    lowest = max(0, scene.limit - scene.limits_change)
    groups = {
        name: (limit, max(0, limit - scene.limits_change))
        for name, limit in scene.groups
        if limit is not None
    }
    witness = Witness(world, scene.policy, scene.limit, lowest, skew, PROCESSING_SECONDS, groups)
    skews = [-skew, skew, *(world.random.uniform(-skew, skew) for _ in range(2))]
    hosts = [Host(world, f"host-{n}", each, scene.fault_rate) for n, each in enumerate(skews)]
    deployed_at = world.time + scene.deployed_after if scene.deployed_after else 0
    witness.old_code = bool(deployed_at)
    service = Service(world, witness, scene.policy, hosts, scene.loss, deployed_at, scene.groups)
    broken: str | None = None
    try:
        for number in range(scene.players):
            player = Player(number, service, scene.limit, scene.plays, scene.limits_change)
            world.after(0, world.spawn, player.play)
        for number in range(scene.scripts):
            world.after(0, world.spawn, Script(number, service, scene.limit).play)
        _go_on(world, witness)
        world.after(0, world.spawn, lambda: probe(service, witness, scene.limit))
        _go_on(world, witness)
    except Broken as promise:
        broken = str(promise)
    finally:
        world.close()
    return Ending(world.steps, world.trace, broken, tuple(world.story))


def _go_on(world: World, witness: Witness) -> None:
    while world.step():
        witness.check()
        if world.steps > MAX_STEPS:
            raise Broken("the episode never ends")


def shortest_story(scene: Scene, broken: Ending) -> tuple[Scene, Ending]:
    """Return the shortest among several simpler episodes in which a promise is broken."""
    best = scene, broken
    for seed in range(STORIES):
        simpler = best[0].simpler(seed)
        ending = play(simpler)
        if ending.broken and ending.steps < best[1].steps:
            best = simpler, ending
    return best


@dataclass(frozen=True)
class Batch:
    """The result of several consecutive episodes."""

    steps: int
    trace: str
    failed: Scene | None


def play_batch(first_seed: int) -> Batch:
    """Play some episodes, until one fails."""
    steps, traces = 0, hashlib.blake2b(digest_size=16)
    for seed in range(first_seed, first_seed + BATCH):
        scene = Scene.draw(seed)
        ending = play(scene)
        steps += ending.steps
        traces.update(ending.trace.encode())
        if ending.broken:
            return Batch(steps, traces.hexdigest(), scene)
    return Batch(steps, traces.hexdigest(), None)


def prove(
    seed: int, steps: int, progress: Progress, run: Callable[..., Iterable[Batch]] = spread
) -> list[Row]:
    """Play episodes until this many steps were taken."""
    taken, traces = 0, hashlib.blake2b(digest_size=16)
    first = seed * 1_000_000
    for batch in run(play_batch, (first + n * BATCH for n in range(1_000_000 // BATCH))):
        taken += batch.steps
        traces.update(batch.trace.encode())
        in_time = progress(taken, steps)
        if batch.failed is not None:
            _print_shortest(batch.failed)
            return [Row("simulation", f"broken after {taken:,} steps", f"{steps:,} steps", met=False)]
        if taken >= steps or not in_time:
            break
    figure = f"{taken:,} steps, 0 broken promises, trace {traces.hexdigest()}"
    return [Row("simulation", figure, f"{steps:,} steps, 0 broken promises", met=taken >= steps)]


def _print_shortest(scene: Scene) -> None:
    """Print the shortest story found."""
    simplest, ending = shortest_story(scene, play(scene))
    print(f"\nA promise is broken: {ending.broken}\n{simplest}")
    print("\n".join(ending.story), flush=True)
