"""The departures of one user's streams, as a witness of the writes sees them, to check reported reasons."""

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf
from typing import Final

from domain.decisions import Gone
from domain.errors import StreamGone
from domain.policy import OnLimit, Policy
from domain.requests import Heartbeat
from domain.streams import GoneReason, Lease, Snapshot

ROUNDING: Final = 2
"""The seconds that two times of whole seconds may differ from the true ones."""


@dataclass(frozen=True)
class Departure:
    """One stream that departed.

    Attributes:
        plays: its page loads in order: a host may have decided about any of them.
        time: the time of departure.
        reasons: the permitted reasons: more than one if hosts' clocks may disagree.
        by: the device of the newcomer that took its slot.
    """

    plays: frozenset[str]
    time: float
    reasons: frozenset[GoneReason]
    by: str | None


@dataclass
class Departures:
    """All departed streams, by name.

    Args:
        policy: the policy of the service.
        skew: the maximum error of a host's clock.
        processing: the maximum time between a host's decision and its write.

    Attributes:
        may_evict: whether a host may decide under `evict_oldest`.
        replaces: by the newcomer's name, the streams that it was asked to replace.
    """

    policy: Policy
    skew: float
    processing: float
    may_evict: bool = field(init=False)
    replaces: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _gone: dict[str, list[Departure]] = field(default_factory=lambda: defaultdict(list))
    _plays: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _came: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.may_evict = self.policy.on_limit is OnLimit.EVICT_OLDEST

    def saw_write(self, before: Snapshot, now: Snapshot, time: float) -> None:
        """Record the streams that a write has ended: it changes at most one other stream."""
        changed = [lease for name, lease in now.leases.items() if before.leases.get(name) != lease]
        newcomer = changed[0] if changed else None
        for name in before.leases.keys() - now.leases.keys():
            lease = before.leases[name]
            came = time if newcomer is None else max(time, newcomer.started_at)
            by = None if newcomer is None else newcomer.device
            plays = frozenset(self._plays.pop(name, ()))
            departure = Departure(plays, came, self._reasons(lease, newcomer, time), by)
            self._gone[name].append(departure)
            self._came.pop(name, None)
        for name in now.leases.keys() - before.leases.keys():
            self._came[name] = time
        for lease in changed:
            if lease.play is not None:
                self._plays[lease.stream_id].add(lease.play)

    def wrong(self, request: Heartbeat, gone: Gone | StreamGone, since: float) -> str:
        """Return what is wrong with the answer to a heartbeat that was sent then, or ""."""
        name, reason = request.stream_id, gone.reason
        if reason is None:
            return f"{name} was replaced by {gone.by} without a reason" if gone.by else ""
        if self._came.get(name, inf) <= since:
            return f"{name} was answered that it was {reason}, but it exists"
        lately = since - self.policy.lease_seconds - ROUNDING - 2 * self.skew
        possible = [
            departure
            for departure in self._gone[name]
            if reason is GoneReason.ENDED
            or request.play in departure.plays
            or (
                departure.time >= lately
                # The first write of a start replaces a stream by its name, whatever its page load.
                and (reason is GoneReason.REPLACED or not departure.plays or request.play is None)
            )
        ]
        is_by_a_device = reason in {GoneReason.REPLACED, GoneReason.EVICTED}
        is_true = any(
            reason in departure.reasons and gone.by == (departure.by if is_by_a_device else None)
            for departure in possible
        )
        return "" if is_true else f"{request} was answered {reason} by {gone.by}; possible: {possible}"

    def _reasons(self, lease: Lease, newcomer: Lease | None, time: float) -> frozenset[GoneReason]:
        """Return the possible reasons for a stream's departure, by the rules and by any host's clock."""
        reasons = {GoneReason.ENDED}
        if newcomer is not None:
            if lease.stream_id in self.replaces[newcomer.stream_id]:
                reasons.add(GoneReason.REPLACED)
            was_live = self.policy.is_live(lease, time - self.skew - self.processing)
            if was_live and self.may_evict:
                reasons.add(GoneReason.EVICTED)
            if not self.policy.is_live(lease, time + self.skew):
                reasons.add(GoneReason.EXPIRED)
        return frozenset(reasons)
