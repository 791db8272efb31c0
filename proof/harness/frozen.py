"""A user's state as a value that can be compared, hashed and kept in a set."""

from dataclasses import dataclass

from domain.streams import NO_SLOTS, AnonymousSlots, Lease, Snapshot, SpentToken


@dataclass(frozen=True, slots=True)
class FrozenState:
    """A `Snapshot` whose leases, spent tokens and groups are tuples in a fixed order.

    A `Snapshot` has read-only views of dictionaries, which cannot be hashed. A mapping that can be hashed
    would copy three dictionaries in every request of the service.
    """

    stream_count: int = 0
    anonymous: AnonymousSlots = NO_SLOTS
    leases: tuple[Lease, ...] = ()
    marks: tuple[str, ...] = ()
    tokens: frozenset[str] | None = None
    spent: tuple[SpentToken, ...] = ()
    groups: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, state: Snapshot) -> "FrozenState":
        """Return the same state."""
        leases = tuple(sorted(state.leases.values(), key=lambda lease: lease.stream_id))
        spent = tuple(SpentToken(name, until) for name, until in sorted(state.spent.items()))
        groups = tuple(sorted(state.groups.items()))
        return cls(state.stream_count, state.anonymous, leases, state.marks, state.tokens, spent, groups)

    @property
    def snapshot(self) -> Snapshot:
        """Return the state as the domain's type."""
        leases = {lease.stream_id: lease for lease in self.leases}
        spent = {token.stream_id: token.expires_at for token in self.spent}
        groups = dict(self.groups)
        return Snapshot(self.stream_count, self.anonymous, leases, self.marks, self.tokens, spent, groups)
