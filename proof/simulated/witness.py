"""A witness of all events in a simulated world, which detects broken promises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from adapters.dynamodb.items import TOKENS, snapshot
from domain.errors import LimitReached, StreamGone, TooManyStarts
from domain.group_counts import RECOUNTS
from domain.policy import Enforcement, OnLimit, Policy
from domain.requests import Heartbeat, StartNamed
from domain.streams import CEILING, REMEMBERED_MARKS, Lease, Snapshot
from domain.writes import group_names, have_expired
from proof.harness.departures import ROUNDING, Departures
from proof.harness.requests import Request
from proof.simulated.world import World

ANSWER_SECONDS: Final = 0.5
"""The maximum delay of the store's answer, which takes some hundredths of a second on average."""


class Broken(Exception):
    """A promise is broken; the message names it."""


@dataclass
class Witness:
    """A comparison of the store's state and the players' answers with the promises.

    Args:
        world: the world to watch.
        policy: the policy of the service.
        limit: the highest limit of a request.
        lowest_limit: the lowest one.
        skew: the maximum error of a host's clock.
        processing: the maximum time between a player's packet and its write.
        groups: the highest and the lowest limit of each group with limits.

    Attributes:
        held: the true time until which each watched named stream is promised its slot.
        anonymous: the same for each anonymous stream.
        contact: the time at which the latest packet of each stream's player reached a host.
        tokens: the true time, by an edge whose clock is behind, until which the last playback token under
            each name is valid.
        uncounted: the time until which the token bound excepts a name that old code admitted or ended;
            unlimited until its first token.
    """

    world: World
    policy: Policy
    limit: int
    lowest_limit: int
    skew: float
    processing: float
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)
    anonymous: dict[str, float] = field(default_factory=dict)
    contact: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)
    uncounted: dict[str, float] = field(default_factory=dict)
    old_code: bool = False
    landed: list[str] = field(default_factory=list)
    landed_at: dict[str, float] = field(default_factory=dict)
    state: Snapshot = field(default_factory=Snapshot)
    departures: Departures = field(init=False)
    forgot: bool = False
    """True after a repeat that came after four others: an anonymous slot may then be given back twice."""

    def __post_init__(self) -> None:
        self.world.after_write = self.saw_write
        self.departures = Departures(self.policy, self.skew, self.processing)

    def saw_write(self, request: Mapping[str, Any], _: dict[str, Any], item: dict[str, Any]) -> None:
        """Check a write that landed in the store."""
        before, now = self.state, snapshot(item)
        self.state = now
        self.departures.saw_write(before, now, self.world.time)
        self.world.note("store:", now.stream_count, now.anonymous, *now.leases.values(), *now.marks)
        if self.groups or now.groups:
            self.world.note("groups:", *sorted(now.groups.items()))
        if self.policy.token_overlap is not None:
            self.world.note("names:", *sorted(now.tokens or ()), *sorted(now.spent.items()))
            self._names_are_those_of_the_parts(now)
            if TOKENS not in request["UpdateExpression"]:
                self._except_from_the_bound(before, now)
        if now.stream_count != now.anonymous.count + len(now.leases) or now.anonymous.count < 0:
            self._broken("the count differs from its parts")
        ceiling = CEILING if self.policy.enforcement is Enforcement.SHADOW else self.limit
        if now.stream_count > max(ceiling, before.stream_count):
            self._broken(f"{now.stream_count} slots are taken, and {ceiling} are allowed")
        self._groups_are_counted_and_bounded(before, now)
        self._requests_land_once(before, now)
        self._leases_are_bounded(before, now)
        self._dead_slots_stay_dead(before, now)
        if self.policy.on_limit is OnLimit.EVICT_OLDEST:
            self._evictions_are_needed(before, now)

    def check(self) -> None:
        """Check the promises that hold at every step."""
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
        self._tokens_are_bounded()

    def refused(self, refusal: LimitReached, now: float) -> None:
        """Check a refusal: every slot's player must have sent a packet recently."""
        group, limit = refusal.full.group, refusal.full.limit
        live = refusal.live.count
        if group is not None:
            live = sum(group in lease.groups for lease in refusal.live.leases)
        if live < limit:
            self._broken(f"refused with {live} live streams of {limit} in {group}: a phantom refusal")
        for lease in refusal.live.leases:
            silent = now - self.contact.get(lease.stream_id, 0)
            if silent > self.longest_hold:
                self._broken(
                    f"{lease.stream_id} holds a slot, but its player has been gone for {silent:.3f} s"
                )

    def gave_token(self, lease: Lease) -> None:
        """Record a player's playback token, which expires with its lease."""
        name = lease.stream_id
        self.tokens[name] = max(self.tokens.get(name, 0), lease.expires_at + self.skew)
        if self.uncounted.get(name) == inf:
            self.uncounted[name] = self._a_lease_later

    def granted_groups(self, request: Request, lease: Lease | None) -> None:
        """Check a granted start: its stream must be in the groups of the request."""
        if isinstance(request, StartNamed) and lease and lease.groups != request.groups:
            self._broken(f"{request} was granted, and the stream is in {lease.groups}")

    def postponed(self, refusal: TooManyStarts, request: Request) -> None:
        """Check a start that was postponed: a slot must be free, and too many names recent."""
        if self.policy.enforcement is Enforcement.SHADOW or not isinstance(request, StartNamed):
            self._broken(f"{request} was postponed without need of a token")
            return
        if self.policy.on_limit is OnLimit.REJECT and refusal.live.count > refusal.limit:
            self._broken(f"postponed with {refusal.live.count} live streams of {refusal.limit}")
        if not 0 < refusal.seconds <= self.longest_hold:
            self._broken(f"postponed for {refusal.seconds:.3f} s")
        time = self.world.time
        names = {name for name, contact in self.contact.items() if time - contact <= self.longest_hold}
        if len(names) <= refusal.limit + (self.policy.token_overlap or 0):
            self._broken(f"postponed with {len(names)} recent names")

    def gone(self, request: Heartbeat, gone: StreamGone, since: float) -> None:
        """Check the reason in a 410: it must have happened."""
        wrong = self.departures.wrong(request, gone, since)
        if wrong:
            self._broken(wrong)

    def refused_though_granted(self, mark: str) -> None:
        """Check a refused anonymous request: it must not have landed before the refusal was sent."""
        landed = self.landed_at.get(mark, self.world.time)
        if mark in self.state.marks and self.world.time - landed > ANSWER_SECONDS:
            self._broken(f"{mark} was refused, but had landed")

    def forget(self) -> None:
        """Give up tracking the owners of the present anonymous slots."""
        self.forgot = True
        self.anonymous.clear()

    def is_long_dead(self, name: str) -> bool:
        """Return whether a stream's lease has expired by every clock, with no request about it in flight."""
        lease = self.state.leases.get(name)
        return (
            lease is not None
            and not self.policy.is_live(lease, self.world.time - self.skew)
            and self.world.time - self.contact.get(name, 0) > self.processing
        )

    def admitted_again(self, name: str, began: float) -> None:
        """Check a start that met the dead lease of its own name: it must have been admitted as new."""
        lease = self.state.leases.get(name)
        if lease is not None and lease.started_at < began - self.skew - 1:
            self._broken(f"{name} had expired, but its start was treated as a repeat")

    def granted(self, mark: str) -> None:
        """Check a granted anonymous request: it must have landed."""
        if mark not in self.landed:
            self._broken(f"{mark} was granted, but never landed")

    @property
    def longest_hold(self) -> float:
        """The longest time that a named stream holds its slot after its player's last packet."""
        return (
            self.policy.lease_seconds + self.policy.grace_seconds + ROUNDING + 2 * self.skew + self.processing
        )

    @property
    def _a_lease_later(self) -> float:
        """Return the time at which every present token has expired by every clock."""
        return self.world.time + self.longest_hold - self.processing

    def _tokens_are_bounded(self) -> None:
        """Check that no more names than the limit and the overlap have an unexpired token."""
        overlap, time = self.policy.token_overlap, self.world.time
        if overlap is None or self.policy.enforcement is Enforcement.SHADOW:
            return
        self.tokens = {name: until for name, until in self.tokens.items() if until > time}
        names = [name for name in self.tokens if self.uncounted.get(name, 0) <= time]
        if len(names) > self.limit + overlap:
            self._broken(f"{len(names)} names have a token, but only {self.limit + overlap} may: {names}")

    def _names_are_those_of_the_parts(self, now: Snapshot) -> None:
        parts = now.leases.keys() | now.spent.keys()
        if not self.old_code and parts != (now.tokens or frozenset()):
            self._broken(f"{sorted(now.tokens or ())} are counted, but the names are {sorted(parts)}")

    def _except_from_the_bound(self, before: Snapshot, now: Snapshot) -> None:
        """Except names that old code admitted or ended, as it does not look at them."""
        for name in now.leases.keys() - before.leases.keys():
            self.uncounted[name] = inf
        for name in before.leases.keys() - now.leases.keys():
            self.uncounted[name] = self._a_lease_later

    def _groups_are_counted_and_bounded(self, before: Snapshot, now: Snapshot) -> None:
        """Check that no group exceeds its limit or its count, which old code leaves too high."""
        for group in {*now.groups, *group_names(now.leases.values())} - {RECOUNTS}:
            count, leases = now.count(group), now.leases_in(group)
            if count < leases or (count > leases and not self.old_code):
                self._broken(f"{count} streams are counted in {group}, but it has {leases}")
            highest, _ = self.groups.get(group, (CEILING, CEILING))
            if self.policy.enforcement is Enforcement.ENFORCE and leases > max(
                highest, before.leases_in(group)
            ):
                self._broken(f"{leases} streams are in {group}, but {highest} are allowed")

    def _requests_land_once(self, before: Snapshot, now: Snapshot) -> None:
        if now.marks[:1] == before.marks[:1]:
            return
        mark = now.marks[0]
        if mark in self.landed[-REMEMBERED_MARKS:]:
            self._broken(f"{mark} was counted twice")
        if mark in self.landed or self._is_late_end(mark):
            self.forget()  # within the known bounds: four others came between, or it ends one of the slots
        self.landed.append(mark)
        self.landed_at[mark] = self.world.time

    def _is_late_end(self, mark: str) -> bool:
        """Return whether an end comes when the slot of its own start may have expired."""
        kind, _, key = mark.partition(":")
        started = self.landed_at.get(f"start:{key}")
        margin = 1 + 2 * self.skew
        return (
            kind == "end"
            and started is not None
            and self.world.time > started + self.policy.anonymous_seconds - margin
        )

    def _leases_are_bounded(self, before: Snapshot, now: Snapshot) -> None:
        latest = self.world.time + self.skew + self.policy.lease_seconds + 1
        for name, lease in now.leases.items():
            if lease.expires_at > latest:
                self._broken(f"{name} holds its slot for longer than a lease")
            was = before.leases.get(name)
            if was is not None and (was.play or "") > (lease.play or ""):
                self.held.pop(name, None)  # a late start of an earlier page load: its player is gone
            if (
                was is not None
                and was.expires_at > lease.expires_at
                and self.policy.is_live(was, self.world.time)
            ):
                self._broken(f"the expiry of {name} moved back")

    def _evictions_are_needed(self, before: Snapshot, now: Snapshot) -> None:
        """Check that an eviction makes room for the last slot, of all or of a group that the newcomer joins.

        No stream may be evicted if the limits are not enforced.
        """
        shadow = self.policy.enforcement is Enforcement.SHADOW
        joined = {*group_names(lease for lease in now.leases.values() if self._joins(before, lease))}
        for name in before.leases.keys() - now.leases.keys():
            shared = joined.intersection(before.leases[name].groups)
            in_vain = now.stream_count < self.lowest_limit and not any(
                self._is_full(now, group) for group in shared
            )
            if self.held.pop(name, 0) > self.world.time and (shadow or in_vain):
                self._broken(f"{name} was evicted with {now.stream_count} slots taken after it")

    def _joins(self, before: Snapshot, lease: Lease) -> bool:
        was = before.leases.get(lease.stream_id)
        return was is None or was.groups != lease.groups or was.started_at != lease.started_at

    def _is_full(self, now: Snapshot, group: str) -> bool:
        """Return whether a group has its lowest limit's number of streams, or had it before old code ran."""
        _, lowest = self.groups.get(group, (CEILING, CEILING))
        return self.old_code or now.leases_in(group) >= lowest

    def _dead_slots_stay_dead(self, before: Snapshot, now: Snapshot) -> None:
        over = self.policy.latest_expired_anonymous(self.world.time - self.skew - self.processing)
        if have_expired(before.anonymous, over) and now.anonymous.count > before.anonymous.count:
            self._broken("expired anonymous slots came back with a newcomer")

    def _broken(self, what: str) -> None:
        self.world.note("BROKEN:", what)
        raise Broken(what)
