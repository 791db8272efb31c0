"""Sees everything that happens in a simulated world, and says when a promise is broken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.dynamodb.items import snapshot
from domain.errors import LimitReached
from domain.policy import Enforcement, OnLimit, Policy
from domain.streams import CEILING, REMEMBERED_MARKS, Snapshot
from domain.writes import is_over
from proof.simulated.world import World

ANSWER_SECONDS: Final = 0.5
"""The store's answer is on its way for less than this: some hundredths of a second on the average."""


class Broken(Exception):
    """A promise does not hold; the text says which."""


@dataclass
class Witness:
    """Compares what the store holds and what players were told with what was promised.

    Args:
        world: what to watch.
        policy: how the service behaves.
        limit: the highest limit of any request.
        lowest_limit: the lowest one.
        skew: how much any host's clock is off at most.
        processing: how long after a player's packet its write can land at most.

    Attributes:
        held: until when, by true time, each named stream that is watched may count on its slot.
        anonymous: the same for each anonymous stream.
        contact: when the latest packet of each stream's player reached a host.
    """

    world: World
    policy: Policy
    limit: int
    lowest_limit: int
    skew: float
    processing: float
    held: dict[str, float] = field(default_factory=dict)
    anonymous: dict[str, float] = field(default_factory=dict)
    contact: dict[str, float] = field(default_factory=dict)
    landed: list[str] = field(default_factory=list)
    landed_at: dict[str, float] = field(default_factory=dict)
    state: Snapshot = field(default_factory=Snapshot)
    forgot: bool = False
    """Whether a repeat came after four others: from then on an anonymous slot may be given back twice."""

    def __post_init__(self) -> None:
        self.world.after_write = self.saw_write

    def saw_write(self, _: Mapping[str, Any], __: dict[str, Any], item: dict[str, Any]) -> None:
        """A write landed in the store."""
        before, now = self.state, snapshot(item)
        self.state = now
        self.world.note("store:", now.stream_count, now.anonymous, *now.leases.values(), *now.marks)
        if now.stream_count != now.anonymous.count + len(now.leases) or now.anonymous.count < 0:
            self._broken("the count differs from its parts")
        ceiling = CEILING if self.policy.enforcement is Enforcement.SHADOW else self.limit
        if now.stream_count > max(ceiling, before.stream_count):
            self._broken(f"{now.stream_count} slots are taken, and {ceiling} are allowed")
        self._requests_land_once(before, now)
        self._leases_are_bounded(before, now)
        self._dead_slots_stay_dead(before, now)
        if self.policy.on_limit is OnLimit.EVICT_OLDEST:
            self._evictions_are_needed(before, now)

    def check(self) -> None:
        """What must hold at every step."""
        time = self.world.time
        live = 0
        for name, until in self.held.items():
            if until > time:
                live += 1
                lease = self.state.leases.get(name)
                if lease is None:
                    self._broken(f"{name} lost the slot that it was promised for {until - time:.3f} s more")
        anonymous = sum(until > time for until in self.anonymous.values())
        if self.policy.enforcement is Enforcement.ENFORCE and live + anonymous > self.limit:
            self._broken(f"{live + anonymous} streams are watched, and {self.limit} are allowed")
        if anonymous > self.state.anonymous.count:
            self._broken(f"{anonymous} anonymous streams are watched in {self.state.anonymous.count} slots")

    def refused(self, refusal: LimitReached, now: float) -> None:
        """A player was refused: whoever holds the slots must have been heard of lately."""
        if refusal.live.count < refusal.limit:
            self._broken(
                f"refused with {refusal.live.count} live streams of {refusal.limit}: a phantom refusal"
            )
        for lease in refusal.live.leases:
            silent = now - self.contact.get(lease.stream_id, 0)
            if silent > self.longest_hold:
                self._broken(f"{lease.stream_id} holds a slot, and its player is gone for {silent:.3f} s")

    def refused_though_granted(self, mark: str) -> None:
        """An anonymous request was refused: it must not have landed before the refusal was on its way."""
        landed = self.landed_at.get(mark, self.world.time)
        if mark in self.state.marks and self.world.time - landed > ANSWER_SECONDS:
            self._broken(f"{mark} was refused, and had landed")

    def forget(self) -> None:
        """From now on nobody can tell whose anonymous slots are there."""
        self.forgot = True
        self.anonymous.clear()

    def is_long_dead(self, name: str) -> bool:
        """Whether a stream's lease is there, over by every clock, and nothing about it is under way."""
        lease = self.state.leases.get(name)
        return (
            lease is not None
            and not self.policy.is_live(lease, self.world.time - self.skew)
            and self.world.time - self.contact.get(name, 0) > self.processing
        )

    def admitted_again(self, name: str, began: float) -> None:
        """A start met the dead lease of its own name: it must have asked for room anew."""
        lease = self.state.leases.get(name)
        if lease is not None and lease.started_at < began - self.skew - 1:
            self._broken(f"{name} was over, and its start was taken for a repeat")

    def granted(self, mark: str) -> None:
        """An anonymous request was answered with a yes: it must have landed."""
        if mark not in self.landed:
            self._broken(f"{mark} was granted, and never landed")

    @property
    def longest_hold(self) -> float:
        """How long after its player's last packet a named stream can hold its slot: a lease and the grace."""
        rounding = 2
        return (
            self.policy.lease_seconds + self.policy.grace_seconds + rounding + 2 * self.skew + self.processing
        )

    def _requests_land_once(self, before: Snapshot, now: Snapshot) -> None:
        if now.marks[:1] == before.marks[:1]:
            return
        mark = now.marks[0]
        if mark in self.landed[-REMEMBERED_MARKS:]:
            self._broken(f"{mark} was counted twice")
        if mark in self.landed:
            self.forget()  # the known bound: four others came between
        self.landed.append(mark)
        self.landed_at[mark] = self.world.time

    def _leases_are_bounded(self, before: Snapshot, now: Snapshot) -> None:
        latest = self.world.time + self.skew + self.policy.lease_seconds + 1
        for name, lease in now.leases.items():
            if lease.expires_at > latest:
                self._broken(f"{name} holds its slot for longer than a lease")
            was = before.leases.get(name)
            if (
                was is not None
                and was.expires_at > lease.expires_at
                and self.policy.is_live(was, self.world.time)
            ):
                self._broken(f"the expiry of {name} moved back")

    def _evictions_are_needed(self, before: Snapshot, now: Snapshot) -> None:
        """Whoever is evicted makes room for the last slot; nobody is where the limit is not enforced."""
        shadow = self.policy.enforcement is Enforcement.SHADOW
        for name in before.leases.keys() - now.leases.keys():
            in_vain = shadow or now.stream_count < self.lowest_limit
            if self.held.pop(name, 0) > self.world.time and in_vain:
                self._broken(f"{name} was evicted with {now.stream_count} slots taken after it")

    def _dead_slots_stay_dead(self, before: Snapshot, now: Snapshot) -> None:
        over = self.policy.anonymous_over_since(self.world.time - self.skew - self.processing)
        if is_over(before.anonymous, over) and now.anonymous.count > before.anonymous.count:
            self._broken("anonymous slots that were over came back with a newcomer")

    def _broken(self, what: str) -> None:
        self.world.note("BROKEN:", what)
        raise Broken(what)
