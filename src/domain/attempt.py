"""An attempt to start: the slots that the newcomer may have, the limits without room, and the write."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from domain.bounds import Bound
from domain.gone import displaced
from domain.group_counts import recount as recount_groups
from domain.requests import StartAnonymous, StartNamed, StartRequest
from domain.situation import Situation
from domain.streams import NO_SLOTS, Lease
from domain.token_names import Counted, recount
from domain.transitions import permits
from domain.values import value_object
from domain.writes import NOTHING, Admit, AnonymousStream, Ended, Freed, group_names


@value_object
class Attempt(Situation[StartRequest]):
    """A start, and the state that it is decided on."""

    @property
    def overlap(self) -> int:
        """The number of names above the limit that may count at once, where names are counted."""
        return self.policy.token_overlap or 0

    @property
    def own(self) -> Lease | None:
        """The lease under the newcomer's own name, live or not."""
        return self.state.leases.get(self.request.stream_id) if isinstance(self.request, StartNamed) else None

    @property
    def live_own(self) -> Lease | None:
        """That lease while it is live: the player comes back, or its stream joins other groups."""
        own = self.own
        return own if own is not None and self.is_live(own) else None

    @property
    def replaced(self) -> Ended | None:
        """The stream that the newcomer replaces, if it exists."""
        replaces = self.request.replaces if isinstance(self.request, StartNamed) else None
        lease = self.state.leases.get(replaces or "")
        return None if lease is None else Ended(lease.stream_id, lease.groups)

    @property
    def taken_over(self) -> Freed:
        """The slots of its own live lease and of the replaced stream, which the newcomer may have at once."""
        own, replaced = self.live_own, self.replaced
        return Freed(() if own is None else (own,), () if replaced is None else (replaced,))

    @property
    def free(self) -> Freed:
        """The slots taken over, the newcomer's own expired one, and expired ones that count in a full limit.

        With playback tokens, all expired slots: each name counts towards the token bound.
        """
        taken_over = self.taken_over
        full = self.lacking(self.request.bounds, taken_over).keys()
        counts_names = self.policy.token_overlap is not None
        all_expired = self.policy.expired(self.state, self.now)
        expired = tuple(
            lease
            for lease in all_expired.expired
            if counts_names or lease == self.own or not full.isdisjoint((None, *lease.groups))
        )
        gone = [lease.stream_id for lease in expired]
        is_anonymous = isinstance(self.request, StartAnonymous)
        return Freed(
            (*taken_over.expired, *expired),
            tuple(stream for stream in taken_over.ended if stream.stream_id not in gone),
            all_expired.anonymous if None in full or is_anonymous else NO_SLOTS,
        )

    def evictable(self, free: Freed) -> Sequence[Lease]:
        """Return the live named streams whose slots are not freed yet, the oldest first."""
        return [lease for lease in self.live.leases if lease.stream_id not in free.names]

    def lacking(self, bounds: Sequence[Bound], free: Freed) -> Mapping[str | None, int]:
        """Return how many slots each limit lacks for the newcomer once these are free, if any.

        Groups are counted by their leases: old code, which has no groups, leaves their counts too high.
        """
        lacking = {}
        for bound in bounds:
            group = bound.group
            taken = self.state.stream_count if group is None else self.state.leases_in(group)
            lacks = taken - free.slots_in(group) + 1 - bound.limit
            if lacks > 0:
                lacking[group] = lacks
        return lacking

    def fits(self, bounds: Sequence[Bound], admit: Admit) -> bool:
        """Return whether a write stays within these limits, and lands on this state."""
        return not self.lacking(bounds, admit.freed) and permits(self.state, admit)

    def admit(self, freed: Freed = NOTHING) -> Admit:
        """Return the write that admits the newcomer if there is room, whatever the counts are by then."""
        request, policy = self.request, self.policy
        retain_until = policy.retain_until(self.now)
        if isinstance(request, StartNamed):
            overlap = policy.token_overlap
            names = None if overlap is None else Counted(request.limit + overlap)
            lease = self._lease(request)
            if freed is not NOTHING:
                lease = replace(lease, displaced=displaced(self.state, request, freed, lease.displaced))
            return Admit(request.user_id, lease, request.bounds, retain_until, freed, names)
        latest_expired = policy.latest_expired_anonymous(self.now)
        stream = AnonymousStream(request.mark, policy.anonymous_until(self.now), latest_expired)
        return Admit(request.user_id, stream, request.bounds, retain_until, freed)

    def recounted(self, admit: Admit) -> Admit:
        """Return the same write for this state only, with groups and names recounted."""
        freed = admit.freed
        joined = admit.newcomer.groups
        groups = recount_groups(self.state, {*joined, *group_names(freed.streams)}, freed, joined)
        recounted = {count.group for count in groups}
        others = [count for count in admit.counts if count.group not in recounted]
        admit = replace(admit, counts=(*others, *groups))
        if self.policy.token_overlap is None:
            return admit
        reclaimed = [lease.stream_id for lease in freed.expired]
        latest_expired = self.policy.latest_expired(self.now)
        if not isinstance(admit.newcomer, Lease):
            return replace(admit, names=recount(self.state, None, reclaimed, latest_expired))
        name = admit.newcomer.stream_id
        # Its last token may outlive the lease.
        lease_until = admit.newcomer.expires_at
        until = max(lease_until, self.state.spent.get(name, lease_until))
        newcomer = replace(admit.newcomer, expires_at=until)
        return replace(admit, newcomer=newcomer, names=recount(self.state, name, reclaimed, latest_expired))

    def _lease(self, request: StartNamed) -> Lease:
        """Return the newcomer's lease. A live stream that joins other groups keeps the rest of its lease."""
        lease, own = self.policy.lease_of(request, self.now), self.live_own
        if own is None:
            return lease
        return replace(
            own,
            expires_at=max(lease.expires_at, own.expires_at),
            play=request.play or own.play,
            path_prefix=request.path_prefix or own.path_prefix,
            groups=request.groups,
        )
